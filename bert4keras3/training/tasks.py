"""Several losses, balanced by their gradients: `TaskBalance`."""

from keras import ops

from bert4keras3.training.methods import Method, must_be_first
from bert4keras3.utils.checks import as_regex

MODES = ("inverse_norm", "min_norm", "main_first")


class TaskBalance(Method):
    """Weigh the gradients g_k of several tasks anew at every step.

    Tasks are the outputs with a loss in `compile` and the layers that add a loss.

    mode: "inverse_norm", sum of g_k / |g_k| (times the mean norm): no task is louder;
    "min_norm", the shortest vector among the weighted means of g_k: as long as it is
    not zero, every loss falls (MGDA, Pareto descent); "main_first", g_main plus what of
    the others does not point against it: the main loss falls at least as fast as alone.
    main: name of an output or of a layer that adds a loss, for "main_first"; shared:
    regex of paths, the weights that tasks share; others, such as heads, get the plain
    sum; None: all weights. Regularizers are added as they are.
    Must be the first method. Cost: one forward pass, a backward pass for each task.
    https://kexue.fm/archives/8870, 8896 and 8907, arXiv 1810.04650, 1812.02224
    """

    def __init__(self, mode="inverse_norm", main=None, shared=None):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}. Received: {mode!r}")
        if (mode == "main_first") != (main is not None):
            raise ValueError(
                "main is the name of the main task, for mode='main_first' and only "
                f"there. Received: mode={mode!r}, main={main!r}"
            )
        self.mode = mode
        self.main = main
        self.shared = shared

    def build(self, model):
        must_be_first(self, model)
        changing = [m for m in model.methods if type(m).loss is not Method.loss]
        if changing:
            raise ValueError(
                "TaskBalance takes the losses of the tasks one by one, so that it does "
                f"not go with {type(changing[0]).__name__}, which changes their sum."
            )
        paths = [variable.path for variable in model.trainable_variables]
        self._places = range(len(paths))
        if self.shared is not None:
            shared = as_regex(self.shared, "shared")
            found = [i for i in self._places if shared.search(paths[i])]
            self._places = found
            if not found:
                raise ValueError(
                    f"shared={self.shared!r} matches no trainable weight. Their paths "
                    f"begin with: {paths[:5]}"
                )

    def gradients(self, step, values, inner):
        names = []

        def losses(values):
            tasks, rest = step.task_losses(values)
            names[:] = tasks
            found = [*tasks.values()] if rest is None else [*tasks.values(), rest]
            return [loss * step.scale for loss in found]

        _, grads = step.gradients(losses, values)
        weights = self._weights(grads[: len(names)], names)
        return combined(grads, weights, self._places)

    def _weights(self, grads, names):
        if len(names) < 2:
            raise ValueError(
                "TaskBalance needs two tasks or more: outputs with a loss in compile, "
                f"or layers that add a loss. Received: {names}"
            )
        gram = inner_products([[row[place] for place in self._places] for row in grads])
        if self.mode == "inverse_norm":
            return inverse_norm_weights(gram)
        if self.mode == "min_norm":
            return min_norm_weights(gram)
        if self.main not in names:
            raise ValueError(f"main={self.main!r} is no task. The tasks are: {names}")
        return main_first_weights(gram, names.index(self.main))


def combined(grads, weights, places):
    """Sum of weights[k] grads[k] at these places, the plain sum at others.

    Further lists of gradients, beyond the weights, are added as they are.
    """
    total = []
    for place, parts in enumerate(map(list, zip(*grads, strict=True))):
        if place in places:
            for k in range(weights.shape[0]):
                parts[k] = ops.cast(weights[k], parts[k].dtype) * parts[k]
        total.append(sum(parts[1:], parts[0]))
    return total


def inner_products(rows):
    """(K, K) float32, of K lists of tensors."""
    rows = [[ops.cast(x, "float32") for x in row] for row in rows]
    gram = [
        [sum(ops.sum(x * y) for x, y in zip(one, other, strict=True)) for other in rows]
        for one in rows
    ]
    return ops.stack([ops.stack(row) for row in gram])


def inverse_norm_weights(gram):
    """mean |g| / |g_k|, zero where |g_k| is; gram: (K, K) -> (K,)."""
    norms = ops.sqrt(ops.diagonal(gram))
    safe = ops.where(norms > 0, norms, 1.0)
    return ops.where(norms > 0, ops.mean(norms) / safe, 0.0)


def min_norm_weights(gram, steps=None):
    """Weights, at least 0, sum 1, of the weighted mean of least norm; gram: (K, K).

    Frank-Wolfe with away steps in pairs (https://arxiv.org/abs/1511.05932): weight goes
    from the worst to the best task, as far as the norm falls. Exact for two tasks.
    """
    count = gram.shape[0]
    gram = gram / ops.maximum(ops.max(ops.abs(gram)), 1e-30)
    numbers = ops.arange(count)

    def moved(_, weights):
        slope = ops.matmul(gram, weights)
        best = ops.argmin(slope)
        worst = ops.argmax(ops.where(weights > 0, slope, -1e30))
        gain = ops.take(slope, worst) - ops.take(slope, best)
        to, back = (ops.cast(numbers == one, "float32") for one in (best, worst))
        way = to - back
        curve = ops.sum(way * ops.matmul(gram, way))
        limit = ops.take(weights, worst)
        part = ops.where(curve > 0, gain / ops.maximum(curve, 1e-30), limit)
        return weights + ops.minimum(part, limit) * way

    start = ops.full((count,), 1.0 / count, dtype="float32")
    rounds = (1 if count == 2 else 20 * count) if steps is None else steps
    return ops.fori_loop(0, rounds, moved, start)


def main_first_weights(gram, main):
    """1, and for the main task what takes from each other one its part against it.

    g_k - min(0, g_k . g) / |g|^2 g = g_k + c_k g with the main gradient g; the main
    one gets 1 + sum of c_k. gram: (K, K) -> (K,).
    """
    length = gram[main, main]
    against = ops.maximum(-gram[main], 0.0)
    parts = ops.where(length > 0, against / ops.maximum(length, 1e-30), 0.0)
    first = ops.cast(ops.arange(gram.shape[0]) == main, "float32")
    return 1.0 + first * ops.sum(parts)
