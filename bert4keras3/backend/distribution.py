"""What the current `keras.distribution` means for a function of a batch."""

import keras
from keras import ops

from bert4keras3.backend import runtime


def batch_shards():
    """Into how many parts the distribution in effect splits a batch: 1 without one."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def over_batch(function, rows, whole):
    """`function(rows, whole)`, run by every device on the rows that it has.

    rows: tuple of tensors (N, ...), split as a batch is; whole: tuple of tensors that
    every device has; function: returns (tensors with a row per row, or None, tuple of
    tensors (...) to add up over the devices), which come as (devices, ...). Without a
    distribution, or for a number of rows that it does not divide, a plain call.

    Left to itself, XLA would gather the rows of all devices and let each do the work of
    all. What is to be added up, and the gradients for `whole`, are left in parts that
    plain sums add: XLA adds those of one weight before devices send them, once.
    """

    def part(rows, whole):
        kept, sums = function(rows, whole)
        return kept, tuple(ops.expand_dims(one, 0) for one in sums)

    shards = batch_shards()
    size = ops.shape(rows[0])[0]
    if shards == 1 or not isinstance(size, int) or size % shards:
        return part(rows, whole)
    distribution = keras.distribution.distribution()
    jax, name = runtime.native(), distribution.batch_dim_name
    split = jax.sharding.PartitionSpec(name)
    copies = tuple(_copies(one, shards) for one in whole)
    return jax.shard_map(
        lambda rows, copies: part(rows, tuple(one[0] for one in copies)),
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(split, split),
        out_specs=(split, split),
        axis_names={name},
        check_vma=False,
    )(rows, copies)


def _copies(one, count):
    """(...) -> (count, ...): one for every device, which has it already."""
    return ops.broadcast_to(ops.expand_dims(one, 0), (count, *ops.shape(one)))
