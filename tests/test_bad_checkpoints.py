"""Checkpoints that do not fit are refused whole: no weight of the model changes."""

import shutil

import numpy as np
import pytest
from golden_model import Case
from keras import ops
from tiny_models import build

from bert4keras3.checkpoints import CheckpointError
from bert4keras3.models import build_transformer_model

DATA = "model.ckpt.data-00000-of-00001"


@pytest.fixture(scope="module")
def t():
    return Case("bert_mlm").build()


@pytest.fixture
def prefix(tmp_path):
    """A private copy of the checkpoint."""
    recorded = Case("bert_mlm").checkpoint
    shutil.copy(recorded + ".index", tmp_path / "model.ckpt.index")
    shutil.copy(recorded + ".data-00000-of-00001", tmp_path / DATA)
    return tmp_path / "model.ckpt"


def values(t):
    found = t.variables().items()
    return {name: ops.convert_to_numpy(v.value).copy() for name, v in found}


def refused(t, source, *words):
    """Loading raises with all the words in the message and changes nothing."""
    for variable in t.variables().values():
        variable.assign(np.full(variable.shape, 7.0, "float32"))
    before = values(t)
    with pytest.raises(CheckpointError) as caught:
        t.load(source)
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"
    after = values(t)
    assert all((before[name] == after[name]).all() for name in before)


def test_truncated(t, prefix):
    data = prefix.with_name(DATA)
    data.write_bytes(data.read_bytes()[:-1000])
    refused(t, prefix, str(prefix))


def test_one_wrong_byte_anywhere(t, prefix):
    data = prefix.with_name(DATA)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    refused(t, prefix, "checksum")


def test_damaged_index(t, prefix):
    index = prefix.with_name("model.ckpt.index")
    index.write_bytes(index.read_bytes()[:-20])
    refused(t, prefix, str(prefix))


def test_nothing_there(t, tmp_path):
    refused(t, tmp_path / "nowhere.ckpt", str(tmp_path / "nowhere.ckpt"))
    refused(t, tmp_path, str(tmp_path))


def test_truncated_safetensors(t, tmp_path):
    path = build().save(tmp_path)
    with open(path, "r+b") as file:
        file.truncate(5000)
    refused(t, path, str(path))


def test_wrong_vocabulary():
    case = Case("bert_mlm")
    with pytest.raises(CheckpointError) as caught:
        case.build(vocab_size=90)
    for word in ("word_embeddings", "100", "90", "vocab_size=100", "keep_tokens"):
        assert word in str(caught.value)


def test_wrong_size():
    case = Case("bert_mlm")
    with pytest.raises(CheckpointError) as caught:
        case.build(intermediate_size=60)
    for word in ("intermediate/dense", "(32, 64)", "(32, 60)", "autoresize_weights"):
        assert word in str(caught.value)


def test_missing_weight_lists_the_nearest_names(t):
    named = {row.tf: values(t)[row.ours] for row in t.rows()}
    name = "bert/encoder/layer_1/attention/self/query/kernel"
    named["bert/encoder/layer_1/attention/self/querry/kernel"] = named.pop(name)
    words = (name, "nearest", "querry", "1 weight", "ignore_invalid_weights")
    refused(t, named, *words)


def test_missing_weight_can_be_ignored_with_a_warning():
    case = Case("bert_mlm")
    with pytest.warns(UserWarning, match="Transformer-2-.*/q/kernel"):
        t = case.build(num_hidden_layers=3, ignore_invalid_weights=True)
    fresh = ops.convert_to_numpy(t.layers["Transformer-2-FeedForward"].weights[0])
    assert 0.01 < fresh.std() < 0.03, "drawn, not left at zero"


@pytest.mark.parametrize(
    "name, family",
    [
        ("bert", "roformer"), ("roformer", "bert"), ("roformer_v2", "bert"),
        ("bert", "roformer_v2"), ("roformer", "roformer_v2"),
        ("roformer_v2", "roformer"),
    ],
)
def test_wrong_family(name, family):
    """The names overlap, so that bert4keras loads most of these without a word."""
    case = Case(name)
    with pytest.raises(CheckpointError, match="model=|model family"):
        build_transformer_model(case.meta["config"], case.checkpoint, family)


def test_starting_one_family_from_another_is_possible():
    """RoFormer itself was trained from WoBERT's weights."""
    case = Case("bert")
    with pytest.warns(UserWarning, match="position_embeddings"):
        case.build(model="roformer", ignore_invalid_weights=True)
