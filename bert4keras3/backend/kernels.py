"""Attention through the backend's own kernel."""

from keras import ops

from bert4keras3.backend import runtime


def has_fused_attention():
    """Whether the default device has an attention kernel that beats plain XLA.

    On TPU, Keras's flash path reads the mask of the first row only, so it is not used.
    """
    return runtime.BACKEND == "torch" or runtime.device_kind() == "gpu"


def fused_attention(q, k, v, visible, scale):
    """softmax(q kT * scale) v through the backend's kernel.

    q: (B, T, H, D); k, v: (B, S, G, D), G divides H; visible: bool (B|1, 1|H, T|1, S)
    or None.
    """
    if k.shape[2] == 1 and q.shape[2] > 1 and runtime.BACKEND != "jax":
        # Keras repeats shared heads for these backends, but not a single one.
        k, v = (ops.repeat(x, q.shape[2], axis=2) for x in (k, v))
    if visible is not None and runtime.BACKEND == "torch":
        shape = (*visible.shape[:2], q.shape[1], visible.shape[3])
        visible = ops.broadcast_to(visible, shape)
    return ops.dot_product_attention(q, k, v, mask=visible, scale=scale)
