"""Span and link matrices over the tokens of a text as a picture (SVG)."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from bert4keras3.extraction.report import width

CELL, GAP, TITLE = 18, 28, 22
FONT = "font-family='sans-serif' font-size='11'"
LINES, EMPTY, POSITIVE, INK = "#d0d7de", "#f6f8fa", "#2f81f7", "#24292f"


def draw_matrices(
    tokens: Sequence[str],
    matrices: Sequence,
    titles: Sequence[str],
    threshold: float = 0.0,
    columns: int = 3,
) -> str:
    """Return a picture of matrices over the same tokens, as the text of an SVG file.

    matrices: M arrays (T, T): scores, cells above the threshold are filled; bool, the
        true ones; or -inf where a mask hides the cell, which stays white.
    titles: M strings.  columns: how many matrices stand side by side.
    A row is the first token of a span (or of the subject), a column the last (or of
    the object). Filled cells tell their tokens when pointed at.
    Raises ValueError for shapes that do not fit.
    """
    if len(matrices) != len(titles) or columns < 1:
        raise ValueError(
            "every matrix needs a title, and columns at least 1. Received "
            f"{len(matrices)} matrices, {len(titles)} titles, columns={columns}."
        )
    arrays = [_checked(matrix, len(tokens), n) for n, matrix in enumerate(matrices)]
    margin = 10 + 6 * max((width(token) for token in tokens), default=0)
    size = margin + CELL * len(tokens)
    across, down = min(columns, len(arrays)), -(-len(arrays) // columns)
    wide = max(across * (size + GAP) + GAP, 1)
    high = max(down * (size + TITLE + GAP) + GAP, 1)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' "
        f"width='{wide}' height='{high}' {FONT} fill='{INK}'>",
        f"<rect width='{wide}' height='{high}' fill='white'/>",
    ]
    for n, (array, title) in enumerate(zip(arrays, titles, strict=True)):
        x = GAP + n % columns * (size + GAP)
        y = GAP + n // columns * (size + TITLE + GAP)
        parts.append(f"<g transform='translate({x} {y})'>")
        parts += _matrix(tokens, array, title, threshold, margin)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _checked(matrix, count: int, n: int) -> np.ndarray:
    array = np.asarray(matrix)
    if array.shape != (count, count):
        raise ValueError(
            f"matrices[{n}] must have the shape ({count}, {count}) for {count} tokens. "
            f"Received {array.shape}."
        )
    return array


def _matrix(tokens, array, title: str, threshold: float, margin: int) -> list[str]:
    """One matrix, its upper left corner at the origin."""
    size, top = CELL * len(tokens), TITLE + margin
    hidden = np.isneginf(array) if array.dtype.kind == "f" else np.zeros_like(array)
    filled = array if array.dtype == bool else array > threshold
    parts = [f"<text y='12' font-weight='bold'>{_safe(title)}</text>"]
    for n, token in enumerate(tokens):
        middle = n * CELL + CELL // 2 + 4
        parts.append(
            f"<text x='{margin - 5}' y='{top + middle}' text-anchor='end'>"
            f"{_safe(token)}</text>"
        )
        # A single character stands upright, a longer token lies on its side.
        place = f"x='{margin + middle - 4}' y='{top - 5}' text-anchor='middle'"
        if len(token) > 1:
            place = f"transform='translate({margin + middle} {top - 5}) rotate(-90)'"
        parts.append(f"<text {place}>{_safe(token)}</text>")
    parts.append(
        f"<rect x='{margin}' y='{top}' width='{size}' height='{size}' fill='{EMPTY}'/>"
    )
    cells = "".join(
        f"M{margin + j * CELL} {top + i * CELL}h{CELL}v{CELL}h-{CELL}z"
        for i, j in np.argwhere(hidden).tolist()
    )
    if cells:
        parts.append(f"<path d='{cells}' fill='white'/>")
    for i, j in np.argwhere(filled).tolist():
        parts.append(
            f"<rect x='{margin + j * CELL}' y='{top + i * CELL}' width='{CELL}' "
            f"height='{CELL}' fill='{POSITIVE}'>"
            f"<title>{_safe(f'{tokens[i]} → {tokens[j]}')}</title></rect>"
        )
    path = "".join(
        f"M{margin} {top + n * CELL}h{size}M{margin + n * CELL} {top}v{size}"
        for n in range(len(tokens) + 1)
    )
    return [*parts, f"<path d='{path}' stroke='{LINES}' fill='none'/>"]


def _safe(text: str) -> str:
    """The text for XML, which has no control characters."""
    return escape("".join(c if c.isprintable() or c == " " else "\ufffd" for c in text))
