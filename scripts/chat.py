"""Talk to a compiled model in the terminal. Its function calls end as in one of the scenarios, with fitting values."""

import argparse
import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from flowc.arms import Prompted, one_line
from flowc.client import ContextOverflow, connect
from flowc.graph import Graph
from flowc.params import load, load_value
from flowc.records import Message, ToolCall, read_jsonl, read_record, run_stage
from flowc.scenarios import Scenario
from flowc.server import ServeParams, serve
from flowc.simulate import SimulateParams, sampling
from flowc.slots import draw
from flowc.tools import execute, result_text, schemas


def main() -> None:
    """Serve the model and pass messages between it and the terminal."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chat", description=__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("scenarios", type=Path, help="the scenarios, JSONL")
    parser.add_argument("graph", type=Path, help="the procedure's graph, JSON")
    args = parser.parse_args()
    graph = read_record(args.graph, Graph)
    # The scenario with the most results can answer the longest conversation.
    scenario = max(read_jsonl(args.scenarios, Scenario), key=lambda s: sum(map(len, s.results.values())))
    choice = sampling(load("simulate", SimulateParams), load_value("seed", int))
    try:
        with serve(args.model, load("serve", ServeParams)) as server:
            assistant = Prompted(connect(server), one_line(graph), schemas(graph), choice)
            print(f"{graph.title}. An empty line ends the conversation.")
            talk(assistant, graph, scenario)
    except KeyboardInterrupt:  # while the server starts, and while the model replies
        print("\nstopped")


def talk(assistant: Prompted, graph: Graph, scenario: Scenario) -> None:
    """Alternate between the model and the person until the person has nothing more to say, or the context is full."""
    history: list[Message] = []
    calls: Counter[str] = Counter()
    rng = Random()
    with asyncio.Runner() as loop:
        while True:
            try:
                message = loop.run(assistant.reply(history)).message
            except ContextOverflow:  # also where a model calls its functions over and over
                print("The conversation has become longer than the model's context, and ends.")
                return
            history.append(message)
            for call in message.tool_calls:
                result = answer(graph, scenario, call, calls, rng)
                print(f"  [{call.name} {call.arguments} -> {result}]")
                history.append(Message(role="tool", content=result))
            if message.tool_calls:
                continue
            print(f"assistant: {message.content}", flush=True)
            try:
                said = input("you: ").strip()
            except EOFError:
                print()
                return
            if not said:
                return
            history.append(Message(role="user", content=said))


def answer(graph: Graph, scenario: Scenario, call: ToolCall, calls: Counter[str], rng: Random) -> str:
    """Answer a call with the outcome that the scenario plans and values drawn for what the call says.

    The scenario's own would not fit: an offer could cost more than the budget that the person named.
    """
    result = execute(graph, scenario, call, calls)
    if result.outcome is None:
        return result.content
    known = {slot: call.arguments[argument] for argument, slot in graph.tools[call.name].arguments.items()}
    try:
        for slot in graph.tools[call.name].outcomes[result.outcome]:
            known[slot] = draw(graph, slot, rng, "held_out", known)
    except ValueError:  # a budget without a number, say
        return result.content
    return result_text(result.outcome, {slot: known[slot] for slot in result.values})


if __name__ == "__main__":
    run_stage(main)
