"""Under a distribution every device does the work of its own rows."""

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
    with_devices(4, "-c", SCRIPT)


LOOKUPS = """
import re
import jax, keras, numpy as np
from bert4keras3.layers import Embedding

layer = Embedding(33, 8)
layer.build()
rng = np.random.default_rng(0)
table, ids = layer.embeddings.value, rng.integers(0, 33, (40, 5)).astype("int32")
weights = rng.normal(size=(40, 5, 8)).astype("float32")

def loss(table, ids, weights):
    rows, _ = layer.stateless_call([table], [], ids)
    return (rows * weights).sum()

step = lambda: jax.jit(jax.value_and_grad(lambda *a: loss(*a)))
known = step()(table, ids, weights)
distribution = keras.distribution.DataParallel(devices=jax.devices())
split = lambda a: distribution.get_data_layout(a.shape).backend_layout
place = lambda a: jax.device_put(a, split(a))
with distribution.scope():
    compiled = step().lower(table, place(ids), place(weights)).compile()
    uneven = step()(table, ids[:39], weights[:39])
for one, other in zip(known, compiled(table, place(ids), place(weights))):
    np.testing.assert_allclose(one, other, atol=1e-4)
np.testing.assert_allclose(known[0] - uneven[0], loss(table, ids[39:], weights[39:]),
    atol=1e-4)
assert not re.search(" all-gather[(-]", compiled.as_text())
"""


@pytest.mark.skipif(runtime.BACKEND != "jax", reason="keras.distribution is of jax")
def test_lookups_stay_where_they_are():
    with_devices(4, "-c", LOOKUPS)
