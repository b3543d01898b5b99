"""Random decoders of transformers, and how to compare them with ours."""

import numpy as np
import pytest
from probes import numpy_of, probe

from bert4keras3.models import build_transformer_model

# Test modules that import from here are skipped without these.
transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

BOUND = 1e-5
SIZES = {"vocab_size": 60, "initializer_range": 0.15}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 24, **SIZES}
LLAMA = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 24, **SIZES,
}
SCALED = {
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}
LINEAR = {"rope_type": "linear", "rope_theta": 1e3, "factor": 4.0}
CASES = {
    "gpt": ("OpenAIGPT", GPT),
    "gpt_relu": ("OpenAIGPT", {**GPT, "afn": "relu", "layer_norm_epsilon": 1e-3}),
    "gpt2": ("GPT2", GPT),
    "gpt2_inner": ("GPT2", {**GPT, "n_inner": 40, "activation_function": "gelu"}),
    "llama": ("Llama", LLAMA),
    "llama_grouped": ("Llama", {**LLAMA, "num_key_value_heads": 2, "head_dim": 12}),
    "llama_one_key": ("Llama", {**LLAMA, "num_key_value_heads": 1}),
    "llama_bias": ("Llama", {**LLAMA, "attention_bias": True, "rms_norm_eps": 1e-3}),
    "llama_tied": ("Llama", {**LLAMA, "tie_word_embeddings": True}),
    "llama_scaled": ("Llama", {**LLAMA, "rope_parameters": SCALED}),
    "llama_linear": ("Llama", {**LLAMA, "rope_parameters": LINEAR}),
    "qwen2": ("Qwen2", {**LLAMA, "num_key_value_heads": 2}),
    "qwen3": ("Qwen3", {**LLAMA, "num_key_value_heads": 2, "head_dim": 16}),
    "qwen3_bias": (
        "Qwen3",
        {**LLAMA, "num_key_value_heads": 4, "head_dim": 8, "attention_bias": True},
    ),
}


def configured(kind, values):
    return getattr(transformers, f"{kind}Config")(**values)


def model_class(kind):
    head = "LMHeadModel" if "GPT" in kind else "ForCausalLM"
    return getattr(transformers, kind + head)


def reference(kind, values):
    """A random transformers model; biases and norms would be trivial in a fresh one."""
    torch.manual_seed(0)
    model = model_class(kind)(configured(kind, values)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
    return model


def inputs():
    """Ids with 0 inside and as padding on the right, and the lengths of the rows."""
    ids = np.random.default_rng(0).integers(1, SIZES["vocab_size"], (3, 10))
    ids[0, 3] = 0
    for row, length in enumerate((10, 7, 4)):
        ids[row, length:] = 0
    return ids.astype("int32"), np.arange(10)[None] < np.array([[10], [7], [4]])


def run_theirs(model):
    """[hidden states of every block], logits; the last states are normed ones."""
    ids, real = inputs()
    with torch.no_grad():
        outputs = model(
            input_ids=torch.tensor(ids, dtype=torch.long),
            attention_mask=torch.tensor(real).long(),
            output_hidden_states=True,
        )
    return [one.numpy() for one in outputs.hidden_states], outputs.logits.numpy()


def run_ours(t):
    found = numpy_of(probe(t)(inputs()[0]))
    hidden = [found[f"hidden_{i}"] for i in range(t.num_hidden_layers + 1)]
    if "Output-Norm" in t.layers:
        hidden.pop()
    return hidden, found["output_0"]


def assert_same(ours, theirs):
    """What stands at padding concerns nobody."""
    (hidden, logits), (states, expected), real = ours, theirs, inputs()[1]
    assert np.abs(logits[real] - expected[real]).max() <= BOUND
    for one, other in zip(hidden, states, strict=False):
        assert np.abs(one[real] - other[real]).max() <= BOUND


def build(source, **arguments):
    return build_transformer_model(
        source, return_keras_model=False, final_activation="linear", **arguments
    )
