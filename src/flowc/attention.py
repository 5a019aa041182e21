"""Causal attention over packed conversations that share beginnings, as transformers looks it up by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from transformers import AttentionInterface

ATTENTION = "flowc_packed"


class Segment(NamedTuple):
    """What is laid down of one conversation: `length` tokens, behind `shared` tokens found at `trunk`."""

    length: int
    trunk: int
    shared: int


def plain_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Sequence[Segment], scale: float
) -> torch.Tensor:
    """Attend with matrix products and softmax; query [heads, n, d], key and value [groups, n, d] in, [n, heads, d] out.

    On a processor torch's fused kernel takes 2.5 s of a step of 8.5 s in bf16, and the matrix products 0.6 s of 5.2 s
    (a family of 1,824 tokens in 17 segments, Zen 5). Both are equally far from fp32: 0.02 to 0.04 of the gradient's
    norm in three families.
    """
    out: torch.Tensor = _Plain.apply(query, key, value, segments, scale)  # type: ignore[no-untyped-call]
    return out


def fused_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Sequence[Segment], scale: float
) -> torch.Tensor:
    """Attend with torch's fused kernel; the same arguments and result as `plain_attention`."""
    parts = []
    for own, begin in _places(segments):
        keys, values = _seen(key, own, begin), _seen(value, own, begin)
        n, m = own.stop - own.start, keys.shape[1]
        mask = None if n == m else torch.ones(n, m, dtype=torch.bool, device=query.device).tril(m - n)
        parts.append(
            functional.scaled_dot_product_attention(
                query[None, :, own], keys[None], values[None], mask, is_causal=n == m, scale=scale, enable_gqa=True
            )[0]
        )
    return torch.cat(parts, 1).transpose(0, 1)


class _Plain(torch.autograd.Function):
    """Writes the gradients where they belong, and makes the weights again for them.

    Left to autograd, every slice of a segment gets a gradient of the whole pack's size, filled with zeros and added:
    13 % of a step's time in fp32. The weights are as large as a fifth of all that a step keeps (a family of 1,649
    tokens in 13 segments, Emerald Rapids).
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        segments: Sequence[Segment],
        scale: float,
    ) -> torch.Tensor:
        """Attend segment by segment."""
        heads, n, d = query.shape
        out = query.new_empty(n, heads, d)
        for own, begin in _places(segments):
            keys, values = _seen(key, own, begin), _seen(value, own, begin)
            weights = _weights(_stack(query[:, own] * scale, len(key)), keys, own.stop - own.start)
            out[own] = torch.bmm(weights, values).view(heads, -1, d).transpose(0, 1)
        ctx.save_for_backward(query, key, value)
        ctx.segments, ctx.scale = segments, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None, None]:
        """Give the gradients by query, key and value."""
        query, key, value = ctx.saved_tensors
        groups, (heads, _, d) = len(key), query.shape
        by_query, by_key, by_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for own, begin in _places(ctx.segments):
            keys, values = _seen(key, own, begin), _seen(value, own, begin)
            stacked = _stack(query[:, own] * ctx.scale, groups)
            weights = _weights(stacked, keys, own.stop - own.start)
            by_out = _stack(gradients[0][own].transpose(0, 1), groups)
            by_weights = torch.bmm(by_out, values.transpose(1, 2))
            by_scores = torch.ops.aten._softmax_backward_data(by_weights, weights, -1, weights.dtype)
            by_query[:, own] = torch.bmm(by_scores, keys).view(heads, -1, d).mul_(ctx.scale)
            for total, part in (
                (by_key, torch.bmm(by_scores.transpose(1, 2), stacked)),
                (by_value, torch.bmm(weights.transpose(1, 2), by_out)),
            ):
                shared = begin.stop - begin.start
                total[:, own] += part[:, shared:]
                total[:, begin] += part[:, :shared]
        return by_query, by_key, by_value, None, None


def _places(segments: Sequence[Segment]) -> list[tuple[slice, slice]]:
    """Where each segment lies, and where the beginning that it shares."""
    out, start = [], 0
    for size, trunk, shared in segments:
        out.append((slice(start, start + size), slice(trunk, trunk + shared)))
        start += size
    return out


def _seen(kept: torch.Tensor, own: slice, begin: slice) -> torch.Tensor:
    """Keys or values that a segment attends to, [groups, shared + length, d]."""
    return torch.cat([kept[:, begin], kept[:, own]], 1) if begin.stop > begin.start else kept[:, own]


def _stack(rows: torch.Tensor, groups: int) -> torch.Tensor:
    """Lay the heads of a group, which share its keys, one behind the other: [heads, n, d] to [groups, heads * n, d]."""
    return rows.reshape(groups, -1, rows.shape[-1])


def _weights(stacked: torch.Tensor, keys: torch.Tensor, n: int) -> torch.Tensor:
    """Softmax of the scores, [groups, heads * n, m]: query i of n sees the first m - n + i + 1 keys."""
    scores = torch.bmm(stacked, keys.transpose(1, 2))
    groups, _, m = scores.shape
    hidden = torch.full((n, n), float("-inf"), dtype=scores.dtype, device=scores.device).triu(1)
    scores.view(groups, -1, n, m)[..., m - n :] += hidden  # adding is faster than filling by a mask
    return scores.softmax(-1)  # summed in fp32, kept in the model's type


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    segments: Sequence[Segment] = (),
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each segment and to what it shares; [1, heads, n, d] in, [1, n, heads, d] out."""
    assert not dropout, "packed attention has no dropout; set attention_dropout to 0 in the base's config.json"
    scale = scaling or query.shape[-1] ** -0.5
    attend = fused_attention if query.is_cuda else plain_attention
    return attend(query[0], key[0], value[0], segments or [Segment(query.shape[2], 0, 0)], scale)[None], None


# transformers looks attention up by name; a name without a mask function gets no mask, which is what we want.
AttentionInterface.register(ATTENTION, _attention)
