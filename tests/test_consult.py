"""Judges asked through providers: live and by batch, side by side, within their caps, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowc.completion import ProviderName
from flowc.consult import consult
from flowc.judges import JudgeParams
from flowc.judging import Verdicts
from flowc.records import UserError
from flowc.spend import Price, PricesParams
from tests.example import NO_DEVIATIONS, example_graph, example_scenarios, play
from tests.judge_script import by_length, judge_server
from tests.provider_script import KEY, Provider, Said

GRAPH = example_graph()
SCENARIOS = example_scenarios(GRAPH, 3, NO_DEVIATIONS)
OURS = [play(GRAPH, s).model_copy(update={"arm": "ours"}) for s in SCENARIOS]
ARMS = {"ours": OURS, "theirs": [t.model_copy(update={"arm": "theirs", "turns": t.turns[:3]}) for t in OURS]}
REQUESTS = 2 * 3 + 2 * 3  # every conversation, and every pair in both orders
FREE = Price(input=0, output=0)
DEAR = Price(input=3, output=15)
BOTH = pytest.mark.parametrize("provider", ["anthropic", "openai"])


def a_judge(name: str, provider: ProviderName, **changed: Any) -> JudgeParams:
    values = {"name": name, "provider": provider, "model": name, "family": name, "cap": "none", "poll": 0.01}
    return JudgeParams.model_validate(values | changed)


def ask(folder: Path, environment: dict[str, str], *judges: JudgeParams, against: str = "theirs") -> Verdicts:
    prices = PricesParams(models={})
    cache = folder / "answers.sqlite"
    return consult(judges, GRAPH, SCENARIOS, ARMS, "ours", [against], prices, environment, cache)


def sent(server: Provider) -> list[str]:
    return [key for requests in server.batches.values() for key, _ in requests]


@BOTH
def test_a_batch_gives_the_verdicts_of_calls_and_is_not_paid_again(provider: ProviderName, tmp_path: Path) -> None:
    with judge_server() as server:
        batched = ask(tmp_path, server.environment, a_judge("strict", provider, mode="batch"))
        assert (server.calls, len(server.batches), len(sent(server))) == (0, 1, REQUESTS)
        again = ask(tmp_path, server.environment, a_judge("strict", provider))
        assert server.calls == 0  # a live call finds the answers of the batch
        live = ask(tmp_path / "other", server.environment, a_judge("strict", provider))
        assert server.calls == REQUESTS
    assert again == batched
    assert {j.response.batch for j in batched.judged} == {True}
    assert [j.verdicts for j in live.judged] == [j.verdicts for j in batched.judged]
    assert [c.better for c in live.compared] == [c.better for c in batched.compared] == ["first", "second"] * 3


@BOTH
def test_only_what_expired_in_a_batch_is_sent_again(provider: ProviderName, tmp_path: Path) -> None:
    with judge_server() as server:
        server.batch_spoil = lambda n: "expired" if n == 2 else ""
        said = ask(tmp_path, server.environment, a_judge("strict", provider, mode="batch"))
        keys = sent(server)
    assert [len(said.judged), len(said.compared)] == [6, 6]
    assert keys[REQUESTS:] == [keys[2]]


def test_any_number_of_judges_of_different_families_judge_the_same(tmp_path: Path) -> None:
    judges = [a_judge("claude", "anthropic"), a_judge("gpt", "openai", mode="batch"), a_judge("own", "compatible")]
    with judge_server() as server:
        said = ask(tmp_path, server.environment, *judges)
    assert [j.judge for j in said.judged] == ["claude"] * 6 + ["gpt"] * 6 + ["own"] * 6
    assert len({tuple(v.rating for v in j.verdicts) for j in said.judged if j.item == said.judged[0].item}) == 1
    assert KEY not in repr(said)


def test_a_judge_that_a_provider_refuses_is_named_and_the_answers_of_the_others_are_kept(tmp_path: Path) -> None:
    good, bad = a_judge("good", "openai"), a_judge("bad", "anthropic")
    with judge_server() as server:
        server.spoil = lambda n: "404" if server.asked[n]["model"] == "bad" else ""
        with pytest.raises(UserError, match=r"judge 'bad' of evaluate.judges: .*status 404") as failed:
            ask(tmp_path, server.environment, good, bad)
        calls = server.calls
        said = ask(tmp_path, server.environment, good)
        assert server.calls == calls
    assert len(said.judged) == 6
    assert KEY not in str(failed.value)


def test_a_reached_cap_is_told_with_the_judges_own_settings_and_what_was_paid_is_kept(tmp_path: Path) -> None:
    # An answer costs $0.00105; before it the most is held: $0.0496, 0.0486 and 0.0507 for the first three.
    tight = a_judge("tight", "openai", cap=0.052, price=DEAR, concurrency=1)
    with judge_server() as server:
        with pytest.raises(
            UserError, match=r"judge 'tight' .* the cap of \$0\.052 .*: raise evaluate.judges.tight.cap,"
        ):
            ask(tmp_path, server.environment, tight)
        paid = server.calls
        assert 0 < paid < REQUESTS
        ask(tmp_path, server.environment, a_judge("tight", "openai", price=DEAR))
        assert server.calls == REQUESTS


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("anthropic", "judge 'strict' of evaluate.judges needs a key: set ANTHROPIC_API_KEY in the environment"),
        ("openai", "judge 'strict' of evaluate.judges needs a key: set OPENAI_API_KEY in the environment"),
        ("compatible", "judge 'strict' of evaluate.judges asks the server at FLOWC_COMPATIBLE_URL, which is not set"),
    ],
)
def test_what_the_environment_lacks_is_named(provider: ProviderName, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as failed:
        ask(tmp_path, {}, a_judge("strict", provider))
    assert str(failed.value).startswith(said)
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_asked_where_one_judges_price_is_unknown_under_a_cap(tmp_path: Path) -> None:
    capped = a_judge("capped", "openai", cap=1.0)
    said = r"no price is known for the model 'capped', .* set evaluate.judges.capped.price to"
    with judge_server() as server, pytest.raises(UserError, match=said):
        ask(tmp_path, server.environment, a_judge("free", "openai", price=FREE), capped)
    assert server.asked == []


@pytest.mark.parametrize("arm", ["ours", "frontier"])
def test_an_arm_that_cannot_be_compared_is_named(arm: str, tmp_path: Path) -> None:
    said = rf"evaluate.pairs has '{arm}', which is no other arm of this run; those are theirs"
    with judge_server() as server, pytest.raises(UserError, match=said):
        ask(tmp_path, server.environment, a_judge("strict", "openai"), against=arm)
    assert server.asked == []


def test_without_judges_nothing_is_opened_or_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(tmp_path, {}) == Verdicts()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_what_was_asked_and_spent_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with judge_server(lambda *asked: by_length(*asked) if "better" in asked[2] else Said("no")) as server:
        for _ in range(2):
            ask(tmp_path, server.environment, a_judge("strict", "openai", price=DEAR))
    told = "judge 'strict' of evaluate.judges (strict, calls): {} answers asked for, {} there before; $0.01"
    assert capsys.readouterr().err.splitlines() == [told.format(12, 0), told.format(0, 12)]
