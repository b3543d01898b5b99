"""An encoder-decoder is two models and one: masks, names, the seam of a cache."""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, build

from bert4keras3.models import build_transformer_model

# Keras says that a nested model destroys masks; it means that none comes out.
pytestmark = pytest.mark.filterwarnings("ignore:Layer 'Decoder':UserWarning")
every = pytest.mark.parametrize("family", ["t5", "bart", "t5_pegasus"])


@functools.cache
def shared(family):
    return build(family, with_lm="linear", pad_token_id=0, num_decoder_layers=3)


def batch():
    """Encoder ids of three lengths, and decoder ids that start with 0."""
    generator = np.random.default_rng(3)
    source = generator.integers(1, CONFIG["vocab_size"], (3, 9)).astype("int32")
    target = generator.integers(1, CONFIG["vocab_size"], (3, 6)).astype("int32")
    source[1, 5:] = source[2, 1:] = 0
    target[:, 0] = target[1, 4:] = 0
    return [source, target]


def numpy(x):
    return ops.convert_to_numpy(x)


@every
def test_the_halves_are_the_whole(family):
    t, (source, target) = shared(family), batch()
    whole = t.model.predict([source, target], verbose=0)
    tensors = [ops.convert_to_tensor(one) for one in (source, target)]
    halves = t.decoder([t.encoder(tensors[0]), tensors[1]])
    np.testing.assert_allclose(numpy(halves), whole, atol=1e-5)
    inputs = [keras.Input((None,), dtype="int32") for _ in range(2)]
    joined = keras.Model(inputs, t.decoder([t.encoder(inputs[0]), inputs[1]]))
    found = joined.predict([source, target], verbose=0)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    models = (t.model, t.encoder, t.decoder)
    assert len({id(one.get_layer("Embedding-Token")) for one in models}) == 1


@every
def test_a_decoder_alone_knows_the_padding_of_its_context(family):
    """bert4keras's took it for text; the array of a context carries no mask."""
    t = build(family, with_lm="linear", pad_token_id=0, context_mask=True)
    source, target = batch()
    whole = t.model.predict([source, target], verbose=0)
    context = t.encoder.predict(source, verbose=0)
    names = ["Input-Context", "Decoder-Input-Token", "Input-Context-Mask"]
    assert [one.name for one in t.decoder.inputs] == names
    assert len(t.model.inputs) == 2
    for mask in (source, (source != 0).astype("int32")):
        found = t.decoder.predict([context, target, mask], verbose=0)
        np.testing.assert_allclose(found, whole, atol=1e-5)
    blind = t.decoder.predict([context, target, np.ones_like(source)], verbose=0)
    assert np.abs(blind[1:] - whole[1:]).max() > 1e-2


class Recorder:
    """A cache that only looks on."""

    def __init__(self):
        self.calls = []

    def attend(self, layer, x, index, ctx, pair, bias):
        return self._through(ctx, "attend", layer, x, index, pair, bias)

    def attend_memory(self, layer, x, index, ctx, pair):
        return self._through(ctx, "attend_memory", layer, x, index, pair)

    def _through(self, ctx, method, layer, x, index, *rest):
        self.calls.append((method, layer.name, tuple(x.shape), index, *rest))
        ctx.cache = None
        try:
            return getattr(ctx, method)(layer, x, index, *rest)
        finally:
            ctx.cache = self


@every
def test_a_cache_takes_over_every_attention_of_the_decoder(family):
    t = shared(family)
    inputs = [ops.convert_to_tensor(one) for one in batch()]
    expected = numpy(t.forward(inputs))
    np.testing.assert_allclose(expected, numpy(t.model(inputs)), atol=1e-5)
    ctx, outer = t.context(inputs), t._decoder.ctx
    ctx.cache = recorder = Recorder()
    np.testing.assert_allclose(numpy(t.forward(inputs, ctx)), expected, atol=1e-6)
    name = "Decoder-Transformer-{}-MultiHead{}Attention"
    own, cross = recorder.calls[::2], recorder.calls[1::2]
    for i in range(3):
        assert own[i] == ("attend", name.format(i, "Self"), (3, 6, 16), i, None, None)
        assert cross[i][:2] == ("attend_memory", name.format(i, "Cross"))
    assert len(recorder.calls) == 6
    assert t._decoder.ctx is outer


def test_cross_attention_cache():
    front = keras.Input((2, 16), name="Front")
    name = "Decoder-Transformer-0-MultiHeadCrossAttention"
    caches = {name: [front, front]}
    extra = {"attention_caches": caches, "additional_input_layers": front}
    t = build("bart", pad_token_id=0, with_lm=False, **extra)
    values = np.random.default_rng(0).normal(size=(3, 2, 16)).astype("float32")
    first, second = (numpy(t.model([*batch(), k * values])) for k in (1.0, -2.0))
    assert (np.abs(first - second).max(axis=-1) > 1e-4).all()


def test_condition_of_every_norm():
    cond = keras.Input((4,), name="Condition")
    t = build("t5", layer_norm_cond=cond, additional_input_layers=cond)
    names = ["Encoder-Input-Token", "Decoder-Input-Token", "Condition"]
    assert [one.name for one in t.model.inputs] == names
    values = np.ones((3, 4), "float32")
    first, second = (numpy(t.model([*batch(), k * values])) for k in (1.0, 2.0))
    assert np.abs(first - second).max() > 1e-3


def test_names_of_models_and_prefix():
    t = build("t5", name="Foo", prefix="Bar-")
    assert (t.model.name, t.encoder.name) == ("Foo", "Foo_Encoder")
    assert all(one.name.startswith("Bar-") for one in t.model.layers)
    assert set(t.variables()) == set(build("t5").variables())


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        ("t5", {"application": "lm"}, "T5 cannot become a language model"),
        ("bart", {"application": "unilm"}, "BART cannot become a language model"),
        ("t5_encoder", {"with_lm": "linear"}, "no language-model head"),
        ("bart_encoder", {"context_mask": True}, "reads no context"),
        ("mt5", {"residual_attention_scores": True}, "differ in shape"),
        ("t5", {"num_decoder_layers": 1.5}, "num_decoder_layers"),
        ("t5_decoder", {"num_decoder_layers": 5000}, "num_decoder_layers"),
    ],
)
def test_what_makes_no_sense_is_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        build_transformer_model(model=model, **CONFIG, **arguments)
