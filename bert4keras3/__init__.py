"""bert4keras, reborn on Keras 3: Chinese NLP on JAX, TensorFlow and PyTorch."""

# Registers what models hold, so that `keras.models.load_model` works after this import.
from bert4keras3 import layers as layers
from bert4keras3 import losses as losses
from bert4keras3 import metrics as metrics
from bert4keras3 import optimizers as optimizers

__version__ = "0.1.0"
