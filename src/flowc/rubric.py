"""The rubric on which people and judge models rate a conversation: five criteria from 1 to 5, with anchors.

The criteria are those of the paper (arXiv 2605.22502); the anchors are our own. Any change of a word changes the
version, which stands in every rating and every score, so that ratings on different rubrics are never mixed.
"""

from __future__ import annotations

import hashlib

from pydantic import Field

from flowc.records import Record, canonical
from flowc.transcripts import Transcript

SCALE = (1, 2, 3, 4, 5)
_NO_CHALLENGE = {"edge", "confused"}  # labels of users who answer, or who could not make sense of the assistant


class Criterion(Record):
    """One question about a conversation, with what each number from 1 to 5 means."""

    name: str
    title: str
    question: str
    anchors: tuple[str, str, str, str, str]
    most_unchallenged: int = Field(default=5, ge=1, le=5)
    """The highest rating where the user posed no challenge."""


class Rubric(Record):
    """The criteria; `number` counts the editions."""

    number: int
    criteria: tuple[Criterion, ...]

    @property
    def version(self) -> str:
        """The edition with a hash of its whole text."""
        return f"{self.number}-{hashlib.sha256(canonical(self).encode()).hexdigest()[:8]}"


RUBRIC = Rubric(
    number=1,
    criteria=(
        Criterion(
            name="task_success",
            title="Task success",
            question="Did the conversation end where the procedure, with this user's wishes, has to end?",
            anchors=(
                "Nothing was achieved, or the outcome is the opposite of what was wanted.",
                "Some steps were done, but the outcome is missing or wrong.",
                "The outcome is partly there: a needed step was left out, or the user has to come back.",
                "The right outcome, with a small flaw on the way that costs the user nothing.",
                "The right outcome, every needed step done, nothing left open.",
            ),
        ),
        Criterion(
            name="information_accuracy",
            title="Information accuracy",
            question="Is everything true that the assistant said and passed on: values, results, facts?",
            anchors=(
                "Mostly wrong or invented.",
                "Several errors, or one that would do harm, as a wrong price or date.",
                "One error that a user would notice and have to clear up.",
                "True, with a trifle imprecise or left out.",
                "All of it agrees with what the user told, what functions returned and the known facts.",
            ),
        ),
        Criterion(
            name="consistency",
            title="Consistency",
            question="Does the assistant stand by what was said and remember it?",
            anchors=(
                "Contradicts itself throughout, or starts over.",
                "Forgets or contradicts things that matter, more than once.",
                "One contradiction, or one question about what was already answered.",
                "Remembers all that matters, with one clumsy repetition.",
                "Nothing contradicted, nothing asked twice without cause.",
            ),
        ),
        Criterion(
            name="graceful_handling",
            title="Graceful handling",
            question="How did the assistant deal with what was off the straight path: corrections, questions, detours?",
            anchors=(
                "Ignored it or broke down.",
                "Noticed it, but lost the thread or gave no help.",
                "Coped after some confusion; or there was nothing to cope with.",
                "Dealt with it and came back to the task, a little stiffly.",
                "Took it up, answered it and led back to the task as a good colleague would.",
            ),
            most_unchallenged=3,
        ),
        Criterion(
            name="naturalness",
            title="Naturalness",
            question="Does the assistant write as a capable person in this job would?",
            anchors=(
                "Garbled, or no answer to what was said.",
                "Mechanical, hard to follow or out of tone for long stretches.",
                "Understandable, but stiff, wordy or repetitive.",
                "Fluent, with one odd phrase.",
                "Fluent and friendly, of the right length throughout.",
            ),
        ),
    ),
)


def is_challenged(transcript: Transcript) -> bool:
    """Whether the user did anything but answer: correct, ask back, tell several things at once, wander off, leave."""
    users = (t for t in transcript.turns if t.message.role == "user")
    return any(label.split(":")[0] not in _NO_CHALLENGE for turn in users for label in turn.labels)


def menus(transcript: Transcript) -> dict[str, tuple[int, ...]]:
    """Give the ratings that each criterion allows for a conversation."""
    challenged = is_challenged(transcript)
    return {c.name: SCALE if challenged else SCALE[: c.most_unchallenged] for c in RUBRIC.criteria}
