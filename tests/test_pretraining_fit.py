"""Batches are what models and standard losses take; a stopped training goes on."""

import keras
import numpy as np
import pytest
from pretraining_corpus import random_shards
from tiny_models import CONFIG, build

from bert4keras3.models import build_transformer_model
from bert4keras3.pretraining import (
    CausalLM,
    MaskedLM,
    NextSentence,
    PretrainingData,
    PseudoSummaries,
    SentenceOrder,
    SpanCorruption,
    TokenShards,
    UniLM,
)
from bert4keras3.training import Checkpoint

T5 = {"embedding_size": 8, "num_decoder_layers": 2}
# Objective, what its model is.
CASES = {
    "mlm": (MaskedLM(), {"with_mlm": "linear"}),
    "packed mlm": (MaskedLM(packed=True), {"with_mlm": "linear", "packed": True}),
    "next": (NextSentence(), {"with_mlm": "linear", "with_nsp": "linear"}),
    "order": (SentenceOrder(), {"with_mlm": "linear", "with_nsp": "linear"}),
    "gpt": (CausalLM(), {"application": "lm", "with_mlm": "linear"}),
    "unilm": (UniLM(), {"application": "unilm", "with_mlm": "linear"}),
    "t5": (SpanCorruption(range(40, 50)), {"model": "t5", **T5}),
    "summaries": (PseudoSummaries(8), {"model": "t5_pegasus", **T5}),
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return TokenShards(random_shards(tmp_path_factory.mktemp("c") / "s", 3000, 40))


def loss(logits=True):
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=logits, reduction="mean_with_sample_weight"
    )


def compiled(model, losses=None):
    # Op by op is fast where nothing is compiled, and slow on jax.
    model.compile("sgd", losses, run_eagerly=keras.backend.backend() != "jax")
    return model


FAST = ("packed mlm",)
SLOW = pytest.mark.slow if keras.backend.backend() == "jax" else ()


@pytest.mark.parametrize(
    "case",
    [pytest.param(x, marks=() if x in FAST else SLOW) for x in CASES],
)
def test_a_standard_loss(case, shards):
    objective, arguments = CASES[case]
    how = {"model": "bert", **CONFIG, **arguments}
    model = build_transformer_model(**how)
    batch = PretrainingData(shards, objective, 4, 24).batch(0)
    assert len(batch[0]) == len(model.inputs)
    pairs = len(model.outputs)
    assert pairs == (len(batch[1]) if isinstance(batch[1], tuple) else 1)
    losses = [loss(how["model"] == "bert") for _ in range(pairs)]
    compiled(model, losses if pairs > 1 else losses[0])
    inputs, labels, weights = batch
    found = np.ravel(model.test_on_batch(inputs, labels, sample_weight=weights))[0]
    sizes = [one.shape[-1] for one in model.outputs]
    # Nothing is learned yet: about the logarithm of the classes, for each output.
    assert 0.5 * np.log(sizes).sum() < found < np.log(sizes).sum() + pairs


@pytest.mark.parametrize(
    "application, objective",
    [
        pytest.param("lm", CausalLM(), marks=SLOW),
        pytest.param("unilm", UniLM(), marks=SLOW),
    ],
)
def test_training_models_make_their_own_labels(application, objective, shards):
    t = build("bert", application, with_mlm="linear")
    inputs, labels, weights = PretrainingData(shards, objective, 4, 24).batch(0)
    trainer = compiled(t.training_model())
    found = trainer.test_on_batch(inputs, labels, sample_weight=weights)
    # The label of the last token is beyond the row for it.
    weights[:, -1] = 0
    plain = compiled(t.model, loss())
    expected = plain.test_on_batch(inputs, labels, sample_weight=weights)
    np.testing.assert_allclose(np.ravel(found)[0], np.ravel(expected)[0], rtol=1e-4)


class Stop(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == 5:
            raise KeyboardInterrupt


def trained(folder, shards, extra=()):
    keras.utils.set_random_seed(0)
    model = build("bert", with_mlm="linear").model
    model.compile(keras.optimizers.SGD(0.1), loss())
    data = PretrainingData(shards, MaskedLM(), 16, 24)
    saver = Checkpoint(folder, data=data, every=2)
    history = model.fit(
        data.forfit(prefetch=2),
        steps_per_epoch=4,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[*extra, saver],
    )
    return history.history["loss"], [w.tobytes() for w in model.get_weights()]


def test_a_stopped_training_goes_on(shards, tmp_path):
    whole = trained(tmp_path / "a", shards)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "b", shards, [Stop()])
    assert trained(tmp_path / "b", shards) == whole
