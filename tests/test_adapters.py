"""Adapters beside a full update: which ways are run, and what the page says of them."""

from __future__ import annotations

from flowc.adapters_page import Trained, adapters_page
from flowc.side_by_side import scores_of
from flowc.update_rank import Kind
from scripts.adapters import ways_of
from tests.test_gate import BROKEN, PERFECT
from tests.test_two_starts import BY


def trained(title: str, broken: bool = False, entropy: float = 300.0) -> Trained:
    training = {
        "device": "2 cores",
        "tokens": 130_000,
        "steps": 50,
        "tokens_per_second": 190.5,
        "seconds": {"total": 690.0},
        "loss_curve": [[1, 2.5], [50, 0.1234]],
        "eval_curve": [[25, 0.2], [50, 0.15]],
        "best_step": 50,
    }
    kind = Kind(
        kind="self_attn.q_proj.weight", layers=30, full=576, norm=0.03, stable=20.0, entropy=entropy, ninety=200
    )
    return Trained(
        title=title, rate=0.0008, training=training, scores=scores_of(BROKEN if broken else PERFECT), kinds=(kind,)
    )


def test_every_rank_is_tried_at_the_full_rate_and_at_ten_times_it() -> None:
    ways = ways_of([16, 64], [1, 10], 0.0008, ["generate.train=100"])
    assert [(w.name, w.title) for w in ways] == [
        ("full-generate-train-100", "full update"),
        ("rank16-x1-generate-train-100", "rank 16, 1 x the rate"),
        ("rank16-x10-generate-train-100", "rank 16, 10 x the rate"),
        ("rank64-x1-generate-train-100", "rank 64, 1 x the rate"),
        ("rank64-x10-generate-train-100", "rank 64, 10 x the rate"),
    ]
    assert ways[0].overrides == ("train.method=full",)
    assert ways[4].overrides == (
        "train.method=lora",
        "train.lora.rank=64",
        "train.lora.alpha=128",
        "train.lora.learning_rate=0.008",
    )


def test_the_page_says_of_each_adapter_whether_it_is_worse_and_shows_ranks() -> None:
    others = [trained("rank 16", broken=True, entropy=9.0), trained("rank 64", entropy=40.0)]
    page = adapters_page(trained("full update"), others, "A third of the conversations.", BY, "command")
    assert "A third of the conversations. All saw the same" in page
    assert "- **rank 16**: fewer conversations succeed than with the full update, by at least " in page
    assert "- **rank 64**: no evidence of a difference; it is not larger than " in page
    assert "| self_attn.q_proj.weight | 30 | 576 | 0.0300 | 20.0 | 300.0 | 200 |" in page
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| rank 16 ")]
    assert rows[1] == ["rank 16", "0.0008", "130,000", "50", "190.5", "11.5", "0.123", "0.1500"]
    assert rows[2] == ["rank 16", "0.0300", "9.0", "200"]
