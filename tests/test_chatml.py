"""The renderer: exact training text, exact targets, and training ids that start with what is served."""

from __future__ import annotations

import json

import pytest
from transformers import PreTrainedTokenizerFast

from flowc.chatml import CHAT_TEMPLATE, check_prefixes, encode, render, tokenise
from flowc.records import Conversation, Message, ToolCall, UserError, to_openai
from flowc.tiny import make_tiny

MESSAGES = (
    Message(role="system", content="You book trips."),
    Message(role="assistant", content="Hello! Where to?"),
    Message(role="user", content="to Zürich,  on 12\nplease"),
    Message(
        role="assistant",
        content="One moment.",
        tool_calls=(
            ToolCall(name="search", arguments={"city": "Zürich", "date": "12 May"}),
            ToolCall(name="weather", arguments={}),
        ),
    ),
    Message(role="tool", content='{"price": "99"}'),
    Message(role="assistant", content="It costs 99."),
    Message(role="user", content="ok"),
    Message(role="assistant", tool_calls=(ToolCall(name="book", arguments={"say": 'a "b" <c>'}),)),
)
TEXT = """<|im_start|>system
You book trips.<|im_end|>
<|im_start|>assistant
Hello! Where to?<|im_end|>
<|im_start|>user
to Zürich,  on 12
please<|im_end|>
<|im_start|>assistant
One moment.<tool_call>
{"name": "search", "arguments": {"city": " Zürich", "date": " 12 May"}}
</tool_call><tool_call>
{"name": "weather", "arguments": {}}
</tool_call><|im_end|>
<|im_start|>tool
{"price": " 99"}<|im_end|>
<|im_start|>assistant
It costs 99.<|im_end|>
<|im_start|>user
ok<|im_end|>
<|im_start|>assistant
<tool_call>
{"name": "book", "arguments": {"say": " a \\"b\\" <c>"}}
</tool_call><|im_end|>
"""
TARGETS = [
    "Hello! Where to?<|im_end|>",
    'One moment.<tool_call>\n{"name": "search", "arguments": {"city": " Zürich", "date": " 12 May"}}\n'
    "</tool_call>"
    '<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call><|im_end|>',
    "It costs 99.<|im_end|>",
    '<tool_call>\n{"name": "book", "arguments": {"say": " a \\"b\\" <c>"}}\n</tool_call><|im_end|>',
]


def conversation(*messages: Message, name: str = "c1") -> Conversation:
    return Conversation(
        id=name,
        family=name,
        procedure="trip",
        split="train",
        path=(),
        ending="booked",
        persona="terse",
        deviations=(),
        messages=messages,
        steps=((),) * len(messages),
    )


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = make_tiny()[1]
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def test_a_value_has_the_same_text_whether_or_not_it_comes_with_its_space(tokenizer: PreTrainedTokenizerFast) -> None:
    def rendered(city: str) -> str:
        call = ToolCall(name="search", arguments={"city": city})
        result = Message(role="tool", content=json.dumps({"city": city, "rooms": 2}))
        return render(tokenizer, [Message(role="assistant", tool_calls=(call,)), result], generation_prompt=False)

    assert rendered("Rome") == rendered(" Rome")
    assert '{"city": " Rome"}' in rendered("Rome") and '{"city": " Rome", "rooms": 2}' in rendered("Rome")


def supervised(tokenizer: PreTrainedTokenizerFast, ids: list[int], mask: list[int]) -> list[str]:
    """Decode each run of targets on its own."""
    runs: list[list[int]] = []
    for i, (token, target) in enumerate(zip(ids, mask, strict=True)):
        if target and (i == 0 or not mask[i - 1]):
            runs.append([])
        if target:
            runs[-1].append(token)
    return [str(tokenizer.decode(run)) for run in runs]


def test_renders_every_role_and_tool_calls_to_the_exact_text(tokenizer: PreTrainedTokenizerFast) -> None:
    assert render(tokenizer, MESSAGES, generation_prompt=False) == TEXT
    assert render(tokenizer, MESSAGES[:1], generation_prompt=True) == (
        "<|im_start|>system\nYou book trips.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_openai_messages_render_alike_whether_arguments_are_json_text_or_parsed_and_tools_are_not_shown(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    served = [to_openai(m) for m in MESSAGES]
    served[-1]["content"] = None
    tools = [{"type": "function", "function": {"name": "search", "parameters": {}}}]
    assert tokenizer.apply_chat_template(served, tools=tools, tokenize=False) == TEXT
    for message in served:
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert tokenizer.apply_chat_template(served, tools=tools, tokenize=False) == TEXT


def test_loss_is_on_each_assistant_turn_with_its_end_token_and_on_nothing_else(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    ids, mask = encode(tokenizer, conversation(*MESSAGES))
    assert tokenizer.decode(ids) == TEXT
    assert supervised(tokenizer, ids, mask) == TARGETS
    assert set(mask) == {0, 1}


def test_training_ids_start_with_the_serving_prompt_before_every_assistant_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    ids, _ = encode(tokenizer, conversation(*MESSAGES))
    assert check_prefixes(tokenizer, conversation(*MESSAGES), ids) == 4
    for k in (1, 3, 5, 7):
        (prompt,) = tokenise(tokenizer, [render(tokenizer, MESSAGES[:k], generation_prompt=True)])
        assert ids[: len(prompt)] == prompt


def test_a_changed_token_before_a_turn_fails_with_the_conversation_and_the_turn(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    ids, mask = encode(tokenizer, conversation(*MESSAGES))
    ids[mask.index(0, mask.index(1))] += 1  # the newline after the first assistant turn
    with pytest.raises(UserError, match=r"conversation c1: .* serving prompt of its first 3 messages"):
        check_prefixes(tokenizer, conversation(*MESSAGES), ids)


@pytest.mark.parametrize("content", ["\nHello", "\n\n", "  Hello"])
def test_a_leading_space_never_moves_the_boundary_unnoticed(tokenizer: PreTrainedTokenizerFast, content: str) -> None:
    turn = conversation(MESSAGES[0], Message(role="assistant", content=content), name="c7")
    try:
        ids, mask = encode(tokenizer, turn)
    except UserError as e:
        assert str(e).startswith("conversation c7: message 1 starts with white space")
    else:
        assert supervised(tokenizer, ids, mask) == [content + "<|im_end|>"]
        assert check_prefixes(tokenizer, turn, ids) == 1


def test_a_message_that_holds_a_chatml_token_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    turn = conversation(Message(role="user", content="hi<|im_end|>"), name="c9")
    with pytest.raises(UserError, match="conversation c9: a message contains"):
        encode(tokenizer, turn)


def test_a_tokenizer_with_another_template_is_refused() -> None:
    with pytest.raises(UserError, match="chat template is not flowc's"):
        encode(make_tiny()[1], conversation(*MESSAGES))
