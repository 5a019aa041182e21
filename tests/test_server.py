"""The real vLLM server on a tiny model: starts, answers, says why it died, and leaves no process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import openai
import psutil
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from flowc import guard
from flowc.records import UserError
from flowc.server import ServeParams, command, explain, serve

PARAMS = ServeParams(max_num_seqs=4, kv_cache_gib=1, max_model_len=256)


def write_model(folder: Path, context: int = 256) -> Path:
    """Write a Llama of random weights with a byte tokenizer."""
    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {t: i for i, t in enumerate(["<pad>", "<|im_start|>", "<|im_end|>", *alphabet])}
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<pad>")
    fast.chat_template = "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}"
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def serving(model: Path) -> list[psutil.Process]:
    """The guard that this process has started for a model, and all that is below it."""
    living = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    (found,) = [p for p in living if str(model) in p.cmdline()]
    return [found, *found.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all processes end within half a minute; a zombie that nobody has reaped yet has ended."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.1)
    return False


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing: no model there"), serve(tmp_path / "nothing", PARAMS):
        pass


def test_a_port_that_is_taken_is_named(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UserError, match=f"port {port} cannot be had .*choose another"),
            serve(model, PARAMS, port=port),
        ):
            pass


def test_a_port_beyond_the_last_is_refused(model: Path) -> None:
    with pytest.raises(UserError, match="port 70000 cannot be had"), serve(model, PARAMS, port=70000):
        pass


def test_the_context_is_never_longer_than_asked(model: Path) -> None:
    words = command(model, PARAMS, 128, 4321)
    assert words[words.index("--max-model-len") + 1] == "128"
    assert words[words.index("--port") + 1] == "4321"
    assert words[words.index("--host") + 1] == "127.0.0.1"


def test_the_explanation_is_the_first_error_without_its_frame_of_files(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "(APIServer pid=7) INFO 11-22 18:47:01 [api.py:1] starting\n"
        "(EngineCore pid=8) Traceback (most recent call last):\n"
        '(EngineCore pid=8)   File "/somewhere/x.py", line 3, in f\n'
        "(EngineCore pid=8)     raise ValueError(message)\n"
        "(EngineCore pid=8) ValueError: Available memory is less than requested for kv cache\n"
        "(APIServer pid=7) RuntimeError: Engine core initialization failed\n"
    )
    assert explain(log) == (
        "ValueError: Available memory is less than requested for kv cache | "
        "RuntimeError: Engine core initialization failed"
    )


def test_the_guard_kills_grandchildren_when_its_parent_goes(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    grandchild = f"import os,time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    child = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    process = subprocess.Popen(
        [sys.executable, "-I", str(guard.__file__), sys.executable, "-c", child],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    while not (marker.exists() and marker.read_text()):
        time.sleep(0.05)
    family = [psutil.Process(int(marker.read_text())), *psutil.Process(process.pid).children(recursive=True)]
    assert process.stdin is not None
    process.stdin.close()
    assert gone(family)
    assert process.wait(10) == -signal.SIGKILL


def test_a_server_that_cannot_start_says_why(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "config.json").write_text('{"architectures": ["NoSuchModel"], "model_type": "no_such_type"}')
    with (
        pytest.raises(UserError, match=r"server of broken did not start: .*no_such_type"),
        serve(broken, PARAMS),
    ):
        pass


def test_a_killed_server_is_reported_with_the_remedy(model: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        pytest.raises(UserError, match=r"server of tiny died: .*run `dvc repro` again"),
        serve(model, PARAMS, log, port) as s,
    ):
        assert s.base_url == f"http://127.0.0.1:{port}/v1"
        client = openai.OpenAI(base_url=s.base_url, api_key="none", max_retries=0)
        assert [m.id for m in client.models.list()] == ["tiny"]
        reply = client.chat.completions.create(
            model=s.model, messages=[{"role": "user", "content": "hello"}], max_tokens=3, temperature=0
        )
        assert reply.usage is not None and reply.usage.completion_tokens <= 3
        family = serving(model)
        assert len(family) >= 3  # the guard, the API server, the engine
        max(family, key=lambda p: p.memory_info().rss).kill()
        client.chat.completions.create(model=s.model, messages=[{"role": "user", "content": "hello"}])
    assert gone(family)


def test_a_stage_killed_outright_leaves_no_server(model: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from flowc.server import ServeParams, serve\n"
        f"params = ServeParams.model_validate_json({PARAMS.model_dump_json()!r})\n"
        f"with serve(Path({str(model)!r}), params) as s:\n"
        "    print(s.base_url, flush=True)\n"
        "    input()\n"
    )
    stage = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert stage.stdout is not None
    url = stage.stdout.readline().strip()
    family = psutil.Process(stage.pid).children(recursive=True)
    assert len(family) >= 3
    os.kill(stage.pid, signal.SIGKILL)
    stage.wait()
    assert gone(family)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1].split("/")[0]))) != 0
