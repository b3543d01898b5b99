"""Conditions and shared segments while decoding, and what a cache refuses."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, build

from bert4keras3.generation import BeamSearch, Decoder, Sampling
from bert4keras3.utils.padding import sequence_padding


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
    texts = [[*a, *b[0].ids.tolist()] for a, b in zip(prompts, found, strict=True)]
    logits = t.model.predict([sequence_padding(texts), labels], verbose=0)
    for prompt, row, (one,) in zip(prompts, logits, found, strict=True):
        start = len(prompt) - 1
        assert row.argmax(-1)[start : start + 5].tolist() == one.ids.tolist()
    other = decoder.generate(prompts, conditions=[1 - labels])
    assert [a[0].ids.tolist() for a in found] != [b[0].ids.tolist() for b in other]
    for strategy in (BeamSearch(3), Sampling(topk=4)):
        assert len(decoder.generate(prompts, strategy, conditions=[labels])) == 2
    with pytest.raises(ValueError, match="1 additional inputs"):
        decoder.generate(prompts, conditions=[labels, labels])


def test_scores_and_the_loss_know_the_condition():
    t = conditional()
    decoder = Decoder(t, end_id=())
    texts, labels = [[3, 4, 5, 6], [6, 7, 8, 9]], np.array([1, 0], "int32")
    found = {}
    for which in (labels, 1 - labels):
        logits = ops.convert_to_numpy(t.model([np.array(texts, "int32"), which]))
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        rows = np.array(texts)[:, 1:, None]
        expected = np.take_along_axis(logs[:, :-1], rows, axis=-1)[..., 0]
        heads, tails = [one[:1] for one in texts], [one[1:] for one in texts]
        scores = decoder.token_log_probs(heads, tails, [which])
        np.testing.assert_allclose(np.array(scores), expected, atol=1e-4)
        found[int(which[0])] = expected.mean()
    assert found[0] != pytest.approx(found[1], rel=1e-3)
    with pytest.raises(ValueError, match="a row for each of 2 prompts"):
        decoder.log_prob(heads, tails, [labels[:1]])
    with pytest.raises(ValueError, match="1 additional inputs"):
        decoder.log_prob(heads, tails)
    model = t.training_model()
    model.compile(keras.optimizers.SGD(0.1))
    table = next(one for one in model.trainable_weights if one.shape == (2, 6))
    before = np.array(ops.convert_to_numpy(table))
    loss = model.train_on_batch([np.array(texts, "int32"), labels])
    assert loss == pytest.approx(-found[1], rel=1e-4)
    assert np.abs(ops.convert_to_numpy(table) - before).min() > 0


def test_a_cache_refuses_what_speaks_of_whole_sequences():
    cached = [keras.Input((4, CONFIG["hidden_size"])) for _ in range(2)]
    t = build(
        "bert", "lm", additional_input_layers=cached,
        attention_caches={"Transformer-0-MultiHeadSelfAttention": cached},
    )
    decoder = Decoder(t, end_id=(), maxlen=2)
    with pytest.raises(ValueError, match="attention_caches"):
        decoder.generate([[3, 4]])


def test_segments_that_are_tokens_reach_every_step():
    t = build("gpt", "lm", shared_segment_embeddings=True)
    decoder = Decoder(t, end_id=(), maxlen=3)
    prompts = [([2, 10, 5], [2, 10, 10]), ([2, 41, 5], [2, 41, 41])]
    found = decoder.generate(prompts)
    for (ids, segments), (one,) in zip(prompts, found, strict=True):
        for token in one.ids:
            logits = t.model([np.array([ids], "int32"), np.array([segments], "int32")])
            assert int(ops.convert_to_numpy(logits)[0, -1].argmax()) == token
            ids, segments = [*ids, int(token)], [*segments, segments[-1]]
    tails = [one.ids for (one,) in found]
    assert np.all(decoder.log_prob(prompts, tails) < 0)
    with pytest.raises(ValueError, match=r"Segment ids must be in \[0, 50\)"):
        decoder.generate([([2, 3], [2, 50])])
