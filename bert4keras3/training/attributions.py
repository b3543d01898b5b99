"""Which token an answer comes from: integrated gradients."""

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import autodiff, runtime
from bert4keras3.backend.lookups import Lookups
from bert4keras3.training.adversarial import lookup_layer


class IntegratedGradients:
    """Shares of an answer, at every number of every looked up token vector.

    (e - b) * integral over a in [0, 1] of df/de at b + a (e - b): e the vectors that
    the `Embedding` layer of this name looks up, b the baseline, f the output of the
    target class. The shares sum up to f(x) - f(baseline).
    model: functional, with one output (B, C); baseline: id of a token, or None for
    zero vectors; steps: points of the Gauss-Legendre rule, each a pass there and back.
    Compiled once per shape of batch. Raises ValueError for other models.
    https://arxiv.org/abs/1703.01365, https://kexue.fm/archives/7533

        explain = IntegratedGradients(model)
        scores = explain(x).sum(-1)  # (B, T)
    """

    def __init__(self, model, layer="Embedding-Token", baseline=None, steps=32):
        if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
            shapes = [tuple(one.shape) for one in model.outputs]
            raise ValueError(
                "Integrated gradients need a model with one output (B, C). Received "
                f"outputs of the shapes {shapes}: make a keras.Model of the one."
            )
        if not (isinstance(steps, int) and steps > 0):
            raise ValueError(f"steps must be a whole number > 0. Received: {steps!r}")
        self.model = model
        self.embedding = lookup_layer(model, layer)
        self.baseline = baseline
        points, weights = np.polynomial.legendre.leggauss(steps)
        self.rule = [*zip((points + 1) / 2, weights / 2, strict=True)]
        self._start = runtime.compiled(self._first, model.variables)
        self._gradients = runtime.compiled(self._point, model.variables)

    def __call__(self, x, target=None):
        """Shares, a float32 array (B, T, D): their sum is f(x) - f(baseline).

        x: what `model` takes; target: class numbers (B,) or one for all rows, by
        default the likeliest class of each row. A list of arrays, in the order of the
        calls, if the layer looks up several times (T5: encoder, decoder).
        """
        x = keras.tree.map_structure(ops.convert_to_tensor, x)
        rows = keras.tree.flatten(x)[0].shape[0]
        likeliest, ways = self._start(x)
        target = likeliest if target is None else target
        classes = ops.convert_to_numpy(target)
        if classes.ndim and classes.shape != (rows,):
            raise ValueError(
                f"target must have one class for each of the {rows} rows. "
                f"Received: shape {classes.shape}"
            )
        target = ops.convert_to_tensor(np.broadcast_to(classes, rows), "int32")
        total = None
        for point, weight in self.rule:
            point = ops.convert_to_tensor(point, "float32")
            parts = self._gradients(x, target, ways, point)
            parts = [float(weight) * part for part in parts]
            if total is not None:
                parts = [a + b for a, b in zip(total, parts, strict=True)]
            total = parts
        total = [ops.convert_to_numpy(part) for part in total]
        return total[0] if len(total) == 1 else total

    def _first(self, x):
        """The likeliest classes, and e - b of each lookup."""
        with Lookups(self.embedding) as lookups:
            outputs = self.model(x, training=False)
        return ops.argmax(outputs, axis=-1), [self._way(e) for e in lookups.found]

    def _point(self, x, target, ways, point):
        """(e - b) times the gradient at one point of the way, for each lookup."""

        def answers(shifts):
            with Lookups(self.embedding, shifts):
                outputs = self.model(x, training=False)
            chosen = ops.take_along_axis(outputs, target[:, None], axis=-1)
            return [ops.sum(chosen)], ()

        shifts = [ops.cast(point - 1.0, way.dtype) * way for way in ways]
        _, _, (grads,) = autodiff.gradients(answers, shifts)
        return [
            ops.cast(way * grad, "float32")
            for way, grad in zip(ways, grads, strict=True)
        ]

    def _way(self, rows):
        if self.baseline is None:
            return rows
        table = ops.convert_to_tensor(self.embedding.embeddings)
        return rows - ops.cast(table[self.baseline], rows.dtype)


def integrated_gradients(model, x, target=None, layer="Embedding-Token", steps=32):
    """`IntegratedGradients(model, layer, steps=steps)(x, target)`: for one batch."""
    return IntegratedGradients(model, layer, steps=steps)(x, target)
