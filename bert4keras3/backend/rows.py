"""Gradients of tables as the rows that a batch looked up."""

from keras import ops


class Rows:
    """A gradient of a table that is zero but for some rows.

    ids: int32 (K,), distinct where the values are not zero; values: (K, ...), a row
    for each; shape: of the table, (V, ...). Slots nobody needs hold zeros.
    Divides and multiplies by scalars like a tensor.
    """

    def __init__(self, ids, values, shape):
        self.ids = ids
        self.values = values
        self.shape = tuple(shape)

    @classmethod
    def summed(cls, ids, values, shape):
        """The rows at `ids: (N,)`, where values of the same id are added up."""
        order = ops.argsort(ids)
        ids = ops.take(ids, order)
        new = ops.cast(ops.not_equal(ids[1:], ids[:-1]), "int32")
        slots = ops.cumsum(ops.concatenate([ops.zeros_like(ids[:1]), new]))
        # Back in the order of the values, which then need not be moved.
        places = ops.scatter(ops.expand_dims(order, -1), slots, ops.shape(slots))
        count = ops.shape(ids)[0]
        values = ops.segment_sum(values, places, count)
        # The maximum of no id at all is the least integer.
        ids = ops.maximum(ops.segment_max(ids, slots, count), 0)
        return cls(ids, values, shape)

    @property
    def dtype(self):
        return self.values.dtype

    def dense(self):
        """The same gradient as one tensor."""
        return ops.scatter(ops.expand_dims(self.ids, -1), self.values, self.shape)

    def __mul__(self, scalar):
        return Rows(self.ids, self.values * scalar, self.shape)

    def __truediv__(self, scalar):
        return Rows(self.ids, self.values / scalar, self.shape)
