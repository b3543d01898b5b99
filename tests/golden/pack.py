"""Pack recorded folders into tests/golden, each distinct array and checkpoint once.

    python tests/golden/pack.py RECORDED models bert bert_mlm ...
    python tests/golden/pack.py RECORDED layers ln_default mha ...
    python tests/golden/pack.py RECORDED optimizers adam lamb ...
    python tests/golden/pack.py RECORDED training crf ...

RECORDED holds what the unmodified bert4keras 0.11.5 computed on tiny random models:
one folder per model, and `layers/` with an index. Most models share checkpoint, inputs
and hidden states, so that storing by content shrinks them to a third.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent


class Store:
    """Arrays under the first characters of their hash."""

    def __init__(self):
        self.arrays = {}

    def put(self, path):
        """Store every array of an .npz; return {name: key}."""
        if not path.exists():
            return {}
        return {name: self._key(array) for name, array in np.load(path).items()}

    def _key(self, array):
        data = str((array.dtype, array.shape)).encode() + array.tobytes()
        key = hashlib.sha256(data).hexdigest()[:10]
        self.arrays[key] = array
        return key


def pack_models(recorded, names):
    store, cases, prefixes = Store(), {}, {}
    target = HERE / "models"
    for name in names:
        folder = recorded / name
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        data = (folder / "model.ckpt.data-00000-of-00001").read_bytes()
        prefix = prefixes.setdefault(hashlib.sha256(data).digest(), f"{name}.ckpt")
        if prefix == f"{name}.ckpt":
            index = (folder / "model.ckpt.index").read_bytes()
            (target / f"{prefix}.data-00000-of-00001").write_bytes(data)
            (target / f"{prefix}.index").write_bytes(index)
        cases[name] = {
            "model": meta["model"],
            "config": json.loads((folder / "config.json").read_text("utf-8")),
            "kwargs": meta["build_transformer_model_kwargs"],
            "set_gelu": meta["set_gelu"],
            "checkpoint": prefix,
            "input_names": meta["inputs"],
            **{
                part: store.put(folder / f"{part}.npz")
                for part in ("inputs", "outputs", "extra_weights", "grads")
            },
        }
    write(target, cases, store.arrays)


def pack_layers(recorded, names):
    index = json.loads((recorded / "layers" / "index.json").read_text("utf-8"))["cases"]
    store, cases = Store(), {}
    for name in names:
        case = {key: value for key, value in index[name].items() if key != "notes"}
        cases[name] = {**case, "arrays": store.put(recorded / "layers" / f"{name}.npz")}
    write(HERE / "layers", cases, store.arrays)


def pack_optimizers(recorded, names):
    """The parameters after each step, in the mode that is the reference."""
    folder = recorded / "optimizers"
    index = json.loads((folder / "index.json").read_text("utf-8"))["cases"]
    store = Store()
    cases = {"problem": store.put(folder / "problem.npz")}
    for name in names:
        case = {key: index[name][key] for key in ("base", "extends", "kwargs")}
        compiles = index[name]["modes"]["v2_function"] == "ok"
        mode = "v2_function" if compiles else "v2_eager"
        recorded_arrays = np.load(folder / f"{name}.npz")
        arrays = {
            key.removeprefix(f"{mode}/"): store._key(array)
            for key, array in recorded_arrays.items()
            if key.startswith(f"{mode}/")
        }
        cases[name] = {**case, "arrays": arrays}
    write(HERE / "optimizers", cases, store.arrays)


def pack_training(recorded, names):
    """Losses of eight steps, and the weights of heads and labels that no file holds."""
    folder = recorded / "training"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    store, cases = Store(), {}
    for name in names:
        kept = ("from", "loss", "y", "optimizer", "optimizer_kwargs")
        arrays = {
            key: store._key(array)
            for key, array in np.load(folder / f"{name}.npz").items()
            if key.startswith("init/") or key == "y"
        }
        case = {key: index[name][key] for key in kept if key in index[name]}
        cases[name] = {**case, "arrays": arrays}
    write(HERE / "training", cases, store.arrays)


def write(target, cases, arrays):
    text = json.dumps(cases, ensure_ascii=False, indent=1)
    (target / "cases.json").write_text(text + "\n", encoding="utf-8")
    np.savez_compressed(target / "arrays.npz", **arrays)


if __name__ == "__main__":
    source, what, *wanted = sys.argv[1:]
    packers = {
        "models": pack_models,
        "layers": pack_layers,
        "optimizers": pack_optimizers,
        "training": pack_training,
    }
    packers[what](pathlib.Path(source), wanted)
