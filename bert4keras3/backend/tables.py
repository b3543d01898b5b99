"""Rows and columns of a table at given ids."""

from keras import ops

from bert4keras3.backend import runtime


def gather_rows(table, ids):
    """Rows of `table: (V, D)` at integer `ids`; NaN rows where an id is outside [0, V).

    A compiled program cannot raise, and XLA's own gather clamps silently; a NaN
    loss is loud. Uncompiled code raises in the caller, before it comes here.
    """
    if runtime.BACKEND == "jax":
        return _taken(table, ids, axis=0)
    if runtime.BACKEND == "torch":
        return runtime.native().nn.functional.embedding(ids.long(), table)
    size = table.shape[0]
    rows = _summed_rows(table, ops.clip(ids, 0, size - 1))
    inside = ops.expand_dims(ops.logical_and(ids >= 0, ids < size), -1)
    return ops.where(inside, rows, ops.cast(float("nan"), rows.dtype))


def gather_columns(table, ids):
    """`gather_rows`, with the features in front: (V, D), (...) -> (D, ...).

    jax takes columns. If it took rows and moved the features to the front, XLA would
    move them back in the gradients of some of the layers that share the result, and
    add up each of these over devices, not their sum.
    """
    if runtime.BACKEND != "jax":
        return ops.moveaxis(gather_rows(table, ids), -1, 0)
    return _taken(table.T, ids, axis=1)


def _taken(table, ids, axis):
    """Slices of `table` along `axis`, NaN for ids outside (jax)."""
    numpy = runtime.native("numpy")
    outside = numpy.where(ids < 0, table.shape[axis], ids)  # else they wrap around
    return numpy.take(table, outside, axis=axis, mode="fill")


def _summed_rows(table, ids):
    """Rows with a dense gradient, in which rows looked up twice are added (tensorflow).

    tensorflow's own keeps them apart, and Keras's Adam would square each alone.
    """
    tf = runtime.native()

    @tf.custom_gradient
    def lookup(table):
        def back(grads):
            rows = tf.reshape(grads, (-1, table.shape[1]))
            places = tf.reshape(ids, (-1,))
            return tf.math.unsorted_segment_sum(rows, places, table.shape[0])

        return tf.gather(table, ids), back

    return lookup(tf.convert_to_tensor(table))  # not a variable, when run eagerly
