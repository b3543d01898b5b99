"""The vectors that an embedding layer looks up, seen and shifted from outside.

Training methods look for the gradient at the vector of each single token, which no
variable holds: the layer itself lets them in.
"""

import contextvars

_INNERMOST = contextvars.ContextVar("innermost scope of lookups", default=None)


class Lookups:
    """A scope that records what a layer looks up, and adds to it.

    layer: an `Embedding`; shifts: tensors (B, T, D) to add to its first, second, ...
    lookup (T5 has two: encoder and decoder), or () to record alone. In `found` are
    the vectors before this shift. Scopes of the same layer add up.
    Raises ValueError when shifts are given and there are fewer or more lookups.
    """

    def __init__(self, layer, shifts=()):
        self.layer = layer
        self.shifts = list(shifts)
        self.found = []

    def __enter__(self):
        self._outer = _INNERMOST.get()
        _INNERMOST.set(self)
        return self

    def __exit__(self, kind, value, traceback):
        _INNERMOST.set(self._outer)
        if kind is None and self.shifts and len(self.found) != len(self.shifts):
            raise ValueError(
                f"{len(self.shifts)} shifts were given for layer {self.layer.name!r}, "
                f"which looked up {len(self.found)} times."
            )

    def _seen(self, layer, rows):
        if layer is not self.layer:
            return rows
        place = len(self.found)
        self.found.append(rows)
        return rows + self.shifts[place] if place < len(self.shifts) else rows


def looked_up(layer, rows):
    """`rows` as the scopes around want them: called by layers that look up."""
    scope = _INNERMOST.get()
    while scope is not None:
        rows = scope._seen(layer, rows)
        scope = scope._outer
    return rows
