"""Adapters change what they may and no more, and merged they give the model that was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from flowc.lora import LoraParams, adapter_parameters, merge, put_adapters
from tests import ranks
from tests.training import VOCABULARY, job, make_workspace, tiny_model

LORA = LoraParams(rank=4, alpha=8, learning_rate=1e-2)


def adapted() -> LlamaForCausalLM:
    pytest.importorskip("peft")
    model = tiny_model()
    put_adapters(model, LORA)
    return model


def test_adapters_start_at_zero_and_alone_are_trained() -> None:
    model, ids = adapted(), torch.arange(20)[None]
    assert torch.equal(model(ids).logits, tiny_model()(ids).logits)
    trained = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    assert {name.rsplit(".", 2)[-2] for name in trained} == {"default"}
    assert sum(trained.values()) == adapter_parameters(tiny_model(), 4)
    assert adapter_parameters(tiny_model(), 4) == 2 * 4 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64))


def test_the_merged_model_is_a_plain_one_with_the_outputs_of_the_adapted_one() -> None:
    model, ids = adapted(), torch.randint(0, VOCABULARY, (1, 30))
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.normal_(std=0.3)
    plain = tiny_model()
    before = plain(ids).logits
    plain.load_state_dict(merge(dict(model.named_parameters()), LORA), strict=False)
    torch.testing.assert_close(plain(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-4)
    assert float((before - plain(ids).logits).abs().max()) > 0.1, "the adapters did something"


def test_a_trained_update_has_the_rank_that_was_asked_for_on_two_ranks_too(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    workspace = make_workspace(tmp_path, method="lora")
    metrics = ranks.run(workspace, job("two"), 2)
    assert (metrics["method"], metrics["world_size"]) == ("lora", 2)
    assert metrics["loss_curve"][-1][1] < metrics["loss_curve"][0][1]
    before, after = (AutoModelForCausalLM.from_pretrained(workspace / f).state_dict() for f in ("base", "out/two"))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        change = after[name] - weight
        if name.endswith("_proj.weight"):
            values = torch.linalg.svdvals(change)
            assert float(values[3]) > 1e-4 > 1e-5 > float(values[4]), name
        else:
            assert not change.any(), name
