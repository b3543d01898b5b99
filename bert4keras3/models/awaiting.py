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

    def __call__(self, shape, dtype=None, layout=None):
        return assigning.untouched_zeros(shape, dtype or keras.config.floatx(), layout)

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


def waiting(layer):
    """Pairs ((part, attribute), its variable or None) of a layer that await weights."""
    for part in layer._flatten_layers():
        for attribute, weight in _PLACES.items():
            if isinstance(getattr(part, attribute, None), AwaitingWeights):
                # Keras's `Dense.kernel` and `Embedding.embeddings` are computed from
                # these; a layer that only hands its initializer on has neither.
                found = getattr(part, "_" + weight, getattr(part, weight, None))
                yield (part, attribute), found


def settle(layers, loaded):
    """Draw what the checkpoint did not bring and put the wanted initializers back.

    layers: the model's layers; loaded: ids of the variables that were assigned.
    """
    for layer in layers:
        for (part, attribute), variable in list(waiting(layer)):
            wanted = getattr(part, attribute).wanted
            setattr(part, attribute, wanted)
            if variable is not None and id(variable) not in loaded:
                fresh = wanted.clone()
                variable.assign(fresh(variable.shape, dtype=variable.dtype))
