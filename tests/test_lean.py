from __future__ import annotations

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from flowc.lean import make_lean

FAMILIES = [LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config]
IDS = torch.arange(24).reshape(2, 12) % 50


def _models(config_class: type, dtype: torch.dtype, tied: bool = False) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    config = config_class(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, tie_word_embeddings=tied,
    )  # fmt: skip
    plain = AutoModelForCausalLM.from_config(config).to(dtype)
    for parameter in plain.parameters():  # norms begin at one, where a forgotten weight would not show
        parameter.data += 0.1 * torch.randn_like(parameter)
    lean = copy.deepcopy(plain)
    make_lean(lean)
    return plain, lean


def _run(model: torch.nn.Module) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    return loss.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("config_class", FAMILIES)
def test_loss_and_gradients_are_those_of_the_layers_replaced(
    config_class: type, tied: bool, dtype: torch.dtype
) -> None:
    plain, lean = _models(config_class, dtype, tied)
    _run(plain), _run(lean)  # gradients of two passes add up
    (loss, gradients), (lean_loss, lean_gradients) = _run(plain), _run(lean)
    torch.testing.assert_close(lean_loss, loss, atol=1e-6, rtol=0)
    assert set(lean_gradients) == set(gradients)
    for name, gradient in gradients.items():
        torch.testing.assert_close(lean_gradients[name], gradient, atol=2e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("config_class", FAMILIES)
def test_every_norm_and_unit_of_a_known_family_is_replaced(config_class: type) -> None:
    _, lean = _models(config_class, torch.float32)
    left = [
        n for n, m in lean.named_modules() if type(m).__name__.endswith(("RMSNorm", "MLP")) and "forward" not in vars(m)
    ]
    assert left == []


def test_the_output_in_bf16_is_the_same_to_the_bit() -> None:
    plain, lean = _models(LlamaConfig, torch.bfloat16)
    with torch.no_grad():
        assert torch.equal(lean(input_ids=IDS).logits, plain(input_ids=IDS).logits)


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(model: torch.nn.Module) -> int:
        seen: dict[int, int] = {}

        def pack(t: torch.Tensor) -> torch.Tensor:
            seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            loss = model(input_ids=IDS, labels=IDS).loss  # alive, so that no storage is used twice
        del loss
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        return sum(size for place, size in seen.items() if place not in own)

    plain, lean = _models(LlamaConfig, torch.bfloat16)
    assert kept(lean) < 0.75 * kept(plain)


def test_other_layers_stay_as_they_are() -> None:
    model = torch.nn.Sequential(torch.nn.RMSNorm(4), torch.nn.Linear(4, 4))
    make_lean(model)
    assert all("forward" not in vars(m) for m in model.modules())
