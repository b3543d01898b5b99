"""What sets ALBERT, ERNIE and NEZHA apart from BERT, beyond the numbers."""

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file, save_file
from tiny_models import CONFIG, batch, build

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.layers import RelativePositionEmbedding, Sinusoidal
from bert4keras3.models import build_transformer_model
from bert4keras3.models.saving import named_arrays

QUERY = "Transformer-{}-MultiHeadSelfAttention/q/kernel"


def output(t, inputs=None):
    found = t.model(inputs or batch(), training=False)
    return ops.convert_to_numpy(found)


def value(t, name):
    return ops.convert_to_numpy(t.variables()[name].value)


@pytest.mark.parametrize("key", ["num_hidden_groups", "inner_group_num"])
def test_albert_with_several_blocks_is_refused(key):
    with pytest.raises(ValueError, match=f"{key}=2 is not supported"):
        build_transformer_model({**CONFIG, key: 2}, model="albert")


@pytest.mark.parametrize("style", ["tf", "hf"])
def test_unshared_blocks_start_from_the_shared_one(style, tmp_path):
    shared = build("albert", embedding_size=8)
    shared.save(tmp_path / "shared", format=style)
    t = build_transformer_model(
        tmp_path / "shared", model="albert_unshared", return_keras_model=False
    )
    np.testing.assert_allclose(output(t), output(shared), atol=1e-5)
    changed = value(t, QUERY.format(1)) + 0.5
    t.variables()[QUERY.format(1)].assign(changed)
    # Under ALBERT's names, as bert4keras maps them, only one block would be kept.
    t.save(tmp_path / "own", format=style)
    again = build_transformer_model(tmp_path / "own", return_keras_model=False)
    assert type(again) is type(t)
    np.testing.assert_array_equal(value(again, QUERY.format(1)), changed)
    np.testing.assert_array_equal(
        value(again, QUERY.format(0)), value(shared, QUERY.format(0).replace("-0", ""))
    )


def test_a_bare_albert_trunk_fills_unshared_blocks(tmp_path):
    shared = build("albert", embedding_size=8)
    shared.save(tmp_path)
    path = tmp_path / "model.safetensors"
    bare = {name.removeprefix("albert."): x for name, x in load_file(path).items()}
    save_file(bare, path)
    t = build("albert_unshared", embedding_size=8, seed=1)
    assert t.load(path).unused == []
    np.testing.assert_allclose(output(t), output(shared), atol=1e-5)


def test_task_zero_unless_told_otherwise():
    t = build("ernie", use_task_id=True)
    asked = build("ernie", use_task_id=True, custom_task_ids=True)
    tasks = np.zeros_like(batch()[0])
    np.testing.assert_array_equal(output(asked, [*batch(), tasks]), output(t))
    assert np.abs(output(asked, [*batch(), tasks + 2]) - output(t)).max() > 1e-2


def test_nezha_sees_no_difference_beyond_its_reach():
    """With one block, far tokens that swap places change nothing for the first one."""
    t = build("nezha", max_relative_position=3, num_hidden_layers=1)
    ids, segments = batch(rows=1)
    for first, second, same in ((5, 6, True), (2, 6, False)):
        swapped = ids.copy()
        swapped[0, [first, second]] = ids[0, [second, first]]
        before, after = (output(t, [x, segments * 0])[0, 0] for x in (ids, swapped))
        assert (np.abs(before - after).max() < 1e-6) == same


def test_nezha_is_no_bert(tmp_path):
    bert = build("bert")
    with pytest.raises(CheckpointError, match="position_embeddings"):
        build("nezha").load(named_arrays(bert, "hf"))
    with pytest.raises(ValueError, match="use_relative_position=True is not supported"):
        build_transformer_model({**CONFIG, "use_relative_position": True})
    with pytest.raises(ValueError, match="pass model='bert'"):
        config = {**CONFIG, "use_relative_position": False}
        build_transformer_model(config, model="nezha")
    with pytest.raises(ValueError, match="distances"):
        build("nezha", custom_position_ids=True)


def test_nezha_under_the_names_of_bert():
    t = build("nezha")
    named = {k.replace("nezha.", "bert."): v for k, v in named_arrays(t, "hf").items()}
    buffer = "bert.encoder.layer.0.attention.self.relative_positions_encoding"
    named[buffer + ".positions_encoding"] = np.zeros((4, 4, 8), "float32")
    again = build("nezha", seed=1)
    assert again.load(named).unused == []
    np.testing.assert_allclose(output(again), output(t), atol=1e-6)


def test_a_relative_table_of_a_user_starts_as_asked():
    x = ops.ones((2, 5, 3))
    fixed = RelativePositionEmbedding(7, 4, embeddings_initializer=None)
    own = RelativePositionEmbedding(7, 4, embeddings_initializer=Sinusoidal())
    expected = ops.convert_to_numpy(fixed([x, x[:, :2]]))
    assert expected.shape == (5, 2, 4) and not fixed.weights
    found = ops.convert_to_numpy(own([x, x[:, :2]]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    table = ops.convert_to_numpy(own.embeddings)
    # Row 3 is distance 0; token 4 sees token 0 four steps back, clipped to three.
    np.testing.assert_allclose(expected[4, 0], table[0], atol=1e-6)
    np.testing.assert_allclose(expected[0, 1], table[4], atol=1e-6)
