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
    tensors (...) to add up over the devices).
    Returns (these tensors, tuple of (parts, ...)): a part per device, for the caller to
    sum; one part without a distribution, for a number of rows that it does not divide,
    and outside of compiled programs: then it is a plain call.

    Left to itself, XLA would gather the rows of all devices and let each do the work of
    all. The parts, and gradients for `whole`, are added up by plain sums and not in
    here: so XLA's compiler for TPU can add all gradients of a weight before it sends
    them, once.
    """

    def part(rows, whole):
        kept, sums = function(rows, whole)
        return kept, tuple(ops.expand_dims(one, 0) for one in sums)

    shards = batch_shards()
    if shards == 1 or not _divided(rows[0], shards):
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


def _divided(x, shards):
    size = x.shape[0] if len(x.shape) else None
    return runtime.is_traced(x) and isinstance(size, int) and size % shards == 0


def _copies(one, count):
    """(...) -> (count, ...): one for every device, which has it already."""
    return ops.broadcast_to(ops.expand_dims(one, 0), (count, *ops.shape(one)))
