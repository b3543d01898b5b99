"""PyTorch state dictionaries (`.bin`, `.pt`), read with an installed PyTorch."""

import importlib
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray
from bert4keras3.checkpoints.npz_file import ZIP_ERRORS

# What torch.load raises on damaged files.
_LOAD_ERRORS = (
    *ZIP_ERRORS,
    pickle.UnpicklingError,
    AttributeError,
    AssertionError,
    ImportError,
)
# Where training scripts put the weights when they save more than the weights.
_NESTED_KEYS = ("state_dict", "model_state_dict", "model", "module")


def read_torch(path: Path, verify: bool = True) -> Checkpoint:
    """Open a file of `torch.save`; nothing in it is executed.

    Args:
        path: the file.
        verify: compare every member of the file with its checksum when it is opened.
            Files of PyTorch before 1.6 are not archives and have no checksums.

    Raises:
        CheckpointError: PyTorch is not installed, or the file is missing or damaged
            or holds something other than tensors.
    """
    torch = _import_torch(path)
    try:
        archive = zipfile.is_zipfile(path)
        if archive and verify:
            _verify_archive(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except _LOAD_ERRORS as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"{path} is not a readable PyTorch state dictionary ({reason}); copy or "
            "download it again, or save model.state_dict() as safetensors"
        ) from error
    tensors = _state_dict(path, loaded, torch)
    arrays = [_lazy(path, name, tensor) for name, tensor in tensors.items()]
    return Checkpoint(path, "bin", arrays)


def _import_torch(path: Path):
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise CheckpointError(
            f"{path} is a PyTorch file, and PyTorch is not installed; run "
            "`pip install torch`, or convert the file to safetensors where it is"
        ) from error


def _verify_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        bad = archive.testzip()
    if bad is not None:
        raise CheckpointError(
            f"the checksum of {bad} does not match; if the file was saved without "
            "checksums (torch.serialization.set_crc32_options), pass verify=False"
        )


def _state_dict(path: Path, loaded, torch) -> dict:
    """Return the tensors of a loaded file by name."""
    if isinstance(loaded, dict):
        for key in _NESTED_KEYS:
            if isinstance(loaded.get(key), dict):
                loaded = loaded[key]
                break
    if not isinstance(loaded, dict):
        raise CheckpointError(
            f"{path} holds a {type(loaded).__name__}, expected a dictionary of "
            "tensors; save model.state_dict()"
        )
    for name, value in loaded.items():
        plain = isinstance(value, torch.Tensor) and value.layout == torch.strided
        if not isinstance(name, str) or not plain or value.is_quantized:
            raise CheckpointError(
                f"{path} holds {name!r} of type {type(value).__name__}, expected only "
                f"dense tensors, or one of {', '.join(_NESTED_KEYS)} with them; save "
                "model.state_dict()"
            )
    return loaded


def _lazy(path: Path, name: str, tensor) -> LazyArray:
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in dtypes.SAFETENSORS_DTYPES.values():
        raise CheckpointError(
            f"{path}: tensor {name!r} has type {kind}, which is not supported; "
            "convert it to float32 before saving"
        )
    shape = tuple(tensor.shape)
    reader = partial(_read_tensor, tensor, kind, shape)
    return LazyArray(name, shape, dtypes.read_dtype(kind), reader)


def _read_tensor(tensor, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a tensor as a read-only array that shares its memory."""
    if not tensor.numel():
        return dtypes.as_array(np.empty(0, np.uint8), kind, shape)
    # As bytes, since numpy itself lacks some of the types.
    flat = tensor.detach().contiguous().flatten()
    raw = flat.view(importlib.import_module("torch").uint8).numpy()
    return dtypes.as_array(raw, kind, shape)
