"""One tiny model of every registered family, for tests that hold for all of them.

An entry of CASES is the keyword arguments beyond `tiny_models.CONFIG`. Add one with
the registry line of a new family: the tests fail until it is there.
"""

import functools

import numpy as np
from keras import ops
from tiny_models import CONFIG, build

HEADS = {"with_nsp": True, "with_mlm": "linear"}
CASES = {
    "bert": HEADS,
    "roberta": HEADS,
    "albert": {**HEADS, "embedding_size": 8, "num_hidden_layers": 3},
    "albert_unshared": {**HEADS, "embedding_size": 8},
    "electra": {"with_mlm": "linear", "embedding_size": 8},
    "ernie": {**HEADS, "use_task_id": True, "custom_task_ids": True},
    "nezha": {**HEADS, "max_relative_position": 3},
    "deberta-v2": {
        "with_pool": True, "with_mlm": "linear", "position_buckets": 8,
    },
    "deberta_v2": {
        "with_mlm": "linear", "share_att_key": False, "conv_kernel_size": 3,
        "position_biased_input": True, "position_buckets": 4,
    },
    "gau": {"with_mlm": "linear"},
    "gau_alpha": {"with_mlm": "linear"},
    "gpt": {"final_activation": "linear"},
    "openai-gpt": {"final_activation": "linear", "segment_vocab_size": 0},
    "gpt2": {"final_activation": "linear"},
    "gpt2_ml": {"final_activation": "linear"},
    "llama": {"final_activation": "linear", "num_key_value_heads": 1},
    "qwen2": {"final_activation": "linear", "tie_word_embeddings": True},
    "qwen3": {"final_activation": "linear", "attention_head_size": 6},
    "roformer": HEADS,
    "roformer_v2": {"with_mlm": "linear"},
    "bart": {"with_lm": "linear", "num_decoder_layers": 1, "pad_token_id": 0},
    "bart_encoder": {"scale_embedding": True, "embedding_size": 8},
    "bart_decoder": {"with_lm": "linear", "num_decoder_layers": 3},
    "mbart": {"with_lm": "linear", "scale_embedding": True},
    **{
        name: {"with_lm": "linear", "num_decoder_layers": 3, "embedding_size": 8}
        for name in ("t5", "t5.1.0")
    },
    **{name + "_encoder": {"embedding_size": 8} for name in ("t5", "t5.1.0")},
    **{name + "_decoder": {"with_lm": "linear"} for name in ("t5", "t5.1.0")},
    **{
        name: {"with_lm": "linear", "hidden_act": ["gelu", "linear"]}
        for name in ("t5.1.1", "mt5", "mt5.1.1", "t5_pegasus")
    },
    **{
        name + "_encoder": {}
        for name in ("t5.1.1", "mt5", "mt5.1.1", "t5_pegasus")
    },
    **{
        name + "_decoder": {"with_lm": "linear", "cross_position_bias": True}
        for name in ("t5.1.1", "mt5", "mt5.1.1", "t5_pegasus")
    },
}


@functools.cache
def model(family):
    return build(family, **CASES[family])


def example(t, rows=3, length=8, seed=1):
    """{input name: array}: ever shorter rows, padded at the end if the family pads."""
    generator, inputs = np.random.default_rng(seed), {}
    pad = t.pad_token_id
    for one in t.model.inputs:
        if len(one.shape) == 3:  # the encoder's output, for a decoder alone
            shape = (rows, length, one.shape[-1])
            inputs[one.name] = generator.normal(size=shape).astype("float32")
        elif "Token" in one.name:
            ids = generator.integers(1, CONFIG["vocab_size"] - 1, (rows, length))
            ids[ids == pad] = CONFIG["vocab_size"] - 1
            for row in range(rows if pad is not None else 0):
                ids[row, length - row :] = pad
            inputs[one.name] = ids.astype("int32")
        else:
            inputs[one.name] = np.zeros((rows, length), "int32")
    return inputs


def run(t, inputs):
    """Outputs of the model as a list of float32 arrays."""
    outputs = t.model([inputs[one.name] for one in t.model.inputs], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [ops.convert_to_numpy(ops.cast(one, "float32")) for one in outputs]


def close(found, expected, atol=5e-5):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol, rtol=1e-5)
