"""A second process finds the programs of the first one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bert4keras3.backend import compilation_cache, runtime

SCRIPT = """
import sys
import jax, keras, numpy as np
from bert4keras3.backend import compilation_cache

keras.utils.set_random_seed(0)
events = []
jax.monitoring.register_event_listener(lambda name, **rest: events.append(name))
x = np.ones((2, 3), "float32")
(jax.numpy.asarray(x) * 2).block_until_ready()  # something is compiled before
compilation_cache(sys.argv[1], least_seconds=0)
events.clear()
model = keras.Sequential([keras.layers.Dense(4)])
model.compile("adam", "mse")
model.train_on_batch(x, x.repeat(2, 0)[:2, [0, 1, 2, 0]])
names = ("compile_requests_use_cache", "cache_hits")
print(*(events.count(f"/jax/compilation_cache/{name}") for name in names))
"""


def counts(folder):
    """(programs asked for, programs found) of a process."""
    root = Path(__file__).resolve().parents[1]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return tuple(map(int, run.stdout.split()[-2:]))


@pytest.mark.slow
@pytest.mark.skipif(runtime.BACKEND != "jax", reason="a cache of jax")
def test_a_second_process_compiles_nothing(tmp_path):
    asked, found = counts(tmp_path / "new" / "folder")
    assert asked > found
    asked, found = counts(tmp_path / "new" / "folder")
    assert asked == found > 0


@pytest.mark.skipif(runtime.BACKEND == "jax", reason="about the other backends")
def test_other_backends_say_so(tmp_path):
    with pytest.raises(RuntimeError, match="jax backend.*KERAS_BACKEND=jax"):
        compilation_cache(tmp_path)
