"""Compiled programs that outlive their process."""

import os

from bert4keras3.backend import runtime


def compilation_cache(folder, least_seconds=1.0):
    """Keep compiled programs in a folder, where the next process finds them (jax).

    folder: made when it is missing; delete it whenever you like. least_seconds:
    programs that compile faster are not kept. Programs are found again by all that
    they are made of: the model's code and shapes, versions, flags, the kind of device.
    Call it before the first step. Raises RuntimeError on the other backends: torch
    compiles nothing here, and TensorFlow's XLA keeps nothing from one process to the
    next.
    """
    if runtime.BACKEND != "jax":
        raise RuntimeError(
            "compilation_cache is a matter of the jax backend. Received: "
            f"{runtime.BACKEND}. Leave the call out, or set KERAS_BACKEND=jax before "
            "the first import of Keras."
        )
    os.makedirs(folder, exist_ok=True)
    config = runtime.native().config
    config.update("jax_compilation_cache_dir", os.path.abspath(folder))
    config.update("jax_persistent_cache_min_compile_time_secs", float(least_seconds))
    # What was compiled before this call has settled that there is no cache.
    runtime.native("experimental.compilation_cache.compilation_cache").reset_cache()
