"""Scores: bootstrap intervals, slices, what was not scored, and examples."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from flowc.conformance import CRITERIA, EXPECTED
from flowc.deviations import KINDS
from flowc.evaluate import STRICT, EvaluateParams, Evaluation, evaluate, interval
from flowc.frontier import ARMS as FRONTIER
from flowc.records import Message, UserError, run_stage, write_json, write_jsonl
from flowc.rubric import RUBRIC
from flowc.scenarios import Scenario, kinds
from flowc.transcripts import Ended, Tokens, Transcript
from stages.evaluate import main
from tests.example import example_graph, example_scenarios, play
from tests.judge_script import judge_server
from tests.provider_script import KEY
from tests.workspace import ROOT

PARAMS = EvaluateParams(resamples=1000, confidence=0.95, power=0.8)
GRAPH = example_graph()
SCENARIOS = [
    s.model_copy(update={"split": "seen_path" if i % 2 else "held_out_path"})
    for i, s in enumerate(example_scenarios(GRAPH, 20))
]


def perfect(scenario: Scenario) -> Transcript:
    return play(GRAPH, scenario).model_copy(update={"tokens": Tokens(prompt=100, completion=10, calls=5)})


def broken(scenario: Scenario) -> Transcript:
    whole = play(GRAPH, scenario)
    return whole.model_copy(update={"ended": Ended.TURN_LIMIT, "turns": whole.turns[:1]})


TRANSCRIPTS = {
    "good": [perfect(s) for s in SCENARIOS],
    "half": [perfect(s) if s.split == "seen_path" else broken(s) for s in SCENARIOS],
}


@pytest.fixture(scope="module")
def done() -> Evaluation:
    return evaluate(GRAPH, SCENARIOS, TRANSCRIPTS, PARAMS, 0)


def test_judges_that_share_their_answers_and_pairs_named_twice_are_refused() -> None:
    one = {"name": "one", "provider": "openai", "model": "m", "family": "f"}
    values = PARAMS.model_dump() | {"judges": [one, one | {"name": "other", "family": "g"}]}
    with pytest.raises(ValidationError, match="judges one, other ask one model alike; keep one, with `repeats`"):
        EvaluateParams.model_validate(values)
    apart = values | {"judges": [one, one | {"name": "other", "temperature": 0}]}
    assert len(EvaluateParams.model_validate(apart).judges) == 2
    with pytest.raises(ValidationError, match="pairs name an arm twice: floor, floor"):
        EvaluateParams.model_validate(apart | {"pairs": ["floor", "floor"]})


def test_the_interval_of_equal_values_is_the_value() -> None:
    assert interval([1.0] * 7, PARAMS, 0) == {
        "mean": 1.0, "ci95": [1.0, 1.0], "n": 7, "clusters": 7, "unscored": 0
    }  # fmt: skip


def test_the_interval_of_a_fair_coin_is_the_binomial_one() -> None:
    found = interval([0.0, 1.0] * 50, PARAMS, 0)
    assert found["mean"] == 0.5
    assert found["ci95"] == pytest.approx([0.402, 0.598], abs=0.015)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.0, 0.5, 1.0, 1.0]
    assert interval(values, PARAMS, 3) == interval(values, PARAMS, 3)


def test_values_of_one_cluster_are_drawn_together() -> None:
    values, clusters = [0.0, 0.0, 1.0, 1.0] * 10, [str(i // 2) for i in range(40)]
    alone, together = (interval(values, PARAMS, 0, c)["ci95"] for c in (None, clusters))
    assert together[0] < alone[0] and alone[1] < together[1]
    assert together == pytest.approx([0.3, 0.7], abs=0.051)


def test_unscored_values_are_counted_and_never_zero() -> None:
    assert interval([1.0, None, 1.0, None], PARAMS, 0) == {
        "mean": 1.0,
        "ci95": [1.0, 1.0],
        "n": 2,
        "clusters": 2,
        "unscored": 2,
    }
    nothing = {"mean": None, "ci95": None, "n": 0, "clusters": 0}
    assert interval([None, None], PARAMS, 0) == nothing | {"unscored": 2}
    assert interval([], PARAMS, 0) == nothing | {"unscored": 0}


def test_an_assistant_without_fault_scores_one_everywhere(done: Evaluation) -> None:
    scores = done.scores["arms"]["good"]
    assert {c: scores[c]["mean"] for c in CRITERIA} == dict.fromkeys(CRITERIA, 1.0)
    assert scores["n"] == 20
    assert scores["endings"] == {"terminal": 20}


def test_slices_by_split_tell_paths_apart(done: Evaluation) -> None:
    by_split = done.scores["arms"]["half"]["by_split"]
    ten = {"n": 10, "clusters": 10, "unscored": 0}
    assert by_split["seen_path"]["task_success"] == {"mean": 1.0, "ci95": [1.0, 1.0]} | ten
    assert by_split["held_out_path"]["task_success"] == {"mean": 0.0, "ci95": [0.0, 0.0]} | ten
    assert done.scores["arms"]["half"]["task_success"]["mean"] == 0.5


def test_slices_by_deviation_hold_the_scenarios_with_it(done: Evaluation) -> None:
    by_deviation = done.scores["arms"]["good"]["by_deviation"]
    planned = [kinds(GRAPH, s) for s in SCENARIOS]
    assert {k: v["task_success"]["n"] for k, v in by_deviation.items()} == Counter(
        k for found in planned for k in found
    )
    assert {"volunteer", "volunteer_several", "human"} <= set(by_deviation)
    assert by_deviation["side_question"]["recovery"]["mean"] == 1.0


def test_recovery_is_counted_by_the_kind_that_was_met(done: Evaluation) -> None:
    met = Counter(
        kind if kind in KINDS else name
        for played in TRANSCRIPTS["good"]
        for turn in played.turns
        if turn.message.role == "user"
        for kind, name in (label.split(":") for label in turn.labels)
        if kind in EXPECTED
    )
    by_recovery = done.scores["arms"]["good"]["by_recovery"]
    assert {k: (v["n"], v["right"]) for k, v in by_recovery.items()} == {k: (n, n) for k, n in met.items()}
    assert {"volunteer", "side_question", "human"} <= set(by_recovery)


def test_a_success_with_faults_is_one_and_counts_less_where_more_is_asked() -> None:
    def wrong(t: Transcript) -> Transcript:
        turns = [turn.model_copy(update={"message": _misread(turn.message)}) for turn in t.turns]
        return t.model_copy(update={"turns": tuple(turns)})

    def _misread(message: Message) -> Message:
        calls = tuple(c.model_copy(update={"arguments": dict.fromkeys(c.arguments, "?")}) for c in message.tool_calls)
        return message.model_copy(update={"tool_calls": calls})

    played = [wrong(t) if i < 5 else t for i, t in enumerate(TRANSCRIPTS["good"])]
    calling = sum(any(turn.message.tool_calls for turn in t.turns) for t in TRANSCRIPTS["good"][:5])
    assert calling
    scores = evaluate(GRAPH, SCENARIOS, {"wrong": played}, PARAMS, 0).scores["arms"]["wrong"]
    assert scores["task_success"]["mean"] == 1.0
    assert {k: v["mean"] for k, v in scores["strict"].items()} == dict.fromkeys(STRICT, 1 - calling / 20)
    lost = [t.model_copy(update={"turns": (t.turns[0].model_copy(update={"labels": ()}), *t.turns)})
            for t in TRANSCRIPTS["good"]]  # fmt: skip
    strict = evaluate(GRAPH, SCENARIOS, {"lost": lost}, PARAMS, 0).scores["arms"]["lost"]["strict"]
    assert [strict[level]["mean"] for level in STRICT] == [1.0, 0.0, 0.0]


def test_recovery_without_deviations_is_unscored(done: Evaluation) -> None:
    recovery = done.scores["arms"]["good"]["recovery"]
    assert recovery["unscored"] == sum(not s.deviations for s in SCENARIOS)
    assert recovery["n"] + recovery["unscored"] == 20


def test_conversations_that_the_user_spoilt_are_counted_and_not_scored() -> None:
    spoilt = [
        t.model_copy(update={"ended": Ended.USER_ERROR, "turns": t.turns[:2]}) if i < 4 else t
        for i, t in enumerate(TRANSCRIPTS["good"])
    ]
    scores = evaluate(GRAPH, SCENARIOS, {"spoilt": spoilt}, PARAMS, 0).scores["arms"]["spoilt"]
    assert (scores["n"], scores["simulator_errors"], scores["unscored"]) == (20, 4, 4)
    whole = {"mean": 1.0, "ci95": [1.0, 1.0], "n": 16, "clusters": 16, "unscored": 4}
    assert {c: scores[c] for c in ("task_success", "procedure_order", "consistency")} == {
        "task_success": whole, "procedure_order": whole, "consistency": whole
    }  # fmt: skip
    assert scores["failure"]["task_success"] == {**whole, "mean": 0.0, "ci95": [0.0, 0.0]}
    assert scores["pass_all"]["1"]["n"] == 16


def test_endings_and_tokens_are_means_per_conversation(done: Evaluation) -> None:
    half = done.scores["arms"]["half"]
    assert half["endings"] == {"terminal": 10, "turn_limit": 10}
    messages = sum(t.message.role == "assistant" for played in TRANSCRIPTS["half"] for t in played.turns)
    assert half["tokens"] == {
        "prompt_per_conversation": 50.0,
        "completion_per_conversation": 5.0,
        "calls_per_conversation": 2.5,
        "messages_per_conversation": messages / 20,
        "recurring_per_conversation": None,  # the counts of these transcripts are not one call a message
        "system_prompt": None,
    }


def test_an_arm_that_goes_wrong_alike_every_time_takes_the_compiled_models_tokens_a_piece() -> None:
    def counted(transcript: Transcript, system: int) -> Transcript:
        before = [i for i, t in enumerate(transcript.turns) if t.message.role == "assistant"]
        prompt = sum(system + 5 * i + sum(len(t.message.content) for t in transcript.turns[:i]) for i in before)
        turns = [
            t.model_copy(update={"message": Message(role=t.message.role, content="x " * len(t.message.content))})
            for t in transcript.turns
        ]
        tokens = Tokens(prompt=prompt, completion=10, calls=len(before))
        return transcript.model_copy(update={"turns": tuple(turns), "tokens": tokens})

    lost = play(GRAPH, SCENARIOS[0]).turns[:3]
    played = {
        "compiled": [counted(play(GRAPH, s), 20) for s in SCENARIOS],
        "in_context": [counted(broken(s).model_copy(update={"turns": lost}), 900) for s in SCENARIOS],
    }
    found = evaluate(GRAPH, SCENARIOS, played, PARAMS, 0).scores["arms"]
    assert (found["compiled"]["tokens"]["system_prompt"], found["in_context"]["tokens"]["system_prompt"]) == (20, 900)
    alone = evaluate(GRAPH, SCENARIOS, {"in_context": played["in_context"]}, PARAMS, 0).scores["arms"]
    assert alone["in_context"]["tokens"]["system_prompt"] is None


def test_decisions_are_summed_by_node(done: Evaluation) -> None:
    by_node = done.scores["arms"]["good"]["by_node"]
    messages = sum(t.message.role == "assistant" for played in TRANSCRIPTS["good"] for t in played.turns)
    assert sum(d["n"] for d in by_node.values()) == messages - 20
    assert [d for d in by_node.values() if d["right"] != d["n"]] == []
    assert set(by_node) <= {n for n, node in GRAPH.nodes.items() if not node.terminal}
    assert done.scores["arms"]["half"]["by_node"]["ask_day"]["n"] < by_node["ask_day"]["n"]
    assert {tuple(d["ci95"]) for d in by_node.values()} == {(1.0, 1.0)}


def test_values_are_summed_by_slot(done: Evaluation) -> None:
    by_slot = done.scores["arms"]["good"]["by_slot"]
    calls = sum(len(t.message.tool_calls) for played in TRANSCRIPTS["good"] for t in played.turns)
    assert by_slot["day"]["n"] >= calls > 0
    assert {s: d["right"] for s, d in by_slot.items()} == {s: d["n"] for s, d in by_slot.items()}
    assert done.scores["arms"]["half"]["by_slot"]["day"]["n"] < by_slot["day"]["n"]


def test_facts_are_counted_by_name_and_together(done: Evaluation) -> None:
    good = done.scores["arms"]["good"]
    labels = [label for played in TRANSCRIPTS["good"] for turn in played.turns for label in turn.labels]
    asked = sum(label.startswith("side_question:") for label in labels)
    assert asked > 0
    stated = dict(good["knowledge"]["stated"])
    assert 0 < stated.pop("clusters") <= asked
    assert stated == {"mean": 1.0, "ci95": [1.0, 1.0], "n": asked, "unscored": 0}
    assert sum(d["n"] for d in good["by_fact"].values()) == asked


def test_the_compiled_arm_is_compared_with_each_other_on_every_criterion() -> None:
    played = {"compiled": TRANSCRIPTS["good"], "floor": TRANSCRIPTS["half"], "twin": TRANSCRIPTS["good"]}
    found = evaluate(GRAPH, SCENARIOS, played, PARAMS, 0).scores["comparisons"]
    assert [(c["a"], c["b"], c["criterion"]) for c in found] == [
        ("compiled", other, criterion) for other in ("floor", "twin") for criterion in sorted(CRITERIA)
    ]
    success = next(c for c in found if c["b"] == "floor" and c["criterion"] == "task_success")
    # Ten of twenty pairs differ, all one way: 2 / 2^10, one of ten tests.
    assert (success["test"], success["n"], success["p"]) == ("Wilcoxon", 20, 0.001953)
    assert success["p_holm"] == pytest.approx(10 * 2 / 2**10, rel=1e-3)
    assert success["difference"] == 0.5
    assert success["ci95"] == pytest.approx([0.3, 0.7], abs=0.051)
    # Cohen's d: 0.5 over the square root of the mean of 0 and 20/19 x 0.25.
    assert success["effect"] == pytest.approx(0.5 / (0.25 * 20 / 19 / 2) ** 0.5, abs=1e-4)
    assert {c["p_holm"] for c in found if c["b"] == "twin"} == {1.0}


def test_an_arm_played_three_times_is_compared_by_as_many_conversations_as_the_others_have() -> None:
    thrice = [(broken if repeat else perfect)(s).model_copy(update={"repeat": repeat})
              for s in SCENARIOS for repeat in range(3)]  # fmt: skip
    found = evaluate(GRAPH, SCENARIOS, {"compiled": thrice, "floor": TRANSCRIPTS["half"]}, PARAMS, 0).scores
    success = next(c for c in found["comparisons"] if c["criterion"] == "task_success")
    assert found["arms"]["compiled"]["task_success"]["mean"] == 0.3333
    # Its first conversations all succeed, of the floor's ten: 2 / 2^10.
    assert (success["n"], success["difference"], success["p"]) == (20, 0.5, 0.001953)
    two_each = {arm: [t for t in thrice if t.repeat < n] for arm, n in (("compiled", 3), ("floor", 2))}
    same = evaluate(GRAPH, SCENARIOS, two_each, PARAMS, 0).scores["comparisons"]
    assert {c["difference"] for c in same if c["criterion"] == "task_success"} == {0.0}


def test_families_that_nothing_can_be_compared_with_are_refused() -> None:
    assert EvaluateParams.model_validate(PARAMS.model_dump() | {"families": {"a": "x", "b": "y"}}).families
    with pytest.raises(ValueError, match="every arm is of 'x'; name those of other families too"):
        EvaluateParams.model_validate(PARAMS.model_dump() | {"families": {"a": "x"}})


def test_the_example_of_judges_measures_self_preference() -> None:
    page = (ROOT / "docs" / "judges.md").read_text(encoding="utf-8")
    section = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    params = EvaluateParams.model_validate(PARAMS.model_dump() | section)
    judges = {judge.family for judge in params.judges}
    assert judges & set(params.families.values())
    assert len(judges) > 1


def test_failure_is_what_does_not_succeed(done: Evaluation) -> None:
    assert done.scores["arms"]["half"]["failure"]["task_success"]["mean"] == 0.5
    assert done.scores["arms"]["good"]["failure"]["task_success"]["ci95"] == [0.0, 0.0]


def test_repeats_are_drawn_with_their_scenario_and_have_to_pass_together() -> None:
    often = [(perfect if repeat else broken)(s).model_copy(update={"repeat": repeat})
             for repeat in range(3) for s in SCENARIOS]  # fmt: skip
    scores = evaluate(GRAPH, SCENARIOS, {"compiled": often}, PARAMS, 0).scores["arms"]["compiled"]
    assert (scores["n"], scores["repeats"]) == (60, 3)
    assert {k: r["mean"] for k, r in scores["pass_all"].items()} == {"1": 0.6667, "2": 0.3333, "3": 0.0}
    # Every scenario passes twice of three: no scenario differs from another, so nothing but the mean is drawn.
    assert scores["task_success"]["ci95"] == [0.6667, 0.6667]
    assert scores["pass_all"]["3"]["n"] == 20


def test_two_repeats_of_one_configuration_agree_within_their_intervals() -> None:
    rng = np.random.default_rng(5)
    apart = 0
    for _ in range(200):
        one, other = (rng.random(60) < 0.9 for _ in range(2))
        low, high = interval(list(one.astype(float)), PARAMS, 0)["ci95"]
        again_low, again_high = interval(list(other.astype(float)), PARAMS, 1)["ci95"]
        apart += low > again_high or again_low > high
    assert apart <= 200 * 0.05


def test_judgements_come_by_arm_and_scenario(done: Evaluation) -> None:
    assert [(j.arm, j.scenario) for j in done.judgements[:20]] == [("perfect", s.id) for s in SCENARIOS]
    assert len(done.judgements) == 40


def test_the_good_example_is_without_fault_and_the_bad_one_has_faults(done: Evaluation) -> None:
    assert done.examples["good"]["bad"] is None
    assert done.examples["half"]["good"]["faults"] == []
    bad = done.examples["half"]["bad"]
    assert bad["faults"][-1] == f"turn 0: task_success: ended as turn_limit, not at {bad['expected_ending']}"
    assert (bad["ended"], bad["split"]) == ("turn_limit", "held_out_path")
    assert [m["role"] for m in bad["messages"]] == ["assistant"]


def test_frontier_arms_are_reported_as_not_run(done: Evaluation) -> None:
    assert set(done.scores["not_run"]) == {"frontier_in_context", "frontier_orchestrated"}


def test_the_tracker_is_measured_on_held_out_phrases(done: Evaluation) -> None:
    tracker = done.scores["tracker"]
    assert tracker["on"] == "held-out agent phrases"
    assert 0 < tracker["accuracy"]["mean"] <= 1
    assert set(tracker["by_node"]) == {n for n, x in GRAPH.nodes.items() if x.role == "agent"} | {"none"}


@pytest.mark.parametrize("change", ["missing", "twice", "one_repeated", "unknown"])
def test_transcripts_of_other_scenarios_are_refused(change: str) -> None:
    good = TRANSCRIPTS["good"]
    played = {
        "missing": good[1:],
        "twice": [*good, good[0]],
        "one_repeated": [*good, good[0].model_copy(update={"repeat": 1})],
        "unknown": [good[0].model_copy(update={"scenario": "other"}), *good[1:]],
    }[change]
    message = r"transcripts of arm 'good' are not of the present scenarios; run `dvc repro`"
    with pytest.raises(UserError, match=message):
        evaluate(GRAPH, SCENARIOS, {"good": played}, PARAMS, 0)


def test_the_stage_judges_compiled_and_the_arms_of_the_params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    for file, arm in (("compiled", "good"), ("floor", "half"), ("taken_out", "half")):
        write_jsonl(tmp_path / "transcripts" / f"{file}.jsonl", TRANSCRIPTS[arm])
    how = {arm: {"provider": "openai", "model": "m", "not_run": "no key"} for arm in FRONTIER}
    write_json(
        tmp_path / "transcripts" / "frontier.json", {"arms": how | {FRONTIER[0]: how[FRONTIER[0]] | {"not_run": ""}}}
    )
    write_jsonl(tmp_path / "transcripts" / f"{FRONTIER[0]}.jsonl", TRANSCRIPTS["half"])
    write_json(
        tmp_path / "params.yaml",
        {"seed": 0, "arms": ["floor"], "evaluate": PARAMS.model_dump(), "prices": {"models": {}}},
    )
    monkeypatch.chdir(tmp_path)
    arguments = "evaluate transcripts graph.json scenarios.jsonl --ratings r --verdicts v.jsonl --out j.jsonl"
    arguments += " --metrics m.json --examples e.json"
    monkeypatch.setattr(sys, "argv", arguments.split())
    run_stage(main)
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 60
    scores = json.loads((tmp_path / "m.json").read_text())
    assert set(scores["arms"]) == {"compiled", "floor", FRONTIER[0]}
    assert scores["models"] == {FRONTIER[0]: {"provider": "openai", "model": "m", "calls": 0, "dollars": None}}
    assert scores["not_run"] == {FRONTIER[1]: "not run: no key"}
    first = (tmp_path / "m.json").read_bytes()
    run_stage(main)
    assert (tmp_path / "m.json").read_bytes() == first


def test_without_judges_none_is_said_to_have_run(done: Evaluation) -> None:
    assert done.scores["judging"] == "not run: none configured"
    assert not [key for arm in done.scores["arms"].values() for key in arm if "." in key]


def test_the_stage_lets_models_judge_and_asks_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"name": "strict", "provider": "openai", "model": "m", "family": "f", "cap": "none", "repeats": 2}
    section = PARAMS.model_dump() | {"judges": [model], "pairs": ["floor"]}
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    for file, arm in (("compiled", "good"), ("floor", "half")):
        played = [t.model_copy(update={"arm": file}) for t in TRANSCRIPTS[arm]]
        write_jsonl(tmp_path / "transcripts" / f"{file}.jsonl", played)
    how = {arm: {"provider": "openai", "model": "m", "not_run": "no key"} for arm in FRONTIER}
    write_json(tmp_path / "transcripts" / "frontier.json", {"arms": how})
    write_json(tmp_path / "params.yaml", {"seed": 0, "arms": ["floor"], "evaluate": section, "prices": {"models": {}}})
    arguments = "evaluate transcripts graph.json scenarios.jsonl --ratings r --verdicts v.jsonl --out j.jsonl"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", f"{arguments} --metrics m.json --examples e.json".split())
    with judge_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        run_stage(main)
        first = [(tmp_path / f).read_bytes() for f in ("m.json", "v.jsonl")]
        asked = server.calls
        run_stage(main)
        assert server.calls == asked
    assert [(tmp_path / f).read_bytes() for f in ("m.json", "v.jsonl")] == first
    scores = json.loads(first[0])
    success = scores["arms"]["compiled"]["strict.task_success"]
    assert (success["n"], success["unscored"], success["rubric"]) == (20, 0, RUBRIC.version)
    rated = [json.loads(line) for line in first[1].decode().splitlines() if '"verdicts"' in line]
    given: dict[str, list[int]] = {}
    for one in rated:
        if one["arm"] == "floor":
            given.setdefault(one["item"], []).append(one["verdicts"][0]["rating"])
    seen = [sum(some) / len(some) <= 3 for some in given.values()]
    failure = scores["arms"]["floor"]["failure"]["strict.task_success"]
    assert (failure["mean"], failure["n"]) == (round(sum(seen) / 20, 4), 20)
    compared = {(c["b"], c["criterion"]) for c in scores["comparisons"]}
    assert ("floor", "strict.naturalness") in compared
    judging = scores["judging"]
    assert judging["judges"]["strict"]["verdicts"] == 2 * 2 * 20 * 5
    assert judging["with_deterministic"]["strict"]["n"] == 40
    [pair] = judging["pairwise"]
    assert (pair["a"], pair["b"], pair["position_consistency"]) == ("compiled", "floor", 1.0)
    lines = first[1].decode().splitlines()
    assert len(lines) == 2 * 2 * 20 + 2 * (pair["n"] + pair["unscored"])
    assert all({"request", "response", "rubric"} <= json.loads(line).keys() for line in lines)
    assert KEY.encode() not in b"".join(first)


def test_the_stage_names_an_arm_without_transcripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "graph.json", GRAPH.model_dump(mode="json"))
    write_jsonl(tmp_path / "scenarios.jsonl", SCENARIOS)
    write_json(
        tmp_path / "params.yaml", {"seed": 0, "arms": [], "evaluate": PARAMS.model_dump(), "prices": {"models": {}}}
    )
    monkeypatch.chdir(tmp_path)
    arguments = "evaluate t graph.json scenarios.jsonl --ratings r --verdicts v --out j --metrics m --examples e"
    monkeypatch.setattr(sys, "argv", arguments.split())
    with pytest.raises(SystemExit, match=r"error: t/compiled.jsonl: no such file; `dvc repro` makes it"):
        run_stage(main)
