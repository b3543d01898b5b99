"""Padding of ragged batches, to a length or to the best of a few lengths."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

LENGTHS = (32, 48, 64, 96, 128, 192, 256, 384, 512)


class LengthBuckets:
    """A few lengths that batches are padded to, so that few shapes are compiled.

    sizes: positive lengths; their order does not matter.
    """

    def __init__(self, sizes: Sequence[int] = LENGTHS):
        self.sizes = tuple(sorted({int(size) for size in sizes}))
        if not self.sizes or self.sizes[0] < 1:
            raise ValueError(
                f"buckets must be positive lengths such as {LENGTHS[:4]}. "
                f"Received {tuple(sizes)}."
            )

    def fit(self, length: int) -> int:
        """Return the smallest size that holds `length` items."""
        index = self.index(length)
        if length > self.sizes[index]:
            raise ValueError(
                f"a sequence of {length} items is longer than the largest bucket "
                f"({self.sizes[-1]}). Truncate it (Tokenizer.encode takes maxlen) or "
                "add a larger bucket."
            )
        return self.sizes[index]

    def index(self, length: int) -> int:
        """Return the number of the bucket; lengths beyond the last go there too."""
        place = int(np.searchsorted(self.sizes, length))
        return min(place, len(self.sizes) - 1)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __repr__(self) -> str:
        return f"LengthBuckets({self.sizes})"


def sequence_padding(
    inputs, length=None, value=0, seq_dims: int = 1, mode: str = "post"
) -> np.ndarray:
    """Pad (and cut) sequences to a common length and stack them.

    inputs: N lists or arrays; the first `seq_dims` axes may differ in size.
    length: None = longest of the batch; an int (longer ones lose their tail); for
        seq_dims=1 LengthBuckets or several ints = the smallest of them that holds the
        batch; for seq_dims > 1 a list with one of these for each axis.
    mode: "post" pads at the end, "pre" at the start.
    Returns (N, *lengths, ...); lists of ints give int32, arrays keep their dtype.
    """
    if mode not in ("post", "pre"):
        raise ValueError(f'"mode" argument must be "post" or "pre". Received {mode!r}.')
    if len(inputs) == 0:
        raise ValueError("sequence_padding needs at least one sequence, got none.")
    if seq_dims == 1 and all(_is_flat_list(x) for x in inputs):
        return _pad_lists(inputs, _target(length, map(len, inputs)), value, mode)
    arrays = [_as_array(x) for x in inputs]
    _check_shapes(arrays, seq_dims)
    sizes = np.array([a.shape[:seq_dims] for a in arrays])
    targets = [length] if seq_dims == 1 else length
    if targets is None or not hasattr(targets, "__len__"):
        targets = [targets] * seq_dims
    if len(targets) != seq_dims:
        raise ValueError(
            f"length needs one entry for each of the {seq_dims} sequence axes. "
            f"Received {length}."
        )
    lengths = [_target(t, sizes[:, i]) for i, t in enumerate(targets)]
    shape = (len(arrays), *lengths, *arrays[0].shape[seq_dims:])
    output = np.full(shape, value, _dtype(np.result_type(*arrays), value))
    for row, a in zip(output, arrays, strict=True):
        a = a[tuple(slice(size) for size in lengths)]
        row[_places(a.shape[:seq_dims], lengths, mode)] = a
    return output


def _is_flat_list(x) -> bool:
    """Tell whether `x` is a list or tuple of plain numbers (by its first item)."""
    return isinstance(x, (list, tuple)) and (not x or isinstance(x[0], (int, float)))


def _target(length, sizes) -> int:
    """Resolve one entry of `length` against the sizes of the batch."""
    longest = max(int(size) for size in sizes)
    if length is None:
        return longest
    if isinstance(length, LengthBuckets):
        return length.fit(longest)
    if hasattr(length, "__len__"):
        if len(length) == 1:
            return int(length[0])  # bert4keras's way of writing a fixed length
        return LengthBuckets(length).fit(longest)
    if length < 0:
        raise ValueError(f"length must be at least 0. Received {length}.")
    return int(length)


def _dtype(dtype, value):
    """The dtype that holds the batch and the padding value."""
    if np.issubdtype(dtype, np.integer) and value != int(value):
        return np.result_type(dtype, float)
    return dtype


def _as_array(x) -> np.ndarray:
    a = np.asarray(x)
    if not isinstance(x, np.ndarray) and a.dtype == np.int64:
        return a.astype("int32") if _fits_int32(a) else a
    return a


def _fits_int32(a: np.ndarray) -> bool:
    return not a.size or (a.min() >= -(2**31) and a.max() < 2**31)


def _pad_lists(inputs, length: int, value, mode: str) -> np.ndarray:
    """Pad flat lists of numbers through one flat array, without a loop over rows."""
    counts = np.array([len(x) for x in inputs])
    flat = np.array(list(chain.from_iterable(inputs)))
    if not flat.size:
        flat = flat.astype("int32")
    elif flat.dtype == np.int64 and _fits_int32(flat):
        flat = flat.astype("int32")
    if counts.max() > length:
        place = np.arange(len(flat)) - np.repeat(counts.cumsum() - counts, counts)
        flat, counts = flat[place < length], np.minimum(counts, length)
    output = np.full((len(counts), length), value, _dtype(flat.dtype, value))
    columns = np.arange(length)[None]
    if mode == "post":
        output[columns < counts[:, None]] = flat
    else:
        output[columns >= length - counts[:, None]] = flat
    return output


def _check_shapes(arrays: list[np.ndarray], seq_dims: int) -> None:
    """Raise unless all arrays agree beyond their sequence axes."""
    first = arrays[0]
    for i, a in enumerate(arrays):
        if a.ndim < seq_dims or a.ndim != first.ndim:
            raise ValueError(
                f"inputs[{i}] has shape {a.shape}, but inputs[0] has {first.shape} and "
                f"seq_dims={seq_dims} needs that many axes. Give all the same rank."
            )
        if a.shape[seq_dims:] != first.shape[seq_dims:]:
            raise ValueError(
                f"inputs[{i}] has shape {a.shape}, which differs from {first.shape} "
                f"of inputs[0] beyond the first {seq_dims} axes. Raise seq_dims to "
                "pad those too."
            )


def _places(shape, lengths, mode: str) -> tuple[slice, ...]:
    """Where an array of sequence `shape` lies inside the padded `lengths`."""
    if mode == "post":
        return tuple(slice(size) for size in shape)
    pairs = zip(shape, lengths, strict=True)
    return tuple(slice(total - size, total) for size, total in pairs)
