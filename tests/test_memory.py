"""Memory that jax takes over: aligned, packed, placeholders."""

import numpy as np
import pytest
from keras import ops

from bert4keras3.backend import assigning, memory


@pytest.mark.parametrize("shape", [(300, 70), (70, 300), (1, 5), (257, 33)])
def test_packed_copies_any_strides(shape):
    whole = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    arrays = [whole.T, whole, whole[::2, ::-1], whole[0], np.float16([1, 2, 3])]
    for array, copy in zip(arrays, memory.packed(arrays), strict=True):
        np.testing.assert_array_equal(copy, array)
        assert copy.dtype == array.dtype and copy.flags.c_contiguous
        assert copy.ctypes.data % memory.ALIGNMENT == 0
        assert not np.shares_memory(copy, array)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_untouched_zeros_are_zeros(dtype):
    found = assigning.untouched_zeros((300, 7), dtype)
    assert tuple(found.shape) == (300, 7)
    assert not np.any(ops.convert_to_numpy(ops.cast(found, "float32")))
    assert str(found.dtype).removeprefix("torch.").removeprefix("<dtype: '").startswith(
        dtype
    )
