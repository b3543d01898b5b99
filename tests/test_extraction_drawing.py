"""Pictures of matrices: valid XML, one filled cell for each positive, bad input."""

from xml.etree import ElementTree

import numpy as np
import pytest

from bert4keras3.extraction.drawing import draw_matrices

SVG = "{http://www.w3.org/2000/svg}"


def filled(svg):
    """(titles of the matrices, hints of the filled cells)."""
    root = ElementTree.fromstring(svg)
    titles = [text.text for text in root.iter(f"{SVG}text") if text.get("font-weight")]
    return titles, [hint.text for hint in root.iter(f"{SVG}title")]


def test_positive_cells_are_filled():
    tokens = ["[CLS]", "<a>", "&", "字", "[SEP]"]
    spans = np.full((5, 5), -2.0)
    spans[np.tril_indices(5, -1)] = -np.inf
    spans[1, 3] = spans[2, 2] = 1
    links = np.zeros((5, 5), bool)
    links[3, 1] = True
    svg = draw_matrices(tokens, [spans, links], ["<subject>", "head & tail"])
    titles, hints = filled(svg)
    assert titles == ["<subject>", "head & tail"]
    assert hints == ["<a> → 字", "& → &", "字 → <a>"]
    hidden = [p for p in ElementTree.fromstring(svg).iter(f"{SVG}path")
              if p.get("fill") == "white"]
    assert [path.get("d").count("z") for path in hidden] == [10]


def test_threshold_and_grid():
    scores = np.arange(4.0).reshape(2, 2)
    svgs = {n: draw_matrices(["a", "b"], [scores] * 3, "xyz", 1.5, n) for n in (1, 3)}
    for svg in svgs.values():
        assert filled(svg)[1] == ["b → a", "b → b"] * 3
    sizes = {
        n: [int(ElementTree.fromstring(svg).get(key)) for key in ("width", "height")]
        for n, svg in svgs.items()
    }
    assert sizes[3][0] > sizes[1][0]
    assert sizes[3][1] < sizes[1][1]


def test_odd_tokens_stay_xml():
    svg = draw_matrices(["\x00", "\ud83d", "'\"", " "], [np.ones((4, 4))], ["\x08"])
    assert len(filled(svg)[1]) == 16
    svg.encode("utf-8")
    assert filled(draw_matrices([], [np.zeros((0, 0))], ["empty"])) == (["empty"], [])
    assert filled(draw_matrices(["a"], [], [])) == ([], [])


@pytest.mark.parametrize(
    ("matrices", "titles", "columns", "message"),
    [
        ([np.zeros((2, 2))], [], 1, "1 matrices, 0 titles"),
        ([np.zeros((2, 2))], ["a"], 0, "columns=0"),
        ([np.zeros((3, 2))], ["a"], 1, r"matrices\[0\] must have the shape \(2, 2\)"),
        ([np.zeros((1, 2, 2))], ["a"], 1, r"Received \(1, 2, 2\)"),
    ],
)
def test_bad_input(matrices, titles, columns, message):
    with pytest.raises(ValueError, match=message):
        draw_matrices(["a", "b"], matrices, titles, columns=columns)
