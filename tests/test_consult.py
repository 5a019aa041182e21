"""Judges against a real vLLM server: a model of random weights, whose every verdict is scored or counted as not."""

from __future__ import annotations

from pathlib import Path

from flowc.completion import Request
from flowc.consult import consult
from flowc.judges import JudgeParams
from flowc.server import ServeParams, serve
from flowc.spend import PricesParams
from tests.example import example_graph, example_scenarios, play
from tests.test_server import write_model

GRAPH = example_graph()
SCENARIOS = example_scenarios(GRAPH, 2)
CONTEXT = 16_384  # the tokenizer has a token for each byte


def test_a_real_server_is_asked_and_every_criterion_has_a_verdict_or_a_reason(tmp_path: Path) -> None:
    model = write_model(tmp_path / "tiny", CONTEXT)
    judge = JudgeParams(
        name="tiny", provider="compatible", model="tiny", family="none", temperature=0.0, max_tokens=400, cap="none"
    )
    ours = [play(GRAPH, s).model_copy(update={"arm": "ours"}) for s in SCENARIOS]
    arms = {"ours": ours, "theirs": [t.model_copy(update={"arm": "theirs", "turns": t.turns[:3]}) for t in ours]}
    with serve(model, ServeParams(max_num_seqs=4, kv_cache_gib=1, max_model_len=CONTEXT)) as server:
        environment = {"FLOWC_COMPATIBLE_URL": server.base_url}
        asked = judge.model_copy(update={"model": server.model})
        cache = tmp_path / "answers.sqlite"
        said = consult([asked], GRAPH, SCENARIOS, arms, "ours", ["theirs"], PricesParams(models={}), environment, cache)
    assert (len(said.judged), len(said.compared)) == (4, 4)
    for judged in said.judged:
        assert len(judged.verdicts) == 5
        assert all((v.rating is None) == (v.problem is not None) for v in judged.verdicts)
        assert judged.response.output_tokens > 0
        assert isinstance(judged.request, Request) and judged.request.key
    assert all((c.better is None) == (c.problem is not None) for c in said.compared)
    offline = consult([asked], GRAPH, SCENARIOS, arms, "ours", ["theirs"], PricesParams(models={}), environment, cache)
    assert offline == said  # the server is gone: all comes from the cache
