"""The gate that every teacher's conversations pass: what is not the planned conversation is not trained on.

`curate` drops conversations with their reason; it changes none. A gate that would drop much fails instead: then the
teacher or the procedure is wrong, and what is left would not be what was planned either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from flowc.graph import Graph
from flowc.near_duplicates import near_duplicates
from flowc.path_checks import PathChecks
from flowc.records import Conversation, Record
from flowc.scenarios import Scenario
from flowc.text_checks import Flaw, Lengths, Reason, TextChecks

_SAMPLES = 3  # dropped conversations of each reason that the report shows


class Gate(Record):
    """What a teacher's conversation has to be like."""

    most_dropped: float = Field(ge=0, le=1)
    """Share of the conversations that may be dropped; beyond it the stage fails."""
    near_duplicate: float = Field(gt=0, le=1)
    """Jaccard similarity of two conversations' runs of three words from which on the second is dropped."""
    longest: Lengths
    """Most words of a message and of a conversation."""


class Drop(NamedTuple):
    """A conversation that is not kept, and the first thing that is wrong with it."""

    conversation: Conversation
    flaw: Flaw


class Curated(NamedTuple):
    """What passed, sorted by id, and what did not."""

    kept: list[Conversation]
    dropped: list[Drop]


def curate(written: Sequence[Conversation], plans: Mapping[str, Scenario], graph: Graph, params: Gate) -> Curated:
    """Keep the conversations that are what their plans say, each once; `plans` has one by each conversation's id.

    Of near-duplicates the first stays, training before held-out ones; branches go with the conversation that they
    begin like. Where that one is dropped for another reason, the first branch left takes its place in the family.
    Raises ValueError when more than the share `most_dropped` is dropped.
    """
    texts, path = TextChecks(graph, params.longest), PathChecks(graph)
    dropped: list[Drop] = []
    sound: list[Conversation] = []
    for conversation in sorted(written, key=lambda c: (c.split != "train", c.family, c.id)):
        flaw = next(texts.flaws(conversation.messages), None)
        flaw = flaw or next(path.flaws(plans[conversation.id], conversation), None)
        if flaw:
            dropped.append(Drop(conversation, flaw))
        else:
            sound.append(conversation)
    repeated = _repeated(sound, params.near_duplicate)
    kept = []
    for conversation in sound:
        if conversation.family in repeated:
            detail = f"nearly repeats {repeated[conversation.family]}"
            dropped.append(Drop(conversation, Flaw(Reason.NEAR_DUPLICATE, len(conversation.messages) - 1, detail)))
        else:
            kept.append(conversation)
    _refuse_too_many(len(written), dropped, params.most_dropped)
    return Curated(sorted(_headed(kept), key=lambda c: c.id), sorted(dropped, key=lambda d: d.conversation.id))


def _repeated(conversations: Sequence[Conversation], threshold: float) -> dict[str, str]:
    """Families whose first conversation nearly repeats that of another, to the other's name.

    Branches are not compared: they repeat their beginning on purpose.
    """
    trunks = [c for c in conversations if c.id == c.family]
    found = near_duplicates([spoken(c) for c in trunks], threshold)
    return {trunks[i].family: trunks[other].id for i, other in found.items()}


def spoken(conversation: Conversation) -> str:
    """What is said in a conversation, as one text."""
    return "\n".join(m.content for m in conversation.messages if m.role in ("user", "assistant") and m.content)


def _headed(kept: Iterable[Conversation]) -> list[Conversation]:
    """Name families that have lost the conversation they were named after by the first one left."""
    families: dict[str, list[Conversation]] = {}
    for conversation in kept:
        families.setdefault(conversation.family, []).append(conversation)
    out = []
    for name, members in families.items():
        head = name if any(c.id == name for c in members) else min(c.id for c in members)
        out += [c if c.family == head else c.model_copy(update={"family": head}) for c in members]
    return out


def _refuse_too_many(count: int, dropped: Sequence[Drop], most: float) -> None:
    if len(dropped) <= most * count:
        return
    reasons = ", ".join(f"{reason} {n}" for reason, n in Counter(d.flaw.reason for d in dropped).most_common())
    examples = "; ".join(
        f"{d.conversation.id} message {d.flaw.message}: {d.flaw.detail}" for d in _samples(dropped, each=1)
    )
    raise ValueError(
        f"the quality gate would drop {len(dropped)} of {count} conversations ({len(dropped) / count:.1%}), and "
        f"generate.gate.most_dropped is {most:.1%}: {reasons}. {examples}. Mend the teacher or the procedure, or raise "
        "generate.gate.most_dropped"
    )


def _samples(dropped: Sequence[Drop], each: int) -> list[Drop]:
    """The first few drops of each reason, by reason."""
    seen: Counter[Reason] = Counter()
    out = []
    for drop in sorted(dropped, key=lambda d: (d.flaw.reason, d.conversation.id)):
        seen[drop.flaw.reason] += 1
        if seen[drop.flaw.reason] <= each:
            out.append(drop)
    return out


def gate_metrics(curated: Curated) -> dict[str, Any]:
    """Count what was dropped by reason, with samples; shares are of all conversations that were written."""
    dropped = Counter(d.flaw.reason for d in curated.dropped)
    written = len(curated.kept) + len(curated.dropped)
    return {
        "written": written,
        "kept": len(curated.kept),
        "dropped": {reason.value: dropped[reason] for reason in Reason},
        "dropped_share": round(len(curated.dropped) / written, 4),
        "near_duplicate_share": round(dropped[Reason.NEAR_DUPLICATE] / written, 4),
        "samples": [_sample(d) for d in _samples(curated.dropped, each=_SAMPLES)],
    }


def _sample(drop: Drop) -> dict[str, Any]:
    message = drop.conversation.messages[drop.flaw.message]
    called = "".join(f"{c.name}({', '.join(f'{k}={v}' for k, v in c.arguments.items())})" for c in message.tool_calls)
    return {
        "conversation": drop.conversation.id,
        "reason": drop.flaw.reason.value,
        "message": drop.flaw.message,
        "detail": drop.flaw.detail,
        "role": message.role,
        "text": message.content or called,
    }
