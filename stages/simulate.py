"""Let simulated users talk to the compiled model, served by vLLM, and write the transcripts."""

import asyncio
from pathlib import Path

from flowc.arms import Prompted, one_line
from flowc.client import connect
from flowc.graph import Graph
from flowc.params import load, load_value
from flowc.records import read_jsonl, read_record, run_stage, stage_parser, write_jsonl
from flowc.scenarios import Scenario
from flowc.server import ServeParams, serve
from flowc.simulate import SimulateParams, sampling, simulate
from flowc.tools import schemas
from flowc.tracker import Tracker


def main() -> Path | None:
    """Serve the model, play every scenario, write the transcripts."""
    parser = stage_parser(__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("--out", type=Path, required=True, help="the transcripts to write, JSONL")
    args = parser.parse_args()
    graph, scenarios = read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario)
    params, seed = load("simulate", SimulateParams), load_value("seed", int)
    tracker = Tracker(graph, seed)
    with serve(args.model, load("serve", ServeParams)) as server:
        client = connect(server)

        def arm(scenario: Scenario) -> Prompted:
            return Prompted(client, one_line(graph), schemas(graph), sampling(params, seed, scenario.repeat))

        played = asyncio.run(simulate(graph, scenarios, "compiled", arm, tracker, params))
    write_jsonl(args.out, played)
    return args.timing


if __name__ == "__main__":
    run_stage(main)
