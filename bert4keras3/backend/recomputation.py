"""Activations computed again on the way back instead of kept."""

import keras
from keras import ops

from bert4keras3.backend import runtime


def recomputed(function, variables, *arguments, **keywords):
    """`function(*arguments, **keywords)`, of whose inside nothing is kept.

    Only its inputs are, and its gradient runs it a second time; what it computes is
    the same. variables: all `keras.Variable`s that it reads or changes: changes, such
    as those of the seeds of dropout, happen once, so that both runs see the same seeds,
    which Keras's own `remat` does not care for.
    """
    variables = list(variables)
    changing = [variable for variable in variables if not variable.trainable]
    leaves = keras.tree.flatten((arguments, keywords))
    places = [i for i, leaf in enumerate(leaves) if _has_gradient(leaf)]
    structure = []

    def pure(*tensors):
        values, given = tensors[: len(variables)], tensors[len(variables) :]
        filled = list(leaves)
        for place, tensor in zip(places, given, strict=True):
            filled[place] = tensor
        args, kwargs = keras.tree.pack_sequence_as((arguments, keywords), filled)
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(mapping) as scope:
            outputs = function(*args, **kwargs)
        structure[:] = [outputs]
        after = [scope.get_current_value(variable) for variable in changing]
        return (*keras.tree.flatten(outputs), *after)

    values = [ops.convert_to_tensor(variable) for variable in variables]
    # torch changes them in place, and the second run needs what the first one had
    values = [
        x if variable.trainable else ops.copy(x)
        for x, variable in zip(values, variables, strict=True)
    ]
    found = _checkpointed(pure)(*values, *(leaves[i] for i in places))
    cut = len(found) - len(changing)
    for variable, value in zip(changing, found[cut:], strict=True):
        variable.assign(value)
    return keras.tree.pack_sequence_as(structure[0], found[:cut])


def _has_gradient(x):
    """Whether x is a float tensor; tensorflow takes no bool as argument."""
    return ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)


def _checkpointed(function):
    if runtime.BACKEND == "jax":
        return runtime.native().checkpoint(function)
    if runtime.BACKEND == "tensorflow":
        return runtime.native().recompute_grad(function)
    checkpoint = runtime.native().utils.checkpoint.checkpoint
    return lambda *tensors: checkpoint(function, *tensors, use_reentrant=False)
