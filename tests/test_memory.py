"""Memory is estimated close to what is kept, and what cannot fit is refused with what would."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config

from flowc.attention import ATTENTION
from flowc.choices import Choices, check_choices
from flowc.lean import make_lean
from flowc.memory import Batch, Need, Room, Shape, check_memory, estimate, fits, largest_batch, model_shape
from flowc.packing import Family, PackedLoss, pack
from flowc.records import UserError
from tests.training import some_tokens, tiny_model

PLAIN = Choices(lora=None, optimizer="adamw", offload="none", gradient_checkpointing=False)
GIB = 2**30
QWEN = Qwen2Config(
    vocab_size=151_936, hidden_size=2048, intermediate_size=11_008, num_hidden_layers=36, num_attention_heads=16,
    num_key_value_heads=2, tie_word_embeddings=True,
)  # fmt: skip


def families() -> list[Family]:
    return [(row,) for row in some_tokens(20)]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_estimate_of_activations_is_near_what_the_backward_pass_keeps(checkpointing: bool) -> None:
    config = LlamaConfig(
        vocab_size=512, hidden_size=64, intermediate_size=160, num_hidden_layers=8, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, attn_implementation=ATTENTION,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    make_lean(model)
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    batch = largest_batch(families(), 10_000)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        PackedLoss(model)(pack(families()))
    shape = Shape(1, 1, config)
    need = estimate(shape, batch, 1, PLAIN._replace(gradient_checkpointing=checkpointing), "fp32")
    plain = estimate(shape, batch, 1, PLAIN, "fp32")
    again = plain.activations / 8 if checkpointing else 0  # of one layer, while the backward pass is in it
    found = sum(kept.values())
    assert 0.92 < (found + again) / need.activations < 1.08


def test_states_are_divided_by_the_ranks_and_follow_the_choices() -> None:
    shape, batch, room = (
        Shape(8_000_000_000, 8_000_000_000, QWEN),
        Batch(2048, 1000),
        Room(80 * GIB, 200 * GIB, True),
    )

    def need(world: int = 1, **changes: Any) -> Need:
        return estimate(shape, batch, world, PLAIN._replace(**changes), "bf16")

    assert need().optimizer == 100_000_000_000
    assert need(8).optimizer == 16_000_000_000
    assert need(optimizer="adamw8bit").optimizer == 52_000_000_000
    assert need(offload="optimizer").optimizer == 0
    assert need(offload="optimizer").host == 116_000_000_000
    assert need(offload="all").host == 132_000_000_000
    assert need(gradient_checkpointing=True).activations < need().activations / 10
    assert not fits(need(), room) and fits(need(8), room)


def test_what_cannot_fit_is_refused_with_numbers_and_with_what_would() -> None:
    room = Room(24 * GIB, 64 * GIB, True)
    with pytest.raises(UserError) as refused:
        check_memory(QWEN, families(), 2048, 1, PLAIN, "bf16", room)
    said = str(refused.value)
    assert said.startswith("training needs at least 5")
    assert "and there are 24.0 GiB for each and 64.0 GiB beside" in said
    remedies = said.partition("would fit: ")[2].split("; ")
    assert remedies == ["train.method=lora", "train.offload=optimizer", "train.offload=all", "4 such GPUs"]


def test_what_fits_is_let_through_with_its_estimate() -> None:
    need = check_memory(tiny_model().config, families(), 64, 2, PLAIN, "fp32", Room(GIB, 0, False))
    assert need.device < GIB
    assert need.host == 0


def test_parameters_are_counted_without_making_them() -> None:
    assert model_shape(tiny_model().config, None).parameters == tiny_model().num_parameters()


def test_choices_that_need_a_gpu_are_refused_without_one() -> None:
    assert not torch.cuda.is_available()
    check_choices(PLAIN, 2)
    with pytest.raises(UserError, match=r"train.offload=all .* there is no GPU; set it to none"):
        check_choices(PLAIN._replace(offload="all"), 1)
    with pytest.raises(UserError, match=r"train.optimizer=adamw8bit is for one GPU, and here are no GPU"):
        check_choices(PLAIN._replace(optimizer="adamw8bit"), 1)
