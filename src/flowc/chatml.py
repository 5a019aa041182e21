"""The one ChatML renderer: what training learns from and what the server builds its prompts with.

The template is saved beside every base model, so the server renders with the same bytes. It adds no
system prompt of its own and does not render `tools`: what tools exist is compiled into the weights, or an
arm writes it into its system prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flowc.records import Conversation, Message, UserError, to_openai

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

# Every newline stands inside an expression, so trim_blocks and lstrip_blocks of the host cannot change it.
# Arguments arrive as a mapping (vLLM parses them) or as JSON text; both render to the same bytes.
# In the JSON of calls and results a space stands before each text value: with it a word has the tokens that it has
# in a sentence, so that copying is copying (docs/decisions/0004). The client takes the spaces off.
_SPACED = """| replace('": " ', '": "') | replace('": "', '": " ')"""
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] and message['role'] == 'tool' %}{{ message['content'] " + _SPACED + " }}"
    "{% elif message['content'] %}{{ message['content'] }}{% endif %}"
    "{% for call in message['tool_calls'] or [] %}"
    "{% set function = call['function'] %}"
    "{% set arguments = function['arguments'] %}"
    "{{ '<tool_call>\\n{\"name\": ' + (function['name'] | tojson) + ', \"arguments\": ' }}"
    "{{ (arguments if arguments is string else (arguments | tojson)) " + _SPACED + " }}"
    "{{ '}\\n</tool_call>' }}"
    "{% endfor %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ASSISTANT_HEADER = f"{IM_START}assistant\n"


class Encoded(NamedTuple):
    """A conversation as token ids, with 1 where the token is a prediction target (equal lengths)."""

    input_ids: list[int]
    loss_mask: list[int]


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], *, generation_prompt: bool) -> str:
    """Render as the server does, with the template that is saved with the tokenizer."""
    text = tokenizer.apply_chat_template(
        [_as_served(m) for m in messages], tokenize=False, add_generation_prompt=generation_prompt
    )
    assert isinstance(text, str)
    return text


def tokenise(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokenise whole texts as the server does: nothing is added and nothing is cut."""
    return [e.ids for e in tokenizer.backend_tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def encode(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> Encoded:
    """Encode a conversation: loss on each assistant turn with its <|im_end|>, on nothing else.

    The newline after <|im_end|> is not a target: the server stops before it.
    Raises UserError with the conversation's id when a message holds a ChatML token, or an assistant turn
    starts with white space that melts into the newline of its header.
    """
    if tokenizer.chat_template != CHAT_TEMPLATE:
        raise UserError("the base model's chat template is not flowc's; make the base again with `dvc repro base`")
    text = render(tokenizer, conversation.messages, generation_prompt=False)
    ids, header = tokenise(tokenizer, [text, ASSISTANT_HEADER])
    start_id, end_id = tokenizer.convert_tokens_to_ids([IM_START, IM_END])
    starts = [i for i, t in enumerate(ids) if t == start_id]
    ends = [i for i, t in enumerate(ids) if t == end_id]
    if not len(starts) == len(ends) == len(conversation.messages):
        raise UserError(
            f"conversation {conversation.id}: a message contains {IM_START} or {IM_END}, which only the "
            "template may write; remove it from the procedure's phrases and values"
        )
    mask = [0] * len(ids)
    for k, (message, start, end) in enumerate(zip(conversation.messages, starts, ends, strict=True)):
        if message.role != "assistant":
            continue
        first = start + len(header)
        if ids[start:first] != header:
            raise UserError(
                f"conversation {conversation.id}: message {k} starts with white space "
                f"({message.content[:20]!r}), which the tokenizer joins to the turn's "
                "header; strip it from the procedure's phrases"
            )
        mask[first : end + 1] = [1] * (end + 1 - first)
    return Encoded(ids, mask)


def check_prefixes(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, input_ids: Sequence[int]) -> int:
    """Check that the training ids start with the serving prompt's ids before every assistant turn.

    Renders and tokenises each prompt anew, as the server will. Returns how many prompts were checked.
    Raises UserError with the conversation's id and the turn when one differs.
    """
    turns = [k for k, m in enumerate(conversation.messages) if m.role == "assistant"]
    prompts = [render(tokenizer, conversation.messages[:k], generation_prompt=True) for k in turns]
    for k, prompt in zip(turns, tokenise(tokenizer, prompts), strict=True):
        if list(input_ids[: len(prompt)]) != prompt:
            raise UserError(
                f"conversation {conversation.id}: the training ids do not start with the serving prompt of "
                f"its first {k} messages; check white space at the start of message {k} and the chat template"
            )
    return len(turns)


def _as_served(message: Message) -> dict[str, Any]:
    """Give the message as vLLM hands it to the template: call arguments parsed, key order kept."""
    out = to_openai(message)
    for call in out.get("tool_calls", []):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return out
