"""`Model`: keras.Model that also takes what scripts gave a Keras 2 model."""

import os
import warnings

import keras
import numpy as np

from bert4keras3.backend.legacy_state import NotInKeras3

# Arguments of Keras 2's generator methods that Keras 3 has no use for.
_GENERATOR_ARGUMENTS = ("max_queue_size", "workers", "use_multiprocessing")


@keras.saving.register_keras_serializable(package="bert4keras3")
class Model(keras.Model):
    """A keras.Model that also understands Keras 2: what this library returns.

    In a script, `from bert4keras3.models import Model` in place of
    `from keras.models import Model` lets `predict` take nested lists of numbers, a
    file of weights have any name, and brings back `fit_generator` and its sisters.
    Each of these warns and names the modern way.
    """

    def predict(self, x, *args, **kwargs):
        """As in Keras; x may also be lists of numbers, a list of rows per input."""
        return super().predict(self._arrays(x), *args, **kwargs)

    def predict_on_batch(self, x):
        """As in Keras; x may also be lists of numbers, a list of rows per input."""
        return super().predict_on_batch(self._arrays(x))

    def save_weights(self, filepath, *args, **kwargs):
        """As in Keras; a name without .weights.h5 gets it at its end."""
        return super().save_weights(_weights_file(filepath), *args, **kwargs)

    def load_weights(self, filepath, *args, **kwargs):
        """As in Keras; a name that no file has is completed like in save_weights."""
        if not os.path.exists(filepath):
            filepath = _weights_file(filepath)
        return super().load_weights(filepath, *args, **kwargs)

    def fit_generator(self, generator, *args, **kwargs):
        """`fit` by its old name: (generator, steps_per_epoch, epochs, verbose...)."""
        names = ("steps_per_epoch", "epochs", "verbose", "callbacks", "validation_data")
        return self.fit(generator, **_renamed("fit", names, args, kwargs))

    def evaluate_generator(self, generator, *args, **kwargs):
        """`evaluate` by its old name: (generator, steps, callbacks)."""
        names = ("steps", "callbacks")
        return self.evaluate(generator, **_renamed("evaluate", names, args, kwargs))

    def predict_generator(self, generator, *args, **kwargs):
        """`predict` by its old name: (generator, steps, callbacks)."""
        names = ("steps", "callbacks")
        return self.predict(generator, **_renamed("predict", names, args, kwargs))

    def _make_train_function(self):
        raise NotInKeras3(
            "model._make_train_function belongs to Keras 2: a training step cannot be "
            "wrapped by hand any more. For adversarial training, gradient penalty and "
            "the like see bert4keras3.training and docs/migration.md."
        )

    def _arrays(self, x):
        """Lists of numbers as arrays, one per input of the model."""
        many = isinstance(x, (list, tuple))
        if not many or not any(isinstance(one, (list, tuple)) for one in x):
            return x
        warnings.warn(
            "predict was given nested lists: pass arrays, such as "
            "to_array([token_ids], [segment_ids]) of bert4keras3.snippets makes.",
            stacklevel=3,
        )
        count = len(self.inputs)
        if count == 1 and np.ndim(x[0]) < len(self.inputs[0].shape):
            x = [x]  # the rows themselves
        if len(x) != count:
            raise ValueError(
                f"The model has {count} input(s), predict was given {len(x)} list(s)."
            )
        arrays = [_rectangle(one, i) for i, one in enumerate(x)]
        return arrays if count > 1 else arrays[0]


def _rectangle(rows, index):
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise ValueError(
            f"Input {index} of predict holds rows of different lengths. Pad them: "
            "bert4keras3.snippets.sequence_padding(rows)."
        ) from error


def _weights_file(filepath):
    path = os.fspath(filepath)
    if path.endswith((".weights.h5", ".weights.json", ".keras")):
        return path
    complete = path + (".h5" if path.endswith(".weights") else ".weights.h5")
    warnings.warn(
        f"Keras 3 wants files of weights to end in .weights.h5: {path} is {complete}.",
        stacklevel=3,
    )
    return complete


def _renamed(method, names, args, kwargs):
    """Keyword arguments for the method that took an old one's place."""
    warnings.warn(
        f"{method}_generator is a name of Keras 2: {method} takes generators.",
        DeprecationWarning,
        stacklevel=3,
    )
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    return {k: v for k, v in given.items() if k not in _GENERATOR_ARGUMENTS}
