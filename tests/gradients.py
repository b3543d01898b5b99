"""Gradients of a scalar loss of a Keras model, on the backend in use."""

import keras


def gradients(model, loss, inputs):
    """[d loss(model(inputs)) / d variable] of the trainable variables, as numpy."""
    backend = keras.config.backend()
    variables = model.trainable_variables
    found = globals()[f"_{backend}"](model, loss, inputs, variables)
    return [keras.ops.convert_to_numpy(one) for one in found]


def _jax(model, loss, inputs, variables):
    import jax

    fixed = [variable.value for variable in model.non_trainable_variables]

    def of(values):
        outputs, _ = model.stateless_call(values, fixed, inputs, training=False)
        return loss(outputs)

    return jax.jit(jax.grad(of))([variable.value for variable in variables])


def _tensorflow(model, loss, inputs, variables):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(model(inputs, training=False))
    # Rows of an embedding arrive as IndexedSlices.
    found = tape.gradient(value, [variable.value for variable in variables])
    return [tf.convert_to_tensor(one) for one in found]


def _torch(model, loss, inputs, variables):
    import torch

    value = loss(model(inputs, training=False))
    return torch.autograd.grad(value, [variable.value for variable in variables])
