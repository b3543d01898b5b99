"""bert4keras, reborn on Keras 3: Chinese NLP on JAX, TensorFlow and PyTorch."""

import sys
from pathlib import Path

__version__ = "0.1.0"


def _needs_no_keras():
    """Whether this process is the command `bert4keras3 shuffle`.

    Keras and a backend take 300 to 700 MB, more than the memory it is to run in.
    """
    program = Path(sys.argv[0]).stem if sys.argv else ""
    module = program == "-m" and "bert4keras3" in sys.orig_argv
    return sys.argv[1:2] == ["shuffle"] and (module or program == "bert4keras3")


if not _needs_no_keras():
    # Registers what models hold: `keras.models.load_model` works after this import.
    from bert4keras3 import layers as layers
    from bert4keras3 import losses as losses
    from bert4keras3 import metrics as metrics
    from bert4keras3 import optimizers as optimizers
