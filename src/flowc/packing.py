"""Token sets, effective batches and packed micro-batches: no padding, logits only where there is a target.

Conversations of a micro-batch are laid end to end in one row. Every linear layer then sees real tokens only
and attention runs inside each conversation, so the result is that of training on each alone. A branch, which
begins like the first conversation of its family, is laid down from where it differs and attends to the shared
beginning: that is computed, and counts in the loss, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.nn import functional

from flowc.attention import Segment
from flowc.records import UserError

_ROWS = 128  # of logits turned into probabilities at a time: 25 MB at a vocabulary of 49,152
_POOL = 16  # batches that are sorted by length together; more would make neighbouring steps alike


class Tokens(NamedTuple):
    """One conversation: `ids` int64 and `targets` bool, both [n]; true where a token is learnt.

    The first `shared` tokens are those of the first conversation of its family, which has none.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    shared: int = 0


Family = tuple[Tokens, ...]


class Pack(NamedTuple):
    """Conversations end to end. Shapes: ids and positions [1, n], places and labels [supervised]."""

    ids: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor
    segments: list[Segment]


def read_token_set(path: Path, vocabulary: int) -> list[Family]:
    """Read a tokens file as families of conversations, in the order of the families' names.

    Raises UserError when it is missing, empty, malformed, without targets or made for another vocabulary.
    """
    remedy = "`dvc repro` makes it from the conversations and the base model's tokenizer"
    try:
        table = pq.read_table(path, columns=["conversation_id", "family", "input_ids", "loss_mask"])
    except (FileNotFoundError, pa.ArrowInvalid) as e:
        raise UserError(f"{path}: cannot be read as tokens ({e}); {remedy}") from None
    families: dict[str, dict[str, Tokens]] = {}
    for number, row in enumerate(table.to_pylist()):
        ids = torch.tensor(row["input_ids"], dtype=torch.int64)
        targets = torch.tensor(row["loss_mask"], dtype=torch.bool)
        if len(ids) != len(targets) or len(ids) < 2:
            raise UserError(f"{path}: row {number}: {len(ids)} ids and {len(targets)} mask values; {remedy}")
        if int(ids.max()) >= vocabulary or int(ids.min()) < 0:
            raise UserError(
                f"{path}: row {number}: token id {int(ids.max())} is outside the base model's vocabulary of "
                f"{vocabulary}; {remedy}"
            )
        families.setdefault(row["family"], {})[row["conversation_id"]] = Tokens(ids, targets)
    for name, members in families.items():
        if name not in members:
            raise UserError(f"{path}: family {name} lacks the conversation that it is named after; {remedy}")
    out = [join(m.pop(name), [m[i] for i in sorted(m)]) for name, m in sorted(families.items())]
    if not any(supervised(f) for f in out):
        raise UserError(f"{path}: nothing to learn in {len(out)} conversations; {remedy}")
    return out


def join(trunk: Tokens, branches: Sequence[Tokens]) -> Family:
    """Make a family: each branch shares with the trunk what both begin with.

    The first token behind a shared beginning is never a target, since its prediction would belong to the trunk.
    """
    out = [trunk]
    for ids, targets, _ in branches:
        n = min(len(ids), len(trunk.ids))
        differs = (ids[:n] != trunk.ids[:n]).nonzero()
        shared = min(int(differs[0]) if len(differs) else n, len(ids) - 1)
        while shared and targets[shared]:
            shared -= 1
        out.append(Tokens(ids, targets, shared))
    return tuple(out)


def supervised(family: Family) -> int:
    """Count the predictions that the loss sees (the first token of each segment has none)."""
    return sum(int(r.targets[r.shared + 1 :].sum()) for r in family)


def length(family: Family) -> int:
    """Count the tokens that are computed."""
    return sum(len(r.ids) - r.shared for r in family)


def pairs(family: Family) -> int:
    """Count pairs of tokens that attend to each other, twice: the square of a conversation's length."""
    return sum(len(r.ids) ** 2 - r.shared**2 for r in family)


def effective_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Deal a seeded permutation of the families into batches of similar lengths; a remainder is spread.

    Spreading keeps every batch near `batch_size`: a last batch of one family would give that one the weight of
    many. Similar lengths keep ranks equally busy: with two families of any length to a step the rank with the
    shorter one idled for a fifth of the time.
    """
    rng = np.random.default_rng([seed, epoch])
    count, steps = len(lengths), steps_per_epoch(len(lengths), batch_size)
    order = rng.permutation(count).tolist()
    starts = [count * i // steps for i in range(steps + 1)]
    batches = []
    for first in range(0, steps, _POOL):
        last = min(first + _POOL, steps)
        pool = sorted(order[starts[first] : starts[last]], key=lambda i: (lengths[i], i))
        offset = starts[first]
        batches += [pool[starts[i] - offset : starts[i + 1] - offset] for i in range(first, last)]
    return [batches[i] for i in rng.permutation(steps)]


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Number of optimizer steps in which every conversation is seen once."""
    return max(1, round(count / batch_size))


def split(batch: Sequence[int], lengths: Sequence[int], world: int, limit: int) -> list[list[list[int]]]:
    """Split a batch into micro-batches [micro-step][rank] of about equal numbers of tokens.

    Takes the fewest micro-steps that keep each micro-batch within `limit` tokens (one conversation alone may
    exceed it). Longest first onto the lightest micro-batch: with eight conversations on two ranks the
    heavier rank has 2 to 4 % more tokens than the lighter. A micro-batch may be empty.
    """
    longest_first = sorted(batch, key=lambda i: (-lengths[i], i))
    steps = 1
    while True:
        bins: list[list[int]] = [[] for _ in range(steps * world)]
        loads = [0] * len(bins)
        for i in longest_first:
            lightest = loads.index(min(loads))
            bins[lightest].append(i)
            loads[lightest] += lengths[i]
        if all(load <= limit or len(b) == 1 for load, b in zip(loads, bins, strict=True)):
            return [bins[s * world : (s + 1) * world] for s in range(steps)]
        steps += 1


def pack(families: Sequence[Family]) -> Pack:
    """Lay families end to end.

    Without any, gives one token and no target: a rank with nothing to do still takes part in the collectives
    of a step.
    """
    if not families:
        families = [(Tokens(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.bool)),)]
    segments: list[Segment] = []
    end = 0
    for family in families:
        trunk = end  # also for a branch behind one that shares nothing
        for row in family:
            segments.append(Segment(len(row.ids) - row.shared, trunk, row.shared))
            end += segments[-1].length
    rows = [row for family in families for row in family]
    ids = torch.cat([r.ids[r.shared :] for r in rows])
    after = torch.cat([functional.pad(r.targets[r.shared + 1 :], (0, 1)) for r in rows])
    places = after.nonzero().squeeze(1)
    return Pack(
        ids[None],
        torch.cat([torch.arange(r.shared, len(r.ids)) for r in rows])[None],
        places,
        ids[(places + 1).clamp(max=len(ids) - 1)],
        segments,
    )


class PackedLoss(nn.Module):
    """A causal language model that returns the sum of the cross entropy over the supervised positions."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.lm: Any = model

    def forward(self, batch: Pack) -> torch.Tensor:
        """Run the decoder on all tokens and the output layer on supervised positions only; a scalar, fp32.

        The full logits of this vocabulary would cost another quarter of the arithmetic.
        """
        hidden = self.lm.model(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, segments=batch.segments
        ).last_hidden_state
        logits = self.lm.lm_head(hidden[0].index_select(0, batch.places))
        loss: torch.Tensor = _CrossEntropy.apply(logits, batch.labels)  # type: ignore[no-untyped-call]
        return loss


class _CrossEntropy(torch.autograd.Function):
    """Sum of the cross entropy, in fp32, over logits [n, vocabulary] and labels [n]; the logits become the gradient.

    Torch's own keeps four tensors of this size, two in fp32: at 950 positions 0.75 GB, new to the process at every
    step. Here it is the logits and a few rows at a time.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sum over blocks of rows, and overwrite each block with its gradient where one is wanted."""
        loss = torch.zeros((), dtype=torch.float32, device=logits.device)
        for block, wanted in zip(torch.split(logits, _ROWS), torch.split(labels, _ROWS), strict=True):
            scores = functional.log_softmax(block, -1, dtype=torch.float32)
            loss -= scores.gather(1, wanted[:, None]).sum()
            if ctx.needs_input_grad[0]:
                gradient = scores.exp_()
                gradient[torch.arange(len(wanted), device=wanted.device), wanted] -= 1
                block.copy_(gradient)
        ctx.gradient = logits
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Scale the gradient, in place."""
        out: torch.Tensor = ctx.gradient
        del ctx.gradient
        return out.mul_(gradients[0]), None
