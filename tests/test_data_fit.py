"""Generators feed fit, evaluate and predict of any backend, in few compilations."""

import importlib.util

import keras
import numpy as np
import pytest

from bert4keras3.snippets import BucketedGenerator, DataGenerator, sequence_padding

BUCKETS = (4, 8, 12, 16)
RNG = np.random.default_rng(0)
SAMPLES = [
    (RNG.integers(1, 50, n).tolist(), int(n) % 2) for n in RNG.integers(2, 17, 100)
]


def encode(sample):
    ids, label = sample
    return (ids, [0] * len(ids)), label


class Own(DataGenerator):
    """bert4keras's idiom: lists of arrays, the last batch incomplete."""

    def __iter__(self, random=False):
        ids, labels = [], []
        for is_end, (one, label) in self.sample(random):
            ids.append(one)
            labels.append([label])
            if len(ids) == self.batch_size or is_end:
                ids = sequence_padding(ids, self.buckets)
                yield [ids, np.zeros_like(ids)], sequence_padding(labels)
                ids, labels = [], []


class Singles(DataGenerator):
    """Single samples, which `to_dataset` makes batches of."""

    def __iter__(self, random=False):
        for _, (ids, label) in self.sample(random):
            yield [ids, [0] * len(ids)], label


def pooled():
    """Inputs and output (B, 4) of a network as small as can be."""
    inputs = [keras.Input((None,), dtype="int32", name=n) for n in ("ids", "segments")]
    tables = (keras.layers.Embedding(50, 4), keras.layers.Embedding(2, 4))
    parts = [table(x) for table, x in zip(tables, inputs, strict=True)]
    return inputs, keras.layers.GlobalMaxPooling1D()(keras.layers.add(parts))


def classifier(**options):
    inputs, output = pooled()
    output = keras.layers.Dense(2, activation="softmax")(output)
    model = keras.Model(inputs, output)
    model.compile("adam", "sparse_categorical_crossentropy", **options)
    return model


def fit(model, batches, steps, epochs=2):
    return model.fit(
        batches, steps_per_epoch=steps, epochs=epochs, verbose=0, shuffle=False
    ).history


@pytest.mark.parametrize("prefetch", [0, 2])
def test_fit_evaluate_predict(prefetch):
    model, data = classifier(), Own(SAMPLES[:20], 8, seed=0, buckets=BUCKETS)
    batches = data.forfit(prefetch=prefetch)
    history = fit(model, batches, len(data))
    assert len(history["loss"]) == 2 and np.isfinite(history["loss"]).all()
    for inputs, labels in data:  # the evaluation loop of bert4keras scripts
        assert model.predict(inputs, verbose=0).shape == (len(labels), 2)
    found = model.predict(data.fortest(prefetch=prefetch), steps=3, verbose=0)
    by_hand = np.concatenate([model.predict(x, verbose=0) for x, _ in data])
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)


def test_labels_may_be_missing():
    """`(inputs, None)`, as scripts with a loss layer yield."""
    data = BucketedGenerator(
        [(encode(s)[0], None) for s in SAMPLES[:8]], 4, buckets=BUCKETS, seed=0
    )
    inputs, output = pooled()
    model = keras.Model(inputs, keras.layers.ActivityRegularization(l2=1.0)(output))
    model.compile("adam")
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    history = fit(model, data.forfit(), 2)
    assert history["loss"][0] > 0
    after = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    assert any((a != b).any() for a, b in zip(after, before, strict=True))


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="reads jax's log")
def test_compilations_are_at_most_the_buckets(caplog):
    """XLA compiles anew for each shape; plain padding would need up to 15 here."""
    jax = importlib.import_module("jax")
    data = BucketedGenerator(SAMPLES, 8, encode=encode, buckets=BUCKETS, seed=0)
    model = classifier(jit_compile=True)

    def compilations():
        caplog.clear()
        with jax.log_compiles():
            fit(model, data.forfit(), len(data), epochs=1)
        said = [record.getMessage() for record in caplog.records]
        return sum(s.startswith("Compiling jit(train_step)") for s in said)

    first = compilations()
    assert 2 < first <= len(BUCKETS)
    assert first + compilations() <= len(BUCKETS)


NO_TENSORFLOW = importlib.util.find_spec("tensorflow") is None


@pytest.mark.skipif(NO_TENSORFLOW, reason="makes a tf.data.Dataset")
@pytest.mark.parametrize("names", [None, [["Input-Token", "Input-Segment"], ["label"]]])
def test_to_dataset(names):
    class Named(Singles):
        def __iter__(self, random=False):
            for inputs, label in super().__iter__(random):
                yield inputs, label if names is None else [label]

    types = [["int32", "int32"], "int32" if names is None else ["int32"]]
    shapes = [[[None], [None]], [] if names is None else [[]]]
    data = Named(SAMPLES[:8], 4, seed=0)
    dataset = data.to_dataset(types, shapes, names, padded_batch=True)
    inputs, label = next(iter(dataset))
    ids = inputs[0] if names is None else inputs["Input-Token"]
    label = label if names is None else label["label"]
    assert ids.shape[0] == label.shape[0] == 4
    drawn = [ids for (ids, _), _ in Named(SAMPLES[:8], 4, seed=0).__iter__(True)][:4]
    assert ids.numpy().tolist() == sequence_padding(drawn).tolist()
