"""Build without drawing random weights that a checkpoint will overwrite anyway.

Drawing 100 million truncated normals costs more than everything else that
`build_transformer_model` does, in time and in peak memory.
"""

import keras

# Attribute with the initializer, attribute with its weight (if this layer holds it).
_PLACES = (
    ("kernel_initializer", "kernel"),
    ("embeddings_initializer", "embeddings"),
    ("hidden_initializer", "hidden_kernel"),
)


@keras.saving.register_keras_serializable(package="bert4keras3")
class AwaitingWeights(keras.initializers.Zeros):
    """Zeros that stand where a checkpoint's weights will come."""


def settle(layers, loaded, make_initializer):
    """Draw what the checkpoint did not bring and put real initializers back.

    layers: the model's layers; loaded: ids of the variables that were assigned;
    make_initializer: makes the initializer that would have been used.
    """
    for layer in layers:
        for part in layer._flatten_layers():
            for attribute, weight in _PLACES:
                if not isinstance(getattr(part, attribute, None), AwaitingWeights):
                    continue
                initializer = make_initializer()
                setattr(part, attribute, initializer)
                variable = getattr(part, "_" + weight, None)
                variable = getattr(part, weight, None) if variable is None else variable
                if variable is not None and id(variable) not in loaded:
                    variable.assign(initializer(variable.shape, dtype=variable.dtype))
