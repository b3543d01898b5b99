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
    tensors to add up over the devices). Without a distribution, or for a number of
    rows that it does not divide, a plain call. Left to itself, XLA would gather the
    rows of all devices and let each do the work of all.
    """
    shards = batch_shards()
    size = ops.shape(rows[0])[0]
    if shards == 1 or not isinstance(size, int) or size % shards:
        return function(rows, whole)
    distribution = keras.distribution.distribution()
    jax, name = runtime.native(), distribution.batch_dim_name
    split, same = (jax.sharding.PartitionSpec(*one) for one in ((name,), ()))

    def own(rows, whole):
        kept, sums = function(rows, whole)
        return kept, jax.lax.psum(sums, name)

    return jax.shard_map(
        own,
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(split, same),
        out_specs=(split, same),
        axis_names={name},
        check_vma=False,
    )(rows, whole)
