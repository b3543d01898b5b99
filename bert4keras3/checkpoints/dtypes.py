"""Number types of the file formats, and arrays over raw bytes."""

import importlib
import math

import numpy as np

from bert4keras3.checkpoints.errors import CheckpointError

# File formats store little-endian numbers, whatever the machine.
_PLAIN = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint64": "<u8",
    "uint32": "<u4",
    "uint16": "<u2",
    "uint8": "|u1",
    "bool": "|b1",
    "complex64": "<c8",
}
# Types that numpy itself lacks, with the width of one number.
_EXTENDED = {"bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}

# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/types.proto
TF_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
    24: "float8_e5m2",
    25: "float8_e4m3fn",
}
TF_STRING = 7

# https://huggingface.co/docs/safetensors/index#format
SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
}


def item_size(name: str) -> int:
    """Return the bytes of one stored number of type `name`, such as "bfloat16"."""
    return _EXTENDED[name] if name in _EXTENDED else np.dtype(_PLAIN[name]).itemsize


def read_dtype(name: str) -> np.dtype:
    """Return the numpy dtype in which numbers of type `name` are read.

    bfloat16 is read as itself where `ml_dtypes` is installed (Keras installs it) and
    widened to float32 elsewhere.

    Raises:
        CheckpointError: an 8-bit float without `ml_dtypes`.
    """
    if name in _PLAIN:
        return np.dtype(_PLAIN[name])
    extension = _ml_dtypes()
    if extension is not None:
        return np.dtype(getattr(extension, name))
    if name == "bfloat16":
        return np.dtype("<f4")
    raise CheckpointError(
        f"numbers of type {name} need the package ml_dtypes, which is not installed; "
        "run `pip install ml_dtypes`"
    )


def as_array(raw: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a read-only array over `raw`, without a copy where possible.

    Args:
        raw: (N,) uint8, exactly the bytes of the array.
        name: the stored type.
        shape: the shape of the result.

    Raises:
        CheckpointError: a boolean is stored as neither 0 nor 1.
    """
    if name == "bool" and raw.size and int(raw.max()) > 1:
        raise CheckpointError(
            "a boolean tensor holds bytes other than 0 and 1; the file is damaged"
        )
    dtype = read_dtype(name)
    if name == "bfloat16" and dtype.itemsize == 4:
        array = (raw.view("<u2").astype("<u4") << np.uint32(16)).view("<f4")
    else:
        array = raw.view(dtype)
    array = array.reshape(shape)
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array


def little_endian(array: np.ndarray) -> np.ndarray:
    """Return `array` in C order with little-endian numbers, copied only if needed."""
    array = np.asarray(array, order="C")
    if array.dtype.name in _PLAIN:
        array = array.astype(_PLAIN[array.dtype.name], copy=False)
    return array


def raw_bytes(array: np.ndarray) -> np.ndarray:
    """Return the memory of a C-ordered array as (N,) uint8."""
    flat = array.reshape(-1)
    return flat.view(np.uint8) if flat.size else np.empty(0, np.uint8)


def byte_size(name: str, shape: tuple[int, ...]) -> int:
    """Return the bytes that an array of this stored type and shape takes."""
    return math.prod(shape) * item_size(name)


def _ml_dtypes():
    try:
        return importlib.import_module("ml_dtypes")
    except ImportError:
        return None
