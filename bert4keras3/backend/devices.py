"""The GPUs that scripts count."""

import keras

from bert4keras3.backend.runtime import BACKEND, device_kind, native


def get_available_gpus():
    """List the GPUs of the backend in use, as `keras.device` names them: "gpu:0"."""
    if device_kind() != "gpu":
        return []
    if BACKEND != "torch":
        return keras.distribution.list_devices("gpu")
    return [f"gpu:{i}" for i in range(native().cuda.device_count())]
