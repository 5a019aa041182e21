"""STAR's tasks and dialogues: procedures that others have published, and what people said and typed in them.

A task's folder has `TASK.json` (`replies`: label to text; `graph`: label to the next one), `responses.json` (replies
that the graph leaves out) and `wizard_nlu_training_data.md` (examples of how wizards put a reply). In a dialogue the
wizard, a human who plays the assistant, types what to say (`request_suggestions`) and picks the reply that means it
(`pick_suggestion`). Source: the STAR dataset (Mosig, Mehri, Kober 2020, MIT).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from flowc.chart import Arrow, Box, Chart, Kind
from flowc.recognise import Labelled
from flowc.records import UserError

TASKS = ("bank_fraud_report", "doctor_schedule", "hotel_book", "party_plan", "plane_book", "ride_book")
Mood = Literal["happy", "unhappy"]
MOODS: tuple[Mood, ...] = ("happy", "unhappy")
CUSTOM = "custom"
"""The label of a pick for which no reply fitted, so that what was typed was said."""
_GOODBYE = "goodbye"


class Task(NamedTuple):
    """A published task: its replies, which label follows which, and examples of how wizards put a reply."""

    name: str
    replies: Mapping[str, str]
    others: Mapping[str, str]
    """Replies in another wording, and those that the graph leaves out."""
    follows: Mapping[str, str]
    examples: tuple[Labelled, ...]


class Dialogue(NamedTuple):
    """A conversation of two people over a task; events as they are in the file."""

    id: str
    task: str
    mood: Mood
    events: tuple[Mapping[str, Any], ...]


def read_task(folder: Path, name: str) -> Task:
    """Read a task from the data set's folder.

    Raises UserError when a file is not there.
    """
    task = json.loads(_text(folder / "tasks" / name / f"{name}.json"))
    others = json.loads(_text(folder / "tasks" / name / "responses.json"))
    examples, label = [], ""
    for line in _text(folder / "tasks" / name / "wizard_nlu_training_data.md").splitlines():
        if line.startswith("## intent:"):
            label = folded(line.removeprefix("## intent:").strip())
        elif line.startswith("- "):
            examples.append(Labelled(line.removeprefix("- ").strip(), label))
    return Task(name, task["replies"], others, task["graph"], tuple(examples))


def read_dialogues(folder: Path, name: str, mood: Mood) -> list[Dialogue]:
    """Read a task's dialogues from the data set's folder, in the order of the file.

    Raises UserError when the file is not there.
    """
    lines = _text(folder / "dialogues" / f"{name}.{mood}.jsonl").splitlines()
    read = [json.loads(line) for line in lines]
    return [Dialogue(f"{name}-{mood}-{d['id']}", name, mood, tuple(d["events"])) for d in read]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the folder of the STAR data, with tasks/ and dialogues/") from None


def folded(label: str) -> str:
    """Give a label one spelling: the tasks have several for goodbye, and a typing error."""
    if label.startswith(_GOODBYE) or label.endswith("_bye"):
        return _GOODBYE
    return label.replace("succesful", "successful")


def branches(task: Task) -> set[str]:
    """Name the labels that nobody says: queries, and the outcomes of the question or the query before them."""
    led_to = {"hello", *task.follows.values()}
    return {k for k in task.replies if k.startswith("query") or (k in task.follows and k not in led_to)}


def owners(task: Task) -> dict[str, str]:
    """Give the question or the query that each outcome belongs to.

    Those of availability belong to the check, success and failure to the query that nothing else leads on from, yes
    and no to the question behind a good result, and missing information to the last question that it is about.
    """
    texts, follows = task.replies, task.follows
    good = follows.get("available") or follows["query_success"]
    query = next((q for q in ("query_book", "query_check", "query") if q in texts and q not in follows), "")
    return {"available": "query_check", "unavailable": "query_check", "query_success": query, "query_failure": query,
           "yes": good, "no": good, "info_missing": "bank_ask_pin",
            "info_missing2": "bank_ask_childhood_pets_name"}  # fmt: skip


def chart(task: Task) -> Chart:
    """Draw a task: replies are boxes, outcomes are what the arrows from the box before them say."""
    texts, follows, owner = task.replies, task.follows, owners(task)
    ways = [
        (owner.get(s) or s, t, texts[s] if s in owner else "All is known" if s in owner.values() else "")
        for s, t in follows.items()
    ]
    bye = next(n for n in texts if folded(n) == _GOODBYE)
    ways += [("anything_else", bye, "")] if "anything_else" in follows.values() else []
    names = list(dict.fromkeys(["hello", *(n for s, t, _ in ways for n in (s, t))]))
    asks = {s for s, _, _ in ways if sum(s == other for other, _, _ in ways) > 1}

    def kind(name: str) -> Kind:
        return "tool" if name.startswith("query") else "question" if name in asks else "step"

    boxes = {n: Box(label=" ".join(texts[n].split()), kind=kind(n), line=1) for n in names}
    arrows = tuple(Arrow(source=s, target=t, label=label, line=1) for s, t, label in ways)
    return Chart(name=task.name, start="hello", boxes=boxes, arrows=arrows)


def phrasings(task: Task) -> list[Labelled]:
    """List what a task's own files say of each step: replies, examples, and the outcomes of queries.

    An outcome says in a word what the step behind it tells the user. Examples of what is no reply are left out.
    """
    silent, owner = branches(task), owners(task)
    said = [(k, text) for k, text in (*task.replies.items(), *task.others.items()) if k not in silent]
    replies = [Labelled(text, folded(k)) for k, text in said]
    known = {r.node for r in replies}
    outcomes = [
        Labelled(task.replies[k], folded(to)) for k, to in task.follows.items() if owner.get(k, "").startswith("query")
    ]
    return list(dict.fromkeys([*replies, *(e for e in task.examples if e.node in known), *outcomes]))


def typed(dialogue: Dialogue, task: Task) -> list[Labelled]:
    """List what the wizard typed before picking a reply, with the reply's label; branches and `custom` left out."""
    left_out = branches(task) | {CUSTOM}
    return [
        Labelled(typing["Text"], folded(pick["ActionLabel"]))
        for typing, pick in pairwise(dialogue.events)
        if (typing["Action"], pick["Action"]) == ("request_suggestions", "pick_suggestion")
        and pick["ActionLabel"] not in left_out
    ]
