"""What optimizers do to variables: copies, updates under a condition or of rows."""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.rows import Rows

CHUNK = 256  # rows that a compiled update of some rows handles at a time


def value_of(variable):
    """The present value as a tensor, of a Keras variable or the backend's own."""
    value = variable.value if isinstance(variable, keras.Variable) else variable
    if runtime.BACKEND == "torch":
        return value.detach()
    # What TensorFlow counts as a tensor may be a variable that changes later.
    return value.read_value() if hasattr(value, "read_value") else value


def snapshot(variable):
    """The present value, which later in-place updates do not change."""
    value = value_of(variable)
    return value.clone() if runtime.BACKEND == "torch" else value


def owned(variable):
    """A copy of the value in memory of its own, also where values are immutable."""
    return ops.copy(value_of(variable))


def dense(gradient, shape):
    """A gradient of `shape` as one tensor.

    TensorFlow gives those of tables as rows with their indices, some of them twice.
    """
    if isinstance(gradient, Rows):
        return gradient.dense()
    if runtime.BACKEND != "tensorflow" or not hasattr(gradient, "indices"):
        return gradient
    rows = ops.expand_dims(gradient.indices, -1)
    return ops.scatter(rows, gradient.values, shape)


def move_toward(variable, target, share):
    """variable += share * (target - variable), on torch in one pass in place."""
    if runtime.BACKEND == "torch":
        value_of(variable).lerp_(value_of(target), float(share))
        return
    now, goal = value_of(variable), value_of(target)
    variable.assign(now + ops.cast(share, now.dtype) * (goal - now))


def run_if(condition, function, variables):
    """Call `function()`, which assigns to `variables`, where `condition` holds.

    condition: bool scalar; variables: all that the function reads or assigns. In a
    compiled program nothing of the function runs where the condition does not hold.
    """
    if not runtime.is_traced(condition):
        if bool(condition):
            function()
        return
    if runtime.BACKEND == "tensorflow":
        ops.cond(condition, function, lambda: None)
        return

    def changed():
        values = [(one, one.value) for one in variables]
        with keras.StatelessScope(state_mapping=values) as scope:
            function()
        return [scope.get_current_value(one) for one in variables]

    values = ops.cond(condition, changed, lambda: [one.value for one in variables])
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def update_rows(step, gradient, variables, constants=()):
    """Update the rows of `variables` where a row of `gradient` is not all zero.

    gradient: (V, ...), or `Rows` of it; variables: of the same shape; `step(rows of
    the gradient, rows of each variable, constants)` returns the new rows of each
    variable. No other row is written, and in a compiled program none is read either.
    """
    ids = None
    if isinstance(gradient, Rows):
        ids, gradient = gradient.ids, gradient.values
    axes = tuple(range(1, len(gradient.shape)))
    # XLA sums absolute values four times as fast as it looks for any that is not 0.
    active = ops.sum(ops.abs(gradient), axis=axes) != 0
    if runtime.BACKEND == "torch":
        rows = active.nonzero()[:, 0]
        tables = [value_of(one) for one in variables]
        where = rows if ids is None else ids[rows].long()
        news = step(gradient[rows], [table[where] for table in tables], constants)
        for table, new in zip(tables, news, strict=True):
            table.index_copy_(0, where, new)
        return
    tables = tuple(value_of(one) for one in variables)
    count = ops.cumsum(ops.cast(active, "int32"))
    tables = _rows_in_chunks(step, gradient, tables, constants, (count, ids))
    for variable, table in zip(variables, tables, strict=True):
        variable.assign(table)


def _rows_in_chunks(step, gradient, tables, constants, active):
    """A loop over chunks of active rows: tables that are its carry change in place.

    active: (K,), how many rows up to each of the gradient are active, and the rows of
    the tables they belong to, None for the same ones. The last chunk repeats its last
    row, with the same new values.
    """
    count, ids = active
    total, size = count[-1], min(CHUNK, gradient.shape[0] or CHUNK)
    places = ops.arange(1, size + 1, dtype="int32")

    def body(start, *tables):
        rows = ops.searchsorted(count, ops.minimum(start + places, total))
        where = rows if ids is None else ops.take(ids, rows)
        old = [ops.take(table, where, axis=0) for table in tables]
        news = step(ops.take(gradient, rows, axis=0), old, constants)
        where = ops.expand_dims(where, -1)
        pairs = zip(tables, news, strict=True)
        return (start + size, *(ops.scatter_update(t, where, new) for t, new in pairs))

    start = ops.zeros((), dtype="int32")
    return ops.while_loop(lambda at, *_: at < total, body, (start, *tables))[1:]
