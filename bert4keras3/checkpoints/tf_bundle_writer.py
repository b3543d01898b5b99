"""TensorFlow checkpoints (format V2), written without TensorFlow."""

import os
from collections.abc import Mapping
from pathlib import Path

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.atomic import atomic_paths
from bert4keras3.checkpoints.crc32c import crc32c, mask
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.tf_bundle import shard_path
from bert4keras3.checkpoints.tf_table import (
    BYTES,
    FIXED32,
    VARINT,
    write_field,
    write_table,
)
from bert4keras3.checkpoints.writing import checked_names, refuse_existing, to_array

_CODES = {name: code for code, name in dtypes.TF_DTYPES.items()}
# TensorFlow accepts any offset; aligned tensors can be read without a copy.
_ALIGNMENT = 64


def write_tf_bundle(
    prefix: str | os.PathLike, arrays: Mapping, overwrite: bool = False
) -> list[Path]:
    """Write a checkpoint that `tf.train.load_checkpoint` reads, bit for bit.

    Args:
        prefix: such as `bert_model.ckpt`; `.index` and `.data-…` are appended.
        arrays: numpy arrays or LazyArrays by name.
        overwrite: replace an existing checkpoint.

    Returns:
        The paths of the data file and of the index.

    Raises:
        CheckpointError: the files exist, or a name or number type has no place in
            this format.
    """
    prefix = Path(prefix)
    names = checked_names(arrays)
    data_path = shard_path(prefix, 0, 1)
    index_path = prefix.with_name(prefix.name + ".index")
    refuse_existing([data_path, index_path], overwrite)
    # Both encodings sort by bytes; Python sorts text by code point, which is the same
    # order for UTF-8.
    entries = [(b"", _header())]
    with atomic_paths([data_path, index_path]) as (data_file, index_file):
        with open(data_file, "wb") as file:
            for name in sorted(names):
                array = to_array(name, arrays[name])
                file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                entries.append((name.encode(), _entry(name, array, file.tell())))
                file.write(dtypes.raw_bytes(array))
        index_file.write_bytes(write_table(entries))
    return [data_path, index_path]


def _header() -> bytes:
    """Return a BundleHeaderProto: one little-endian shard, format version 1."""
    version = write_field(1, VARINT, 1)
    return write_field(1, VARINT, 1) + write_field(3, BYTES, version)


def _entry(name: str, array, offset: int) -> bytes:
    """Return the BundleEntryProto of an array at `offset`."""
    code = _CODES.get(array.dtype.name)
    if code is None:
        raise CheckpointError(
            f"tensor {name!r} has dtype {array.dtype}, which a TensorFlow checkpoint "
            f"cannot hold here; use one of {', '.join(sorted(_CODES))}"
        )
    shape = b"".join(
        write_field(2, BYTES, write_field(1, VARINT, size)) for size in array.shape
    )
    return (
        write_field(1, VARINT, code)
        + write_field(2, BYTES, shape)
        + write_field(4, VARINT, offset)
        + write_field(5, VARINT, array.nbytes)
        + write_field(6, FIXED32, mask(crc32c(array)))
    )
