"""What a training run reads: its params, its tokens, and the model that it starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field
from transformers import AutoConfig

from flowc.choices import Choices, Offload, Optimizer
from flowc.lora import LoraParams
from flowc.model_card import sha256_of
from flowc.packing import Family, read_token_set
from flowc.previous import PreviousParams, restore, select
from flowc.records import Record, UserError

_SAME = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


class TrainParams(Record):
    """What changes the trained weights. Where it runs comes from the environment."""

    method: Literal["full", "lora"]
    """Train all parameters, or low-rank adapters that are merged when the model is written."""
    lora: LoraParams
    init: Literal["base", "previous"]
    """Start from the base model, or from the last compiled one with what changed since."""
    previous: PreviousParams
    epochs: int = Field(ge=1)
    """Times that each conversation is seen."""
    learning_rate: float = Field(gt=0)
    """Peak of the schedule: linear warm-up, then cosine to zero."""
    warmup_share: float = Field(ge=0, lt=1)
    """Share of the steps that warm up."""
    batch_size: int = Field(ge=1)
    """Families (conversations with their branches) in an optimizer step, over all ranks."""
    micro_tokens: int = Field(ge=1)
    """Most tokens that a rank holds activations for at a time (1.5 MB each at 135M parameters in fp32)."""
    weight_decay: float = Field(ge=0)
    """Of AdamW, on matrices only."""
    max_grad_norm: float = Field(gt=0)
    """Gradients are clipped to this norm."""
    precision: Literal["auto", "bf16", "fp32"]
    """Number format of weights and arithmetic; auto takes the one whose matrix products are measured to be the
    faster, of those that the device has in hardware."""
    optimizer: Optimizer
    """adamw8bit keeps the moments in 8 bits, on one GPU."""
    offload: Offload
    """What lies in the machine's memory in place of the GPU's: nothing, the optimizer's states, or weights too."""
    gradient_checkpointing: bool
    """Compute each layer's activations twice and keep only its input: a third more arithmetic, less memory."""
    evals: int = Field(ge=1)
    """Evaluations, evenly spaced, the last one at the end; the model with the lowest loss is kept."""
    eval_conversations: int = Field(ge=1)
    """Most held-out conversations of an evaluation, evenly spaced over the file."""

    def choices(self) -> Choices:
        """Give what the engine is made with."""
        lora = self.lora if self.method == "lora" else None
        return Choices(lora, self.optimizer, self.offload, self.gradient_checkpointing)


class Job(NamedTuple):
    """Paths of one run; `side` is where a killed run is continued from, `checkpoint_seconds` how often."""

    tokens: Path
    base: Path
    graph: Path
    out: Path
    metrics: Path
    side: Path
    checkpoint_seconds: float

    @property
    def previous(self) -> Path:
        """Where the previous model and its tokens are, while this run needs them."""
        return self.side.with_name("previous") / self.out.name


class Inputs(NamedTuple):
    """What a run reads; it starts from the weights in `start`, with `rate` as the peak of its schedule."""

    train: list[Family]
    evaluation: list[Family]
    config: Any
    hashes: dict[str, str]
    start: Path
    rate: float
    origin: dict[str, Any]


def restore_previous(job: Job, params: TrainParams, repository: Path) -> None:
    """Fetch what train.init=previous starts from, for `read_inputs` to find.

    Raises UserError where no revision is given or it cannot be had.
    """
    if params.init == "base":
        return
    if params.previous.revision is None:
        raise UserError(
            "train.init=previous needs train.previous.revision, the commit whose compiled model to start from "
            "(`git rev-parse main`); or set train.init to base"
        )
    restore(repository, params.previous.revision, {"model": job.out, "tokens": job.tokens}, job.previous)


def read_inputs(job: Job, params: TrainParams, seed: int) -> Inputs:
    """Read tokens and the base's config, and hash all inputs.

    Raises UserError naming the file that is missing or unusable.
    """
    weights = list(job.base.glob("*.safetensors"))
    if not weights or not (job.base / "config.json").exists():
        raise UserError(f"{job.base}: no base model there; `dvc repro base` makes it")
    config = AutoConfig.from_pretrained(job.base)
    files = {"train tokens": job.tokens / "train.parquet", "eval tokens": job.tokens / "eval.parquet"}
    train, evaluation = (read_token_set(path, config.vocab_size) for path in files.values())
    count = min(len(evaluation), params.eval_conversations)
    evaluation = [evaluation[i * len(evaluation) // count] for i in range(count)]
    hashes = {name: sha256_of([path]) for name, path in files.items()}
    hashes |= {"graph": sha256_of([job.graph]), "base weights": sha256_of(weights)}
    rate = params.lora.learning_rate if params.method == "lora" else params.learning_rate
    inputs = Inputs(train, evaluation, config, hashes, job.base, rate, {"from": "base"})
    return inputs if params.init == "base" else _from_previous(inputs, job, params, seed)


def _from_previous(inputs: Inputs, job: Job, params: TrainParams, seed: int) -> Inputs:
    """Start from the previous model with what changed, or say why the base it is."""
    model, tokens = job.previous / "model", job.previous / "tokens" / "train.parquet"
    if not tokens.exists():  # `restore_previous` found none
        return _from_base(inputs, "no model was compiled at that revision")
    config = AutoConfig.from_pretrained(model)
    if [getattr(config, key) for key in _SAME] != [getattr(inputs.config, key) for key in _SAME]:
        return _from_base(inputs, "that model was compiled from another base")
    then = read_token_set(tokens, config.vocab_size)
    found = select(inputs.train, then, params.previous.replay, params.batch_size, seed)
    if found.edit > params.previous.largest_edit:
        share, most = f"{found.edit:.0%}", f"{params.previous.largest_edit:.0%}"
        return _from_base(
            inputs, f"the edit changes {share} of the tokens, above train.previous.largest_edit of {most}"
        )
    return inputs._replace(
        train=found.families,
        hashes=inputs.hashes
        | {"previous weights": sha256_of(model.glob("*.safetensors")), "previous train tokens": sha256_of([tokens])},
        start=model,
        rate=inputs.rate if params.method == "lora" else params.previous.learning_rate,
        origin={
            "from": "previous",
            "edit": round(found.edit, 4),
            "changed_families": found.changed,
            "replayed_families": found.replayed,
        },
    )


def _from_base(inputs: Inputs, reason: str) -> Inputs:
    return inputs._replace(origin={"from": "base", "reason": reason})
