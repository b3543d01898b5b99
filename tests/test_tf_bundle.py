"""TensorFlow checkpoints without TensorFlow, and exchanged with it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.tf_bundle import read_tf_bundle
from bert4keras3.checkpoints.tf_bundle_writer import write_tf_bundle
from bert4keras3.checkpoints.tf_table import read_table, write_table

# Written by tf.compat.v1.train.Saver of TensorFlow 2.
GOLDEN = Path(__file__).parent / "golden/checkpoints/tf_written.ckpt"
needs_tensorflow = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


def many_arrays():
    """Enough names for several index blocks, and every kind of number."""
    rng = np.random.default_rng(0)
    arrays = {
        f"bert/encoder/layer_{i}/part_{j}": rng.standard_normal((i % 4, j), "float32")
        for i in range(20)
        for j in range(10)
    }
    for kind in ("f8", "f2", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "?", "c8"):
        arrays[f"kinds/{kind}"] = rng.integers(0, 2, (3, 5)).astype(kind)
    arrays["scalar"] = np.float32(2.5)
    arrays["fortran"] = np.asfortranarray(rng.standard_normal((4, 3)))
    arrays["big_endian"] = np.arange(4, dtype=">f4")
    return arrays | {"中文/名": np.arange(3)}


def test_reads_what_tensorflow_wrote():
    checkpoint = read_tf_bundle(GOLDEN)
    assert len(checkpoint) == 48
    assert list(checkpoint) == sorted(checkpoint)
    for layer in range(40):
        name = f"bert/encoder/layer_{layer}/attention/self/query/kernel"
        expected = np.arange(12, dtype="float32").reshape(3, 4) + layer
        np.testing.assert_array_equal(checkpoint[name].read(), expected)
    others = {
        "flags": np.array([True, False, True]),
        "half": np.arange(5, dtype="float16"),
        "empty": np.zeros((0, 3), "float32"),
        "global_step": np.int64(1000),
        "wide": np.arange(4, dtype="float64"),
    }
    for name, expected in others.items():
        found = checkpoint[name].read()
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(checkpoint["brain"].read(), np.arange(6))


@pytest.mark.parametrize(("name", "reason"), [("text", "text"), ("sliced", "slices")])
def test_lists_but_does_not_read_other_tensors(name, reason):
    with pytest.raises(CheckpointError, match=f"'{name}'.*{reason}"):
        read_tf_bundle(GOLDEN)[name].read()


def test_prefix_index_and_data_file_name_the_same_bundle():
    names = list(read_tf_bundle(GOLDEN))
    assert list(read_tf_bundle(f"{GOLDEN}.index")) == names
    assert list(read_tf_bundle(f"{GOLDEN}.data-00000-of-00001")) == names


def test_round_trip(tmp_path):
    arrays = many_arrays()
    write_tf_bundle(tmp_path / "a.ckpt", arrays)
    checkpoint = read_tf_bundle(tmp_path / "a.ckpt")
    assert checkpoint.keys() == arrays.keys()
    for name, array in arrays.items():
        found = checkpoint[name].read()
        assert found.shape == array.shape
        assert found.dtype == array.dtype.newbyteorder("<")
        np.testing.assert_array_equal(found, array)


def test_tensors_are_views_of_the_file(tmp_path):
    write_tf_bundle(tmp_path / "a", {"x": np.ones(10_000, "float32")})
    with read_tf_bundle(tmp_path / "a") as checkpoint:
        one, other = checkpoint["x"].read(), checkpoint["x"].read()
    assert np.shares_memory(one, other)
    with pytest.raises(ValueError, match="read-only"):
        one[0] = 2
    assert other.sum() == 10_000


def test_damaged_data_is_named_unless_not_verified(tmp_path):
    write_tf_bundle(tmp_path / "a", {"x": np.zeros(4, "uint8")})
    (tmp_path / "a.data-00000-of-00001").write_bytes(b"\0\1\0\0")
    with pytest.raises(CheckpointError, match="checksum of tensor 'x'"):
        read_tf_bundle(tmp_path / "a")["x"].read()
    loose = read_tf_bundle(tmp_path / "a", verify=False)
    assert loose["x"].read().tolist() == [0, 1, 0, 0]


def test_table_of_many_blocks():
    entries = [(f"k{i:05d}".encode(), bytes([i % 256]) * (i % 50)) for i in range(3000)]
    assert list(read_table(write_table(entries)).items()) == entries


COMPARE = """
import sys
import numpy as np
import tensorflow as tf
reader = tf.train.load_checkpoint(sys.argv[1])
shapes = reader.get_variable_to_shape_map()
np.savez(sys.argv[2], **{name: reader.get_tensor(name) for name in shapes})
"""


@needs_tensorflow
def test_tensorflow_reads_what_we_wrote(tmp_path):
    """In its own process, so that this one keeps its single backend."""
    arrays = many_arrays()
    write_tf_bundle(tmp_path / "a.ckpt", arrays)
    command = [sys.executable, "-c", COMPARE, tmp_path / "a.ckpt", tmp_path / "b.npz"]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, check=True, env=os.environ | quiet, timeout=300)
    with np.load(tmp_path / "b.npz") as found:
        assert set(found.files) == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype.newbyteorder("<")
            assert found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)
