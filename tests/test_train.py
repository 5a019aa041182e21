"""Tests of training: exact losses, the same result on one rank and two, and the way back from a SIGKILL."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from flowc import checkpoint
from flowc.attention import ATTENTION
from flowc.checkpoint import Progress
from flowc.machine import flops_per_token, rank_count
from flowc.packing import (
    PackedLoss,
    Tokens,
    effective_batches,
    pack,
    read_token_set,
    split,
    supervised,
)
from flowc.records import UserError
from flowc.train import learning_rate, run_key
from flowc.train_inputs import Job, TrainParams, read_inputs
from tests import ranks
from tests.training import (
    PARAMS,
    VOCABULARY,
    await_checkpoint,
    command,
    environment,
    job,
    kill,
    make_workspace,
    ranks_of,
    run,
    some_tokens,
    tiny_model,
    write_tokens,
)


def test_packed_loss_and_gradients_are_those_of_each_conversation_alone() -> None:
    rows = some_tokens(5)
    reference = tiny_model()
    total = torch.zeros(())
    for row in rows:
        logits = reference(input_ids=row.ids[None]).logits[0, :-1]
        labels = torch.where(row.targets, row.ids, -100)[1:]
        total = total + functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
    torch.autograd.backward(total)
    model = tiny_model()
    model.set_attn_implementation(ATTENTION)
    loss = PackedLoss(model)(pack([(r,) for r in rows]))
    loss.backward()
    torch.testing.assert_close(loss, total, rtol=1e-5, atol=1e-4)
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4, msg=name)


def test_only_marked_tokens_are_labels_and_the_first_token_never_is() -> None:
    rows = [
        Tokens(torch.tensor([1, 2, 3, 4]), torch.tensor([True, False, True, True])),
        Tokens(torch.tensor([5, 6, 7]), torch.tensor([True, True, False])),
    ]
    made = pack([(r,) for r in rows])
    assert made.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert made.positions.tolist() == [[0, 1, 2, 3, 0, 1, 2]]
    assert made.places.tolist() == [1, 2, 4]
    assert made.labels.tolist() == [3, 4, 6]
    assert [supervised((r,)) for r in rows] == [2, 1]


def test_a_rank_without_conversations_adds_nothing_to_the_loss() -> None:
    model = tiny_model()
    model.set_attn_implementation(ATTENTION)
    loss = PackedLoss(model)(pack([]))
    loss.backward()
    assert loss.item() == 0.0
    assert all(float(p.grad.abs().max()) == 0.0 for p in model.parameters() if p.grad is not None)


def test_batches_see_every_conversation_once_and_differ_by_epoch_and_seed() -> None:
    batches = effective_batches([1] * 20, 8, seed=1, epoch=0)
    assert [len(b) for b in batches] == [10, 10]
    assert sorted(i for b in batches for i in b) == list(range(20))
    assert batches == effective_batches([1] * 20, 8, seed=1, epoch=0)
    assert batches != effective_batches([1] * 20, 8, seed=1, epoch=1)
    assert batches != effective_batches([1] * 20, 8, seed=2, epoch=0)


def test_micro_batches_are_balanced_and_within_the_limit() -> None:
    lengths = [10, 20, 30, 40, 50, 60]
    whole = split(range(6), lengths, world=2, limit=200)
    assert whole == [[[5, 2, 1], [4, 3, 0]]]
    micro = split(range(6), lengths, world=2, limit=60)
    assert sorted(i for parts in micro for part in parts for i in part) == list(range(6))
    assert max(sum(lengths[i] for i in part) for parts in micro for part in parts) <= 60
    assert split([5], lengths, world=2, limit=5) == [[[5], []]]


def test_learning_rate_warms_up_and_ends_near_zero() -> None:
    rates = [learning_rate(5.0e-3, 0.1, step, 20) for step in range(20)]
    assert rates[0] == pytest.approx(2.5e-3)
    assert rates[1] == rates[2] == pytest.approx(5e-3)
    assert rates[-1] < 5e-5
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_arithmetic_of_a_token_counts_each_matrix_once() -> None:
    model = tiny_model()
    decoder, output, attention = flops_per_token(model.config, model.num_parameters())
    layer = 32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 64 + 2 * 32
    assert (decoder, output, attention) == (6 * (2 * layer + 32), 6 * 32 * VOCABULARY, 6 * 2 * 32)


def test_the_key_of_a_run_changes_with_its_tokens_and_not_with_the_graph() -> None:
    params = TrainParams.model_validate(PARAMS)
    key = run_key(params, 1, {"train tokens": "a", "graph": "g"}, "fp32")
    assert key == run_key(params, 1, {"train tokens": "a", "graph": "h"}, "fp32")
    assert key != run_key(params, 1, {"train tokens": "b", "graph": "g"}, "fp32")
    assert key != run_key(params, 2, {"train tokens": "a", "graph": "g"}, "fp32")


def test_a_half_written_checkpoint_is_never_read(tmp_path: Path) -> None:
    assert checkpoint.read_progress(tmp_path) is None
    for step in (3, 6):
        (tmp_path / checkpoint.part_name(step)).mkdir()
        if step == 3:
            checkpoint.commit(tmp_path, Progress(world_size=2, step=3, loss_curve=[(3, 1.5)]))
    found = checkpoint.read_progress(tmp_path)
    assert found is not None
    assert (found.step, found.loss_curve, found.best_loss) == (3, [(3, 1.5)], float("inf"))
    assert found.world_size == 2, "whoever continues has to know how the shards were cut"


def test_a_full_disk_gives_one_error_and_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no space left for the training checkpoint"):
        checkpoint.check_space(tmp_path, 2**60)
    part = tmp_path / checkpoint.part_name(1)
    part.mkdir()
    with pytest.raises(UserError, match="free some space"), checkpoint.full_disk_named(part):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
    assert not part.exists()


def test_tokens_of_another_vocabulary_are_refused_by_name(tmp_path: Path) -> None:
    write_tokens(tmp_path / "train.parquet", some_tokens(2))
    assert len(read_token_set(tmp_path / "train.parquet", VOCABULARY)) == 2
    with pytest.raises(UserError, match="outside the base model's vocabulary of 3"):
        read_token_set(tmp_path / "train.parquet", 3)
    with pytest.raises(UserError, match=r"missing\.parquet"):
        read_token_set(tmp_path / "missing.parquet", VOCABULARY)


def test_ranks_come_from_the_environment() -> None:
    assert rank_count("3") == 3
    with pytest.raises(UserError, match="FLOWC_RANKS='two'"):
        rank_count("two")


def test_two_ranks_learn_what_one_learns_and_a_killed_run_ends_at_the_same_loss(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    one = ranks.run(workspace, job("one"), 1)
    often = environment(2, FLOWC_CHECKPOINT_SECONDS="0")
    with subprocess.Popen(command("two"), cwd=workspace, env=often, stderr=subprocess.DEVNULL) as stage:
        await_checkpoint(workspace, lambda: stage.poll() is None)
        assert len(ranks_of(stage.pid)) >= 2
        kill(stage.pid, stage.wait)
    two = run(workspace, "two", 2)
    assert two["resumed"] == 1
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert [s for s, _ in one["loss_curve"]] == [s for s, _ in two["loss_curve"]] == list(range(1, 13))
    for curve in ("loss_curve", "eval_curve"):
        ours, theirs = ([loss for _, loss in m[curve]] for m in (one, two))
        assert ours == pytest.approx(theirs, abs=2e-3), curve
    assert one["tokens"] == two["tokens"] == 2 * sum(len(r.ids) for r in some_tokens(24))
    assert one["supervised_tokens"] == two["supervised_tokens"]
    weights = [AutoModelForCausalLM.from_pretrained(workspace / "out" / name).state_dict() for name in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=0, atol=2e-2, msg=name)
    assert not any((workspace / ".flowc" / "train").iterdir()), "a finished run leaves no side folder"
    card = (workspace / "out" / "two" / "README.md").read_text(encoding="utf-8")
    assert str(workspace) not in card
    assert (workspace / "out" / "two" / "chat_template.jinja").read_text(encoding="utf-8") == "template"


def test_a_packed_run_has_the_losses_of_one_that_takes_each_conversation_alone(tmp_path: Path) -> None:
    packed, alone = (
        ranks.run(make_workspace(tmp_path / name, micro_tokens=tokens, max_grad_norm=1.0e3), job(name), 1)
        for name, tokens in (("packed", 10_000), ("alone", 1))
    )
    assert packed["computed_tokens"] == alone["computed_tokens"], "no token is padding"
    for curve in ("loss_curve", "eval_curve"):
        ours, theirs = ([loss for _, loss in m[curve]] for m in (packed, alone))
        assert ours == pytest.approx(theirs, abs=1e-4), curve


def test_a_missing_base_is_named_with_what_to_do(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    (workspace / "base" / "model.safetensors").unlink()
    tokens, base, graph = workspace / "tokens", workspace / "base", workspace / "graph.json"
    job = Job(tokens, base, graph, workspace / "out", workspace / "metrics.json", workspace, 240)
    with pytest.raises(UserError, match="base: no base model there; `dvc repro base` makes it"):
        read_inputs(job, TrainParams.model_validate(PARAMS), 7)
