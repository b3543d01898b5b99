"""A one-layer BERT of random weights, as a config and a dict checkpoint."""

import functools

import keras
import numpy as np

from bert4keras3.models import build_transformer_model

CONFIG = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "hidden_act": "gelu",
    "max_position_embeddings": 10,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}


@functools.cache
def arrays():
    """{TensorFlow name: array} of the whole model."""
    t = build_transformer_model(CONFIG, return_keras_model=False)
    rng = np.random.default_rng(0)
    found = {}
    for row in t.rows():
        shape = keras.ops.shape(t.variables()[row.ours])
        array = rng.normal(size=shape).astype("float32")
        found[row.tf] = np.ascontiguousarray(row.written(array, "tf"))
    return found
