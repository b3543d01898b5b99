"""Activation functions by name, with bert4keras's meaning of "gelu"."""

import keras
from keras import ops

from bert4keras3.backend import runtime

_GELU_FORMS = ("erf", "tanh")
_gelu_form = "erf"
_register = keras.saving.register_keras_serializable(package="bert4keras3")


@_register
def gelu_erf(x):
    """Exact GELU, x * Phi(x) (https://arxiv.org/abs/1606.08415)."""
    if runtime.BACKEND == "torch":
        return keras.activations.gelu(x, approximate=False)
    # jax.nn.gelu goes through erfc, which takes 2.5 times as long on CPU.
    wide = ops.cast(x, "float32")
    return ops.cast(0.5 * wide * (1.0 + ops.erf(wide * 0.5**0.5)), x.dtype)


@_register
def gelu_tanh(x):
    """GELU by its tanh approximation, as trained by Google BERT, GPT-2 and T5.1.1."""
    return keras.activations.gelu(x, approximate=True)


@_register
def leaky_relu(x, alpha=0.2):
    """Leaky ReLU with bert4keras's default slope 0.2."""
    return ops.leaky_relu(x, negative_slope=alpha)


@_register
def swish(x):
    """x * sigmoid(x), also called SiLU."""
    return ops.silu(x)


def set_gelu(version):
    """Choose what the name "gelu" means for models built from now on.

    version: "erf" (default) or "tanh". Layers store the resolved name, so a saved
    model does not depend on this setting.
    """
    global _gelu_form
    version = str(version).lower()
    if version not in _GELU_FORMS:
        raise ValueError(
            f"set_gelu expects one of {_GELU_FORMS}. Received: {version!r}"
        )
    _gelu_form = version


_NAMES = {
    "gelu_erf": gelu_erf,
    "gelu_tanh": gelu_tanh,
    "leaky_relu": leaky_relu,
    "swish": swish,
    "silu": swish,
}
# What other libraries call the tanh form.
_TANH_GELU = ("gelu_new", "gelu_approximate", "gelu_pytorch_tanh", "gelu_fast")


def activation_name(name):
    """Resolve an activation name: "gelu" becomes "gelu_erf" or "gelu_tanh".

    Callables, None and layers pass through. Raises ValueError for unknown names.
    """
    if name is None:
        return "linear"
    if not isinstance(name, str):
        return name
    lower = name.lower()
    if lower == "gelu":
        return "gelu_" + _gelu_form
    if lower in _TANH_GELU:
        return "gelu_tanh"
    if lower in _NAMES or callable(getattr(keras.activations, lower, None)):
        return lower
    known = sorted({"gelu", *_NAMES, *_TANH_GELU, "relu", "tanh", "linear", "softmax"})
    raise ValueError(
        f"Unknown activation. Expected a Keras activation or one of {known}. "
        f"Received: {name!r}"
    )


def get_activation(name):
    """Return the function of an activation name (or the callable itself)."""
    name = activation_name(name)
    if isinstance(name, str):
        return _NAMES.get(name) or keras.activations.get(name)
    return keras.activations.get(name)
