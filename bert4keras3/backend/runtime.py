"""The only module that imports jax, tensorflow or torch.

Everything else is written on `keras.ops`; what Keras does not expose (unchecked
row gathers, cheap dropout bits, device kind) lives here behind one function each.
"""

import contextlib
import contextvars
import functools
import importlib

import keras
import numpy as np
from keras import ops

from bert4keras3.backend.hashing import hash_bits

BACKEND = keras.config.backend()


def native(part=""):
    """The module jax, tensorflow or torch, or `part` of it: for `backend/` alone."""
    return importlib.import_module(f"{BACKEND}.{part}" if part else BACKEND)


def is_traced(x):
    """Whether a tensor has no value yet: symbolic, or inside a compiled program."""
    if isinstance(x, keras.KerasTensor):
        return True
    if BACKEND == "jax":
        return isinstance(x, native().core.Tracer)
    if BACKEND == "tensorflow":
        return not hasattr(x, "numpy") and not isinstance(x, np.ndarray)
    return getattr(x, "is_meta", False)


_TARGET = contextvars.ContextVar("kind of the devices that a program is for")


@contextlib.contextmanager
def target_kind(kind):
    """A scope in which `device_kind` is `kind`: programs for devices not here."""
    token = _TARGET.set(kind)
    try:
        yield
    finally:
        _TARGET.reset(token)


def device_kind():
    """Return "cpu", "gpu" or "tpu": the kind of the default device."""
    target = _TARGET.get(None)
    if target is not None:
        return target
    if BACKEND == "jax":
        return native().default_backend().replace("cuda", "gpu")
    if BACKEND == "tensorflow":
        return "gpu" if native().config.list_physical_devices("GPU") else "cpu"
    return "gpu" if native().cuda.is_available() else "cpu"


def dropout(x, rate, seed):
    """Zero a share `rate` of `x` and scale the rest by 1 / (1 - rate).

    `seed` is a `keras.random.SeedGenerator`. torch keeps its own fused kernel.
    """
    if BACKEND == "torch":
        return keras.random.dropout(x, rate, seed=seed)
    bits = hash_bits(ops.shape(x), seed.next())
    threshold = min(int(round(rate * 2**32)), 2**32 - 1)
    kept = bits >= ops.cast(threshold, "uint32")
    scale = ops.cast(1.0 / (1.0 - rate), x.dtype)
    return ops.where(kept, x * scale, ops.zeros((), dtype=x.dtype))


def fused_adamw(
    variables,
    grads,
    means,
    variances,
    *,
    step,
    learning_rate,
    betas,
    epsilon,
    weight_decay,
):
    """One AdamW update of all variables in place (torch only).

    epsilon is added to the root of the corrected second moment.
    """
    torch = native()
    steps = [torch.tensor(float(step), device=v.value.device) for v in variables]
    with torch.no_grad():
        torch._fused_adamw_(
            [v.value.data for v in variables],
            [g.to(v.value.dtype) for g, v in zip(grads, variables, strict=True)],
            [m.value.data for m in means],
            [v.value.data for v in variances],
            [],
            steps,
            lr=learning_rate,
            beta1=betas[0],
            beta2=betas[1],
            weight_decay=weight_decay,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
        )


def linear(x, kernel, bias):
    """x kernel + bias in one call (torch only). kernel: (D, E), bias: (E,)."""
    x, kernel, bias = (ops.convert_to_tensor(t) for t in (x, kernel, bias))
    return native().nn.functional.linear(x, kernel.t(), bias)


def layer_norm(x, gamma, beta, epsilon):
    """Layer normalisation along the last axis in one call (torch only)."""
    gamma, beta = (ops.cast(t, x.dtype) for t in (gamma, beta))
    return native().nn.functional.layer_norm(x, gamma.shape, gamma, beta, epsilon)


def scan(step, start, inputs, constants=(), reverse=False):
    """Loop over the first axis of a tuple of tensors: (last carry, stacked outputs).

    `step(carry, inputs at t, *constants)` returns the next carry and the outputs, both
    tuples of tensors shaped like `start`. Keras's own scan fails on tensorflow for an
    unknown length. A step must be a function of a module and not a closure: jax
    compiles an uncompiled call anew for every new function.
    """
    if BACKEND == "jax":
        loop, state = native().lax.scan, (start, constants)
        (carry, _), outputs = loop(_stateful(step), state, inputs, reverse=reverse)
        return carry, outputs
    if BACKEND == "tensorflow":
        return _tensorflow_scan(step, start, inputs, constants, reverse)
    carry, outputs = start, []
    rows = list(zip(*(x.unbind(0) for x in inputs), strict=True))
    for row in reversed(rows) if reverse else rows:
        carry, output = step(carry, row, *constants)
        outputs.append(output)
    columns = zip(*(reversed(outputs) if reverse else outputs), strict=True)
    return carry, tuple(native().stack(column) for column in columns)


@functools.cache
def _stateful(step):
    """`step` with its constants in the carry: the same function for the same step."""

    def body(state, inputs):
        carry, outputs = step(state[0], inputs, *state[1])
        return (carry, state[1]), outputs

    return body


def _tensorflow_scan(step, start, inputs, constants, reverse):
    tf = native()
    length = tf.shape(inputs[0])[0]
    tables = tuple(
        tf.TensorArray(x.dtype, size=length, element_shape=x.shape) for x in start
    )

    def body(count, carry, tables):
        now = length - 1 - count if reverse else count
        carry, outputs = step(carry, tuple(x[now] for x in inputs), *constants)
        carry = tuple(
            tf.ensure_shape(x, y.shape) for x, y in zip(carry, start, strict=True)
        )
        written = zip(tables, outputs, strict=True)
        return count + 1, carry, tuple(t.write(now, x) for t, x in written)

    _, carry, tables = tf.while_loop(
        lambda count, carry, tables: count < length, body, (0, start, tables)
    )
    return carry, tuple(table.stack() for table in tables)


def write_slot(kept, new, slot, axis=1):
    """`kept` with `new`, of length 1 along `axis`, at `slot` of that axis.

    On torch the tensor itself is changed, Keras would copy all of it.
    """
    if BACKEND != "torch":
        start = [0] * len(kept.shape)
        start[axis] = slot
        return ops.slice_update(kept, start, new)
    kept = kept.contiguous()  # repeated rows may be views of one
    kept.narrow(axis, int(slot), 1).copy_(new)
    return kept


def compiled(function, variables):
    """`function(*tensors)` as one compiled program per set of shapes.

    variables: those it reads; on jax they are arguments of the program, which else
    would hold a copy of every weight. torch runs the function as it is, without
    gradients.
    """
    if BACKEND == "torch":
        return native().no_grad()(function)
    if BACKEND == "tensorflow":
        return native().function(function, jit_compile=True)

    @native().jit
    def program(values, *tensors):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return function(*tensors)

    def run(*tensors):
        if not all(map(has_value, variables)):
            raise RuntimeError(
                "The weights are with the training step: while jax trains, read "
                "`self.model` of the callback before you call the model, or generate "
                "at the end of an epoch."
            )
        return program([one.value for one in variables], *tensors)

    return run


def has_value(variable):
    """Whether a weight can be read here.

    While it trains or evaluates on jax, Keras keeps the weights apart from their
    variables; it lends them to the layers and the losses, but not to the metrics.
    """
    return BACKEND != "jax" or variable._value is not None


def to_device(arrays):
    """numpy arrays as tensors of the default device, in one call (jax only)."""
    return native().device_put(arrays)


def gathered(array):
    """A jax array of parts in several processes as a numpy array in each (jax only)."""
    utils = importlib.import_module("jax.experimental.multihost_utils")
    return utils.process_allgather(array, tiled=True)


def exchanged(data):
    """The bytes that each process gives, in the order of their numbers (jax only).

    All processes call it, and none goes on before all have.
    """
    utils = importlib.import_module("jax.experimental.multihost_utils")
    sizes = utils.process_allgather(np.array([len(data)], "int32"))[:, 0]
    room = -(-max(1, sizes.max()) // 1024) * 1024  # few sizes: each is compiled for
    row = np.zeros(room, "uint8")
    row[: len(data)] = np.frombuffer(data, "uint8")
    rows = utils.process_allgather(row)
    return [bytes(one[:size]) for one, size in zip(rows, sizes, strict=True)]
