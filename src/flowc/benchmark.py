"""Load sweep of a served model with vLLM's own serving benchmark, and what a conversation costs.

Requests are held-out conversations cut before an assistant turn; replies have the length of the real turn.
Each request of the cold pass has a prefix cache of its own (`cache_salt`), so nothing is cached; the warm
pass sends the same requests again. Requests also come at given rates, waiting for no answer: offered load. Goodput
is the requests a second that keep every service level.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import math
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np
import psutil
from pydantic import Field

from flowc.chatml import render, tokenise
from flowc.client import Client, Completion, Sampling
from flowc.records import Conversation, Message, Record, UserError, to_openai
from flowc.server import Server

T = TypeVar("T")
# Tokens of messages as the server renders them; True adds the start of the assistant's turn.
Length = Callable[[Sequence[Message], bool], int]
_KINDS = ("ttft", "tpot", "itl")
_PERCENTILES = (50, 95, 99)


class LoadParams(Record):
    """One point of the load sweep."""

    concurrency: int = Field(ge=1)
    """Requests at once."""
    requests: int = Field(ge=1)
    """Requests in all, once cold and once warm."""


class OfferedParams(Record):
    """Requests that come at a rate, by chance (a Poisson process), whether or not earlier ones are answered."""

    shares: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    """Rates, as shares of the most requests a second that the load sweep got through with a cold cache."""
    requests: int = Field(ge=1)
    """Requests at each rate, all with a cold cache."""


class LevelParams(Record):
    """Service levels: what a caller will wait for."""

    ttft_ms: float = Field(gt=0)
    """Longest wait for the first token."""
    tpot_ms: float = Field(gt=0)
    """Longest wait for a further token, on average over a reply."""


class BenchmarkParams(Record):
    """What is measured."""

    levels: LevelParams
    """What counts as goodput, and as a load that is kept up with."""
    loads: tuple[LoadParams, ...] = Field(min_length=1)
    """The load sweep."""
    offered: OfferedParams
    """Requests at given rates."""
    prefill_requests: int = Field(ge=1)
    """Requests for one token each, which measure prefill alone, at the sweep's highest concurrency."""
    conversations: int = Field(ge=1)
    """Conversations served turn by turn, all at once, for tokens and cost of one."""
    dollars_per_hour: float = Field(gt=0)
    """Price of the machine."""


class Request(NamedTuple):
    """A conversation up to an assistant turn, its tokens, and the tokens of that turn."""

    messages: tuple[Message, ...]
    prompt_tokens: int
    output_tokens: int


class Usage(NamedTuple):
    """Tokens of one conversation by the server's counts; `cached` is part of `prompt`."""

    prompt: int
    cached: int
    completion: int
    requests: int


def requests(conversation: Conversation, length: Length) -> list[Request]:
    """Cut a conversation before each assistant turn."""
    out = []
    for i, message in enumerate(conversation.messages):
        if message.role == "assistant":
            prompt = conversation.messages[:i]
            tokens = length(prompt, True)
            # The newline after a turn's end is not generated.
            reply = length(conversation.messages[: i + 1], False) - tokens - 1
            out.append(Request(prompt, tokens, max(1, reply)))
    return out


def spread(items: Sequence[T], n: int) -> list[T]:
    """Take `n` items at even distances; when there are fewer they come again."""
    if not items:
        raise UserError(
            "no held-out conversation to benchmark with fits the model's context; set generate.eval to 1 "
            "or more, or raise serve.max_model_len"
        )
    return [items[i * len(items) // n] for i in range(n)]


def dollars_per_million(dollars_per_hour: float, tokens_per_second: float) -> float:
    """Price of a million tokens: $/hour / (tokens/s x 3600 / 1e6), the formula of arXiv 2605.22502."""
    return dollars_per_hour / (tokens_per_second * 3600 / 1e6)


def cost(
    dollars_per_hour: float, prefill: float, decode: float, usages: Sequence[Usage], seconds: float
) -> dict[str, Any]:
    """Lay out the cost; `prefill` and `decode` are tokens a second, `seconds` served all of `usages`.

    A conversation is priced by the tokens that are computed, at the measured rates (a machine that is always
    full), with the whole prompt computed anew at each turn, and by the time that serving took.
    """
    mean = {name: sum(getattr(u, name) for u in usages) / len(usages) for name in Usage._fields}
    into = dollars_per_million(dollars_per_hour, prefill)
    out = dollars_per_million(dollars_per_hour, decode)
    replies = mean["completion"] * out / 1e6
    amounts = {
        "usd_per_hour": dollars_per_hour,
        "prefill_tokens_per_second": prefill,
        "decode_tokens_per_second": decode,
        "usd_per_million_input": into,
        "usd_per_million_output": out,
        "usd_per_conversation": (mean["prompt"] - mean["cached"]) * into / 1e6 + replies,
        "usd_per_conversation_without_cache": mean["prompt"] * into / 1e6 + replies,
        "usd_per_conversation_by_time": dollars_per_hour * seconds / 3600 / len(usages),
    }
    return {
        **{name: rounded(amount) for name, amount in amounts.items()},
        "conversations": len(usages),
        "tokens_per_conversation": {name: round(value, 1) for name, value in mean.items()},
    }


def row(load: LoadParams, cache: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out one run of vLLM's benchmark; what it could not measure is None."""
    return {"concurrency": load.concurrency, "cache": cache, "requests": load.requests, **_measured(result)}


def offered_row(share: float, rate: float, requests: int, result: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out one run at `rate` requests a second, `share` of the most that the load sweep got through."""
    return {"share": share, "offered_per_second": rounded(rate), "requests": requests, **_measured(result)}


def _measured(result: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"requests_per_second": rounded(result["request_throughput"])}
    out["goodput_per_second"] = rounded(result["request_goodput"])
    out["output_tokens_per_second"] = rounded(result["output_throughput"])
    out["total_tokens_per_second"] = rounded(result["total_token_throughput"])
    for kind in _KINDS:
        out[f"{kind}_ms"] = {f"p{p}": rounded(result[f"p{p}_{kind}_ms"]) for p in _PERCENTILES}
    return out


def rounded(value: float) -> float | None:
    """Keep four significant digits; None for what is not a number."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def benchmark(
    server: Server,
    client: Client,
    conversations: Sequence[Conversation],
    params: BenchmarkParams,
    tokenizer: Any,
) -> dict[str, Any]:
    """Measure a running server: what a benchmark file in reports/ holds (docs/cost.md says how it is read).

    Raises UserError when a request fails, or when no conversation fits.
    """

    def length(messages: Sequence[Message], generation_prompt: bool) -> int:
        if not messages:
            return 0
        return len(tokenise(tokenizer, [render(tokenizer, messages, generation_prompt=generation_prompt)])[0])

    cut = [
        [r for r in requests(c, length) if r.prompt_tokens + r.output_tokens <= server.context] for c in conversations
    ]
    pool = [r for turns in cut for r in turns]
    run = partial(measure, server, tokenizer, params.levels)
    rows = []
    for load in params.loads:
        chosen = spread(pool, load.requests)
        for cache in ("cold", "warm"):
            label = f"{cache}, {load.concurrency} at once"
            rows.append(row(load, cache, run(chosen, f"load-{load.concurrency}", label, load.concurrency)))
    most = max(r["requests_per_second"] for r in rows if r["cache"] == "cold")
    offered = []
    for share in params.offered.shares:
        chosen = spread(pool, params.offered.requests)
        label = f"{share * most:.2f} a second"
        result = run(chosen, f"offered-{share}", label, rate=share * most)
        offered.append(offered_row(share, share * most, len(chosen), result))
    highest = max(load.concurrency for load in params.loads)
    single = [r._replace(output_tokens=1) for r in spread(pool, params.prefill_requests)]
    prefill = run(single, "prefill", "prefill", highest)
    start = time.monotonic()
    usages = asyncio.run(replay(client, spread([t for t in cut if t], params.conversations)))
    seconds = time.monotonic() - start
    decode = max(r["output_tokens_per_second"] for r in rows if r["cache"] == "warm")
    rate = prefill["total_input_tokens"] / prefill["duration"]
    return {
        "levels": params.levels.model_dump(),
        "rows": rows,
        "offered": offered,
        "cost": cost(params.dollars_per_hour, rate, decode, usages, seconds),
        "machine": machine(),
    }


def measure(
    server: Server,
    tokenizer: Any,
    levels: LevelParams,
    chosen: Sequence[Request],
    salt: str,
    label: str,
    concurrency: int | None = None,
    rate: float = math.inf,
) -> dict[str, Any]:
    """Send the requests with vLLM's serving benchmark; the same `salt` again finds the prefixes cached.

    At most `concurrency` are under way, any number where it is None; `rate` a second are sent.
    """
    # Imported here: it takes 15 s, which `preload` spends while the server starts.
    from vllm.benchmarks.datasets import SampleRequest
    from vllm.benchmarks.serve import TaskType
    from vllm.benchmarks.serve import benchmark as run

    samples = [
        SampleRequest(
            prompt="",
            prompt_len=r.prompt_tokens,
            expected_output_len=r.output_tokens,
            chat_messages=[to_openai(m) for m in r.messages],
            request_overrides={"cache_salt": f"{salt}-{i}"},
        )
        for i, r in enumerate(chosen)
    ]
    print(f"benchmark: {label}, {len(samples)} requests", file=sys.stderr, flush=True)
    np.random.seed(0)  # vLLM draws the times of arrival from numpy's global generator
    root = server.base_url.removesuffix("/v1")
    with contextlib.redirect_stdout(io.StringIO()):
        result: dict[str, Any] = asyncio.run(
            run(
                task_type=TaskType.GENERATION,
                endpoint_type="openai-chat",
                api_url=f"{root}/v1/chat/completions",
                base_url=root,
                model_id=server.model,
                model_name=server.model,
                tokenizer=tokenizer,
                input_requests=samples,
                logprobs=None,
                request_rate=rate,
                burstiness=1.0,
                disable_tqdm=not sys.stderr.isatty(),
                num_warmups=0,
                profile=False,
                selected_percentile_metrics=list(_KINDS),
                selected_percentiles=list(_PERCENTILES),
                ignore_eos=True,
                goodput_config_dict={"ttft": levels.ttft_ms, "tpot": levels.tpot_ms},
                max_concurrency=concurrency,
                lora_modules=None,
                extra_headers=None,
                extra_body={"temperature": 0.0},
                ready_check_timeout_sec=0,
            )
        )
    if result["completed"] < len(samples):
        first = next(e for e in result["errors"] if e)
        raise UserError(
            f"{len(samples) - result['completed']} of {len(samples)} benchmark requests failed: "
            f"{first.strip().splitlines()[-1]}; lower serve.max_num_seqs or benchmark.loads"
        )
    return result


async def replay(client: Client, conversations: Sequence[Sequence[Request]]) -> list[Usage]:
    """Serve conversations turn by turn, all at once; each finds its own earlier turns in the prefix cache."""

    async def one(number: int, turns: Sequence[Request]) -> Usage:
        done: list[Completion] = []
        for turn in turns:
            sampling = Sampling(temperature=0, top_p=1, max_tokens=turn.output_tokens, seed=0)
            body = {"ignore_eos": True, "cache_salt": f"replay-{number}"}
            done.append(await client.complete(turn.messages, None, sampling, body))
        return Usage(
            prompt=sum(c.prompt_tokens for c in done),
            cached=sum(c.cached_tokens for c in done),
            completion=sum(c.completion_tokens for c in done),
            requests=len(done),
        )

    print(f"benchmark: {len(conversations)} conversations turn by turn", file=sys.stderr, flush=True)
    return list(await asyncio.gather(*(one(i, turns) for i, turns in enumerate(conversations))))


def preload() -> threading.Thread:
    """Begin to import vLLM's benchmark beside other work: it takes 15 s of one core."""
    thread = threading.Thread(target=importlib.import_module, args=("vllm.benchmarks.serve",), daemon=True)
    thread.start()
    return thread


def machine() -> dict[str, Any]:
    """Describe the machine, without its name."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }
