"""The report's part on cost: by how busy the machine is, by volume, and against other ways to hold a conversation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field

from flowc.cost import (
    HOURS_PER_MONTH,
    Machine,
    Need,
    break_even,
    break_even_volume,
    dollars,
    machines,
    own_price,
    per_thousand,
)
from flowc.markdown import table, text
from flowc.metrics import ARMS, Json, Metrics, arm, number, section
from flowc.plots import CostLine, Points
from flowc.records import Record, UserError
from flowc.scoreboard import NOT_MEASURED, NOT_RUN, percent
from flowc.serving_report import kept_up_with, usd
from flowc.spend import ListPrice, Price, PricesParams

COMPILED, IN_CONTEXT, ORCHESTRATED = ARMS[0], "in_context", "orchestrated"
SAME_MODEL = "same small model"
_COMPARED = ("baseline", "frontier")  # stages that are no part of compiling


class CostAssumptions(Record):
    """What the cost section takes for granted."""

    models: tuple[str, ...]
    """Hosted models to compare with, of the list of prices."""
    utilisations: tuple[float, ...]
    """Shares of the time that the machine is busy."""
    volumes: tuple[int, ...]
    """Conversations a month."""
    compiles_per_month: float = Field(ge=0)
    """How often the procedure changes."""


class Alternative(NamedTuple):
    """Another way to hold the same conversation, and what one costs without and with the prompt cache."""

    way: str
    model: str
    plain: float
    cached: float | None
    """None where prompts share no beginning or the provider has no cache."""

    @property
    def best(self) -> float:
        """The cheaper of the two."""
        return self.plain if self.cached is None else min(self.plain, self.cached)


class Own(NamedTuple):
    """The compiled model on a machine of one's own: dollars by the benchmark, and what the machine can take."""

    busy: float
    """A conversation on a machine that is always busy."""
    uncached: float
    """The same without a prefix cache."""
    price: Price
    machine: Machine
    concurrency: int
    """The most requests at once with which the service levels are kept, of the loads that were measured."""
    tokens_per_second: float
    """Completion tokens then."""
    compiling: float
    """Dollars for compiling once: the machine's time, without the baselines, and the teacher's answers."""
    teacher: float | None
    """Dollars for the teacher's answers, of `compiling`: 0 for one that asks nobody, None where no price is known."""

    @property
    def most_per_hour(self) -> float:
        """Conversations an hour at the highest rates that were measured, however long callers wait."""
        return self.machine.dollars_per_hour / self.busy


def own(m: Metrics) -> Own | None:
    """Read what the compiled model costs; None where the benchmark has no cost or no load keeps the levels."""
    keys = ("conversation", "conversation_without_cache", "million_input", "million_output", "hour")
    values = [number(m.benchmark, "cost", f"usd_per_{key}") for key in keys]
    completion = number(m.benchmark, "cost", "tokens_per_conversation", "completion")
    kept, _ = kept_up_with(m.benchmark, "cold")
    if None in values or not completion or not kept:
        return None
    each, uncached, into, out, hour = (v for v in values if v is not None)
    speed = float(kept[-1]["output_tokens_per_second"])
    seconds = sum(s for stage, s in m.timings.items() if s is not None and not stage.startswith(_COMPARED))
    asked = section(m.generation, "teacher", "dollars") or {}
    teacher = None if None in asked.values() else float(sum(asked.values()))
    return Own(
        each,
        uncached,
        own_price(into, out),
        Machine(hour, 3600 * speed / completion),
        int(kept[-1]["concurrency"]),
        speed,
        seconds / 3600 * hour + (teacher or 0.0),
        teacher,
    )


def held(scores: Json) -> dict[str, Need]:
    """Give the tokens of a conversation of the compiled arm, held in other ways; what is not known is not there.

    With the flowchart in the prompt every call has that many tokens more, all of which recur from the second call on.
    Under an orchestrator a message takes the tokens that one took when it was measured.
    """
    compiled = _tokens(scores, COMPILED)
    if compiled is None:
        return {}
    prompt, completion, calls, messages = compiled
    recurring = number(arm(scores, COMPILED), "tokens", "recurring_per_conversation")
    out = {COMPILED: Need(prompt, recurring, completion)}
    systems = [number(arm(scores, name), "tokens", "system_prompt") for name in (COMPILED, IN_CONTEXT)]
    if systems[0] is not None and systems[1] is not None and recurring is not None:
        more = systems[1] - systems[0]
        out[IN_CONTEXT] = Need(prompt + calls * more, recurring + (calls - 1) * more, completion)
    other = _tokens(scores, ORCHESTRATED)
    if other is not None and other[3]:
        out[ORCHESTRATED] = Need(other[0] * messages / other[3], None, other[1] * messages / other[3])
    return out


def needs(scores: Json) -> dict[str, Need]:
    """Give the tokens of a conversation that a hosted model holds: of its own where one was run, else as `held`."""
    out = held(scores)
    for name in ("frontier_in_context", "frontier_orchestrated"):
        found = _tokens(scores, name)
        if found is not None:
            again = number(arm(scores, name), "tokens", "recurring_per_conversation")
            out[name.removeprefix("frontier_")] = Need(found[0], again, found[1])
    return out


def _tokens(scores: Json, name: str) -> tuple[float, float, float, float] | None:
    keys = ("prompt", "completion", "calls", "messages")
    found = [number(arm(scores, name), "tokens", f"{key}_per_conversation") for key in keys]
    return None if None in found else tuple(v for v in found if v is not None)  # type: ignore[return-value]


def alternatives(scores: Json, prices: Mapping[str, ListPrice], price: Price | None) -> list[Alternative]:
    """Price the other ways: with the same small model on the same machine at `price`, and with hosted models."""
    hosted = needs(scores)
    offers = [(SAME_MODEL, price, held(scores))] if price else []
    offers += [(name, listed, hosted) for name, listed in prices.items()]
    return [
        Alternative(
            way,
            name,
            dollars(need, offer, cache=False),
            None if None in (offer.cache_read, need.cached) else dollars(need, offer, cache=True),
        )
        for name, offer, ways in offers
        for way, need in ways.items()
        if way != COMPILED
    ]


def rivals(prices: PricesParams, assumed: CostAssumptions) -> dict[str, ListPrice]:
    """Give the prices of the models that the report compares with.

    Raises UserError for a model without a price.
    """
    for name in assumed.models:
        if name not in prices.models:
            raise UserError(f"report.cost.models: {name} has no price; add it to conf/prices.yaml or take it out")
    return {name: prices.models[name] for name in assumed.models}


def cost_section(m: Metrics, prices: Mapping[str, ListPrice], assumed: CostAssumptions, picture: str) -> list[str]:
    """Write the section; `picture` shows the volume curve."""
    mine = own(m)
    if mine is None:
        return [f"Cost by volume: {NOT_RUN}: the benchmark has no cost, or no load keeps the service levels."]
    others = alternatives(m.scores, prices, mine.price)
    compiling = mine.compiling * assumed.compiles_per_month
    monthly = HOURS_PER_MONTH * mine.machine.dollars_per_hour
    out = [
        f"On a machine that is always busy a conversation costs USD {usd(mine.busy)} (USD {usd(mine.uncached)} without "
        "the prefix cache): by its tokens and the highest rates that were measured, of prefill and of decoding each "
        f"for itself, {mine.most_per_hour:,.0f} conversations an hour. Compiling costs {_compiling(mine)}. The "
        f"machine keeps the service levels with up to {mine.concurrency} requests at once of the loads measured, with "
        f"a cold cache: {mine.tokens_per_second:,.0f} tokens a second, "
        f"{mine.machine.conversations_per_hour:,.0f} conversations an hour. Rented all month it costs USD "
        f"{usd(monthly)}, busy or idle, so what counts is the volume:",
        picture,
        _volumes(mine, others, assumed, compiling),
        f"The busier the machine, the cheaper a conversation. Always busy means here {mine.most_per_hour:,.0f} "
        f"conversations an hour, at the highest rates; a full machine above takes "
        f"{mine.machine.conversations_per_hour:,.0f}, within the service levels and with a cold cache:",
        _utilisations(mine, assumed),
    ]
    if not others:
        return [*out, f"Other ways to hold the conversation: {NOT_MEASURED}: the arms' tokens are not known."]
    dates = ", ".join(f"{text(name)} {p.as_of} ({p.source})" for name, p in prices.items())
    return [
        *out,
        "The same conversation held in other ways: `in_context` has the whole flowchart in every prompt, "
        "`orchestrated` takes several small prompts a message.",
        _others(mine, others, compiling),
        f"List prices as of: {dates}. Tokens are those of the small model's tokenizer. Providers cache only prompts "
        "above some length, which is not counted here and flatters them. Break-even: conversations until the compile "
        "has paid on a machine that others keep busy, and the fewest conversations a month at which machines rented "
        "for this alone cost no more (just above a full machine's the next one, nearly idle, may cost more again); "
        "never: not at any volume.",
    ]


def _compiling(mine: Own) -> str:
    """Say what compiling once costs, and for what."""
    if mine.teacher is None:
        return f"USD {usd(mine.compiling)} of the machine's time, and what the teacher's answers cost is not known"
    if not mine.teacher:
        return f"USD {usd(mine.compiling)} of the machine's time"
    time, answers = usd(mine.compiling - mine.teacher), usd(mine.teacher)
    return f"USD {usd(mine.compiling)}: {time} of the machine's time, {answers} for the teacher's answers"


def lead(m: Metrics, prices: Mapping[str, ListPrice], assumed: CostAssumptions) -> str:
    """Say in some sentences what conversations take and cost, and what they would cost otherwise."""
    return f"a conversation with the compiled model {_took(m.scores)}. {_priced(m, prices, assumed)}"


def _took(scores: Json) -> str:
    ways = held(scores)
    if COMPILED not in ways:
        return "its tokens were not measured"
    tokens = {way: need.prompt + need.completion for way, need in ways.items()}
    took = f"takes {tokens[COMPILED]:,.0f} tokens"
    if IN_CONTEXT in tokens:
        took += f" (the same one with the whole flowchart in its prompts {tokens[IN_CONTEXT]:,.0f}, "
        took += f"{tokens[IN_CONTEXT] / tokens[COMPILED]:.1f} times as many)"
    return took


def _priced(m: Metrics, prices: Mapping[str, ListPrice], assumed: CostAssumptions) -> str:
    mine = own(m)
    if mine is None:
        return f"What a conversation costs was {NOT_MEASURED}."
    said = f"1,000 conversations cost USD {usd(1000 * mine.busy)} on a machine that is always busy at its highest rates"
    volume = assumed.volumes[len(assumed.volumes) // 2]
    each = per_thousand(volume, mine.machine, mine.compiling * assumed.compiles_per_month)
    said += f", and USD {usd(each)} when {volume:,} a month come to machines rented for them alone, compiling included"
    cheapest = _cheapest_by_model(alternatives(m.scores, prices, None))
    if cheapest:
        listed = ", ".join(f"{text(model)} {usd(1000 * a.best)} ({a.way})" for model, a in cheapest.items())
        said += (
            ". Hosted models, USD per 1,000 at list prices, each in the cheaper way (in_context: the whole flowchart "
            f"in every prompt; orchestrated: several small prompts a message): {listed}"
        )
    return said + "."


def curve(m: Metrics, prices: Mapping[str, ListPrice], assumed: CostAssumptions) -> tuple[Points, list[CostLine]]:
    """Give the points of the volume plot: dollars per 1,000 over conversations a month, and the level of each model."""
    mine = own(m)
    if mine is None:
        return [], []
    compiling = mine.compiling * assumed.compiles_per_month
    # A full machine's volume and one more, where a step is, beside even distances on the logarithmic scale.
    full = mine.machine.conversations_per_hour * HOURS_PER_MONTH
    some = {round(10 ** (2 + i / 50)) for i in range(250)}
    steps = {x for count in range(1, 5) for x in (math.floor(count * full), math.floor(count * full) + 1)}
    points = [(float(v), per_thousand(v, mine.machine, compiling)) for v in sorted(some | steps) if v <= 10**7]
    cheapest = _cheapest_by_model(alternatives(m.scores, prices, None))
    lines = [
        CostLine(f"{model}, {a.way}", 1000 * a.best, break_even_volume(a.best, mine.machine, compiling))
        for model, a in cheapest.items()
    ]
    return points, lines


def _volumes(mine: Own, others: list[Alternative], assumed: CostAssumptions, compiling: float) -> str:
    cheapest = _cheapest_by_model(others)
    rows = []
    for volume in assumed.volumes:
        count = machines(volume, mine.machine)
        busy = volume / (count * HOURS_PER_MONTH * mine.machine.conversations_per_hour)
        cells = [usd(1000 * a.best) for a in cheapest.values()]
        rows.append(
            [f"{volume:,}", str(count), percent(busy), usd(per_thousand(volume, mine.machine, compiling)), *cells]
        )
    ways = [text(f"{model}, {a.way}") for model, a in cheapest.items()]
    head = ["Conversations a month", "Machines", "Full to", "USD per 1,000: compiled", *ways]
    return table(head, rows)


def _cheapest_by_model(others: list[Alternative]) -> Mapping[str, Alternative]:
    """The cheaper of the two ways on each hosted model: what a rival would choose."""
    out: dict[str, Alternative] = {}
    for other in others:
        if other.model != SAME_MODEL and (other.model not in out or other.best < out[other.model].best):
            out[other.model] = other
    return out


def _utilisations(mine: Own, assumed: CostAssumptions) -> str:
    rows = [
        ["USD per 1,000 conversations", *(usd(1000 * mine.busy / share) for share in assumed.utilisations)],
        ["without the prefix cache", *(usd(1000 * mine.uncached / share) for share in assumed.utilisations)],
    ]
    return table(["Busy", *map(percent, assumed.utilisations)], rows)


def _others(mine: Own, others: list[Alternative], compiling: float) -> str:
    rows = []
    for other in others:
        after = break_even(mine.compiling, mine.busy, other.best)
        volume = break_even_volume(other.best, mine.machine, compiling)
        monthly = "never" if volume is None else f"{volume:,}"
        rows.append([
            text(f"{other.way}, {other.model}"),
            usd(1000 * other.plain),
            "—" if other.cached is None else usd(1000 * other.cached),
            f"{other.best / mine.busy:,.1f} x",
            "never" if after is None else f"{after:,}",
            "—" if other.model == SAME_MODEL else monthly,  # it needs the same machine
        ])  # fmt: skip
    head = [
        "USD per 1,000 conversations",
        "Plain",
        "Cached",
        "Against compiled, busy",
        "Break-even",
        "Break-even a month",
    ]
    return table(head, rows)
