"""How fast a training goes, in tokens and in shares of what the hardware can do."""

import collections
import time

import keras


class Throughput(keras.callbacks.Callback):
    """Show tokens a second, and MFU, in the progress bar and in the history.

        flops = step_flops(bert, 256, 512).total
        speed = Throughput(256 * 512, flops, peak=197e12)
        model.fit(..., callbacks=[speed])      # tokens/s: 1.2e5 - mfu: 0.43

    tokens: of a step, of all devices and hosts together; flops: of a step, as
    `models.flops.step_flops` counts them, None: no MFU; peak: FLOPs a second of all
    devices together, from the data sheet for the dtype of the products; window: the
    speed is that of so many last steps of the epoch, without the slowest tenth, where
    compilation and saves are.
    MFU, model FLOPs utilization: flops a second / peak (arXiv:2204.02311, appendix B).
    `tokens_per_second` and `mfu` hold the last values.
    Raises ValueError for numbers that are not positive, or one of flops and peak alone.
    """

    def __init__(self, tokens, flops=None, peak=None, window=50):
        super().__init__()
        given = {"tokens": tokens, "flops": flops, "peak": peak, "window": window}
        for name, value in given.items():
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0. Received: {value!r}")
        if (flops is None) != (peak is None):
            raise ValueError(
                "MFU needs flops and peak: give both, or none. "
                f"Received: flops={flops!r}, peak={peak!r}"
            )
        self.tokens, self.flops, self.peak = tokens, flops, peak
        self.window = window
        self.tokens_per_second = self.mfu = self._trainer = None

    def set_model(self, model):
        super().set_model(model)
        self._trainer = model  # on jax self.model would fetch the weights

    def on_epoch_begin(self, epoch, logs=None):
        self._seconds = collections.deque(maxlen=self.window)
        self._last, self._steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        for value in (logs or {}).values():
            float(value)  # waits for the device
            break
        now, steps = time.perf_counter(), batch + 1 - self._steps
        if batch < getattr(self._trainer, "_left_out", 0):  # by a Checkpoint: no step
            self._last, self._steps = now, batch + 1
            return
        self._seconds.append((now - self._last) / steps)
        self._last, self._steps = now, batch + 1
        self._tell(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._tell(logs)

    def _tell(self, logs):
        found = sorted(self._seconds)
        found = found[: max(1, len(found) - len(found) // 10 - (len(found) > 1))]
        if not found or logs is None:
            return
        second = len(found) / sum(found)  # steps
        self.tokens_per_second = logs["tokens/s"] = second * self.tokens
        if self.flops is not None:
            self.mfu = logs["mfu"] = second * self.flops / self.peak
