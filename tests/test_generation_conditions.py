"""Conditional layer normalisation while decoding, and what a cache refuses."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, build

from bert4keras3.generation import BeamSearch, Decoder, Sampling


def conditional():
    label = keras.Input((), dtype="int32", name="Label")
    vector = keras.layers.Embedding(2, 6, embeddings_initializer="orthogonal")(label)
    t = build(
        "bert", "lm", layer_norm_cond=vector, additional_input_layers=label,
        with_mlm="linear", segment_vocab_size=0,
    )
    generator = np.random.default_rng(0)
    for one in t.model.weights:  # a condition says nothing before it is trained
        if "beta_dense" in one.path or "gamma_dense" in one.path:
            one.assign(generator.normal(size=one.shape))
    return t


def test_a_condition_reaches_every_step():
    t = conditional()
    decoder = Decoder(t, end_id=(), maxlen=5)
    prompts, labels = [[3, 4, 5], [6, 7]], np.array([1, 0], "int32")
    found = decoder.generate(prompts, conditions=[labels])
    for prompt, label, (one,) in zip(prompts, labels, found, strict=True):
        ids = list(prompt)
        for token in one.ids:
            logits = t.model([np.array([ids], "int32"), np.array([label], "int32")])
            assert int(ops.convert_to_numpy(logits)[0, -1].argmax()) == token
            ids.append(int(token))
    other = decoder.generate(prompts, conditions=[1 - labels])
    assert [a[0].ids.tolist() for a in found] != [b[0].ids.tolist() for b in other]
    for strategy in (BeamSearch(3), Sampling(topk=4)):
        assert len(decoder.generate(prompts, strategy, conditions=[labels])) == 2
    with pytest.raises(ValueError, match="1 additional inputs"):
        decoder.generate(prompts, conditions=[labels, labels])


def test_a_cache_refuses_what_speaks_of_whole_sequences():
    cached = [keras.Input((4, CONFIG["hidden_size"])) for _ in range(2)]
    t = build(
        "bert", "lm", additional_input_layers=cached,
        attention_caches={"Transformer-0-MultiHeadSelfAttention": cached},
    )
    decoder = Decoder(t, end_id=(), maxlen=2)
    with pytest.raises(ValueError, match="attention_caches"):
        decoder.generate([[3, 4]])
