"""`data_parallel`, which scripts import: several devices are a matter of Keras now."""


def data_parallel(model, devices=None, parts=None):
    """Return `model` as it is for one device; for more say what takes its place.

    devices: number or list of devices, default all; parts: share of each in a batch.
    Raises ValueError unless `devices` is one device: weights are placed when they are
    made, so that a finished model cannot be spread any more.
    """
    count = len(devices) if isinstance(devices, (list, tuple)) else devices
    if count == 1:
        return model
    raise ValueError(
        f"data_parallel of devices={devices!r} is not possible for a finished model. "
        "Call keras.distribution.set_distribution(keras.distribution.DataParallel()) "
        "before it is built (jax), and fit as usual; on one device leave "
        "data_parallel out."
    )
