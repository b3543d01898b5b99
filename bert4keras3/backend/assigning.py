"""Weights in bulk: placeholders that cost nothing, assignment in groups."""

import numpy as np
from keras import ops

from bert4keras3.backend import runtime, sharding
from bert4keras3.backend.memory import packed, untouched


def assign_all(variables, arrays, chunk=2**25, copied=lambda array: None):
    """Assign numpy arrays to variables, on jax in groups of about `chunk` bytes.

    One transfer call a group: a call for each of 200 small arrays costs more than
    moving them. Groups keep the extra memory small. Of a variable that is laid out over
    several devices, a process reads what its own devices hold; `copied(array)` is
    called once it has.
    """
    if runtime.BACKEND != "jax":
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return
    group, size = [], 0
    for variable, array in zip(variables, arrays, strict=True):
        if sharding.sharding_of(variable) is not None:
            variable.assign(sharding.distributed(array, variable))
            copied(array)
            continue
        group.append((variable, array))
        size += array.nbytes
        if size >= chunk:
            _assign_group(group)
            group, size = [], 0
    if group:
        _assign_group(group)


def _assign_group(group):
    variables, arrays = zip(*group, strict=True)
    turned = [i for i, array in enumerate(arrays) if not array.flags.c_contiguous]
    arrays = list(arrays)
    for i, array in zip(turned, packed([arrays[i] for i in turned]), strict=True):
        arrays[i] = array
    for variable, array in zip(variables, runtime.to_device(arrays), strict=True):
        variable.assign(array)


def untouched_zeros(shape, dtype, layout=None):
    """Zeros that on jax/CPU take no memory and no time before they are read.

    layout: a jax sharding, as Keras hands it to initializers, or None: one device.
    jax uses an aligned NumPy array as it is, and the pages of a fresh NumPy array
    exist only once they are touched: placeholders of weights never are.
    """
    if layout is not None:
        return sharding.untouched(layout.spec, shape, dtype)
    on_jax_cpu = runtime.BACKEND == "jax" and runtime.device_kind() == "cpu"
    if not on_jax_cpu or dtype == "bfloat16":
        return ops.zeros(shape, dtype)
    zeros = untouched(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return runtime.to_device(zeros.view(dtype).reshape(shape))
