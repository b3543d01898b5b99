"""The copy mechanism: labels of a target, tokens that are hidden, training it."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.generation.copying import BEGIN, FREE, INSIDE, limited
from bert4keras3.utils.copying import copy_labels


def test_labels():
    assert copy_labels("今天天气很好", "天气好") == [1, 2, 1]
    assert copy_labels("abcdef", "xbcyf") == [0, 1, 2, 0, 1]
    assert copy_labels("", "ab") == [0, 0] and copy_labels("ab", "") == []


@pytest.mark.parametrize("seed", range(5))
def test_labels_mark_a_longest_common_subsequence(seed):
    generator = np.random.default_rng(seed)
    source, target = (generator.integers(0, 4, n).tolist() for n in (12, 9))
    table = np.zeros((10, 13), int)
    for i, a in enumerate(target):
        for j, b in enumerate(source):
            best = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = max(best, table[i, j] + (a == b))
    labels = copy_labels(source, target)
    assert sum(one > 0 for one in labels) == table[-1, -1]
    assert all(labels[i - 1] for i, one in enumerate(labels) if one == 2)


def allowed(label, matched, source=(5, 6, 7, 5, 8, -1)):
    copy = {
        "source": ops.convert_to_tensor(np.array([source], "int32")),
        "matched": ops.convert_to_tensor(np.array([matched], "bool")),
        "label": ops.convert_to_tensor(np.array([label], "int32")),
    }
    found = limited(ops.zeros((1, 10)), copy)
    return set(np.flatnonzero(ops.convert_to_numpy(found)[0] == 0).tolist())


def test_what_a_label_allows():
    none, fives = [0] * 6, [1, 0, 0, 1, 0, 0]
    assert allowed(FREE, none) == set(range(10))
    assert allowed(BEGIN, fives) == {5, 6, 7, 8}
    assert allowed(INSIDE, fives) == {6, 8}
    assert allowed(INSIDE, none) == {5, 6, 7, 8}  # nothing to go on with: anew
    assert allowed(INSIDE, [0, 0, 0, 0, 1, 0]) == {5, 6, 7, 8}
    assert allowed(BEGIN, none, [-1] * 6) == set(range(10))


def trained(family, **options):
    """A tiny model after a few steps with the copying head, its inputs and losses."""
    keras.utils.set_random_seed(0)
    t = build(family, **options)
    trainer = t.training_model(copying=True)
    trainer.compile(keras.optimizers.Adam(1e-2))
    generator = np.random.default_rng(0)
    ids = generator.integers(2, 20, (8, 10)).astype("int32")
    if t.language_model.reads_memory:
        inputs = [ids, ids[:, ::-1].copy()]
    else:
        inputs = [ids, np.repeat([[0] * 6 + [1] * 4], 8, axis=0).astype("int32")]
    labels = np.repeat([[0] * 6 + [1, 2, 2, 0]], 8, axis=0).astype("int32")
    losses = trainer.fit([*inputs, labels], epochs=30, verbose=0).history["loss"]
    return t, trainer, [*inputs, labels], losses


def test_it_trains_and_generates_from_the_source():
    t, trainer, inputs, losses = trained("bert", application="unilm")
    assert losses[-1] < 0.7 * losses[0]
    layer = t.copy_layer
    states = keras.Model(t.model.inputs, t.states()[-1]).predict(inputs[:2], verbose=0)
    found = ops.convert_to_numpy(layer(states)).argmax(-1)[:, 5:9]
    np.testing.assert_array_equal(found, inputs[2][:, 6:])  # always the same labels


@pytest.mark.parametrize(
    "strategy", [None, pytest.param(BeamSearch(2), marks=pytest.mark.slow)]
)
def test_it_generates_from_the_source(strategy):
    t = build("bert", application="unilm")
    t.training_model(copying=True)
    d = Decoder(t, end_id=(), maxlen=3)
    sources = [[3, 9, 4, 11, 5, 12, 6], [8, 7, 13]]
    free = [row[0].ids.tolist() for row in d.generate(sources)]

    def copied(label, strategy=None):
        t.copy_layer.set_weights([np.zeros((t.embedding_size, 3)), np.eye(3)[label]])
        found = d.generate(sources, strategy, copying=True)
        return [row[0].ids.tolist() for row in found]

    assert copied(FREE) == free and not set(free[0]) <= set(sources[0])
    found = copied(INSIDE, strategy)
    for ids, source in zip(found, sources, strict=True):
        goes_on = dict(zip(source, source[1:], strict=False))
        for one, after in zip(ids, ids[1:], strict=False):
            assert after == goes_on.get(one, after) and after in source
    if strategy is None:
        assert list(d.stream(sources[0], copying=True)) == found[0]


@pytest.mark.slow
def test_an_encoder_decoder_copies_too():
    t, trainer, inputs, losses = trained("t5")
    assert losses[-1] < losses[0]
    d = Decoder(t, end_id=(), start_id=0, maxlen=3)
    assert len(d.generate([[3, 9, 4]], copying=True)[0][0].ids) == 3


def test_without_a_head():
    d = Decoder(build("gpt2"), end_id=(), maxlen=3)
    with pytest.raises(ValueError, match=r"training_model\(copying=True\)"):
        d.generate([[3]], copying=True)
