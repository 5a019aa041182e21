"""Reads a Llama model and its tokenizer from a GGUF file.

transformers can do it too, but needs 23 s for the model and 24 s for the tokenizer of a 135M model, leaves
a quantization_config behind and drops the digit rule of the "smollm" tokenizer; this takes 6 s for both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from flowc.records import UserError

_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP = {"token_embd": "embed_tokens", "output_norm": "norm"}
_CONTROL = 3  # GGUF's token type of special tokens


def read_gguf(path: Path) -> tuple[LlamaForCausalLM, Tokenizer]:
    """Read a dequantised float32 model and its byte-level BPE tokenizer.

    Raises UserError when the file holds another architecture or another kind of tokenizer.
    """
    reader = GGUFReader(path)

    def field(key: str) -> Any:
        found = reader.get_field(key)
        return None if found is None else found.contents()

    kind = (field("general.architecture"), field("tokenizer.ggml.model"), field("tokenizer.ggml.pre"))
    if kind != ("llama", "gpt2", "smollm"):
        raise UserError(
            f"{path.name}: a GGUF of {kind} is not read here; use base.source=hub or folder with the model's "
            "safetensors"
        )
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    config = LlamaConfig(
        vocab_size=field("llama.vocab_size"),
        hidden_size=field("llama.embedding_length"),
        intermediate_size=field("llama.feed_forward_length"),
        num_hidden_layers=field("llama.block_count"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=field("llama.context_length"),
        # Stored as float32 (9.9999997e-06 for 1e-05): seven digits are all it holds.
        rms_norm_eps=float(f"{field('llama.attention.layer_norm_rms_epsilon'):.7g}"),
        rope_parameters={"rope_type": "default", "rope_theta": float(field("llama.rope.freq_base"))},
        tie_word_embeddings=not any(t.name == "output.weight" for t in reader.tensors),
    )
    state = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            values = _unpermute(values, heads)
        elif ".attn_k." in tensor.name:
            values = _unpermute(values, kv_heads)
        state[_name(tensor.name)] = torch.from_numpy(np.array(values, dtype=np.float32))
    model = LlamaForCausalLM(config)
    missing, unknown = model.load_state_dict(state, strict=False)
    assert not unknown and set(missing) <= {"lm_head.weight"}, (missing, unknown)
    model.tie_weights()
    return model, _tokenizer(
        field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type"), field("tokenizer.ggml.merges")
    )


def _name(gguf: str) -> str:
    """Translate a tensor's name: blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight."""
    parts = gguf.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{_BLOCK[parts[2]]}.{parts[3]}"
    return "lm_head.weight" if parts[0] == "output" else f"model.{_TOP[parts[0]]}.{parts[1]}"


def _unpermute(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Bring rotary pairs from GGUF's interleaved order to transformers' half-and-half order."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _tokenizer(tokens: list[str], kinds: list[int], merges: list[str]) -> Tokenizer:
    pairs = [(left, right) for left, right in (m.split(" ") for m in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=pairs))
    # SmolLM splits numbers into single digits before anything else.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(t, normalized=False, special=True)
            for t, kind in zip(tokens, kinds, strict=True)
            if kind == _CONTROL
        ]
    )
    return tokenizer
