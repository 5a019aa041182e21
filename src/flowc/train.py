"""Fine-tuning under DeepSpeed ZeRO-3: one rank's part, from tokens to a saved model.

Run as `python -m stages.train`, which starts the ranks. The effective batch is fixed; its split into
micro-batches follows from the number of ranks and from `micro_tokens` and changes results by rounding only.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tqdm import tqdm

from flowc import checkpoint
from flowc.checkpoint import Progress
from flowc.choices import check_choices
from flowc.lora import merge
from flowc.machine import (
    DTYPES,
    Precision,
    device_name,
    flops_per_token,
    give_back_memory,
    matrix_peak,
    native_precisions,
)
from flowc.memory import check_memory, room_of_a_rank
from flowc.model_card import model_card
from flowc.packing import Family, Pack, effective_batches, length, pack, pairs, split, steps_per_epoch, supervised
from flowc.records import UserError, write_json
from flowc.reshard import load_resharded
from flowc.train_inputs import Inputs, Job, TrainParams, read_inputs
from flowc.zero import gather_weights, join_group, make_engine, total


def learning_rate(peak: float, warmup_share: float, step: int, total: int) -> float:
    """Rate of optimizer step `step` (from 0) of `total`."""
    warmup = round(warmup_share * total)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def run_key(params: TrainParams, seed: int, hashes: dict[str, str], precision: str) -> str:
    """Name a run by what determines its result; the graph is not among it, the tokens already are."""
    inputs = {k: v for k, v in hashes.items() if k != "graph"}
    text = json.dumps([params.model_dump(), seed, inputs, precision], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def candidates(params: TrainParams) -> list[Precision]:
    """Number formats of which the ranks take the one that they measure to be the faster."""
    return native_precisions() if params.precision == "auto" else [params.precision]


def check(job: Job, params: TrainParams, seed: int, world: int, local_ranks: int) -> None:
    """Refuse, before ranks start, what cannot be read, is not to be had here or does not fit into memory.

    Raises UserError with what is wrong and the remedy.
    """
    inputs, choices = read_inputs(job, params, seed), params.choices()
    check_choices(choices, world)
    # Which precision is the faster one is measured by the ranks; counted is the smaller.
    precision = min(candidates(params), key=lambda p: DTYPES[p].itemsize)
    room = room_of_a_rank(local_ranks)
    check_memory(inputs.config, inputs.train, params.micro_tokens, world, choices, precision, room)


def train(job: Job, params: TrainParams, seed: int) -> None:
    """Train as one rank of a started group; rank 0 writes the model and the metrics.

    Raises UserError on unusable inputs, a full disk or a loss that is not finite.
    """
    started = time.perf_counter()
    device = join_group()
    rank, world = dist.get_rank(), dist.get_world_size()
    choice = candidates(params)
    peaks = {p: total(matrix_peak(device, DTYPES[p]), device) for p in choice}
    precision = max(choice, key=lambda p: peaks[p])
    torch.manual_seed(seed)

    inputs = read_inputs(job, params, seed)
    side = job.side / run_key(params, seed, inputs.hashes, precision)
    side.mkdir(parents=True, exist_ok=True)
    progress = checkpoint.read_progress(side)
    engine, parameters = make_engine(
        inputs.start,
        inputs.config,
        inputs.rate,
        params.weight_decay,
        params.max_grad_norm,
        precision,
        params.choices(),
    )
    if progress is None:
        progress = Progress(world_size=world)
    else:
        name = checkpoint.step_name(progress.step)
        if progress.world_size == world:
            engine.load_checkpoint(str(side), tag=name)
        else:
            load_resharded(engine, side / name, progress.world_size)
        progress.world_size = world
        progress.resumed += 1
    progress.seconds["load"] += time.perf_counter() - started
    dist.barrier()

    run = _Run(engine, parameters, inputs, params, seed, side, job, device, progress)
    run.loop(rank, world)
    if rank == 0:
        _publish(run, peaks, precision)
    dist.barrier()
    dist.destroy_process_group()


class _Run:
    """One rank's state while it trains."""

    def __init__(
        self,
        engine: Any,
        parameters: int,
        inputs: Inputs,
        params: TrainParams,
        seed: int,
        side: Path,
        job: Job,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.engine, self.parameters, self.inputs, self.params = engine, parameters, inputs, params
        self.seed, self.side, self.job, self.device, self.progress = seed, side, job, device, progress
        self.lengths = [length(f) for f in inputs.train]
        self.steps = steps_per_epoch(len(inputs.train), params.batch_size)
        self.total = self.steps * params.epochs
        self.work = flops_per_token(inputs.config, parameters, frozen=params.method == "lora")

    def loop(self, rank: int, world: int) -> None:
        """Train from where `progress` stands to the end, with evaluations and checkpoints between."""
        p, params = self.progress, self.params
        eval_steps = {round(self.total * (i + 1) / params.evals) for i in range(params.evals)}
        stride = math.ceil(self.total / 400)
        saved = time.perf_counter()
        bar = tqdm(
            total=sum(self.lengths) * params.epochs,
            initial=p.tokens,
            unit="tok",
            desc=f"train {self.job.out.name}",
            disable=rank != 0,
            mininterval=1 if sys.stderr.isatty() else 20,
            dynamic_ncols=True,
        )
        batches: list[list[int]] = []
        while p.step < self.total:
            epoch, position = divmod(p.step, self.steps)
            if position == 0 or not batches:
                batches = effective_batches(self.lengths, params.batch_size, self.seed, epoch)
            with self._timed("train"):
                loss, due = self._step(batches[position], rank, world, time.perf_counter() - saved)
            tokens = sum(self.lengths[i] for i in batches[position])
            p.step, p.tokens = p.step + 1, p.tokens + tokens
            if p.step % stride == 0 or p.step in (1, self.total):
                p.loss_curve.append((p.step, round(loss, 5)))
            bar.update(tokens)
            best = {"eval": f"{p.best_loss:.3f}"} if p.eval_curve else {}
            bar.set_postfix(loss=f"{loss:.3f}", **best, refresh=False)
            give_back_memory(world)
            if p.step in eval_steps:
                self._evaluate(rank, world)
            if due and p.step < self.total:
                self._checkpoint(rank)
                saved = time.perf_counter()
        bar.close()

    def _step(self, batch: list[int], rank: int, world: int, unsaved: float) -> tuple[float, bool]:
        """One optimizer step; the batch's loss per supervised token, and whether a checkpoint is due.

        DeepSpeed averages gradients over ranks and would divide by the number of micro-batches: the sum of
        each micro-batch is weighted so that what comes out is the mean over the whole batch's targets.
        """
        rows = self.inputs.train
        targets = sum(supervised(rows[i]) for i in batch)
        rate = learning_rate(self.inputs.rate, self.params.warmup_share, self.progress.step, self.total)
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        micro = split(batch, self.lengths, world, self.params.micro_tokens)
        found = torch.zeros(2, dtype=torch.float64)
        for i, parts in enumerate(micro):
            self.engine.set_gradient_accumulation_boundary(i == len(micro) - 1)
            loss = self.engine(self._pack([rows[j] for j in parts[rank]]))
            self.engine.backward(loss * (world / max(1, targets)), scale_wrt_gas=False)
            found[0] += float(loss.detach())
        self.engine.step()
        found[1] = float(rank == 0 and unsaved >= self.job.checkpoint_seconds)
        found = found.to(self.device)
        dist.all_reduce(found)
        self._count(batch, targets, sum(not part for parts in micro for part in parts))
        loss = float(found[0]) / max(1, targets)
        if not math.isfinite(loss):
            raise UserError(
                f"training loss is {loss} at step {self.progress.step + 1}; lower its learning rate in train "
                f"(it is {self.inputs.rate:g})"
            )
        return loss, bool(found[1])

    def _count(self, batch: list[int], targets: int, fillers: int) -> None:
        p, (decoder, output, attention) = self.progress, self.work
        tokens = sum(self.lengths[i] for i in batch)
        p.supervised_tokens += targets
        p.computed_tokens += tokens + fillers
        met = sum(pairs(self.inputs.train[i]) for i in batch)
        p.flops += decoder * tokens + output * targets + attention * met

    def _evaluate(self, rank: int, world: int) -> None:
        """Measure the held-out loss and keep the model if it is the best so far."""
        p, rows = self.progress, self.inputs.evaluation
        with self._timed("eval"), torch.no_grad():
            self.engine.eval()
            lengths = [length(r) for r in rows]
            found = 0.0
            for parts in split(range(len(rows)), lengths, world, self.params.micro_tokens):
                found += float(self.engine(self._pack([rows[i] for i in parts[rank]])))
            self.engine.train()
            loss = total(found, self.device) / sum(supervised(r) for r in rows)
        p.eval_curve.append((p.step, round(loss, 5)))
        if loss < p.best_loss:
            p.best_loss, p.best_step = loss, p.step
            with self._timed("checkpoint"):
                self._save_model(self.side / checkpoint.best_name(p.step), rank)

    def _save_model(self, folder: Path, rank: int) -> None:
        """Gather the weights and let rank 0 write a folder that any server loads."""
        state = gather_weights(self.engine)
        if rank == 0:
            if self.params.method == "lora":
                state = merge(state, self.params.lora)
            part = folder.with_name(f".{folder.name}.part")
            checkpoint.remove(part)
            checkpoint.check_space(self.side, sum(t.nbytes for t in state.values()) * 11 // 10)
            with checkpoint.full_disk_named(part):
                shutil.copytree(self.job.base, part, ignore=shutil.ignore_patterns("*.safetensors*", "base.json"))
                generation = part / "generation_config.json"
                before = generation.read_bytes() if generation.exists() else None
                self.engine.module.lm.save_pretrained(part, state_dict=state)
                if before is not None:
                    generation.write_bytes(before)
                checkpoint.replace_folder(part, folder)
        dist.barrier()

    def _checkpoint(self, rank: int) -> None:
        part = self.side / checkpoint.part_name(self.progress.step)
        with self._timed("checkpoint"):
            if rank == 0:
                checkpoint.remove(part)
                checkpoint.check_space(self.side, self.parameters * 13)  # weights and two moments, fp32
            dist.barrier()
            with checkpoint.full_disk_named(part):
                self.engine.save_checkpoint(str(self.side), tag=part.name, save_latest=False)
            dist.barrier()
            if rank == 0:
                with checkpoint.full_disk_named(part):
                    checkpoint.commit(self.side, self.progress)
            dist.barrier()

    def _pack(self, rows: list[Family]) -> Pack:
        ids, positions, places, labels, segments = pack(rows)
        to = self.device
        return Pack(ids.to(to), positions.to(to), places.to(to), labels.to(to), segments)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.progress.seconds[what] += time.perf_counter() - start


def _publish(run: _Run, peaks: dict[Precision, float], precision: Precision) -> None:
    """Copy the best model to its place with its card, write the metrics, drop the side folder.

    A run that is killed here starts again from its checkpoint, which still has the best model. `peaks` are FLOP/s
    of all ranks; the share of each is the arithmetic of real tokens over all seconds, those of loading, evaluation
    and checkpoints among them.
    """
    p, job = run.progress, run.job
    best = run.side / checkpoint.best_name(p.best_step)
    results = {
        "eval_loss_of_the_best_step": round(p.best_loss, 4),
        "last_training_loss": round(p.loss_curve[-1][1], 4),
        "best_step": p.best_step,
        "steps": run.total,
        "conversations": sum(len(family) for family in run.inputs.train),
        "families": len(run.lengths),
        "tokens": p.tokens,
        "parameters": run.parameters,
    }
    card = model_card(
        job.out.name,
        job.base.name,
        run.inputs.hashes,
        {**run.params.model_dump(), "seed": run.seed},
        precision,
        results,
    )
    part = run.side / ".published.part"
    checkpoint.remove(part)
    with checkpoint.full_disk_named(part):
        shutil.copytree(best, part)
        (part / "README.md").write_text(card, encoding="utf-8")
        checkpoint.replace_folder(part, job.out)
    seconds = sum(p.seconds.values())
    write_json(
        job.metrics,
        {
            "procedure": job.out.name,
            "base": job.base.name,
            "method": run.params.method,
            "start": run.inputs.origin,
            "tokens": p.tokens,
            "computed_tokens": p.computed_tokens,
            "supervised_tokens": p.supervised_tokens,
            "seconds": {k: round(v, 1) for k, v in p.seconds.items()} | {"total": round(seconds, 1)},
            "tokens_per_second": round(p.tokens / p.seconds["train"], 1),
            "world_size": p.world_size,
            "precision": precision,
            "device": device_name(),
            "peak_gflops": {name: round(peak / 1e9, 1) for name, peak in peaks.items()},
            "peak_share": {name: round(p.flops / (peak * seconds), 3) for name, peak in peaks.items()},
            "loss_curve": p.loss_curve,
            "eval_curve": p.eval_curve,
            "best_step": p.best_step,
            "steps": run.total,
            "resumed": p.resumed,
        },
    )
    checkpoint.remove(run.side)
