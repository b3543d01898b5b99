"""Build without drawing random weights that a checkpoint will overwrite anyway.

Drawing 100 million truncated normals costs more than everything else that
`build_transformer_model` does, in time and in peak memory. Only layers of the name
table are built with zeros; whatever else a subclass adds is drawn as usual.
"""

import keras

from bert4keras3.backend import assigning

_PLACES = {"kernel_initializer": "kernel", "embeddings_initializer": "embeddings"}


@keras.saving.register_keras_serializable(package="bert4keras3")
class AwaitingWeights(keras.initializers.Zeros):
    """Zeros that stand where a checkpoint's weights will come.

    wanted: the initializer to fall back on if they do not.
    """

    def __init__(self, wanted):
        self.wanted = keras.initializers.get(wanted)

    def __call__(self, shape, dtype=None):
        return assigning.untouched_zeros(shape, dtype or keras.config.floatx())

    def clone(self):
        # Through a config, as Keras does it, this would import TensorFlow.
        return AwaitingWeights(self.wanted.clone())

    def get_config(self):
        return {"wanted": keras.initializers.serialize(self.wanted)}


def awaiting(arguments):
    """Put AwaitingWeights around the initializers among a layer's arguments."""
    return {
        key: AwaitingWeights(value) if key in _PLACES else value
        for key, value in arguments.items()
    }


def settle(layers, loaded):
    """Draw what the checkpoint did not bring and put the wanted initializers back.

    layers: the model's layers; loaded: ids of the variables that were assigned.
    """
    for layer in layers:
        for part in layer._flatten_layers():
            for attribute, weight in _PLACES.items():
                waiting = getattr(part, attribute, None)
                if not isinstance(waiting, AwaitingWeights):
                    continue
                setattr(part, attribute, waiting.wanted)
                # Keras's `Dense.kernel` and `Embedding.embeddings` are computed from
                # these; a layer that only hands its initializer on has neither.
                variable = getattr(part, "_" + weight, getattr(part, weight, None))
                if variable is not None and id(variable) not in loaded:
                    fresh = waiting.wanted.clone()
                    variable.assign(fresh(variable.shape, dtype=variable.dtype))
