"""One call to a provider through its official SDK: what is sent, how the answer is read, how faults are told apart.

Keys are given to the SDK and appear nowhere else: every message and answer that passes here is searched for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from time import time
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import anthropic
import openai
from anthropic.types import Message as AnthropicMessage
from openai.types.chat import ChatCompletion

from flowc.completion import KEYS, URLS, Fault, ProviderName, Request, Response, Said, Stop, schema, unset
from flowc.records import ToolCall, UserError

_OVERLOAD = {503, 529}
_BEARER: openai.RequestOptions = {"security": {"bearer_auth": True}}
_PASSING = {408, 409, 425, 500, 502, 504}


class Access(NamedTuple):
    """Where a provider is and how it lets us in."""

    url: str | None
    key: str


class CallFault(Exception):
    """A call that failed for now. `charged` says that the provider may want money for it."""

    def __init__(self, fault: Fault, message: str, retry_after: float | None = None, charged: bool = False) -> None:
        super().__init__(message)
        self.fault, self.retry_after, self.charged = fault, retry_after, charged


class Provider(Protocol):
    """What the completer needs."""

    access: Access

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises CallFault when asking again may help, and UserError with the provider's words when it will not.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def access_from(name: ProviderName, environment: Mapping[str, str]) -> Access:
    """Find a provider's address and key in the environment.

    Raises UserError that names the missing variable.
    """
    key, url = environment.get(KEYS[name], ""), environment.get(URLS[name])
    missing = unset(name, environment)
    if missing and name == "compatible":
        raise UserError(
            f"generate=compatible asks the server at {missing}, which is not set: set it, as in "
            "http://127.0.0.1:8000/v1, and FLOWC_COMPATIBLE_KEY where the server wants a key"
        )
    if missing:
        raise UserError(f"generate={name} needs a key: set {missing} in the environment, never in a file")
    return Access(url, key or "none")


def connect(name: ProviderName, access: Access, timeout: float) -> Provider:
    """Give the client of a provider; `timeout` is how many seconds an answer may take."""
    return Anthropic(access, timeout) if name == "anthropic" else OpenAI(access, timeout)


class Anthropic:
    """Anthropic's Messages API."""

    def __init__(self, access: Access, timeout: float) -> None:
        self.access = access
        self.sdk = anthropic.AsyncAnthropic(api_key=access.key, base_url=access.url, timeout=timeout, max_retries=0)

    async def complete(self, request: Request) -> Response:
        """Ask once; see Provider."""
        body = anthropic_body(request, caching=request.grows)
        # The SDK has no argument for the temperature, which older models take.
        more = {name: body.pop(name) for name in ("temperature",) if name in body}
        with translated(anthropic, self.access):
            message = await self.sdk.messages.create(**body, extra_body=more or None)
        return clean(from_anthropic(message, batch=False), self.access)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


class OpenAI:
    """OpenAI's Chat Completions API, and whatever speaks it."""

    def __init__(self, access: Access, timeout: float) -> None:
        self.access = access
        self.sdk = openai.AsyncOpenAI(api_key=access.key, base_url=access.url, timeout=timeout, max_retries=0)

    async def complete(self, request: Request) -> Response:
        """Ask once; see Provider."""
        # Not through chat.completions.create, which tries every message against the types of all roles: over 744 calls
        # of mode `turns` a call took 5.5 ms of processor time with it and takes 1.7 without, all our own code included.
        with translated(openai, self.access):
            completion = await self.sdk.post(
                "/chat/completions", body=openai_body(request), cast_to=ChatCompletion, options=_BEARER
            )
        return clean(from_openai(completion, batch=False), self.access)

    async def close(self) -> None:
        """Close the connections."""
        await self.sdk.close()


@contextmanager
def translated(sdk: ModuleType, access: Access) -> Iterator[None]:
    """Turn the errors of an SDK, whose names are the same in both, into ours."""
    try:
        yield
    except sdk.APIStatusError as e:
        raise fault_of(e, e.status_code, e.response.headers, access) from None
    except (sdk.APIResponseValidationError, json.JSONDecodeError) as e:
        raise CallFault(Fault.UNREADABLE, redact(str(e), access), charged=True) from None
    except sdk.APIConnectionError as e:
        raise no_answer(e, isinstance(e, sdk.APITimeoutError), access) from None


def anthropic_body(request: Request, caching: bool) -> dict[str, Any]:
    """Give the body of a Messages request; with `caching` its prompt is kept for the next one, for five minutes."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "system": request.system,
        "messages": [_to_anthropic(i, m) for i, m in enumerate(request.messages)],
    }
    if request.functions:
        body["tools"] = [
            {"name": f.name, "description": f.description, "input_schema": schema(f.arguments)}
            for f in request.functions
        ]
        body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    output: dict[str, Any] = {}
    if request.properties:
        output["format"] = {"type": "json_schema", "schema": schema(request.properties)}
    if request.effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif request.effort:
        output["effort"] = request.effort
    if output:
        body["output_config"] = output
    if caching:
        body["cache_control"] = {"type": "ephemeral"}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return body


def openai_body(request: Request) -> dict[str, Any]:
    """Give the body of a Chat Completions request."""
    # No seed: on a processor vLLM 0.32 dies of one ("CPU Generator does not use offset"), and kept answers need none.
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": "system", "content": request.system},
            *(_to_openai(i, m) for i, m in enumerate(request.messages)),
        ],
        # Older servers know only the first name, OpenAI's reasoning models only the second.
        "max_tokens" if request.provider == "compatible" else "max_completion_tokens": request.max_tokens,
    }
    if request.functions:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": f.name, "description": f.description, "parameters": schema(f.arguments)},
            }
            for f in request.functions
        ]
        body["parallel_tool_calls"] = False
    if request.properties:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "lines", "schema": schema(request.properties), "strict": True},
        }
    if request.effort is not None:
        body["reasoning_effort"] = request.effort
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return body


def _to_anthropic(index: int, said: Said) -> dict[str, Any]:
    """Give a message; a result belongs to the call of the message before it."""
    if said.role == "tool":
        result = {"type": "tool_result", "tool_use_id": f"call_{index - 1}", "content": said.text}
        return {"role": "user", "content": [result]}
    if said.call is None:
        return {"role": said.role, "content": said.text}
    text = [{"type": "text", "text": said.text}] if said.text else []
    call = {"type": "tool_use", "id": f"call_{index}", "name": said.call.name, "input": said.call.arguments}
    return {"role": said.role, "content": [*text, call]}


def _to_openai(index: int, said: Said) -> dict[str, Any]:
    """Give a message; a result belongs to the call of the message before it."""
    if said.role == "tool":
        return {"role": "tool", "tool_call_id": f"call_{index - 1}", "content": said.text}
    if said.call is None:
        return {"role": said.role, "content": said.text}
    function = {"name": said.call.name, "arguments": json.dumps(said.call.arguments, ensure_ascii=False)}
    calls = [{"id": f"call_{index}", "type": "function", "function": function}]
    return {"role": said.role, "content": said.text or None, "tool_calls": calls}


def from_anthropic(message: object, batch: bool) -> Response:
    """Read a Messages answer.

    Raises CallFault when it is none.
    """
    if not isinstance(message, AnthropicMessage) or not isinstance(message.content, list) or message.usage is None:
        raise CallFault(Fault.UNREADABLE, "the answer is no message", charged=True)
    stops = {"max_tokens": Stop.LENGTH, "model_context_window_exceeded": Stop.LENGTH, "refusal": Stop.REFUSAL}
    return Response(
        text="".join(block.text for block in message.content if block.type == "text"),
        stop=stops.get(message.stop_reason or "", Stop.END),
        model=message.model,
        input_tokens=message.usage.input_tokens,
        cache_read_tokens=message.usage.cache_read_input_tokens or 0,
        cache_write_tokens=message.usage.cache_creation_input_tokens or 0,
        output_tokens=message.usage.output_tokens,
        batch=batch,
        calls=tuple(_call(block.name, block.input) for block in message.content if block.type == "tool_use"),
    )


def from_openai(completion: object, batch: bool) -> Response:
    """Read a Chat Completions answer.

    Raises CallFault when it is none.
    """
    if not isinstance(completion, ChatCompletion) or not completion.choices or completion.usage is None:
        raise CallFault(Fault.UNREADABLE, "the answer has no choice or no token counts", charged=True)
    choice, usage = completion.choices[0], completion.usage
    details = usage.prompt_tokens_details
    read = (details.cached_tokens or 0) if details else 0
    written = (details.cache_write_tokens or 0) if details else 0
    stop = {"length": Stop.LENGTH, "content_filter": Stop.REFUSAL}.get(choice.finish_reason, Stop.END)
    return Response(
        text=choice.message.content or "",
        stop=Stop.REFUSAL if choice.message.refusal else stop,
        model=completion.model,
        input_tokens=max(0, usage.prompt_tokens - read - written),
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=usage.completion_tokens,
        batch=batch,
        calls=tuple(
            _call(c.function.name, _read(c.function.arguments))
            for c in choice.message.tool_calls or ()
            if c.type == "function"
        ),
    )


def _read(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _call(name: str, arguments: object) -> ToolCall:
    """Read a call. Values that are no texts become their JSON; arguments that are no object are a wrong call."""
    values = arguments if isinstance(arguments, dict) else {"arguments": arguments}
    texts = {str(k): v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in values.items()}
    return ToolCall(name=name, arguments=texts)


def fault_of(error: Exception, status: int, headers: Mapping[str, str], access: Access) -> CallFault | UserError:
    """Tell a status that passes from one that will stay; the provider's words are kept."""
    message = redact(str(getattr(error, "message", error)), access)
    wait = _retry_after(headers)
    # An empty account answers 429 as well, and waiting does not fill it.
    if status == 429 and getattr(error, "code", None) != "insufficient_quota":
        return CallFault(Fault.RATE_LIMIT, message, wait)
    if status in _OVERLOAD:
        return CallFault(Fault.OVERLOADED, message, wait)
    if status in _PASSING or status > 504:
        return CallFault(Fault.TIMEOUT if status in (408, 504) else Fault.SERVER_ERROR, message, wait)
    return UserError(f"the provider refused a request with status {status}: {message}; what is paid for is kept")


def no_answer(error: Exception, timed_out: bool, access: Access) -> CallFault:
    """Make a fault of a connection that gave no answer. One that was never made cannot have been charged."""
    if timed_out:
        return CallFault(Fault.TIMEOUT, "no answer in time", charged=True)
    cause = type(error.__cause__).__name__
    message = redact(f"{error} ({cause}: {error.__cause__})", access)
    return CallFault(Fault.NO_ANSWER, message, charged=cause != "ConnectError")


def clean(response: Response, access: Access) -> Response:
    """Take our own key out of an answer, should a server echo it."""
    calls = tuple(
        c.model_copy(update={"arguments": {k: redact(v, access) for k, v in c.arguments.items()}})
        for c in response.calls
    )
    texts = {"text": redact(response.text, access), "model": redact(response.model, access)}
    return response.model_copy(update={**texts, "calls": calls})


def redact(text: str, access: Access) -> str:
    """Take our key out of a text."""
    return text.replace(access.key, "[key]") if len(access.key) > 8 else text


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds to wait: milliseconds, seconds, or a date, as servers send them."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(lower[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(lower["retry-after"]).timestamp() - time())
    except (KeyError, ValueError):
        return None
