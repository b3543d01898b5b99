"""Published update rules in NumPy and float64, one parameter at a time.

Each function takes the first value (shape S), the gradients (T, *S) and settings, and
returns the values after each step, (T, *S).
"""

import numpy as np


def adam_direction(moments, g, t, betas=(0.9, 0.999), epsilon=1e-6, correct=True):
    """m' / (sqrt(v') + epsilon) of step t = 1, 2, ...; changes `moments` in place."""
    for moment, beta, power in zip(moments, betas, (g, g * g), strict=True):
        moment[:] = beta * moment + (1 - beta) * power
    m, v = moments
    if correct:
        m, v = (x / (1 - beta**t) for x, beta in zip(moments, betas, strict=True))
    return m / (np.sqrt(v) + epsilon)


def adam(p, grads, lr=0.01, decay=0.0, adapt=False, correct=True):
    """Adam, AdamW (decay) and LAMB (adapt)."""
    p, grads = np.float64(p), np.float64(grads)
    moments, values = np.zeros((2, *p.shape)), []
    for t, g in enumerate(grads, 1):
        rate = lr(t) if callable(lr) else lr
        step = adam_direction(moments, g, t, correct=correct) + decay * p
        if adapt:
            step = step * np.linalg.norm(p) / np.linalg.norm(step)
        p = p - rate * step
        values.append(p)
    return np.stack(values)


def lookahead(p, grads, k, alpha, lr=0.01):
    """Zhang et al. 2019: every k inner steps slow moves by alpha, fast starts there."""
    p, grads = np.float64(p), np.float64(grads)
    moments, values, slow = np.zeros((2, *p.shape)), [], p
    for t, g in enumerate(grads, 1):
        p = p - lr * adam_direction(moments, g, t)
        if t % k == 0:
            p = slow = slow + alpha * (p - slow)
        values.append(p)
    return np.stack(values)


def lazy(p, grads, lr=0.01, decay=0.0, keras=False):
    """Adam whose rows without gradient stay, with their moments.

    keras: epsilon is added to the uncorrected root.
    """
    p, grads = np.float64(p), np.float64(grads)
    moments, values = np.zeros((2, *p.shape)), []
    for t, g in enumerate(grads, 1):
        rows = np.abs(g).sum(-1) > 0
        part = moments[:, rows]
        epsilon = 1e-6 / (1 - 0.999**t) ** 0.5 if keras else 1e-6
        step = adam_direction(part, g[rows], t, epsilon=epsilon) + decay * p[rows]
        moments[:, rows] = part
        p = p.copy()
        p[rows] -= lr * step
        values.append(p)
    return np.stack(values)


def averages(values, momentum):
    """The bias-corrected moving average after all of `values`."""
    mean = np.zeros(values.shape[1:])
    for value in np.float64(values):
        mean = momentum * mean + (1 - momentum) * value
    return mean / (1 - momentum ** len(values))


def adafactor(p, grads, factored=True):
    """Shazeer and Stern 2018, algorithm 4 and 5 with relative steps."""
    p, grads = np.float64(p), np.float64(grads)
    values, rows, columns, v = [], 0.0, 0.0, 0.0
    factored = factored and p.ndim == 2
    for t, g in enumerate(grads, 1):
        beta = 1 - t**-0.8
        squares = g * g + 1e-30
        if factored:
            rows = beta * rows + (1 - beta) * squares.sum(1, keepdims=True)
            columns = beta * columns + (1 - beta) * squares.sum(0, keepdims=True)
            v = rows * columns / rows.sum()
        else:
            v = beta * v + (1 - beta) * squares
        u = g / np.sqrt(v)
        u = u / max(1.0, np.sqrt((u * u).mean()))
        alpha = max(1e-3, np.sqrt((p * p).mean())) * min(0.01, t**-0.5)
        p = p - alpha * u
        values.append(p)
    return np.stack(values)


def tiger(p, grads, kind, lr=1e-3, beta=0.965, decay=0.01, shrink=0.99):
    """Su 2023; kind: "matrix", "table", "offset" or "gamma"."""
    p, grads = np.float64(p), np.float64(grads)
    m, values = np.zeros(p.shape), []
    for g in grads:
        if np.isnan(g).any():
            center = 1.0 if kind == "gamma" else 0.0
            p = (p - center) * shrink + center
        else:
            m = beta * m + (1 - beta) * g
            axis = {"matrix": None, "table": -1}.get(kind)
            size = np.sqrt((p * p).mean(axis=axis, keepdims=True))
            if kind in ("offset", "gamma"):
                size, decay = 0.5, 0.0
            p = p - lr * size * (np.sign(m) + decay * p)
        values.append(p)
    return np.stack(values)
