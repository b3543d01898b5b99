"""Keras 2 backend losses, randomness, variables and control flow.

The facade is `bert4keras3.backend.legacy`. What Keras 3 cannot mean the same
(graph-mode names) raises `NotInKeras3`, which names the replacement.
"""

import warnings

import keras
from keras import backend, ops, random


class NotInKeras3(NotImplementedError):
    """A Keras 2 backend name that has no meaning in Keras 3."""


# Losses: targets first, as in every version of Keras.


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """Cross-entropy of class ids.

    Args:
        target: (...) or (..., 1) class ids, of any dtype.
        output: (..., C) probabilities, or logits if `from_logits`; they are
            normalised to sum to one, as Keras 2 did.

    Returns:
        (...) losses.
    """
    logits = output if from_logits else _log(output)
    target = ops.cast(target, "int32")
    if len(target.shape) < len(output.shape):
        target = ops.expand_dims(target, axis)
    picked = ops.take_along_axis(logits, target, axis=axis)
    return ops.logsumexp(logits, axis=axis) - ops.squeeze(picked, axis)


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """Cross-entropy of class distributions; target, output: (..., C) -> (...)."""
    logits = output if from_logits else _log(output)
    target = ops.cast(target, backend.standardize_dtype(logits.dtype))
    return -ops.sum(target * ops.log_softmax(logits, axis=axis), axis=axis)


def binary_crossentropy(target, output, from_logits=False):
    """Elementwise cross-entropy of two classes; target, output: (...) -> (...)."""
    target = ops.cast(target, backend.standardize_dtype(output.dtype))
    if from_logits:
        return ops.softplus(output) - target * output
    low = backend.epsilon()
    output = ops.clip(output, low, 1.0 - low)
    return -target * ops.log(output) - (1.0 - target) * ops.log(1.0 - output)


def _log(probabilities):
    low = backend.epsilon()
    return ops.log(ops.clip(probabilities, low, 1.0 - low))


# Randomness. `seed` may be an int (the same numbers at every call) or a
# keras.random.SeedGenerator, which compiled code on JAX requires.


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    dtype = dtype or backend.floatx()
    if "int" in dtype:
        return random.randint(shape, int(minval), int(maxval), dtype=dtype, seed=seed)
    return random.uniform(shape, minval, maxval, dtype=dtype, seed=seed)


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    return random.normal(shape, mean, stddev, dtype=dtype, seed=seed)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    return random.truncated_normal(shape, mean, stddev, dtype=dtype, seed=seed)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Ones with probability `p`, else zeros."""
    return ops.cast(random.uniform(shape, seed=seed) < p, dtype or backend.floatx())


random_bernoulli = random_binomial


# Variables.


def variable(value, dtype=None, name=None, constraint=None):
    """A trainable keras.Variable of `value`, of floatx unless `dtype`."""
    made = keras.Variable(value, dtype=dtype or backend.floatx(), name=name)
    made.constraint = constraint
    return made


def _check_variable(x, name):
    if not hasattr(x, "assign"):
        raise TypeError(
            f"K.{name} expects a variable (layer.weights, K.variable). "
            f"Received: {type(x).__name__}."
        )


def set_value(x, value):
    _check_variable(x, "set_value")
    x.assign(value)


def batch_set_value(tuples):
    for x, value in tuples:
        set_value(x, value)


def update(x, new_x):
    """Assign at once (eagerly, or in the traced step) and return the new value."""
    _check_variable(x, "update")
    return x.assign(new_x)


def update_add(x, increment):
    return update(x, x + increment)


def update_sub(x, decrement):
    return update(x, x - decrement)


def moving_average_update(x, value, momentum):
    return update(x, x * momentum + value * (1.0 - momentum))


def get_value(x):
    """The value of a variable or concrete tensor as a numpy array."""
    if backend.is_keras_tensor(x):
        raise NotInKeras3(
            f"K.get_value/K.eval cannot evaluate the symbolic tensor {x.name!r}. "
            "Build keras.Model(inputs, tensor) and call it with data."
        )
    return ops.convert_to_numpy(ops.convert_to_tensor(x))


def eval(x):
    return get_value(x)


def batch_get_value(xs):
    return [get_value(x) for x in xs]


# Control flow.


def stop_gradient(variables):
    if isinstance(variables, (list, tuple)):
        return [ops.stop_gradient(x) for x in variables]
    return ops.stop_gradient(variables)


def _value(x):
    return x() if callable(x) else x


def switch(condition, then_expression, else_expression):
    """Pick by `condition`: one branch if it is a scalar, elementwise otherwise.

    A condition of lower rank than the branches is spread over their last axes.
    Branches are tensors or functions without arguments.
    """
    if isinstance(condition, bool):
        return _value(then_expression if condition else else_expression)
    rank = len(condition.shape)
    if rank == 0 and callable(then_expression) and callable(else_expression):
        condition = ops.cast(condition, "bool")
        return ops.cond(condition, then_expression, else_expression)
    then, other = _value(then_expression), _value(else_expression)
    target = max(len(getattr(then, "shape", ())), len(getattr(other, "shape", ())))
    if rank > target:
        raise ValueError(
            "K.switch expects a condition of at most the rank of its branches. "
            f"Received: condition of rank {rank}, branches of rank {target}."
        )
    for _ in range(target - rank):
        condition = ops.expand_dims(condition, -1)
    return ops.where(ops.cast(condition, "bool"), then, other)


def in_train_phase(x, alt, training=None):
    """`x` if training else `alt` (tensors or functions); `training` must be known."""
    if training is None or hasattr(training, "shape"):
        raise NotInKeras3(
            "K.in_train_phase: Keras 3 has no symbolic learning phase. Take "
            "`training` as an argument of your layer's call(self, x, training=None) "
            f"and pass it on as a bool. Received: training={training!r}."
        )
    return _value(x if training else alt)


def in_test_phase(x, alt, training=None):
    return in_train_phase(alt, x, training=training)


def symbolic(func):
    """bert4keras's decorator for graph-building functions: nothing to do any more."""
    return func


def recompute_grad(call):
    """bert4keras's decorator of a layer's `call`: returns it as it is, and warns.

    It did something under an environment switch only; Keras 3 has keras.remat.
    """
    warnings.warn(
        "recompute_grad does nothing; keras.remat computes activations again.",
        DeprecationWarning,
        stacklevel=2,
    )
    return call


# Graph-mode names.


def _unavailable(name, remedy):
    def raise_error(*args, **kwargs):
        raise NotInKeras3(f"K.{name} has no meaning in Keras 3: {remedy}")

    raise_error.__name__ = name
    return raise_error


_PHASE = "take `training` as an argument of your layer's call instead."
_SESSION = "there are no sessions; call the model, read variables with K.get_value."
gradients = _unavailable(
    "gradients",
    "a functional model has no gradients before it runs. bert4keras3.training has "
    "adversarial training, gradient penalty and the like ready for fit; anything else "
    "is a keras.Model.train_step with the gradient function of the backend in use. "
    "See docs/migration.md.",
)
function = _unavailable(
    "function",
    "build keras.Model(inputs, outputs) and call it, or use model.predict_on_batch.",
)
placeholder = _unavailable("placeholder", "use keras.Input(shape, dtype=...).")
is_placeholder = _unavailable("is_placeholder", "use K.is_keras_tensor.")
rnn = _unavailable("rnn", "use keras.ops.scan, or keras.layers.RNN with a cell.")
learning_phase = _unavailable("learning_phase", _PHASE)
set_learning_phase = _unavailable("set_learning_phase", _PHASE)
get_session = _unavailable("get_session", _SESSION)
set_session = _unavailable("set_session", _SESSION)
