"""Let simulated users talk to a provider's model that has the procedure in its prompt or is orchestrated.

It is asked with the key in ANTHROPIC_API_KEY, OPENAI_API_KEY or FLOWC_COMPATIBLE_KEY; its answers are kept in .flowc/
and used again. Where none is set nothing is sent, and the arms stand in the report as not run.
"""

import asyncio
import os
from pathlib import Path

from flowc.frontier import ARMS, FrontierParams, not_run, reason_not_to_run
from flowc.graph import Graph
from flowc.params import load, load_value
from flowc.records import read_jsonl, read_record, run_stage, stage_parser, write_json, write_jsonl
from flowc.scenarios import Scenario
from flowc.simulate import SimulateParams
from flowc.spend import PricesParams
from flowc.transcripts import Transcript


def main() -> Path | None:
    """Play every scenario with both arms, write transcripts and what they were played with."""
    parser = stage_parser(__doc__)
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("--out", type=Path, nargs=len(ARMS), required=True, help="the transcripts to write, JSONL")
    parser.add_argument("--sheet", type=Path, required=True, help="what became of each arm, to write, JSON")
    args = parser.parse_args()
    graph, scenarios = read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario)
    params, prices = load("frontier", FrontierParams), load("prices", PricesParams)
    talk, seed = load("simulate", SimulateParams).model_copy(update={"repeats": 1}), load_value("seed", int)
    reason = reason_not_to_run(params, os.environ)
    transcripts: dict[str, list[Transcript]] = {arm: [] for arm in ARMS}
    sheet = not_run(params, reason)
    if not reason:
        from flowc.frontier_arms import play  # loads the SDKs, which are not needed without a key
        from flowc.providers import access_from

        side = Path(os.environ.get("DVC_ROOT", ".")) / ".flowc" / "responses.sqlite"
        access = access_from(params.provider, os.environ)
        transcripts, sheet = asyncio.run(play(graph, scenarios, params, talk, prices, access, side, seed))
    for arm, file in zip(ARMS, args.out, strict=True):
        write_jsonl(file, transcripts[arm])
    write_json(args.sheet, sheet.model_dump(mode="json"))
    return args.timing


if __name__ == "__main__":
    run_stage(main)
