"""Our dropout: right share, right scale, new bits each step, bits that look random."""

import keras
import numpy as np
import pytest

from bert4keras3.backend import runtime
from bert4keras3.layers import Dropout


def dropped(layer, x):
    return keras.ops.convert_to_numpy(layer(x, training=True))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_share_and_scale(rate):
    x = np.ones((500, 400), "float32")
    y = dropped(Dropout(rate), x)
    share = (y == 0).mean()
    assert abs(share - rate) < 5 * (rate * (1 - rate) / y.size) ** 0.5
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_every_step_draws_anew_and_independently():
    layer, x = Dropout(0.3), np.ones((300, 300), "float32")
    a, b = dropped(layer, x) == 0, dropped(layer, x) == 0
    assert abs((a & b).mean() - 0.09) < 0.006
    assert abs((a[:, 1:] & a[:, :-1]).mean() - 0.09) < 0.006
    assert abs((a[1:] & a[:-1]).mean() - 0.09) < 0.006


def test_inference_and_zero_rate_change_nothing():
    x = np.ones((3, 4), "float32")
    assert (keras.ops.convert_to_numpy(Dropout(0.5)(x)) == 1).all()
    assert (dropped(Dropout(0.0), x) == 1).all()


@pytest.mark.skipif(runtime.BACKEND == "torch", reason="torch keeps its own generator")
def test_hash_bits_pass_chi_square():
    for key in ([0, 0], [1, 0], [12345, 678]):
        bits = runtime.hash_bits((256, 512), keras.ops.convert_to_tensor(key, "uint32"))
        bits = keras.ops.convert_to_numpy(bits).ravel()
        for shift in (0, 8, 16, 24):
            counts = np.bincount((bits >> shift) & 255, minlength=256)
            chi = ((counts - bits.size / 256) ** 2).sum() / (bits.size / 256)
            assert 140 < chi < 400  # 255 degrees of freedom: mean 255, sigma 22.6
