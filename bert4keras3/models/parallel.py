"""`data_parallel`, which scripts import: several devices are a matter of Keras now."""

import warnings

from bert4keras3.backend import get_available_gpus
from bert4keras3.backend.runtime import BACKEND

_INSTEAD = {
    "jax": "Call keras.distribution.set_distribution("
    "keras.distribution.DataParallel()) before it is built, and fit as usual",
    "tensorflow": "Build and compile it inside of "
    "`with tf.distribute.MirroredStrategy().scope():`, and fit as usual",
    "torch": "Start one process a device and wrap it in "
    "torch.nn.parallel.DistributedDataParallel, in a loop of your own",
}


def data_parallel(model, devices=None, parts=None):
    """Return `model` as it is for one device; for more say what takes its place.

    devices: number or list of devices, default all GPUs; parts: share of each in a
    batch. Raises ValueError for several devices: weights are placed when they are
    made, so that a finished model cannot be spread any more.
    """
    devices = get_available_gpus() if devices is None else devices
    count = len(devices) if isinstance(devices, (list, tuple)) else devices
    if count > 1:
        raise ValueError(
            f"data_parallel of devices={devices!r} is not possible for a finished "
            f"model. {_INSTEAD[BACKEND]} (docs/scale.md); on one device leave "
            "data_parallel out."
        )
    warnings.warn(
        "data_parallel returns the model as it is on one device: leave it out, or see "
        "keras.distribution.",
        DeprecationWarning,
        stacklevel=2,
    )
    return model
