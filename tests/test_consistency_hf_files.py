"""Every way in which a Hugging Face checkpoint is stored loads to the same numbers."""

import keras
import numpy as np
import pytest
from test_consistency_hf import build, inputs, reference, run_theirs

from bert4keras3.checkpoints import CheckpointError

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")


def old_names(name):
    """Early conversions kept TensorFlow's names of the norms' weights."""
    if "LayerNorm" not in name:
        return name
    return name.replace(".weight", ".gamma").replace(".bias", ".beta")


def plain(model, folder):
    model.save_pretrained(folder)


def bare(model, folder):
    model.bert.save_pretrained(folder)


def sharded(model, folder):
    model.save_pretrained(folder, max_shard_size="30KB")
    assert len(list(folder.glob("*.safetensors"))) > 2


def renamed(model, folder):
    model.config.save_pretrained(folder)
    state = model.bert.state_dict()
    named = {f"bert.{old_names(name)}": value for name, value in state.items()}
    safetensors.save_file(named, folder / "model.safetensors")


def bare_renamed(model, folder):
    model.config.save_pretrained(folder)
    state = model.bert.state_dict()
    named = {old_names(name): value for name, value in state.items()}
    safetensors.save_file(named, folder / "model.safetensors")


def pickled(model, folder):
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


def parallel(model, folder):
    model.config.save_pretrained(folder)
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save(state, folder / "pytorch_model.bin")


LAYOUTS = (plain, bare, sharded, renamed, bare_renamed, pickled, parallel)


@pytest.fixture(scope="module")
def model():
    return reference("BertForPreTraining")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_layout(layout, model, tmp_path):
    layout(model, tmp_path)
    t = build(tmp_path)
    found = keras.ops.convert_to_numpy(t.model(list(inputs())))
    real = inputs()[0] != 0
    last = run_theirs(model)[0][-1]
    assert np.abs(found - last)[real].max() <= 1e-5


def test_a_half_precision_checkpoint_loads_as_float32(model, tmp_path):
    state = {name: value.bfloat16() for name, value in model.bert.state_dict().items()}
    model.config.save_pretrained(tmp_path)
    safetensors.save_file(state, tmp_path / "model.safetensors")
    t = build(tmp_path)
    table = t.variables()["Embedding-Token/embeddings"]
    found = keras.ops.convert_to_numpy(table.value)
    wanted = state["embeddings.word_embeddings.weight"].float().numpy()
    np.testing.assert_array_equal(found, wanted)


def test_a_trunk_cannot_fill_heads(model, tmp_path):
    bare(model, tmp_path)
    with pytest.raises(CheckpointError, match="MLM-Dense/kernel"):
        build(tmp_path, with_mlm=True)
