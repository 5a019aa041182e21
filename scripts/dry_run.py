"""Says what a teacher would be asked for a procedure, how many answers are there, and about what the others would cost.

Usage: python -m scripts.dry_run GRAPH PROMPTS [OVERRIDE ...], for example with generate=anthropic scale=smoke. Nothing
is sent or written, and no key is needed; params.yaml stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

from flowc.briefs import read_prompts
from flowc.generate import GenerateParams, planned
from flowc.graph import Graph
from flowc.llm_teacher import LlmTeacher
from flowc.overrides import for_procedure
from flowc.records import UserError, read_record, run_stage
from flowc.spend import PricesParams
from scripts.compose import composed


def main() -> None:
    """Plan everything, ask nobody, print."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dry_run", description=__doc__)
    parser.add_argument("graph", type=Path, help="the procedure's graph, as `dvc repro parse` writes it")
    parser.add_argument("prompts", type=Path, help="folder of the teachers' prompts, by version")
    parser.add_argument("overrides", nargs="*", help="params, as for `make params`")
    args = parser.parse_args()
    cache = Path(".flowc") / "responses.sqlite"
    print(told(read_record(args.graph, Graph), args.prompts, args.overrides, Path("conf"), cache))


def told(graph: Graph, prompts: Path, overrides: list[str], conf: Path, cache: Path) -> str:
    """Give what would be sent first, and the counts.

    Raises UserError for params that no stage would take, and for a teacher that asks nobody.
    """
    values = composed(conf, overrides).params
    try:
        shared = GenerateParams.model_validate(values["generate"])
        prices = PricesParams.model_validate(values["prices"])
    except ValidationError as e:
        raise UserError(f"{e}; mend the override, or conf/") from None
    params = for_procedure(shared, "generate", values["sources"], graph.procedure)
    if params.teacher == "scripted" or params.llm is None:
        raise UserError("the teacher `scripted` asks nobody; choose another, for example generate=anthropic")
    teacher = LlmTeacher(
        graph,
        params.teacher,
        params.llm,
        prices,
        read_prompts(prompts / params.llm.prompts),
        params.variety,
        cache,
    )
    plan = planned(graph, params, values["seed"])
    estimate = teacher.estimate([*plan.families, *([s] for s in plan.eval)])
    first = f"The first request:\n{estimate.first}\n\n" if estimate.first else ""
    return f"{first}{estimate.told}; nothing was sent"


if __name__ == "__main__":
    run_stage(main)
