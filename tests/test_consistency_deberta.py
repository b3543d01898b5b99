"""DeBERTa-v2 gives the numbers of transformers, in both directions."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import randomize

from bert4keras3.layers.disentangled import distance_buckets
from bert4keras3.models import build_transformer_model

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

BOUND = 1e-5
LENGTH = 40  # beyond max_relative_positions: every bucket and both ends are used
SIZES = {
    "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 48,
    "max_relative_positions": 32, "position_buckets": 12, "relative_attention": True,
    "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm", "share_att_key": True,
    "position_biased_input": False, "type_vocab_size": 0,
}
VARIANTS = {
    "v3": {},
    "own_projections": {"share_att_key": False},
    "c2p": {"pos_att_type": ["c2p"], "share_att_key": False},
    "p2c": {"pos_att_type": ["p2c"], "norm_rel_ebd": "none"},
    "no_buckets": {"position_buckets": -1, "max_relative_positions": 16},
    "convolution": {"conv_kernel_size": 3, "conv_act": "gelu"},
    "positions": {"position_biased_input": True, "type_vocab_size": 2},
    "embedding_size": {"embedding_size": 20},
}


def reference(kind, **sizes):
    """A random transformers model in evaluation mode."""
    import transformers

    torch.manual_seed(0)
    config = {"initializer_range": 0.15, **SIZES, **sizes}
    model = getattr(transformers, kind)(transformers.DebertaV2Config(**config)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases are trivial in a fresh model
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
    return model


def inputs(segments):
    generator = np.random.default_rng(0)
    ids = generator.integers(1, SIZES["vocab_size"], (3, LENGTH)).astype("int32")
    ids[1, 25:] = ids[2, 4:] = 0
    types = (np.arange(LENGTH) >= 9).astype("int32") * (ids > 0)
    return [ids, types.astype("int32")] if segments else [ids]


def run_theirs(model):
    given = [torch.tensor(one).long() for one in inputs(model.config.type_vocab_size)]
    names = ("input_ids", "token_type_ids")
    with torch.no_grad():
        outputs = model(
            **dict(zip(names, given, strict=False)),
            attention_mask=(given[0] != 0).long(), output_hidden_states=True,
        )
        pooler = getattr(model, "pooler", lambda _: None)
        return outputs, pooler(outputs.hidden_states[-1])


def assert_equal(t, outputs, pooled):
    """Hidden states of every block and the outputs, where there are tokens."""
    found = {}
    for i in range(t.num_hidden_layers):
        parts = ("Convolution-Norm", "FeedForward-Norm")
        names = [t.layer_name(i, part) for part in parts]
        name = next(one for one in names if one in t.layers)
        found[f"hidden_{i}"] = t.layers[name].output
    found.update({f"output_{i}": x for i, x in enumerate(t.outputs)})
    given = inputs(t.segment_vocab_size)
    found = keras.Model(t.model.inputs, found)(given if len(given) > 1 else given[0])
    expected = {
        f"hidden_{i}": state for i, state in enumerate(outputs.hidden_states[1:])
    }
    logits = getattr(outputs, "logits", None)
    heads = [pooled] if t.with_pool else [logits] if t.with_mlm else []
    expected.update({f"output_{i}": one for i, one in enumerate(heads)})
    for name, theirs in expected.items():
        ours, theirs = ops.convert_to_numpy(found[name]), theirs.numpy()
        assert ours.shape == theirs.shape
        if ours.ndim == 3:
            ours, theirs = ours[given[0] != 0], theirs[given[0] != 0]
        assert np.abs(ours - theirs).max() <= BOUND, name


def build(folder, **arguments):
    return build_transformer_model(folder, return_keras_model=False, **arguments)


HEADS = {
    "DebertaV2Model": {},
    "DebertaV2ForMaskedLM": {"with_mlm": "linear"},
    "DebertaV2ForSequenceClassification": {"with_pool": True},
}
CASES = [(kind, "v3") for kind in HEADS] + [
    ("DebertaV2ForMaskedLM", name) for name in VARIANTS if name != "v3"
]


@pytest.mark.parametrize("kind, variant", CASES)
def test_loaded_here(kind, variant, tmp_path):
    theirs = reference(kind, **VARIANTS[variant])
    theirs.save_pretrained(tmp_path)
    assert_equal(build(tmp_path, **HEADS[kind]), *run_theirs(theirs))


def test_head_of_the_authors(tmp_path):
    theirs = reference("DebertaV2ForMaskedLM", legacy=False)
    theirs.save_pretrained(tmp_path)
    assert_equal(build(tmp_path, with_mlm="linear"), *run_theirs(theirs))


@pytest.mark.parametrize("kind, variant", CASES)
def test_saved_here_and_loaded_there(kind, variant, tmp_path):
    import transformers

    config = {"model_type": "deberta-v2", **SIZES, **VARIANTS[variant]}
    t = randomize(build(config, **HEADS[kind]), scale=0.15)
    t.save(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert saved["model_type"] == "deberta-v2"
    cls = getattr(transformers, kind)
    theirs, info = cls.from_pretrained(tmp_path, output_loading_info=True)
    missing = {one for one in info["missing_keys"] if not one.startswith("classifier")}
    assert not (missing or info["unexpected_keys"] or info["mismatched_keys"])
    assert_equal(t, *run_theirs(theirs.eval()))


def test_buckets_of_the_published_models():
    """Exact up to 128, logarithmic up to 511, one bucket beyond."""
    found = distance_buckets(256, 512)
    np.testing.assert_array_equal(found[:129], np.arange(129))
    assert found[511] == 255 and found[512] == 256 and found[130] == 130
    assert (np.diff(found) >= 0).all() and set(found) == set(range(257))
