"""The hooks by which bert4keras scripts change what is read from a checkpoint."""

import keras
import numpy as np
import pytest
from golden_model import Case
from keras import ops
from tiny_models import build

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import BERT

BLOCK = "bert/encoder/layer_{i}/"
ATTENTION = [
    BLOCK + f"attention/{part}/{weight}"
    for part in ("self/query", "self/key", "self/value", "output/dense")
    for weight in ("kernel", "bias")
]
FFN = [
    BLOCK + f"{part}/dense/{weight}"
    for part in ("intermediate", "output")
    for weight in ("kernel", "bias")
]
QUERY = "Transformer-0-MultiHeadSelfAttention/q/kernel"


def values(t):
    return {k: ops.convert_to_numpy(v.value) for k, v in t.variables().items()}


def same(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_variable_mapping_names_a_layers_weights_in_the_originals_order():
    mapping = build(with_pool=True).variable_mapping()
    for i in range(2):
        names = mapping[f"Transformer-{i}-MultiHeadSelfAttention"]
        assert names == [name.format(i=i) for name in ATTENTION]
        names = mapping[f"Transformer-{i}-FeedForward"]
        assert names == [name.format(i=i) for name in FFN]
    assert mapping["Pooler-Dense"] == [
        "bert/pooler/dense/kernel", "bert/pooler/dense/bias",
    ]
    assert mapping["Embedding-Norm"] == [
        "bert/embeddings/LayerNorm/beta", "bert/embeddings/LayerNorm/gamma",
    ]


class Elsewhere(BERT):
    """Reads the queries of its first block from a name of its own."""

    def variable_mapping(self):
        mapping = super().variable_mapping()
        mapping["Transformer-0-MultiHeadSelfAttention"][0] = "my/query"
        return mapping


def test_an_overridden_mapping_decides_what_is_read_and_written(tmp_path):
    t = build(Elsewhere)
    before = values(t)
    path = str(tmp_path / "own.ckpt")
    t.save_weights_as_checkpoint(path)
    with open_checkpoint(path) as written:
        np.testing.assert_array_equal(written["my/query"].read(), before[QUERY])
        assert ATTENTION[0].format(i=0) not in written
    other = build(Elsewhere, seed=1)
    other.load_weights_from_checkpoint(path)
    same(values(other), before)
    with pytest.raises(CheckpointError, match="attention/self/query/kernel"):
        build(BERT).load_weights_from_checkpoint(path)


def test_a_mapping_can_be_given_for_one_load(tmp_path):
    t = build()
    path = str(tmp_path / "plain.ckpt")
    t.save_weights_as_checkpoint(path)
    other = build(seed=1)
    before = values(other)
    other.load_weights_from_checkpoint(
        path, {"Embedding-Token": ["bert/embeddings/word_embeddings"]}
    )
    token = "Embedding-Token/embeddings"
    np.testing.assert_array_equal(values(other)[token], values(t)[token])
    del before[token]
    same({name: values(other)[name] for name in before}, before)


class Halved(BERT):
    """Changes one array on its way in, as scripts did to cut or turn a matrix."""

    def load_variable(self, checkpoint, name):
        array = super().load_variable(checkpoint, name)
        return array * 0.5 if name.endswith("word_embeddings") else array


def test_an_overridden_load_variable_sees_every_array():
    case = Case("bert_pool")
    plain, halved = values(case.build()), values(case.build(model=Halved))
    token = "Embedding-Token/embeddings"
    np.testing.assert_array_equal(halved.pop(token), plain.pop(token) * 0.5)
    same(halved, plain)


def test_load_variable_keeps_tokens_and_create_variable_is_its_inverse():
    case = Case("bert_nsp_mlm")
    t = case.build(keep_tokens=[3, 1, 2])
    name = "bert/embeddings/word_embeddings"
    with open_checkpoint(case.checkpoint) as source:
        table = source[name].read()
        np.testing.assert_array_equal(t.load_variable(source, name), table[[3, 1, 2]])
        stored = source["cls/seq_relationship/output_weights"].read()
    # A path does as well as an open checkpoint; NSP weights are stored transposed.
    kernel = t.load_variable(case.checkpoint, "cls/seq_relationship/output_weights")
    np.testing.assert_array_equal(kernel, stored.T)
    back = t.create_variable("cls/seq_relationship/output_weights", kernel, "float16")
    assert back.dtype == np.float16
    np.testing.assert_array_equal(back, stored.astype("float16"))


class WithLayers(BERT):
    """Layers of one's own that take `self.initializer` in any argument."""

    def apply_final_layers(self, inputs):
        x = self.apply(
            inputs=inputs, layer=keras.layers.LSTM, units=4, name="My-LSTM",
            kernel_initializer=self.initializer, return_sequences=True,
        )
        return self.apply(
            inputs=x, layer=keras.layers.PReLU, name="My-PReLU",
            alpha_initializer=self.initializer, shared_axes=[1],
        )


def test_layers_of_ones_own_are_drawn_beside_a_checkpoint():
    t = Case("bert_pool").build(model=WithLayers, with_pool=False)
    found = values(t)
    for name in ("My-LSTM/lstm_cell/kernel", "My-PReLU/alpha"):
        assert np.count_nonzero(found[name]) > 0.9 * found[name].size, name
