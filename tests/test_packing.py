"""Packing gives the loss of plain, separate conversations, whether or not they share a beginning."""

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from flowc.attention import ATTENTION
from flowc.packing import (
    Family,
    PackedLoss,
    Tokens,
    join,
    length,
    pack,
    pairs,
    supervised,
)

BEGINNING = [5, 9, 11, 3, 7, 8]


def tokens(ids: list[int], targets: list[int]) -> Tokens:
    return Tokens(torch.tensor(ids), torch.tensor(targets, dtype=torch.bool))


def family() -> Family:
    trunk = tokens([*BEGINNING, 20, 21, 22, 23, 24], [0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1])
    first = tokens([*BEGINNING, 30, 31, 32], [0, 1, 1, 0, 0, 0, 0, 1, 1])
    second = tokens([*BEGINNING[:4], 40, 41, 42, 43], [0, 1, 1, 0, 0, 0, 1, 1])
    return join(trunk, [first, second])


def model() -> LlamaForCausalLM:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, attn_implementation=ATTENTION,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def plain_loss(lm: LlamaForCausalLM, row: Tokens) -> torch.Tensor:
    """Sum of the cross entropy over the targets behind the shared beginning, from a run of the whole row alone."""
    logits = lm(input_ids=row.ids[None]).logits[0, :-1]
    wanted = row.targets[1:].clone()
    wanted[: row.shared] = False
    return functional.cross_entropy(logits[wanted], row.ids[1:][wanted], reduction="sum")


def test_a_branch_shares_what_both_begin_with() -> None:
    assert [r.shared for r in family()] == [0, 6, 4]
    assert length(family()) == 11 + 3 + 4
    assert supervised(family()) == 5 + 2 + 2
    assert pairs(family()) == 11**2 + (9**2 - 6**2) + (8**2 - 4**2)


def test_the_first_token_behind_a_shared_beginning_is_never_a_target() -> None:
    trunk = tokens([1, 2, 3, 4], [0, 0, 1, 1])
    branch = tokens([1, 2, 5, 6], [0, 0, 1, 1])
    assert join(trunk, [branch])[1].shared == 1


def test_branches_give_the_loss_and_the_gradients_of_whole_conversations() -> None:
    lm, rows = model(), family()
    other = (tokens([50, 51, 52, 53], [0, 1, 1, 1]),)
    packed = PackedLoss(lm)(pack([rows, other]))
    packed.backward()
    gradients = [p.grad.clone() for p in lm.parameters() if p.grad is not None]
    lm.zero_grad()
    alone = torch.stack([plain_loss(lm, row) for row in (*rows, *other)]).sum()
    alone.backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(packed, alone, rtol=1e-5)
    for packed_gradient, parameter in zip(gradients, lm.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.allclose(packed_gradient, parameter.grad, atol=1e-5)


def test_a_branch_that_shares_nothing_leaves_the_trunk_where_it_is() -> None:
    trunk = tokens([1, 2, 3, 4], [0, 0, 1, 1])
    stranger = tokens([9, 8, 7], [0, 1, 1])
    cousin = tokens([1, 2, 5], [0, 0, 0])
    made = pack([join(trunk, [stranger, cousin])])
    assert [(s.length, s.trunk, s.shared) for s in made.segments] == [(4, 0, 0), (3, 0, 0), (1, 0, 2)]
