"""--devices: several devices share every batch, and learn what one learns."""

import keras
import numpy as np
import pytest
from clue_helpers import tiny_checkpoint
from process_runs import with_devices

from examples.clue.training import finished

__all__ = ["tiny_checkpoint"]


def run(checkpoint, output, devices):
    sizes = ["--maxlen=32", "--epochs=2", "--batch-size=4", "--tasks", "tnews", "csl"]
    said = f"--checkpoint={checkpoint}", f"--output={output}", f"--devices={devices}"
    with_devices(2, "-m", "examples.clue.run", *said, *sizes)
    return [finished(output / name / "seed-0") for name in ("tnews", "csl")]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="jax alone")
def test_two_devices_learn_what_one_does(tiny_checkpoint, tmp_path):
    # csl: length buckets; tnews is packed, two devices may have a row more.
    ones = run(tiny_checkpoint, tmp_path / "one", 1)
    twos = run(tiny_checkpoint, tmp_path / "two", 2)
    for one, two in zip(ones, twos, strict=True):
        assert np.isfinite([loss for _, loss in two["curve"]["loss"]]).all()
        assert one["samples"] == two["samples"]
    one, two = ones[1]["curve"]["loss"], twos[1]["curve"]["loss"]
    assert len(one) > 4
    np.testing.assert_allclose(one, two, rtol=1e-5)
