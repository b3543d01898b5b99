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
    the vectors before this shift, in `ids` their tokens; `whole` tells whether the
    table was also used as a whole (a tied output). Scopes of the same layer add up,
    unless this one is `alone`: those around then see nothing of it.
    Raises ValueError when shifts are given and there are fewer or more lookups.
    """

    def __init__(self, layer, shifts=(), alone=False):
        self.layer = layer
        self.shifts = list(shifts)
        self.alone = alone
        self.found = []
        self.ids = []
        self.whole = False

    def __enter__(self):
        self._before = _INNERMOST.get()
        self._outer = None if self.alone else self._before
        _INNERMOST.set(self)
        return self

    def __exit__(self, kind, value, traceback):
        _INNERMOST.set(self._before)
        if kind is None and self.shifts and len(self.found) != len(self.shifts):
            raise ValueError(
                f"{len(self.shifts)} shifts were given for layer {self.layer.name!r}, "
                f"which looked up {len(self.found)} times: methods that shift lookups "
                "go with a loss of one pass, and not with one of several."
            )

    def _seen(self, layer, rows, ids):
        if layer is not self.layer:
            return rows
        place = len(self.found)
        self.found.append(rows)
        self.ids.append(ids)
        return rows + self.shifts[place] if place < len(self.shifts) else rows


def looked_up(layer, rows, ids):
    """`rows` as the scopes around want them: called by layers that look up."""
    scope = _INNERMOST.get()
    while scope is not None:
        rows = scope._seen(layer, rows, ids)
        scope = scope._outer
    return rows


def used_whole(layer):
    """Tell the scopes around that something reads the table of `layer` itself."""
    scope = _INNERMOST.get()
    while scope is not None:
        scope.whole = scope.whole or layer is scope.layer
        scope = scope._outer
