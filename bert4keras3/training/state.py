"""All that a training step reads and changes, out of a model and back into it."""

import zlib
from itertools import islice

import keras
import numpy as np

from bert4keras3.backend import randomness
from bert4keras3.backend.assigning import assign_all
from bert4keras3.backend.sharding import (
    alone,
    by_first,
    is_readable,
    own_parts,
    process,
    whole,
)


def variables_of(model, metrics=True):
    """{name: variable} of weights, seeds of dropout, optimizer and metrics."""
    groups = {"model": model.variables}
    if model.optimizer is not None:
        groups["optimizer"] = model.optimizer.variables
    if metrics:
        groups["metrics"] = model.metrics_variables
    return {
        f"{group}/{place:05d}": variable
        for group, variables in groups.items()
        for place, variable in enumerate(variables)
    }


def read_state(model, metrics=True, kept=True):
    """{name: array} of all variables, and the random state of the backend.

    Where parts of variables lie in other processes, all processes call it. kept: False
    in one that only helps to collect them and holds none.
    """
    arrays = {}
    for name, variable in variables_of(model, metrics).items():
        array = whole(variable.value)
        if kept:
            arrays[name] = np.array(array)
    for place, state in enumerate(randomness.random_states()):
        arrays[f"random/{place:05d}"] = state
    return arrays


def write_state(model, arrays, metrics=True):
    """Put what `read_state` returned back into a model of the same form.

    metrics: also those of the metrics. Raises ValueError for another form, before
    anything changes.
    """
    variables = variables_of(model, metrics)
    check_state(variables, arrays)
    names = [name for name in variables if name in arrays]
    assign_all([variables[name] for name in names], [arrays[name] for name in names])
    states = [arrays[name] for name in sorted(arrays) if name.startswith("random/")]
    randomness.set_random_states(states)


def save_weights(model, path):
    """`model.save_weights`, also of weights that are cut over several processes.

    All processes call it; the first one writes, and all return once the file is there.
    """
    if process()[1] == 1:
        model.save_weights(path, overwrite=True)
        return
    parts = [v for v in variables_of(model).values() if not is_readable(v.value)]
    values = []
    for variable in parts:
        value = whole(variable.value)
        if not process()[0]:
            values.append(value)

    def write():
        with alone(parts, values):
            model.save_weights(path, overwrite=True)

    by_first(write)


def check_state(variables, arrays):
    """Raise ValueError unless the arrays are for these variables of `variables_of`."""
    for group in ("model", "optimizer"):
        ours = [name for name in variables if name.startswith(group)]
        saved = [name for name in arrays if name.startswith(group)]
        if len(ours) != len(saved):
            raise ValueError(
                f"The checkpoint is of another model: its {group} had {len(saved)} "
                f"variables. Received a model whose {group} has {len(ours)}."
            )
    for name, variable in variables.items():
        if name in arrays and tuple(variable.shape) != arrays[name].shape:
            raise ValueError(
                f"The checkpoint is of another model: {variable.path!r} had shape "
                f"{arrays[name].shape}. Received a model where it is "
                f"{tuple(variable.shape)}."
            )


def build_optimizer(model):
    """Make the optimizer's variables, which some backends leave to the first step."""
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def intercept_step(trainer, seen, logs=None):
    """Look at the batches of the next step of `fit`, and maybe leave it out.

    trainer: the model that trains, as `set_model` of a callback got it; to be called
    in on_train_batch_begin. seen: called with the list of batches before the step;
    logs: None trains as usual, else the step is left out and returns these.
    """
    plain = trainer.train_function

    def once(*arguments):
        trainer.train_function = plain
        *state, source = arguments  # jax hands its state in and out
        batches = source
        if not isinstance(source, list):
            batches = list(islice(source, trainer.steps_per_execution))
            if not batches:
                raise StopIteration  # as Keras expects at the end of the data
        seen(batches)
        if logs is not None:
            return (logs, *state) if state else logs
        return plain(*state, source if source is batches else iter(batches))

    trainer.train_function = once


def fingerprint(batches):
    """A checksum of the numbers of some batches, of those that this process has."""
    total = 0
    for leaf in keras.tree.flatten(batches):
        for part in [] if leaf is None else own_parts(leaf):
            array = np.ascontiguousarray(part)
            total = zlib.crc32(f"{array.shape}{array.dtype}".encode(), total)
            total = zlib.crc32(array.tobytes(), total)
    return total
