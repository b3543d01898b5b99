"""What is added to the loss: gradient penalty, virtual adversaries, R-Drop."""

import keras
from keras import ops

from bert4keras3.backend.hashing import hash_bits
from bert4keras3.backend.lookups import Lookups
from bert4keras3.backend.losses import kl_divergence
from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.training.adversarial import lookup_layer
from bert4keras3.training.methods import Method, must_be_first


class GradientPenalty(Method):
    """L + epsilon / 2 * |dL/dE|^2: the loss shall be flat around the embeddings.

    The gradient of the penalty is exact, of second order. layer: name of the
    `Embedding` layer; positions: dL/dE is the gradient at each looked up vector (as
    bert4keras), where a token that occurs twice counts as two, or that of the table
    (positions=False). Cost: about two passes. https://kexue.fm/archives/7234
    """

    def __init__(self, epsilon=1.0, layer="Embedding-Token", positions=True):
        _check(epsilon=epsilon)
        self.epsilon = epsilon
        self.layer = layer
        self.positions = positions

    def build(self, model):
        self._embedding = lookup_layer(model, self.layer)

    def loss(self, step, values, inner):
        # Half of the scale inside, half outside: in float16 neither the gradient nor
        # its gradient gets lost.
        scale = ops.sqrt(step.scale)
        if self.positions:
            moved = step.zero_shifts(values, self._embedding)
        else:
            place = step.place(self._embedding.embeddings)
            moved = [values[place]]

        def scaled(moved):
            if not self.positions:
                return [scale * inner([*values[:place], *moved, *values[place + 1 :]])]
            with Lookups(self._embedding, moved):
                return [scale * inner(values)]

        (loss,), (grads,) = step.gradients(scaled, moved, differentiable=True)
        grads = [ops.cast(grad, "float32") / scale for grad in grads]
        penalty = sum(ops.sum(ops.square(grad)) for grad in grads)
        return loss / scale + 0.5 * self.epsilon * penalty


class VirtualAdversarial(Method):
    """Virtual adversarial training (VAT): nearby texts shall get the same answer.

    L + weight * mean KL(p(x) || p(x + r)), r the noise of length `epsilon` at every
    token that changes the answer most, found by `iterations` gradients of the KL from
    random noise of length `xi`. Needs no labels: rows with sample weight 0 count in
    the KL alone (give the loss reduction="mean_with_sample_weight").
    layer: name of the `Embedding` layer; from_logits: the outputs are scores and not
    probabilities, (B, ..., C) both; symmetric: KL in both directions, added; seed: of
    the noise. The passes compared have no dropout, which would hide the noise.
    Cost: about iterations + 1 passes more. https://arxiv.org/abs/1704.03976,
    https://kexue.fm/archives/7466
    """

    def __init__(
        self,
        epsilon=1.0,
        weight=1.0,
        xi=0.1,
        iterations=1,
        layer="Embedding-Token",
        from_logits=False,
        symmetric=False,
        seed=0,
    ):
        _check(epsilon=epsilon, weight=weight, xi=xi, iterations=iterations)
        self.epsilon = epsilon
        self.weight = weight
        self.xi = xi
        self.iterations = iterations
        self.layer = layer
        self.from_logits = from_logits
        self.symmetric = symmetric
        self.seed = seed

    def build(self, model):
        self._embedding = lookup_layer(model, self.layer)

    def loss(self, step, values, inner):
        supervised = inner(values)
        held = [ops.stop_gradient(value) for value in values]
        with Lookups(self._embedding) as lookups:
            clean = step.predict(held)
        clean = keras.tree.map_structure(ops.stop_gradient, clean)
        # The same noise at the same step: nothing to save for a resumed run.
        places = enumerate(lookups.found)
        noise = [random_noise(x, step.count, self.seed + i) for i, x in places]

        def divergence(shifts, values=held):
            with Lookups(self._embedding, shifts):
                return [self._divergence(clean, step.predict(values))]

        def scaled(shifts):  # as the direction counts alone, the scale may stay
            return [step.scale * one for one in divergence(shifts)]

        for _ in range(self.iterations):
            _, (noise,) = step.gradients(scaled, _of_length(self.xi, noise))
        worst = _of_length(self.epsilon, noise)
        return supervised + self.weight * divergence(worst, values)[0]

    def _divergence(self, clean, other):
        pairs = zip(*map(keras.tree.flatten, (clean, other)), strict=True)
        return divergences(pairs, self.from_logits, self.symmetric)


class RDrop(Method):
    """R-Drop: two passes with other dropout shall agree.

    (L1 + L2) / 2 + alpha / 4 * mean(KL(p1 || p2) + KL(p2 || p1)), for any loss and any
    batches; `losses.RDrop` does it in one pass over batches with every text twice.
    from_logits: the outputs are scores and not probabilities, (B, ..., C) both. Must
    be the first method. Cost: two passes.
    https://kexue.fm/archives/8496, https://arxiv.org/abs/2106.14448
    """

    def __init__(self, alpha=4.0, from_logits=False):
        _check(alpha=alpha)
        self.alpha = alpha
        self.from_logits = from_logits

    def build(self, model):
        must_be_first(self, model)

    def loss(self, step, values, inner):
        losses, outputs = zip(step.run(values), step.run(values), strict=True)
        pairs = zip(*map(keras.tree.flatten, outputs), strict=True)
        apart = divergences(pairs, self.from_logits, symmetric=True)
        return (losses[0] + losses[1]) / 2 + self.alpha / 4 * apart


def divergences(pairs, from_logits, symmetric):
    """The mean KL(p || q), over the outputs p and q of a model summed up."""
    total = 0.0
    for p, q in pairs:
        both = [(p, q), (q, p)] if symmetric else [(p, q)]
        for one, other in both:
            total = total + ops.mean(kl_divergence(one, other, from_logits))
    return total


def random_noise(x, count, seed):
    """Numbers in (-1, 1), float32, of the shape of x: others at every count."""
    # Not 0, which the hash maps to itself.
    key = [ops.cast(0x2545F491 ^ seed, "int32"), ops.cast(count, "int32")]
    bits = ops.right_shift(hash_bits(ops.shape(x), ops.stack(key)), 9)
    return (ops.cast(ops.cast(bits, "int32"), "float32") + 0.5) * 2.0**-22 - 1.0


def _of_length(length, tensors):
    """Vectors (..., D) of that length, in the dtype they have."""
    scaled = [ops.cast(length * unit_vectors(x), x.dtype) for x in tensors]
    return [ops.stop_gradient(x) for x in scaled]


def _check(**numbers):
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be above 0. Received: {number!r}")
