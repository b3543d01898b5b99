"""Random models small enough for every test, with weights large enough to matter."""

import functools

import numpy as np

from bert4keras3.models import build_transformer_model

FAMILIES = ("bert", "roformer", "roformer_v2")
APPLICATIONS = ("encoder", "lm", "unilm")
CONFIG = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position": 32,
    "hidden_act": "gelu",
}


def randomize(t, seed=0, scale=0.3):
    """Fill every weight of a Transformer: with 0.02 most mistakes would not show."""
    generator = np.random.default_rng(seed)
    for name in sorted(t.variables()):
        variable = t.variables()[name]
        values = generator.normal(0.0, scale, tuple(variable.shape))
        variable.assign((values + name.endswith("gamma")).astype("float32"))
    return t


def build(family="bert", application="encoder", seed=0, **arguments):
    """A new Transformer of CONFIG with random weights."""
    arguments = {**CONFIG, "return_keras_model": False, **arguments}
    t = build_transformer_model(model=family, application=application, **arguments)
    return randomize(t, seed)


@functools.cache
def shared(family="bert", application="encoder"):
    """The same model for every test of a process; do not change its weights.

    Its output is the hidden states of an encoder, the logits of a language model.
    """
    with_mlm = False if application == "encoder" else "linear"
    return build(family, application, with_mlm=with_mlm)


def batch(rows=3, length=8, seed=1):
    """[token ids, segment ids]: a full row, then ever shorter ones, padded with 0."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(1, CONFIG["vocab_size"], (rows, length)).astype("int32")
    segments = np.zeros_like(ids)
    segments[:, length // 2 - 1 :] = 1
    for row in range(rows):
        ids[row, length - row :] = 0
        segments[row, length - row :] = 0
    return [ids, segments]
