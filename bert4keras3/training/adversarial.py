"""Adversarial training on the table of token embeddings: FGM and PGD."""

import keras
from keras import ops

from bert4keras3.backend.tensors import unit_tensor
from bert4keras3.layers import Embedding
from bert4keras3.training.methods import Method

MODES = ("add", "replace")


class _Adversarial(Method):
    """What FGM and PGD share: the table, and which gradients are taken."""

    def __init__(self, layer, epsilon, mode):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}. Received: {mode!r}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be above 0. Received: {epsilon!r}")
        self.layer = layer
        self.epsilon = epsilon
        self.mode = mode

    def build(self, model):
        self._table = embedding_layer(model, self.layer).embeddings

    def _joined(self, clean, attacked):
        if self.mode == "replace":
            return attacked
        return [a + b for a, b in zip(clean, attacked, strict=True)]


class FGM(_Adversarial):
    """Fast gradient method: also learn at the embeddings moved up the loss.

    E is moved to E + epsilon g / |g|, g = dL/dE, for a second pass; the step uses the
    sum of both gradients (mode="add"), or the second alone ("replace", as bert4keras's
    examples do). |g| is the norm of the whole table's gradient.
    layer: name of the `Embedding` layer. Cost: two passes.
    https://arxiv.org/abs/1605.07725, https://kexue.fm/archives/7234
    """

    def __init__(self, epsilon=1.0, layer="Embedding-Token", mode="add"):
        super().__init__(layer, epsilon, mode)

    def gradients(self, step, values, inner):
        place = step.place(self._table)
        clean = inner(values)
        moved = list(values)
        moved[place] = values[place] + self.epsilon * unit_tensor(clean[place])
        return self._joined(clean, inner(moved))


class PGD(_Adversarial):
    """Projected gradient descent: several small steps up, inside of a ball.

    E_k+1 = E + P(E_k - E + alpha g / |g|), P projects on the ball of radius epsilon;
    the gradients of the last of `steps` passes count as in `FGM`.
    Cost: steps + 1 passes. https://arxiv.org/abs/1706.06083
    """

    def __init__(
        self, steps=3, alpha=0.3, epsilon=1.0, layer="Embedding-Token", mode="add"
    ):
        super().__init__(layer, epsilon, mode)
        if not (isinstance(steps, int) and steps > 0 and alpha > 0):
            raise ValueError(
                "PGD needs a whole number of steps and alpha above 0. Received: "
                f"steps={steps!r}, alpha={alpha!r}"
            )
        self.steps = steps
        self.alpha = alpha

    def gradients(self, step, values, inner):
        place = step.place(self._table)
        clean = grads = inner(values)
        shift = ops.zeros_like(values[place])
        for _ in range(self.steps):
            shift = shift + self.alpha * unit_tensor(grads[place])
            norm = ops.sqrt(ops.sum(ops.square(shift)))
            shift = shift * ops.minimum(1.0, self.epsilon / ops.maximum(norm, 1e-12))
            moved = list(values)
            moved[place] = values[place] + shift
            grads = inner(moved)
        return self._joined(clean, grads)


def embedding_layer(model, name):
    """The embedding layer of that name, at any depth of nested models.

    Raises ValueError if there is none, naming those there are.
    """
    layers = [layer for layer in _all_layers(model) if hasattr(layer, "embeddings")]
    for layer in layers:
        if layer.name == name:
            return layer
    names = sorted({layer.name for layer in layers})
    raise ValueError(
        f"Model {model.name!r} has no embedding layer {name!r}. Its layers with an "
        f"embedding table: {names}"
    )


def lookup_layer(model, name):
    """The layer of that name whose lookups `Lookups` sees: ours, not Keras's.

    Raises ValueError if there is none.
    """
    layer = embedding_layer(model, name)
    if not isinstance(layer, Embedding):
        raise ValueError(
            f"Layer {name!r} must be a bert4keras3.layers.Embedding, which lets "
            f"training methods see what it looks up. Received: {type(layer).__name__}"
        )
    return layer


def _all_layers(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)
