"""How a planned conversation becomes requests and the answers its texts: as a whole, or turn by turn.

A writer is a generator: it gives what to ask, is sent the answer, and returns the texts. It knows nothing of networks,
so the same writer runs live, in batches, and dry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from flowc.briefs import Brief, Prompts, is_spoken, manner, transcript
from flowc.completion import Effort, Fault, ProviderName, Request, Response, Said, Stop
from flowc.scenarios import Scenario
from flowc.teacher import Line


class Style(NamedTuple):
    """What all requests of a run have in common."""

    provider: ProviderName
    model: str
    system: str
    prompts: Prompts
    temperature: float | None
    effort: Effort | None
    max_tokens: int


class Job(NamedTuple):
    """A conversation to write: its lines as planned, what is told about them, and the texts that are already there."""

    scenario: Scenario
    lines: list[Line]
    briefs: list[Brief]
    kept: tuple[str, ...] = ()


class Ask(NamedTuple):
    """A request, and an answer such as is expected: the scripted words."""

    request: Request
    draft: str


class Written(NamedTuple):
    """The texts of the spoken lines in order, None for a conversation that was dropped; and what went wrong.

    Each fault comes with its request's key, since conversations that begin alike share answers.
    """

    texts: tuple[str, ...] | None
    faults: tuple[tuple[str, Fault], ...]


class _Checked(NamedTuple):
    """An answer read: its texts, None when it has none that can be used, and what is wrong with it."""

    texts: tuple[str, ...] | None
    fault: Fault | None
    missing: tuple[str, ...] = ()


Writer = Generator[Ask, Response, Written]


def write_whole(job: Job, style: Style) -> Writer:
    """Ask for all lines at once; of a branch, for those behind what it shares with its trunk."""
    todo = job.briefs[len(job.kept) :]
    drafts = _drafts(job)[len(job.kept) :]
    if not todo:
        return Written(job.kept, ())
    words = style.prompts.briefs
    told = [manner(style.prompts, job.scenario)]
    if job.kept:
        told += [words["so_far"], transcript(job.lines, job.kept), words["going_on"]]
    else:
        told.append(words["lines"])
    for number, brief in enumerate(todo, 1):
        told += [line for line in (brief.before, f"{number}. {brief.task}") if line]
    names = tuple(f"line_{n}" for n in range(1, len(todo) + 1))
    request = _request(style, job, (Said(role="user", text="\n".join(told)),), names)
    draft = json.dumps(dict(zip(names, drafts, strict=True)), ensure_ascii=False)
    faults: list[tuple[str, Fault]] = []
    checked = yield from _ask(Ask(request, draft), lambda r: _read_object(r, names, todo), style, faults)
    if checked.texts is None:
        return Written(None, tuple(faults))
    return Written((*job.kept, *checked.texts), tuple(faults))


def write_turns(job: Job, style: Style) -> Writer:
    """Ask for one line after the other, each with all that was written before."""
    messages: list[Said] = []
    texts: list[str] = []
    faults: list[tuple[str, Fault]] = []
    for i, (brief, draft) in enumerate(zip(job.briefs, _drafts(job), strict=True)):
        told = [manner(style.prompts, job.scenario)] if i == 0 else []
        told += [line for line in (brief.before, brief.task) if line]
        messages.append(Said(role="user", text="\n".join(told)))
        request = _request(style, job, tuple(messages), ())
        checked = yield from _ask(Ask(request, draft), lambda r, b=brief: _read_text(r, b), style, faults)  # type: ignore[misc]
        if checked.texts is None:
            return Written(None, tuple(faults))
        texts += checked.texts
        messages.append(Said(role="assistant", text=checked.texts[0]))
    return Written(tuple(texts), tuple(faults))


def shared(job: Job, trunk: Job, texts: Sequence[str]) -> Job:
    """Let a branch begin with the texts of its trunk, as far as both are told the same."""
    same = 0
    for mine, theirs in zip(job.briefs, trunk.briefs, strict=False):
        if mine != theirs:
            break
        same += 1
    return job._replace(kept=tuple(texts[:same]))


def _drafts(job: Job) -> list[str]:
    return [line.message.content for line in job.lines if is_spoken(line)]


def _request(style: Style, job: Job, messages: tuple[Said, ...], names: tuple[str, ...]) -> Request:
    return Request(
        provider=style.provider,
        model=style.model,
        system=style.system,
        messages=messages,
        properties=names,
        temperature=style.temperature,
        effort=style.effort,
        max_tokens=style.max_tokens,
        grows=not names,
        seed=job.scenario.seed,
    )


def _ask(
    ask: Ask, read: Callable[[Response], _Checked], style: Style, faults: list[tuple[str, Fault]]
) -> Generator[Ask, Response, _Checked]:
    """Ask, and once more with a word about what was wrong. An answer that only lacks values is better than none."""
    first = read((yield ask))
    if first.fault is None:
        return first
    faults.append((ask.request.key, first.fault))
    values = ", ".join(f'"{value}"' for value in first.missing)
    note = style.prompts.briefs["repair"][first.fault.value].format(values=values)
    *before, last = ask.request.messages
    again = Said(role="user", text=f"{last.text}\n\n{note}")
    repaired = ask.request.model_copy(update={"messages": (*before, again)})
    second = read((yield Ask(repaired, ask.draft)))
    if second.fault is not None:
        faults.append((repaired.key, second.fault))
    return second if second.texts is not None else first


def _read_object(response: Response, names: tuple[str, ...], todo: Sequence[Brief]) -> _Checked:
    wrong = _unusable(response)
    if wrong:
        return _Checked(None, wrong)
    try:
        found = json.loads(response.text)
    except json.JSONDecodeError:
        return _Checked(None, Fault.MALFORMED)
    if not isinstance(found, dict) or set(found) != set(names) or not all(isinstance(v, str) for v in found.values()):
        return _Checked(None, Fault.MALFORMED)
    texts = tuple(found[name].strip() for name in names)
    if not all(texts):
        return _Checked(None, Fault.EMPTY)
    return _stated(texts, todo)


def _read_text(response: Response, brief: Brief) -> _Checked:
    wrong = _unusable(response)
    return _Checked(None, wrong) if wrong else _stated((response.text.strip(),), [brief])


def _unusable(response: Response) -> Fault | None:
    if response.stop is Stop.REFUSAL:
        return Fault.REFUSAL
    if response.stop is Stop.LENGTH:
        return Fault.TRUNCATED
    return None if response.text.strip() else Fault.EMPTY


def _stated(texts: tuple[str, ...], todo: Sequence[Brief]) -> _Checked:
    missing = tuple(
        value
        for text, brief in zip(texts, todo, strict=True)
        for value in brief.values
        if value.casefold() not in text.casefold()
    )
    return _Checked(texts, Fault.UNSTATED if missing else None, missing)
