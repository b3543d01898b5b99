"""Evaluate and save averaged weights, train on with the others."""

import keras


class EMAEvaluation(keras.callbacks.Callback):
    """Run callbacks at the end of every epoch with the averaged weights in the model.

        optimizer = extend_with_exponential_moving_average(AdamW)(1e-5)
        best = Evaluation(evaluate, filepath="best.weights.h5")
        model.fit(..., callbacks=[EMAEvaluation(best)])

    The optimizer averages: one with `apply_ema_weights` and `reset_old_weights`, or one
    of Keras with use_ema=True, whose average starts from the weights after the first
    step. The weights that train come back before the next epoch; after an error too.
    Keras puts the averages of use_ema=True into the model when training ends.
    callbacks: e.g. `Evaluation`, ModelCheckpoint.
    Raises TypeError for an optimizer that does not average.
    """

    def __init__(self, *callbacks):
        super().__init__()
        self.callbacks = callbacks

    def set_params(self, params):
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs=None):
        self._average()  # an optimizer without one is an error now, not in an hour
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs=None):
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def on_epoch_begin(self, epoch, logs=None):
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        put, take_back = self._average()
        put()
        try:
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, logs)
        finally:
            take_back()

    def _average(self):
        """Two functions: averages into the model, and out again."""
        model = self.model
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        if hasattr(optimizer, "apply_ema_weights"):
            return optimizer.apply_ema_weights, optimizer.reset_old_weights
        if getattr(optimizer, "use_ema", False):
            swap = keras.callbacks.SwapEMAWeights()
            swap.set_model(model)
            return swap.on_test_begin, swap.on_test_end
        raise TypeError(
            "EMAEvaluation needs an optimizer that averages the weights, such as "
            "keras.optimizers.AdamW(use_ema=True). "
            f"Received: {type(optimizer).__name__}"
        )
