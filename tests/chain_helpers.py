"""For tests of label chains: all paths by brute force, and gradients in three ways."""

import itertools

import keras
import numpy as np
from keras import ops

MODES = ["eager"] if keras.config.backend() == "torch" else ["eager", "jit"]


def every_path(steps, labels):
    """All label paths, (labels ** steps, steps)."""
    return np.array(list(itertools.product(range(labels), repeat=steps)))


def chain_scores(paths, nodes, trans, mask):
    """float64 score of each path under one sequence's nodes (T, C) and mask (T,)."""
    nodes = np.where(mask[:, None], nodes, 0.0).astype("float64")
    scores = nodes[np.arange(len(nodes)), paths].sum(1)
    moves = np.array(trans, "float64")[paths[:, :-1], paths[:, 1:]]
    return scores + np.where(mask[1:] & mask[:-1], moves, 0.0).sum(1)


def log_sum(x):
    """Log of the sum of exponentials, in float64."""
    top = x.max()
    return top + np.log(np.exp(x - top).sum())


def logits(mask, labels, scale=2.0, seed=0):
    """Random outputs of a chain layer: minus infinity at masked steps."""
    drawn = np.random.default_rng(seed).normal(0, scale, (*mask.shape, labels))
    return np.where(mask[..., None], drawn, -np.inf).astype("float32")


def built(layer, labels, trans=None):
    """The layer with weights for `labels` labels, and `trans` as its transitions."""
    if not layer.built:
        layer.build((None, None, labels))
    if trans is not None:
        layer.weights[0].assign(trans / layer.lr_multiplier)
    return layer


def with_gradients(layer, function, x, mode):
    """function(x), and the gradients of its sum: for x and for each weight."""
    x = ops.convert_to_tensor(x)
    backend = globals()[f"_{keras.config.backend()}"]
    value, grads = backend(layer, function, x, mode == "jit")
    return ops.convert_to_numpy(value), [ops.convert_to_numpy(one) for one in grads]


def _jax(layer, function, x, jit):
    import jax

    def of(x, weights):
        scope = zip(layer.trainable_variables, weights, strict=True)
        with keras.StatelessScope(state_mapping=list(scope)):
            value = function(x)
        return ops.sum(value), value

    run = jax.value_and_grad(of, (0, 1), has_aux=True)
    run = jax.jit(run) if jit else run
    weights = [variable.value for variable in layer.trainable_variables]
    (_, value), (given, grads) = run(x, weights)
    return value, [given, *grads]


def _tensorflow(layer, function, x, jit):
    import tensorflow as tf

    def of(x):
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, [x, *weights])

    if jit:  # as in fit: compiled by XLA for unknown batch and length
        spec = tf.TensorSpec([None, None, x.shape[-1]], x.dtype)
        of = tf.function(of, jit_compile=True, input_signature=[spec])
    return of(x)


def _torch(layer, function, x, jit):
    import torch

    x = x.clone().requires_grad_()
    value = function(x)
    weights = [variable.value for variable in layer.trainable_variables]
    return value, torch.autograd.grad(value.sum(), [x, *weights])
