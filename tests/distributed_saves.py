"""Run as a program: processes that share one model save it, fail, and evaluate.

python distributed_saves.py PORT NUMBER COUNT FOLDER
Writes FOLDER/NUMBER.npz: "errors", what saving twice, an adapter twice and a damaged
file raised, "changed": weights that the damaged file changed, "adapter": those that
differ once the adapter is read, "trained/<path>": the weights when training ended,
"loaded/<path>": those of the file of `Evaluation`.
"""

import sys
from pathlib import Path

import jax
import keras
import numpy as np
from tiny_models import CONFIG

from bert4keras3.backend.sharding import is_elsewhere, whole
from bert4keras3.models import build_transformer_model, model_parallel
from bert4keras3.training import Evaluation

SIZES = {**CONFIG, "num_hidden_layers": 1, "num_attention_heads": 2}


def error_of(function):
    try:
        function()
    except (ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def values(variables):
    return [whole(one.value) for one in variables]


def damage(t, folder):
    """One flipped bit in the last weight of a saved model."""
    path = Path(t.save(f"{folder}/damaged"))
    if jax.process_index() == 0:
        damaged = bytearray(path.read_bytes())
        damaged[-1] ^= 1
        path.write_bytes(damaged)
    t.save(f"{folder}/other")  # the others wait here until it is done


def train(t, folder):
    """{name: array}; the second epoch is the best."""
    numbers = iter([1.0, 3.0] if jax.process_index() == 0 else [3.0, 1.0])
    path = f"{folder}/best.weights.h5"
    best = Evaluation(lambda model: {"f1": next(numbers)}, filepath=path)
    t.model.compile("adam", "mse")
    ids = np.ones((4, 6), "int32")
    target = np.zeros((4, 6, SIZES["hidden_size"]), "float32")
    t.model.fit([ids, ids], target, epochs=2, verbose=0, callbacks=[best])
    weights = t.model.weights
    found = {f"trained/{v.path}": whole(v.value) for v in weights}
    for variable in weights:
        variable.assign(keras.ops.zeros_like(variable.value))
    t.model.load_weights(path)
    found.update({f"loaded/{v.path}": whole(v.value) for v in weights})
    return found


def main(port, number, count, folder):
    number, count = int(number), int(count)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{port}", count, number)
    keras.utils.set_random_seed(1)
    keras.distribution.set_distribution(
        model_parallel(model="bert", mesh=(1, count), **SIZES)
    )
    t = build_transformer_model(model="bert", return_keras_model=False, **SIZES)
    before = values(t.model.weights)
    damage(t, folder)
    for variable in t.model.weights:
        variable.assign(variable.value + 1)
    changed = values(t.model.weights)
    errors = [error_of(lambda: t.save(f"{folder}/other"))]
    errors.append(error_of(lambda: t.load(f"{folder}/damaged")))
    results = {"changed": sum(map(differ, values(t.model.weights), changed))}
    t.load(f"{folder}/other")
    results["left"] = sum(map(differ, values(t.model.weights), before))
    results["cut"] = sum(map(is_elsewhere, t.model.weights))
    results.update(train(t, folder))
    t.enable_lora(2)
    adapter = f"{folder}/a.safetensors"
    errors.append(error_of(lambda: t.save_adapter(adapter)))
    errors.append(error_of(lambda: t.save_adapter(adapter)))
    trained = values(t.model.trainable_weights)
    for variable in t.model.trainable_weights:
        variable.assign(variable.value + 1)
    t.load_adapter(adapter)
    again = values(t.model.trainable_weights)
    results["adapter"] = sum(map(differ, again, trained))
    np.savez(f"{folder}/{number}.npz", errors=errors, **results)


def differ(one, other):
    return int(np.any(one != other))


if __name__ == "__main__":
    main(*sys.argv[1:])
