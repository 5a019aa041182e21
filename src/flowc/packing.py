"""Token sets, effective batches and packed micro-batches: no padding, logits only where there is a target.

Conversations of a micro-batch are laid end to end in one row. Every linear layer then sees real tokens only
and attention runs inside each conversation, so the result is that of training on each alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface

from flowc.records import UserError

ATTENTION = "flowc_packed"


class Tokens(NamedTuple):
    """One conversation: `ids` int64 of shape [n], `targets` bool of shape [n], true where a token is learnt."""

    ids: torch.Tensor
    targets: torch.Tensor


class Pack(NamedTuple):
    """Conversations end to end. Shapes: ids and positions [1, n], places and labels [supervised]."""

    ids: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor
    lengths: list[int]


def read_token_set(path: Path, vocabulary: int) -> list[Tokens]:
    """Read a tokens file in its own order.

    Raises UserError when it is missing, empty, malformed, without targets or made for another vocabulary.
    """
    remedy = "`dvc repro` makes it from the conversations and the base model's tokenizer"
    try:
        table = pq.read_table(path, columns=["input_ids", "loss_mask"])
    except (FileNotFoundError, pa.ArrowInvalid) as e:
        raise UserError(f"{path}: cannot be read as tokens ({e}); {remedy}") from None
    rows = []
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
        rows.append(Tokens(ids, targets))
    if not rows or not any(int(r.targets[1:].sum()) for r in rows):
        raise UserError(f"{path}: nothing to learn in {len(rows)} conversations; {remedy}")
    return rows


def supervised(row: Tokens) -> int:
    """Count the predictions that the loss sees (the first token has no prediction)."""
    return int(row.targets[1:].sum())


def effective_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Deal a seeded permutation of the conversations into batches; a remainder is spread, never dropped.

    Spreading keeps every batch near `batch_size`: a last batch of one conversation would give that one
    conversation the weight of eight.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    steps = steps_per_epoch(count, batch_size)
    return [order[count * i // steps : count * (i + 1) // steps] for i in range(steps)]


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


def pack(rows: Sequence[Tokens]) -> Pack:
    """Lay conversations end to end.

    Without any, gives one token and no target: a rank with nothing to do still takes part in the collectives
    of a step.
    """
    if not rows:
        rows = [Tokens(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.bool))]
    lengths = [len(r.ids) for r in rows]
    ids = torch.cat([r.ids for r in rows])
    after = torch.cat([functional.pad(r.targets[1:], (0, 1)) for r in rows])
    places = after.nonzero().squeeze(1)
    return Pack(
        ids[None],
        torch.cat([torch.arange(n) for n in lengths])[None],
        places,
        ids[(places + 1).clamp(max=len(ids) - 1)],
        lengths,
    )


class PackedLoss(nn.Module):
    """A causal language model that returns the sum of the cross entropy over the supervised positions."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.lm = model

    def forward(self, batch: Pack) -> torch.Tensor:
        """Run the decoder on all tokens and the output layer on supervised positions only; a scalar, fp32.

        The full logits of this vocabulary would cost another quarter of the arithmetic.
        """
        decoder = self.lm.model
        hidden = decoder(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, segments=batch.lengths
        ).last_hidden_state
        logits = self.lm.lm_head(hidden[0].index_select(0, batch.places))
        return functional.cross_entropy(logits.float(), batch.labels, reduction="sum")


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    segments: Sequence[int] = (),
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each segment; shapes [1, heads, n, d] in, [1, n, heads, d] out."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    lengths = list(segments) or [query.shape[2]]
    parts = [
        functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, dropout_p=dropout)
        for q, k, v in zip(*(x.split(lengths, 2) for x in (query, key, value)), strict=True)
    ]
    return torch.cat([p.transpose(1, 2) for p in parts], 1), None


# transformers looks attention up by name; a name without a mask function gets no mask, which is what we want.
AttentionInterface.register(ATTENTION, _attention)
