"""A tiny Llama with random weights and a tokenizer trained on the spot: a base for tests, without network."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from flowc.chatml import END_OF_TEXT, IM_END, IM_START

SENTENCES = (
    "You are an assistant that helps customers of our company step by step.",
    "Hello, thank you for calling. How can I help you today?",
    "I would like to book a trip, please. What do you need to know from me?",
    "Which city would you like to travel to, and from where do you want to leave?",
    "On which date would you like to travel? Please give me the day and the month.",
    "How many people are travelling with you, and what is your budget?",
    "May I have your full name, your phone number and your email address?",
    "I have found an offer for you. The price is 250 euros. Would you like to take it?",
    "Yes, that sounds good to me, go ahead. No, that is too expensive, is there anything else?",
    "I am not sure yet, let me think about it. Could you show me the options again?",
    "Your booking is confirmed and your reference number is on its way to you.",
    "I am sorry, I cannot help you with that. I will connect you to a colleague.",
    "Thank you very much for your patience. Have a nice day and goodbye!",
    "My order has not arrived, the account is locked and I want to speak to an agent.",
    "Let me check that for you. One moment please while I look it up in our system.",
    '<tool_call>\n{"name": "search", "arguments": {"city": "Paris", "date": "12 May"}}\n</tool_call>',
    "system\nuser\nassistant\ntool\n",
)
# Below the 636 that these sentences can fill, so that every row of the embedding has its token.
VOCABULARY = 576
# Heads of 32 dimensions: the smallest that vLLM's attention kernels accept.
HIDDEN, HEADS, LAYERS, CONTEXT, SEED = 64, 2, 2, 8192, 0


def make_tiny() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Make the model (2 layers, hidden 64, float32) and its byte-level BPE tokenizer; always the same."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        show_progress=False,
        special_tokens=[END_OF_TEXT, IM_START, IM_END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = LlamaForCausalLM(config)
    return model, PreTrainedTokenizerFast(tokenizer_object=tokenizer)
