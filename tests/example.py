"""A small procedure that tests share, and transcripts of an assistant that follows it exactly."""

from __future__ import annotations

from collections import Counter

from flowc.filling import Deviations
from flowc.graph import Graph
from flowc.parse import parse_procedure
from flowc.records import Message
from flowc.sampling import sample
from flowc.scenarios import Scenario
from flowc.teacher import ScriptedAgent
from flowc.tools import call_for, execute
from flowc.transcripts import Ended, Tokens, Transcript, Turn
from flowc.user import ScriptedUser

TEXT = """\
# A table in a restaurant.
procedure: table
title: Table reservation
system: You reserve tables.
start: ask_day
slots:
  day:
    date: {start: "2027-03-01", days: 300, formats: ["%-d %B %Y", "%Y-%m-%d"]}
    mention: ["it is on {day}", "we come on {day}", "the day is {day}"]
    corrections: ["Sorry, make it {day}.", "Rather on {day}.", "I meant {day}."]
    noted: ["Understood, {day}.", "Changed to {day}.", "Fine, {day} it is."]
  guests:
    values: [two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen]
    mention: ["we are {guests}", "a table for {guests}", "there will be {guests} of us"]
    corrections: ["Sorry, we are {guests}.", "It is {guests} now.", "Make that {guests}."]
    noted: ["Understood, {guests} guests.", "Changed to {guests}.", "Fine, {guests} people."]
  budget:
    number: {low: 40, high: 900, step: 5, formats: ["${n:,}", "{n} dollars"]}
    mention: ["we can spend {budget}", "the limit is {budget}", "it may cost {budget}"]
  place:
    source: tool
    values: [Red Lantern, Blue Fountain, Old Mill, Green Gate, Golden Fork, White Horse, Silver Spoon,
             Copper Kettle, Black Swan, Yellow Lemon, Merry Miller, Sunny Corner, Little Owl]
  deposit: {source: tool, share_of: budget, low: 0.1, high: 0.5, format: "${n:,}"}
tools:
  find_table:
    description: Find a table.
    arguments: {day: day, guests: guests, budget: budget}
    outcomes:
      found: [place, deposit]
      full: []
nodes:
  ask_day:
    role: agent
    instruction: Welcome the guest and ask for the day.
    say: ["Welcome! For which day?", "Hello, on which day will you come?", "Good evening, what day suits you?",
          "Hello! Which day shall I reserve?"]
    again: ["So, for which day?", "Now, on which day will you come?"]
    edges:
      - id: day
        to: ask_guests
        when: the guest names a day
        says: ["{day}", "On {day}.", "For {day}, please.", "We would come on {day}.", "I think {day}.", "It is {day}."]
  ask_guests:
    role: agent
    instruction: Ask how many guests there will be.
    say: ["How many guests will there be?", "And for how many people?", "How many of you will there be?",
          "How many seats do you need?"]
    again: ["So, how many guests?", "Now, for how many people?"]
    edges:
      - id: guests
        to: ask_budget
        when: the guest says how many people come
        says: ["{guests}", "For {guests}.", "We are {guests}.", "There are {guests} of us.", "A table for {guests}."]
  ask_budget:
    role: agent
    instruction: Ask what the evening may cost.
    say: ["What may it cost?", "How much would you like to spend?", "What is your budget?", "Up to what amount?"]
    again: ["So, what may it cost?", "Now, what is your budget?"]
    edges:
      - id: budget
        to: find_table
        when: the guest names a budget
        says: ["{budget}", "Up to {budget}.", "At most {budget}.", "We can spend {budget}.", "About {budget}."]
  find_table:
    role: tool
    instruction: Look for a table.
    calls: find_table
    edges:
      - {id: found, to: offer, outcome: found}
      - {id: full, to: ask_budget, outcome: full, renews: {budget: higher}}
  offer:
    role: agent
    instruction: Offer the table and its deposit.
    say: ["{place} has a table, the deposit is {deposit}. Shall I take it?",
          "I found {place} with a deposit of {deposit}. Do you want it?",
          "For a deposit of {deposit} you can sit in {place}. Is that fine?"]
    again: ["So, shall I take the table?", "Now, do you want this table?"]
    edges:
      - {id: accept, to: done, when: the guest accepts, says: ["Yes.", "Yes, please.", "Gladly.", "Take it."]}
      - {id: cheaper, to: ask_budget, when: the guest wants something cheaper, renews: {budget: lower},
         says: ["Too much.", "That is too expensive.", "Something cheaper, please.", "We cannot afford that."]}
      - {id: decline, to: goodbye, when: the guest declines, says: ["No.", "No, thanks.", "Not for us.", "Leave it."]}
  done:
    role: agent
    instruction: Confirm the reservation.
    say: ["Your table in {place} is reserved.", "Done, {place} expects you.", "All set, see you in {place}."]
    terminal: success
  goodbye:
    role: agent
    instruction: Say goodbye.
    say: ["Nothing is reserved, goodbye.", "All right, no reservation then. Goodbye.", "Goodbye, nothing was reserved."]
    terminal: abandonment
  hand_over:
    role: agent
    instruction: Hand over to a colleague.
    say: ["A colleague will help you.", "I pass you to a colleague.", "One of my colleagues takes over."]
    terminal: escalation
knowledge:
  parking:
    fact: Parking costs 7 euros.
    must: ["7 euros"]
    asks: ["Where can I park?", "Is there parking?", "What does parking cost?", "Can we park nearby?"]
    say: ["Parking costs 7 euros.", "You can park for 7 euros.", "There is parking for 7 euros."]
interrupts:
  human:
    when: the guest asks for a person
    to: hand_over
    says: ["A person, please.", "Let me talk to someone.", "I want a human.", "Connect me to a person."]
  off_topic:
    when: the guest says something beside the point
    says: ["My dog barks.", "It rains again.", "What a day.", "I lost my hat."]
    say: ["I see. Back to your table.", "Oh well. Let us go on with the table.", "Such is life. Your table, then."]
"""

NO_DEVIATIONS = Deviations(volunteer=0, correction=0, side_question=0, off_topic=0)
MANY_DEVIATIONS = Deviations(volunteer=0.5, correction=0.5, side_question=0.5, off_topic=0.5)
EVERY_DEVIATION = Deviations(**dict.fromkeys(Deviations.model_fields, 0.2))


def example_graph() -> Graph:
    return parse_procedure(TEXT, "table.yaml")


def example_scenarios(graph: Graph, count: int, deviations: Deviations = MANY_DEVIATIONS) -> list[Scenario]:
    """Scenarios of one split with many deviations and interrupts."""
    return sample(graph, count, "train", deviations, 0.2, seed=3)


def play(graph: Graph, scenario: Scenario) -> Transcript:
    """Give the transcript of an assistant that makes no mistake, with the labels that are true."""
    user, agent = ScriptedUser(graph, scenario), ScriptedAgent(graph, scenario.seed, "train")
    turns: list[Turn] = []
    calls: Counter[str] = Counter()
    while True:
        name = agent.state.node
        if graph.nodes[name].role == "tool":
            call = call_for(graph, name, agent.values)
            result = execute(graph, scenario, call, calls)
            assert result.outcome is not None
            turns.append(Turn(message=Message(role="assistant", tool_calls=(call,)), labels=(name,)))
            message = Message(role="tool", content=result.content)
            turns.append(Turn(message=message, labels=(f"outcome:{result.outcome}",), gives=result.values))
            agent.returned(result.outcome, result.values)
            continue
        text, names = agent.speak()
        turns.append(Turn(message=Message(role="assistant", content=text), labels=(names[-1],)))
        if graph.nodes[names[-1]].terminal:
            return Transcript(
                scenario=scenario.id, arm="perfect", ended=Ended.TERMINAL, turns=tuple(turns), tokens=Tokens()
            )
        turn = user.reply(names[-1])
        turns.append(Turn(message=Message(role="user", content=turn.text), labels=turn.labels, gives=turn.gives))
        agent.hear(turn)
