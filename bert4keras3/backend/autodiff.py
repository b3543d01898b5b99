"""Gradients of functions, the same call on every backend."""

import contextlib

import keras
from keras import ops

from bert4keras3.backend import kernels, runtime


def gradients(function, values, differentiable=False):
    """Several losses, what came along with them, and the gradient of each.

    function: values -> (list of scalar losses, extras); values: float tensors.
    Returns (losses, extras, one list of gradients per loss), zeros where a loss does
    not use a value; differentiable: the gradients can be differentiated again.
    """
    if not differentiable:
        return _gradients(function, values, False)
    with kernels.plain_attention():
        return _gradients(function, values, True)


def _gradients(function, values, differentiable):
    if runtime.BACKEND == "jax":
        losses, pull, extras = runtime.native().vjp(function, values, has_aux=True)
        ones = [[ops.cast(x is y, y.dtype) for y in losses] for x in losses]
        return losses, extras, [pull(one)[0] for one in ones]
    if runtime.BACKEND == "tensorflow":
        tf = runtime.native()
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(values)
            losses, extras = function(values)
        zero = tf.UnconnectedGradients.ZERO
        found = [tape.gradient(x, values, unconnected_gradients=zero) for x in losses]
        grads = [[tf.convert_to_tensor(g) for g in row] for row in found]
        return losses, extras, grads
    return _torch_gradients(function, values, differentiable)


def without_gradients():
    """A scope in which torch records nothing to be differentiated."""
    if runtime.BACKEND == "torch":
        return runtime.native().no_grad()
    return contextlib.nullcontext()


def _torch_gradients(function, values, differentiable):
    torch = runtime.native()
    if not differentiable:
        values = [value.detach() for value in values]
    values = [v if v.requires_grad else v.requires_grad_() for v in values]
    with torch.enable_grad():
        losses, extras = function(values)
    grads = []
    for i, loss in enumerate(losses):
        found = torch.autograd.grad(
            loss,
            values,
            create_graph=differentiable,
            retain_graph=differentiable or i + 1 < len(losses),
            allow_unused=True,
        )
        pairs = zip(found, values, strict=True)
        grads.append([torch.zeros_like(v) if g is None else g for g, v in pairs])
    if not differentiable:
        losses, extras = keras.tree.map_structure(torch.detach, (losses, extras))
    return losses, extras, grads
