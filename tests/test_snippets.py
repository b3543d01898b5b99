"""The names scripts import from snippets, and the helpers that are not text or data."""

import json
from pathlib import Path

import numpy as np
import pytest

from bert4keras3 import snippets
from bert4keras3.snippets import (
    ViterbiDecoder,
    delete_arguments,
    insert_arguments,
    is_one_of,
    orthogonally_resize,
    parallel_apply,
    parallel_apply_generator,
    prefetch,
    softmax,
    to_array,
)

FOLDER = Path(__file__).parent / "golden" / "snippets"
GOLDEN = json.loads((FOLDER / "snippets.json").read_text("utf-8"))


def test_names_of_the_original():
    names = (
        "DataGenerator ViterbiDecoder convert_to_str convert_to_unicode "
        "delete_arguments insert_arguments is_one_of is_string "
        "longest_common_subsequence longest_common_substring lowercase_and_normalize "
        "open orthogonally_resize parallel_apply parallel_apply_generator "
        "sequence_padding softmax strQ2B string_matching text_segmentate to_array "
        "truncate_sequences uniout"
    )
    assert [name for name in names.split() if not hasattr(snippets, name)] == []


def test_arrays():
    assert to_array([1, 2]).tolist() == [1, 2]
    assert [a.shape for a in to_array([1, 2], [[3]])] == [(2,), (1, 1)]
    case = GOLDEN["softmax"]
    np.testing.assert_allclose(softmax(case["x"]), case["y"], rtol=1e-6)
    assert softmax([[0, 1000]]).tolist() == [[0, 1]]
    one = [1]
    assert is_one_of(one, [one]) and not is_one_of(one, [[1]])


@pytest.mark.parametrize("i", range(8))
def test_orthogonally_resize(i):
    case = GOLDEN["orthogonally_resize"][i]
    with np.load(FOLDER / "orthogonally_resize.npz") as arrays:
        if "error" in case:
            with pytest.raises(ValueError, match="divisible by window"):
                orthogonally_resize(arrays[f"in_{i}"], case["new_shape"])
            return
        found = orthogonally_resize(arrays[f"in_{i}"], case["new_shape"])
        np.testing.assert_allclose(found, arrays[f"out_{i}"], rtol=1e-6)
        np.testing.assert_allclose(
            np.linalg.norm(found), np.linalg.norm(arrays[f"in_{i}"]), rtol=1e-6
        )


def best_path(nodes, trans, starts, ends):
    """The best of all paths, by trying each."""
    n, labels = nodes.shape
    paths = np.stack(np.meshgrid(*[range(labels)] * n, indexing="ij"), -1)
    paths = paths.reshape(-1, n)
    paths = paths[np.isin(paths[:, 0], starts) & np.isin(paths[:, -1], ends)]
    scores = nodes[np.arange(n), paths].sum(1)
    scores += trans[paths[:, :-1], paths[:, 1:]].sum(1)
    return paths[scores.argmax()].tolist()


@pytest.mark.parametrize("length", [1, 2, 5])
def test_viterbi_finds_the_best_path_and_changes_nothing(length):
    rng = np.random.default_rng(length)
    for _ in range(20):
        nodes, trans = rng.normal(size=(length, 3)), rng.normal(size=(3, 3))
        copy = nodes.copy()
        decoder = ViterbiDecoder(trans, starts=[0, 2], ends=[0, 1])
        assert decoder.decode(nodes).tolist() == best_path(nodes, trans, [0, 2], [0, 1])
        assert (nodes == copy).all()  # the original put -inf into them
        decoder.trans = -trans
        assert decoder.decode(nodes).tolist() == best_path(
            nodes, -trans, [0, 2], [0, 1]
        )
    with pytest.raises(ValueError, match=r"shape \(n, 3\)"):
        decoder.decode(nodes[None])


@pytest.mark.parametrize("dummy", [True, False])
def test_parallel_apply(dummy):
    def square(x):  # a closure, as in bert4keras scripts
        return x * x

    options = {"workers": 2, "max_queue_size": 3, "dummy": dummy}
    right = GOLDEN["parallel_apply_ordered"]
    found = parallel_apply(square, range(10), **options, unordered=False)
    assert found == right
    assert sorted(parallel_apply(square, range(10), **options)) == right
    results = []
    assert parallel_apply(square, range(10), **options, callback=results.append) is None
    assert sorted(results) == right
    pairs = parallel_apply_generator(square, range(10), **options)
    assert dict(pairs) == dict(enumerate(right))


@pytest.mark.parametrize("dummy", [True, False])
def test_an_error_in_a_worker_is_raised_here(dummy):
    """The original waited for ever."""
    with pytest.raises(ZeroDivisionError):
        parallel_apply(lambda x: 1 // x, [1, 0, 2], 2, 4, dummy=dummy)
    with pytest.raises(ValueError, match="workers=0"):
        parallel_apply(abs, [1], 0, 1)


def test_prefetch_hands_over_items_and_errors():
    def numbers():
        yield from range(5)
        raise KeyError("broken line")

    found = []
    with pytest.raises(KeyError, match="broken line"):
        for item in prefetch(numbers(), 2):
            found.append(item)
    assert found == [0, 1, 2, 3, 4]
    assert list(prefetch(iter("abc"), 10)) == ["a", "b", "c"]


def test_argument_decorators():
    class Layer:
        @insert_arguments(ratio=0.5)
        @delete_arguments("bias")
        def __init__(self, units):
            self.units = units

    assert Layer(3).ratio == 0.5 and Layer(3, ratio=2).ratio == 2
    assert Layer(units=4).units == 4
    with pytest.raises(TypeError, match="bias"):
        Layer(3, bias=True)
