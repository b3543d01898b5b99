"""Attention through the backend's own kernel."""

import contextlib
import contextvars

from keras import ops

from bert4keras3.backend import runtime

_PLAIN = contextvars.ContextVar("no fused attention", default=False)


@contextlib.contextmanager
def plain_attention():
    """A scope without the kernels, whose gradients have no gradients themselves."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def has_fused_attention():
    """Whether the default device has an attention kernel that beats plain XLA.

    On TPU, Keras's flash path reads the mask of the first row only, so it is not used.
    """
    if _PLAIN.get():
        return False
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
