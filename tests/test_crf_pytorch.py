"""The CRF equals pytorch-crf 0.7.2 (recorded) with zero start and end transitions.

https://github.com/kmkurn/pytorch-crf; the benchmark compares with the live package.
"""

import pathlib

import numpy as np
import pytest
from chain_helpers import MODES, built, with_gradients
from keras import ops

from bert4keras3.layers import ConditionalRandomField

RECORDED = pathlib.Path(__file__).parent / "golden" / "crf" / "pytorch_crf.npz"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.mark.parametrize("k", [1, 100])
@pytest.mark.parametrize("mode", MODES)
def test_equals_pytorch_crf(mode, k):
    known = dict(np.load(RECORDED))
    labels, mask = known["labels"], known["mask"]
    count = known["transitions"].shape[0]
    crf = built(ConditionalRandomField(k), count, known["transitions"])

    def likelihood(x):
        return crf.log_likelihood(labels, crf(x, mask=mask))

    value, grads = with_gradients(crf, likelihood, known["emissions"], mode)
    np.testing.assert_allclose(value, known["log_likelihood"], **CLOSE)
    np.testing.assert_allclose(grads[0], known["grad_emissions"], **CLOSE)
    np.testing.assert_allclose(grads[1] / k, known["grad_transitions"], **CLOSE)
    best = crf.decode(crf(known["emissions"], mask=mask))
    np.testing.assert_array_equal(ops.convert_to_numpy(best), known["best"])
