"""Read the config of a model: from a file, a folder or a dict."""

import json
import os
from collections.abc import Mapping

from bert4keras3.utils.assets import EMBEDDED

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".npz", ".index", ".index.json")
_KERAS = (".keras", ".h5", ".hdf5")


def read_config(source):
    """Return (name for messages, dict) of a path, folder, dict or None.

    Raises ValueError for a path without a config, saying so when it holds weights.
    """
    if source is None:
        return "build_transformer_model", {}
    if isinstance(source, tuple):
        return source
    if isinstance(source, Mapping):
        return "config", dict(source)
    path = os.fspath(source)
    if os.path.isdir(path):
        names = ("config.json", "bert_config.json")
        found = [n for n in names if os.path.isfile(os.path.join(path, n))]
        if not found:
            raise ValueError(
                f"{path}: expected a folder with {' or '.join(names)}; there is none."
            )
        path = os.path.join(path, found[0])
    _refuse_weights(path)
    if not os.path.isfile(path):
        raise ValueError(
            f"{path!r}: no such config file or folder. Give a JSON file, a folder with "
            f"config.json, or the name of an embedded model ({', '.join(EMBEDDED)}); "
            "nothing is downloaded by a bare name."
        )
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a valid JSON config ({error}).") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path}: expected a JSON object of config keys. Received: "
            f"{type(values).__name__}"
        )
    return path, values


def _refuse_weights(path):
    """Raise for a file or TensorFlow prefix that is a checkpoint, not a config."""
    is_file = os.path.isfile(path)
    if is_file and path.endswith(_KERAS):
        raise ValueError(
            f"{path}: expected a config, received a Keras file. Open it with "
            "keras.models.load_model, or give its weights to model.load_weights."
        )
    prefix = not is_file and os.path.isfile(path + ".index")
    if prefix or (is_file and path.endswith(_WEIGHTS)):
        folder = os.path.dirname(path) or "."
        raise ValueError(
            f"{path}: expected a config, received weights. Pass the folder that holds "
            f"both, build_transformer_model({folder!r}), or the two of them, "
            f"build_transformer_model('config.json', {path!r})."
        )
