"""Starts a vLLM server on loopback, waits until it is healthy, and leaves no process behind however it ends.

On a processor two processes serve instead of vLLM's usual three, because each pays for an import of vLLM
(15 s of one core): the worker runs inside the engine's process. vLLM prefers a third process there because
it cannot set up OpenMP for itself; we set it up from outside, before any of them starts.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from flowc import guard
from flowc.records import Record, UserError

TYPICAL_SECONDS = 40
_LIMIT_SECONDS = 900
_ATTEMPTS = 3
# Lines of a log that explain nothing, what vLLM writes before the others, and those that name a cause.
_NOISE = re.compile(r'^\s*(File "|\^|~|\.\.\.|raise |return |await |self\.|$)|Traceback|During handling|Warning')
_PROCESS = re.compile(r"^\(\w+ pid=\d+\)\s*")
_LEVEL = re.compile(r"^ERROR \d\d-\d\d [\d:]+ \[[^\]]+\]\s?")
_CHATTER = re.compile(r"^(?:DEBUG|INFO|WARNING)[ :]|^[IW]\d{4} ")
_CAUSE = re.compile(r"Error|Exception|error:|Value error|killed by")


class ServeParams(Record):
    """How a model is served."""

    max_num_seqs: int = Field(ge=1)
    """Most requests that the engine computes at once."""
    kv_cache_gib: int = Field(ge=1)
    """Memory for keys and values on a processor, GiB; a GPU takes what is free."""
    max_model_len: int = Field(ge=64)
    """Longest prompt and reply together, in tokens; never more than the model was built for."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format; auto takes the one that the machine multiplies fast."""


class Server(NamedTuple):
    """A running server: its OpenAI address, the model's name there, its context in tokens and its log."""

    base_url: str
    model: str
    context: int
    log: Path


@contextmanager
def serve(model: Path, params: ServeParams, log: Path | None = None, port: int = 0) -> Iterator[Server]:
    """Serve `model` until the block ends, at a free port for `port` 0; without `log` its output goes to a file for now.

    Raises UserError where the port is taken, with the server's last words when it does not start, or when it has died
    by the end of the block, whatever the block itself raised.
    """
    if not (model / "config.json").exists():
        raise UserError(f"{model}: no model there (config.json is missing); `dvc repro` makes it")
    with tempfile.TemporaryDirectory(prefix="flowc-serve-") as folder:
        path = log or Path(folder) / "server.log"
        context = min(params.max_model_len, _trained_context(model))
        process, found = _start(model, params, context, path, port)
        try:
            yield Server(f"http://127.0.0.1:{found}/v1", model.name, context, path)
        except Exception:
            # A request that fails because the server died is better explained by the server.
            if _ended(process):
                raise _died(model.name, "died", path) from None
            raise
        else:
            if process.poll() is not None:
                raise _died(model.name, "died", path)
        finally:
            _stop(process)


def command(model: Path, params: ServeParams, context: int, port: int) -> list[str]:
    """Give the server's command line."""
    out = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    out += ["--served-model-name", model.name, "--host", "127.0.0.1", "--port", str(port)]
    out += ["--max-num-seqs", str(params.max_num_seqs), "--max-model-len", str(context)]
    out += ["--dtype", _dtype(params.dtype), "--enable-prefix-caching", "--enable-prompt-tokens-details"]
    out += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--generation-config", "vllm"]
    out += ["--disable-uvicorn-access-log"]
    if on_cpu():
        # Prompts are cached in whole blocks. Of a conversation's 3,667 prompt tokens 3,152 came from the cache with 32
        # to a block, 2,624 with vLLM's 128; first token from a warm cache after 36 ms, against 69.
        out += ["--enforce-eager", "--distributed-executor-backend", "uni", "--block-size", "32"]
    return out


def environment(params: ServeParams) -> dict[str, str]:
    """Give the server's environment: this process's, without network, usage statistics and thread binding."""
    out = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if on_cpu():
        out |= {
            "VLLM_CPU_KVCACHE_SPACE": str(params.kv_cache_gib),
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
            # Threads that wait look for work for about a millisecond, then sleep. Sleeping at once costs a third of the
            # throughput (85 tokens/s in place of 127 at 32 requests); never sleeping takes the API server's core when
            # both have other work (8 in place of 30 at 16).
            "GOMP_SPINCOUNT": "20000",
            # Keep freed memory: glibc otherwise asks the kernel for zeroed pages at every step.
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(2**40),
        }
    return out


def on_cpu() -> bool:
    """Whether the installed vLLM is the build for processors."""
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def explain(log: Path) -> str:
    """Give the last lines of a server's log that say what went wrong."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [_PROCESS.sub("", line) for line in text.splitlines()]
    lines = [_LEVEL.sub("", line).strip() for line in lines if not _CHATTER.match(line)]
    lines = [line for line in lines if not _NOISE.search(line)]
    # Each error is reported by every process on the way out; the first two name the cause.
    causes = list(dict.fromkeys(line for line in lines if _CAUSE.search(line)))[:2] or lines[-2:]
    return " | ".join(line[:300] for line in causes) or "it did not say why"


def _start(
    model: Path, params: ServeParams, context: int, log: Path, wanted: int
) -> tuple[subprocess.Popen[bytes], int]:
    if importlib.util.find_spec("vllm") is None:
        raise UserError("vLLM is not installed; install requirements.lock (or requirements-gpu.lock), see README.md")
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, _ATTEMPTS + 1):
        with _reserved_port(wanted) as port, log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", str(guard.__file__), *command(model, params, context, port)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(params),
                start_new_session=True,
            )
            try:
                if _wait(process, port, model.name):
                    return process, port
            except BaseException:
                _stop(process)
                raise
        taken = "address already in use" in log.read_text(encoding="utf-8", errors="replace").lower()
        if not taken or attempt == _ATTEMPTS:
            raise _died(model.name, "did not start", log)
    raise AssertionError("unreachable")


@contextmanager
def _reserved_port(wanted: int) -> Iterator[int]:
    """Hold a port, for 0 one that the system chooses: given to nobody else, but vLLM may bind it (SO_REUSEADDR)."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", wanted))
        except (OSError, OverflowError) as e:
            raise UserError(f"port {wanted} cannot be had ({e}); choose another, or 0 for a free one") from None
        yield held.getsockname()[1]


def _wait(process: subprocess.Popen[bytes], port: int, name: str) -> bool:
    """Wait until the server answers; False when it ended before."""
    start = time.monotonic()
    shown = -1
    live = sys.stderr.isatty()
    while process.poll() is None:
        elapsed = int(time.monotonic() - start)
        if elapsed > _LIMIT_SECONDS:
            raise UserError(
                f"the server of {name} was not ready after {elapsed} s; look for what else keeps the "
                "machine busy, then run `dvc repro` again"
            )
        if elapsed // (1 if live else 15) > shown:
            shown = elapsed // (1 if live else 15)
            line = f"starting vLLM for {name}: {elapsed} s, usually {TYPICAL_SECONDS}"
            print(f"\r{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)
        if _healthy(port):
            print(f"{chr(13) if live else ''}vLLM serves {name} after {elapsed} s        ", file=sys.stderr)
            return True
        time.sleep(0.2)
    return False


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the server has died, allowing it a moment to: requests fail before its processes are gone."""
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and everything that it started; the guard does it when its standard input closes."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _died(name: str, how: str, log: Path) -> UserError:
    return UserError(
        f"the vLLM server of {name} {how}: {explain(log)}. If memory is short, lower serve.kv_cache_gib or "
        "serve.max_num_seqs; then run `dvc repro` again, finished stages are kept"
    )


def _dtype(wanted: str) -> str:
    if wanted != "auto" or not on_cpu():
        return wanted
    # Without AVX512-BF16 or AMX a processor only emulates bf16, hundreds of times more slowly than fp32.
    info = Path("/proc/cpuinfo")
    flags = info.read_text(encoding="utf-8") if info.exists() else ""
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def _trained_context(model: Path) -> int:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings") or 2**31)
