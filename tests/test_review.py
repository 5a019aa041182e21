"""The page for human ratings: blind, seeded, inert, and usable by mouse and keyboard in a real browser."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowc.briefing import item_id
from flowc.frontier import ARMS as FRONTIER
from flowc.graph import Graph
from flowc.ratings import read_ratings
from flowc.records import Message, UserError, run_stage, write_json, write_jsonl
from flowc.review import page, payload, screens
from flowc.rubric import RUBRIC
from flowc.transcripts import Ended, Transcript
from scripts.review import main
from tests.browser import Page, browser
from tests.example import NO_DEVIATIONS, example_graph, example_scenarios, play
from tests.workspace import ROOT

GRAPH = example_graph()
SCENARIOS = example_scenarios(GRAPH, 6)
TEMPLATE = (ROOT / "scripts" / "review.html").read_text(encoding="utf-8")
ARMS = ("compiled", "floor")
PLAYED = {arm: [play(GRAPH, s).model_copy(update={"arm": arm}) for s in SCENARIOS] for arm in ARMS}
HOSTILE = (
    "</script><script>window.stolen=1</script><img src=x onerror='window.stolen=2'>"
    "<svg onload=window.stolen=3> <!-- \" ' ` & &lt;b&gt; \u2028 ${7*7} \u202e\U0001f600 javascript:alert(1)"
)


def written(shown: list[list[Transcript]], graph: Graph = GRAPH) -> str:
    return page(TEMPLATE, payload(graph, SCENARIOS, shown))


def test_the_same_seed_shows_the_same_in_the_same_order() -> None:
    assert screens(PLAYED, 8, False, 1) == screens(PLAYED, 8, False, 1)
    assert screens(PLAYED, 8, False, 1) != screens(PLAYED, 8, False, 2)
    assert screens(PLAYED, 5, True, 1) != screens(PLAYED, 5, True, 2)


def test_arms_have_equal_shares_and_no_conversation_comes_twice() -> None:
    shown = [t for [t] in screens(PLAYED, 8, False, 0)]
    assert sorted(t.arm for t in shown) == ["compiled"] * 4 + ["floor"] * 4
    assert len({item_id(t) for t in shown}) == 8
    assert len(screens(PLAYED, 99, False, 0)) == 12


def test_side_by_side_shows_two_arms_on_one_scenario_on_either_side() -> None:
    shown = screens(PLAYED, 6, True, 0)
    assert all(a.scenario == b.scenario and {a.arm, b.arm} == set(ARMS) for a, b in shown)
    assert {a.arm for a, _ in shown} == set(ARMS)
    with pytest.raises(UserError, match="takes two arms, not 1: name them with --arms"):
        screens({"floor": PLAYED["floor"]}, 6, True, 0)


def test_conversations_that_the_user_spoilt_are_not_shown() -> None:
    spoilt = [t.model_copy(update={"ended": Ended.USER_ERROR}) for t in PLAYED["floor"]]
    assert len(screens({**PLAYED, "floor": spoilt}, 99, False, 0)) == 6
    assert screens({**PLAYED, "floor": spoilt}, 99, True, 0) == []


def test_nothing_on_the_page_tells_the_arm() -> None:
    text = written(screens(PLAYED, 6, True, 0))
    assert [arm for arm in ARMS if arm in text] == []
    assert [s.id for s in SCENARIOS if s.id in text] == []


def test_a_transcript_of_another_scenario_is_refused() -> None:
    stranger = PLAYED["floor"][0].model_copy(update={"scenario": "gone"})
    with pytest.raises(UserError, match="scenario gone of a transcript is not among the scenarios"):
        payload(GRAPH, SCENARIOS, [[stranger]])


def hostile() -> tuple[Graph, list[list[Transcript]]]:
    """A conversation and a procedure in which every text attacks the page."""
    graph = GRAPH.model_copy(update={"title": HOSTILE})
    first = PLAYED["floor"][0]
    turns = [t.model_copy(update={"message": Message(role=t.message.role, content=HOSTILE)}) for t in first.turns]
    return graph, [[first.model_copy(update={"turns": tuple(turns)})]]


def test_hostile_text_cannot_leave_its_block() -> None:
    graph, shown = hostile()
    text = written(shown, graph)
    block = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert len(block) == 1
    assert re.findall(r"[<>&\u2028]", block[0]) == []
    assert json.loads(block[0])["title"] == HOSTILE
    assert text.count("<script") == 2
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path) as opened:
        opened.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
        yield opened


def opened(chromium: Page, folder: Path, text: str) -> None:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    chromium.open(file)


def errors(chromium: Page) -> list[object]:
    """What went wrong in the page, and every request that left it."""
    wrong = [e for e in chromium.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    sent = [e["params"]["request"]["url"] for e in chromium.events if e["method"] == "Network.requestWillBeSent"]
    return wrong + [url for url in sent if not url.startswith(("file:", "blob:"))]


def test_hostile_text_is_shown_as_it_is_and_runs_nothing(chromium: Page, tmp_path: Path) -> None:
    graph, shown = hostile()
    opened(chromium, tmp_path, written(shown, graph))
    assert chromium.run("document.querySelector('.line span').textContent") == HOSTILE
    assert chromium.run("document.getElementById('title').textContent") == HOSTILE
    assert chromium.run("window.stolen === undefined && document.querySelectorAll('img, svg').length === 0")
    assert errors(chromium) == []


def scores(chromium: Page) -> list[dict[str, object]]:
    ratings: list[dict[str, object]] = json.loads(chromium.run("JSON.stringify(exported())"))["ratings"]
    return ratings


def test_ratings_by_mouse_and_keys_outlive_a_reload_and_are_read_back(chromium: Page, tmp_path: Path) -> None:
    calm = example_scenarios(GRAPH, 2, NO_DEVIATIONS)
    played = [play(GRAPH, s) for s in calm]
    plain = next(t for t in played if not any("interrupt" in x for turn in t.turns for x in turn.labels))
    text = page(TEMPLATE, payload(GRAPH, calm, [[plain], [t for t in played if t != plain]]))
    opened(chromium, tmp_path, text)
    for key in "54":
        chromium.key(key)
    chromium.click("[data-row='2'] button:nth-child(3)")
    chromium.key("5")  # more than is allowed where the user posed no challenge
    assert list(scores(chromium)[0]["scores"].values()) == [5, 4, 3]  # type: ignore[attr-defined]
    chromium.key("3")
    chromium.key("1")
    assert chromium.run("document.getElementById('progress').textContent") == "Page 1 of 2, 1 rated"
    chromium.run("document.getElementById('note').focus()")
    chromium.call("Input.insertText", text="5 stars <b>")
    assert chromium.run("document.getElementById('note').value") == "5 stars <b>"  # typed, before it is to be kept
    chromium.click("#rater")
    chromium.call("Input.insertText", text="R. Äter")
    chromium.reload()
    assert chromium.run("document.getElementById('note').value") == "5 stars <b>"
    chromium.key("ArrowDown")
    chromium.key("0")
    chromium.key("ArrowRight")
    chromium.key("2")
    chromium.click("#export")
    end = time.monotonic() + 60
    while not (saved := read_ratings(tmp_path / "saved")):
        assert time.monotonic() < end, "nothing was saved"
        time.sleep(0.1)
    [rated] = saved
    assert (rated.rater, rated.rubric, rated.procedure) == ("R. Äter", RUBRIC.version, "table")
    assert abs(datetime.fromisoformat(rated.exported) - datetime.now(UTC)) < timedelta(minutes=5)
    first, second = rated.ratings
    assert (first.item, first.note) == (item_id(plain), "5 stars <b>")
    assert first.scores == {"task_success": 5, "consistency": 3, "graceful_handling": 3, "naturalness": 1}
    assert second.scores == {"task_success": 2}
    assert errors(chromium) == []


def test_a_key_held_down_rates_one_row(chromium: Page, tmp_path: Path) -> None:
    opened(chromium, tmp_path, written(screens(PLAYED, 1, False, 0)))
    for repeat in (False, True, True):
        chromium.call("Input.dispatchKeyEvent", type="keyDown", key="4", text="4", autoRepeat=repeat)
    assert [s["scores"] for s in scores(chromium)] == [{"task_success": 4}]


def test_a_remark_on_a_page_without_ratings_is_exported(chromium: Page, tmp_path: Path) -> None:
    shown = screens(PLAYED, 1, True, 0)
    opened(chromium, tmp_path, written(shown))
    chromium.click("#note")
    chromium.call("Input.insertText", text="both odd")
    expected = [{"item": item_id(t), "scores": {}, "note": "both odd"} for t in shown[0]]
    assert scores(chromium) == expected


def test_a_browser_that_keeps_nothing_says_so_and_rates_all_the_same(chromium: Page, tmp_path: Path) -> None:
    deny = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    chromium.call("Page.addScriptToEvaluateOnNewDocument", source=deny)
    opened(chromium, tmp_path, written(screens(PLAYED, 1, False, 0)))
    chromium.key("4")
    assert [s["scores"] for s in scores(chromium)] == [{"task_success": 4}]
    said = chromium.run("document.getElementById('progress').textContent")
    assert said.endswith("This browser keeps nothing (SecurityError): export before you close the page")


def test_two_side_by_side_are_compared_as_a_whole(chromium: Page, tmp_path: Path) -> None:
    shown = screens(PLAYED, 2, True, 0)
    opened(chromium, tmp_path, written(shown))
    assert chromium.run("document.querySelectorAll('.talk').length") == 2
    for _ in range(10):
        chromium.key("ArrowDown")
    chromium.key("3")
    picture = chromium.call("Page.captureScreenshot")["data"]
    assert len(picture) > 10_000
    told = json.loads(chromium.run("JSON.stringify(exported())"))
    left, right = map(item_id, shown[0])
    assert told["preferences"] == [{"left": left, "right": right, "better": "right"}]
    assert told["ratings"] == []


def test_the_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    for arm, played in PLAYED.items():
        write_jsonl(tmp_path / "played" / f"{arm}.jsonl", played)
    command = ["review", "played", "graph.json", "scenarios.jsonl", "--out", "reviews/table.html", "--seed", "4"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*command, "--arms", *ARMS, "--pairs", "--count", "3"])
    run_stage(main)
    assert "reviews/table.html: 3 pages" in capsys.readouterr().out
    assert (tmp_path / "reviews" / "table.html").read_text(encoding="utf-8") == written(screens(PLAYED, 3, True, 4))
    monkeypatch.setattr(sys, "argv", [*command, "--arms", *ARMS, "--count", "0"])
    with pytest.raises(SystemExit):
        run_stage(main)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--arms", "compield"], "error: played: no conversations of 'compield'; name others with --arms, there are "),
        (["--arms", "silent"], "error: there is nothing to show of silent; name other --arms or"),
    ],
)
def test_an_arm_that_is_not_there_and_a_page_without_conversations_are_refused(
    options: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    for arm, played in PLAYED.items():
        write_jsonl(tmp_path / "played" / f"{arm}.jsonl", played)
    write_jsonl(tmp_path / "played" / "silent.jsonl", [])
    monkeypatch.chdir(tmp_path)
    command = ["review", "played", "graph.json", "scenarios.jsonl", "--out", "table.html", "--seed", "4"]
    monkeypatch.setattr(sys, "argv", [*command, *options])
    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert str(ended.value).startswith(expected)
    assert not (tmp_path / "table.html").exists()


def test_without_named_arms_the_page_has_those_of_providers_that_were_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    write_json(tmp_path / "params.yaml", {"seed": 0, "arms": ["floor"]})
    played = PLAYED | {FRONTIER[0]: [t.model_copy(update={"arm": FRONTIER[0]}) for t in PLAYED["floor"]]}
    for arm, transcripts in (played | {FRONTIER[1]: []}).items():
        write_jsonl(tmp_path / "played" / f"{arm}.jsonl", transcripts)
    how = {
        arm: {"provider": "openai", "model": "m", "not_run": why} for arm, why in zip(FRONTIER, ("", "x"), strict=True)
    }
    write_json(tmp_path / "played" / "frontier.json", {"arms": how})
    monkeypatch.chdir(tmp_path)
    command = ["review", "played", "graph.json", "scenarios.jsonl", "--out", "table.html", "--count", "6"]
    monkeypatch.setattr(sys, "argv", command)
    run_stage(main)
    assert (tmp_path / "table.html").read_text(encoding="utf-8") == written(screens(played, 6, False, 0))
