"""What every layer here shares: registration, masks that pass through, free config."""

import functools
import inspect
import warnings

import keras

from bert4keras3.backend import get_output_at
from bert4keras3.backend.recomputation import recomputed

register = keras.saving.register_keras_serializable(package="bert4keras3")

_SERIALIZERS = (
    (keras.initializers.Initializer, keras.initializers.serialize),
    (keras.layers.Layer, keras.saving.serialize_keras_object),
)


class Calls:
    """Mixin of our layers: the outputs of single calls, as Keras 2 gave them."""

    def get_output_at(self, index):
        """Return the output of the `index`-th call; a name of Keras 2."""
        warnings.warn(
            "layer.get_output_at is a name of Keras 2: use "
            "bert4keras3.backend.get_output_at(layer, index).",
            DeprecationWarning,
            stacklevel=2,
        )
        return get_output_at(self, index)


class Layer(Calls, keras.layers.Layer):
    """A Keras layer that lets masks pass and describes itself by its signature.

    Every constructor parameter must be kept as an attribute of the same name;
    `get_config` collects them, so that subclasses need not write one; the parameters
    of a class that does write one are its own matter.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """What Keras calls instead of `call` in a layer made in a `keras.RematScope`.

        Keras's own draws the seeds of dropout twice, so that gradients belong to
        another mask, and fails on jax.
        """
        wanted = super().rematerialized_call(layer_call, *args, **kwargs)
        if wanted is layer_call:
            return layer_call
        return functools.partial(recomputed, layer_call, self.variables)

    def get_config(self):
        config = super().get_config()
        for cls in type(self).__mro__:
            if cls is Layer:
                return config
            if "get_config" in vars(cls):
                continue
            for name, parameter in inspect.signature(cls.__init__).parameters.items():
                if name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
                    config.setdefault(name, _plain(getattr(self, name)))
        return config


def _plain(value):
    for kind, serialize in _SERIALIZERS:
        if isinstance(value, kind):
            return serialize(value)
    if callable(value):
        return keras.saving.serialize_keras_object(value)
    return value


def fresh(initializer):
    """A copy of an initializer with a seed of its own.

    A Keras 3 initializer draws its seed when it is made: shared by two kernels of
    one shape it would give both the same values.
    """
    initializer = keras.initializers.get(initializer)
    return initializer.clone() if hasattr(initializer, "clone") else initializer
