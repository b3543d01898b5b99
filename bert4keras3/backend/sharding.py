"""Weights whose parts lie on several devices, perhaps of several processes (jax)."""

import contextlib
import json
import math
import sys

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import memory, runtime


def process():
    """(number of this process, how many work together)."""
    return _process()


def _process():
    if runtime.BACKEND != "jax":
        return 0, 1
    return runtime.native().process_index(), runtime.native().process_count()


def sharding_of(variable):
    """How jax lays a variable out over a mesh of devices, or None: one device."""
    if runtime.BACKEND != "jax":
        return None
    found = variable.value.sharding
    return found if hasattr(found, "mesh") else None


def is_elsewhere(variable):
    """Whether other processes hold parts of the variable that this one has not."""
    sharding = sharding_of(variable)
    if sharding is None or sharding.is_fully_addressable:
        return False
    shape = tuple(variable.shape)
    here = sharding.addressable_devices_indices_map(shape).values()
    everywhere = sharding.devices_indices_map(shape).values()
    return len(set(map(str, here))) < len(set(map(str, everywhere)))


def spans_processes(variables):
    """Whether any of the variables lies on devices of several processes."""
    found = map(sharding_of, variables)
    return any(one is not None and not one.is_fully_addressable for one in found)


def distributed(array, variable):
    """A jax array laid out as the variable, from a numpy array.

    array: of the variable's shape, of any strides and number type, and the same in
    every process. What the devices of this process hold is read, nothing else.
    """
    dtype, slices = np.dtype(variable.dtype), {}

    def part(index):
        key = tuple(
            one.indices(size) for one, size in zip(index, array.shape, strict=True)
        )
        if key not in slices:
            (slices[key],) = memory.packed([array[index].astype(dtype, copy=False)])
        return slices[key]

    make = runtime.native().make_array_from_callback
    return make(tuple(variable.shape), sharding_of(variable), part)


def untouched(spec, shape, dtype, mesh=None):
    """Zeros cut as `spec` says over a mesh; on a CPU they take no memory.

    spec: a jax PartitionSpec; mesh: of jax, default: that of the distribution in
    effect; see `assigning.untouched_zeros`.
    """
    mesh = mesh or keras.distribution.distribution().device_mesh.backend_mesh
    where = runtime.native().sharding.NamedSharding(mesh, spec)
    dtype = np.dtype(dtype)

    def part(index):
        sizes = [
            len(range(*one.indices(n))) for one, n in zip(index, shape, strict=True)
        ]
        zeros = memory.untouched(math.prod(sizes) * dtype.itemsize)
        return zeros.view(dtype).reshape(sizes)

    return runtime.native().make_array_from_callback(tuple(shape), where, part)


def release(variables):
    """Put zeros that take no memory into variables of parts, on a CPU."""
    for variable in variables:
        found = sharding_of(variable)
        if found is not None:
            shape, dtype = variable.shape, variable.dtype
            variable.assign(untouched(found.spec, shape, dtype, found.mesh))


def is_readable(value):
    """Whether this process can read all of a tensor without the others."""
    if runtime.BACKEND != "jax" or not hasattr(value, "is_fully_addressable"):
        return True  # numpy
    return value.is_fully_addressable or value.is_fully_replicated


def whole(value):
    """A tensor as a numpy array, also where other processes hold parts of it.

    Then every process must call it, for the same tensors in the same order.
    """
    if not is_readable(value):
        return runtime.gathered(value)
    return ops.convert_to_numpy(value)


def own_parts(value):
    """The parts of a tensor that this process holds, as numpy arrays."""
    if is_readable(value):
        return [ops.convert_to_numpy(value)]
    return [np.asarray(one.data) for one in value.addressable_shards]


@contextlib.contextmanager
def alone(variables, arrays):
    """A block in which this process saves without the others.

    Its variables hold numpy arrays, on no device, to be read and not assigned. There is
    no distribution: Keras makes an optimizer to compare with, whose numbers it would
    lay out together with the other processes. A `StatelessScope` forbids that.
    """
    distribution = keras.distribution.distribution()
    kept = [one._value for one in variables]
    try:
        keras.distribution.set_distribution(None)
        for variable, array in zip(variables, arrays, strict=True):
            variable._value = array
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable._value = value
        keras.distribution.set_distribution(distribution)


def from_all(value):
    """What each process gives, in the order of their numbers: what JSON can hold.

    All processes call it, and none goes on before all have.
    """
    if process()[1] == 1:
        return [value]
    told = runtime.exchanged(json.dumps(value).encode())
    return [json.loads(one) for one in told]


def together(function):
    """What `function()` returns, once it has returned in every process.

    All processes call it; where one fails, all raise, so that none waits for another
    that has given up. The function itself must not wait for other processes. In a run
    of one process this is a plain call.
    """
    if process()[1] == 1:
        return function()
    result = error = None
    try:
        result = function()
    except BaseException as caught:  # the others are told, then it is raised
        error = caught
    told = from_all(None if error is None else _described(error))
    if error is not None:
        raise error
    for number, one in enumerate(told):
        if one is not None:
            raise _described_error(number, *one)
    return result


def together_over(variables, function):
    """`together` where the variables lie in several processes, else a plain call."""
    return together(function) if spans_processes(variables) else function()


def by_first(function):
    """`together` of a function for the first process: its result there, else None."""
    return together(lambda: None if process()[0] else function())


def _described(error):
    """(module and name of the class, text) of an error."""
    return type(error).__module__, type(error).__qualname__, str(error)


def _described_error(number, module, name, text):
    """An error of another process, if possible of the same class."""
    kind = getattr(sys.modules.get(module), name, None)
    text = f"{text} (in process {number})"
    if isinstance(kind, type) and issubclass(kind, (OSError, ValueError)):
        with contextlib.suppress(TypeError):  # of other arguments than a text
            return kind(text)
    return RuntimeError(f"{name}: {text}")
