"""The one client of all arms: chat completions with explicit sampling, tool calls and the server's counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import openai
from openai.types.chat import ChatCompletion
from pydantic import Field

from flowc.records import Message, Record, ToolCall, UserError, to_openai
from flowc.server import Server

_CALL_OPEN = "<tool_call>"


class Sampling(Record):
    """How replies are sampled; sent with every request, or vLLM would take the model's own defaults."""

    temperature: float = Field(ge=0)
    """0 takes the likeliest token."""
    top_p: float = Field(gt=0, le=1)
    """Nucleus sampling."""
    max_tokens: int = Field(ge=1)
    """Longest reply in tokens."""
    seed: int
    """Seed of the request's random numbers."""


class Completion(NamedTuple):
    """One reply. Token counts are the server's; `cached_tokens` is the part of the prompt not computed."""

    content: str
    tool_calls: tuple[ToolCall, ...]
    malformed: bool
    """Whether a tool call in the reply is not a name with an object of arguments; its text is in content."""
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    finish_reason: str


class ContextOverflow(Exception):
    """The prompt and the longest reply do not fit the model's context."""


class Client:
    """Asks one model at one OpenAI-compatible endpoint."""

    def __init__(self, base_url: str, model: str, api_key: str, timeout: float, max_retries: int) -> None:
        self._model, self._base_url = model, base_url
        self._openai = openai.AsyncOpenAI(base_url=base_url, api_key=api_key, timeout=timeout, max_retries=max_retries)

    async def complete(
        self,
        messages: Sequence[Message],
        tools: list[dict[str, Any]] | None,
        sampling: Sampling,
        extra_body: dict[str, Any] | None = None,
    ) -> Completion:
        """Ask for the next assistant message; `extra_body` holds parameters of vLLM's own.

        Raises ContextOverflow when the conversation has grown too long, and UserError when the server is gone
        or refuses the request.
        """
        try:
            response = await self._openai.chat.completions.create(
                model=self._model,
                messages=[to_openai(m) for m in messages],  # type: ignore[misc]
                tools=tools or openai.omit,  # type: ignore[arg-type]
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=sampling.seed,
                extra_body=extra_body,
            )
        except openai.APIConnectionError as e:
            raise UserError(
                f"the server of {self._model} at {self._base_url} does not answer ({type(e).__name__}): "
                "it was killed or never started; see that memory suffices and run `dvc repro` again"
            ) from e
        except openai.BadRequestError as e:
            if "context length" in str(e) or "max_model_len" in str(e):
                raise ContextOverflow(str(e)) from e
            raise UserError(
                f"the server of {self._model} refused a request: {e.message}; see `serve` and the sampling in "
                "params.yaml, the server takes no other request than these describe"
            ) from e
        except openai.APIStatusError as e:
            raise UserError(
                f"the server of {self._model} failed with status {e.status_code}: {e.message}; run `dvc repro` again"
            ) from e
        return read(response)


def connect(server: Server) -> Client:
    """Give a client of a server of ours. No retries: on loopback a failure is not a passing one."""
    return Client(server.base_url, server.model, api_key="none", timeout=600, max_retries=0)


def read(response: ChatCompletion) -> Completion:
    """Turn a response into a Completion; a tool call that cannot be read is reported, never dropped."""
    if not response.choices or response.usage is None:
        raise UserError(
            f"the server of {response.model} sent a reply without a choice or without token counts, which every "
            "OpenAI-compatible server sends; see what answers at its address"
        )
    choice, usage = response.choices[0], response.usage
    calls: list[ToolCall] = []
    content = choice.message.content or ""
    # The hermes parser leaves a call that is not JSON in the text.
    malformed = _CALL_OPEN in content
    for call in choice.message.tool_calls or ():
        parsed = _parse(call.function.name, call.function.arguments) if call.type == "function" else None
        if parsed is None:
            malformed = True
            content += json.dumps(call.model_dump(mode="json"), ensure_ascii=False)
        else:
            calls.append(parsed)
    details = usage.prompt_tokens_details
    return Completion(
        content=content,
        tool_calls=tuple(calls),
        malformed=malformed,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
        finish_reason=choice.finish_reason,
    )


def _parse(name: str, arguments: str) -> ToolCall | None:
    """Read a call; values that are not strings become their JSON text, since ours are all strings.

    The space that the chat template puts before a value is taken off.
    """
    try:
        values = json.loads(arguments)
    except json.JSONDecodeError:
        return None
    if not name or not isinstance(values, dict):
        return None
    return ToolCall(
        name=name,
        arguments={
            k: v.strip() if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in values.items()
        },
    )
