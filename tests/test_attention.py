"""Attention with matrix products is that of torch's fused kernel, with its gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from flowc.attention import Segment, fused_attention, plain_attention

SEGMENTS = [Segment(7, 0, 0), Segment(5, 0, 4), Segment(1, 0, 6), Segment(6, 13, 0), Segment(3, 13, 2)]
LENGTH = sum(s.length for s in SEGMENTS)


def inputs(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(5)
    return tuple(torch.randn(heads, LENGTH, 16, dtype=dtype, requires_grad=True) for heads in (4, 2, 2))


def run(attend: Callable[..., torch.Tensor], rows: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """What comes out, and the gradients by query, key and value for a loss that weighs every number otherwise."""
    out = attend(*rows, SEGMENTS, 0.3)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), rows)]


def test_output_and_gradients_are_those_of_the_fused_kernel() -> None:
    rows = inputs(torch.float64)
    for plain, fused in zip(run(plain_attention, rows), run(fused_attention, rows), strict=True):
        torch.testing.assert_close(plain, fused)


def test_in_bf16_both_are_equally_near_to_the_exact_result() -> None:
    exact = run(fused_attention, inputs(torch.float64))
    rows = tuple(t.detach().bfloat16().requires_grad_() for t in inputs(torch.float64))
    for plain, fused, wanted in zip(run(plain_attention, rows), run(fused_attention, rows), exact, strict=True):
        errors = [float((t.double() - wanted).norm()) for t in (plain, fused)]
        assert 0 < errors[0] < 1.5 * errors[1]


@pytest.mark.parametrize("attend", [plain_attention, fused_attention])
def test_a_token_sees_itself_what_is_before_it_and_the_shared_beginning_only(
    attend: Callable[..., torch.Tensor],
) -> None:
    query, key, value = inputs(torch.float64)
    out = attend(query, key, value, SEGMENTS, 0.3)
    (by_key,) = torch.autograd.grad(out[9].sum(), value)  # the third token of the second segment
    seen = by_key.abs().sum((0, 2)).nonzero().flatten().tolist()
    assert seen == [0, 1, 2, 3, 7, 8, 9]
