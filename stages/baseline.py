"""Let simulated users talk to an arm that is not compiled: the base model with or without the procedure."""

import asyncio
from pathlib import Path

from flowc.arms import Prompted, flowchart, one_line
from flowc.client import connect
from flowc.graph import Graph
from flowc.orchestrated import Orchestrated
from flowc.params import load, load_value
from flowc.records import read_jsonl, read_record, run_stage, stage_parser, write_jsonl
from flowc.scenarios import Scenario
from flowc.server import ServeParams, serve
from flowc.simulate import Arm, SimulateParams, sampling, simulate
from flowc.tools import schemas
from flowc.tracker import Tracker

ARMS = ("floor", "in_context", "orchestrated")


def main() -> Path | None:
    """Serve the base model, play every scenario with the arm, write the transcripts."""
    parser = stage_parser(__doc__)
    parser.add_argument("arm", choices=ARMS, help="how the base model is told the procedure")
    parser.add_argument("model", type=Path, help="the base model's folder")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    parser.add_argument("--out", type=Path, required=True, help="the transcripts to write, JSONL")
    args = parser.parse_args()
    graph, scenarios = read_record(args.graph, Graph), read_jsonl(args.scenarios, Scenario)
    # Repeats tell how reliable the compiled model is; what it is compared with is played once.
    params = load("simulate", SimulateParams).model_copy(update={"repeats": 1})
    seed = load_value("seed", int)
    tracker = Tracker(graph, seed)
    with serve(args.model, load("serve", ServeParams)) as server:
        client, choice = connect(server), sampling(params, seed)

        def arm(_: Scenario) -> Arm:
            if args.arm == "orchestrated":
                return Orchestrated(client, graph, choice)
            system = flowchart(graph) if args.arm == "in_context" else one_line(graph)
            return Prompted(client, system, schemas(graph), choice)

        played = asyncio.run(simulate(graph, scenarios, args.arm, arm, tracker, params))
    write_jsonl(args.out, played)
    return args.timing


if __name__ == "__main__":
    run_stage(main)
