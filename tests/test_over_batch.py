"""Under a distribution every device computes the vocabulary's loss of its own rows."""

import subprocess
import sys

import pytest
from process_runs import with_devices

from bert4keras3.backend import runtime

SCRIPT = """
import re
import jax, keras, numpy as np
from keras import ops
from bert4keras3.backend.vocabulary import linear_cross_entropy

rng = np.random.default_rng(0)
x, table, bias = (rng.normal(size=s).astype("float32") for s in ((40, 8), (33, 8), 33))
labels = rng.integers(0, 33, 40).astype("int32")
weights = (rng.random(40) * (rng.random(40) > 0.6)).astype("float32")
weights[:10] = 0  # nothing to do for the first device

def loss(x, table, bias, labels, weights):
    return linear_cross_entropy(x, table, bias, labels, weights, chunk=4)

arguments = (x, table, bias, labels, weights)
step = lambda: jax.jit(jax.value_and_grad(lambda *a: loss(*a), argnums=(0, 1, 2)))
known = step()(*arguments)
distribution = keras.distribution.DataParallel(devices=jax.devices())
split = distribution.get_data_layout((40,)).backend_layout
placed = [jax.device_put(a, split) if len(a) == 40 else a for a in arguments]
with distribution.scope():
    compiled = step().lower(*placed).compile()
    uneven = step()(x[:39], table, bias, labels[:39], weights[:39])
for one, other in zip(jax.tree.leaves(known), jax.tree.leaves(compiled(*placed))):
    np.testing.assert_allclose(one, other, atol=1e-5)
np.testing.assert_allclose(known[0] - uneven[0], loss(*(a[39:] if len(a) == 40 else a
    for a in arguments)), atol=1e-4)
assert jax.device_count() == 4 and not re.search(" all-gather[(-]", compiled.as_text())
"""


@pytest.mark.skipif(runtime.BACKEND != "jax", reason="keras.distribution is of jax")
def test_rows_stay_where_they_are():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=with_devices(4),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
