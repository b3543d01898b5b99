"""Accuracy on FewCLUE's few-shot sets: fine-tuning, LoRA, PET and P-tuning.

Trains on train_few_all, keeps the epoch that is best on dev_few_all, and counts on
test_public: mean and spread over seeds, as docs/prompts.md shows them.
    python benchmarks/few_shot.py --data FOLDER --seeds 3
"""

import argparse
import importlib.util
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation
from bert4keras3.utils.prediction import predict_each

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name, maxlen):
    """The module of an example, for texts of at most that many tokens."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.maxlen = maxlen
    module.buckets = [one for one in module.buckets if one <= maxlen]
    return module


def fine_tuned(args, seed, lora=None, learning_rate=3e-4):
    """A classifier on [CLS], all of the model trained, or LoRA and the classifier."""
    pet = example("task_pet", args.maxlen)
    keras.utils.set_random_seed(seed)
    options = pet.parse([f"--task={args.task}", f"--data={args.data}"])
    train, dev, test = pet.load_data(options)
    train = [d for d in train if "label" in d]
    labels = list(pet.TASKS[args.task][1])
    fields = [f for f in ("sentence", "sentence1", "sentence2") if f in train[0]]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert = build_transformer_model(args.model, return_keras_model=False)
    x = FirstToken()(bert.model.output)
    x = Dense(len(labels), "softmax", kernel_initializer=bert.initializer)(x)
    model = keras.Model(bert.model.inputs, x)
    if lora:
        bert.enable_lora(lora, targets=r"/(q|k|v|o|i\d*)$")
    model.compile(
        keras.optimizers.AdamW(learning_rate), "sparse_categorical_crossentropy"
    )

    def encode(d):
        return tokenizer.encode(*(d[f] for f in fields), maxlen=pet.maxlen)

    def accuracy(records):
        decode = lambda y, rows: list(np.argmax(y, axis=-1))  # noqa: E731
        found = predict_each(model, list(map(encode, records)), decode, 64, pet.buckets)
        right = [labels.index(d["label"]) for d in records]
        return float(np.mean(np.array(found) == right))

    generator = BucketedGenerator(
        train,
        16,
        encode=lambda d: (encode(d), labels.index(d["label"])),
        buckets=pet.buckets,
    )
    best = Evaluation(lambda _: {"accuracy": accuracy(dev)}, "accuracy", args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=args.epochs,
        callbacks=[best],
        shuffle=False,
        verbose=0,
    )
    model.load_weights(args.weights)
    return accuracy(test)


def prompted(args, seed, name, *more):
    """One of the examples."""
    options = [
        f"--task={args.task}",
        f"--data={args.data}",
        f"--model={args.model}",
        f"--weights={args.weights}",
        f"--seed={seed}",
        f"--epochs={args.epochs}",
    ]
    return example(name, args.maxlen).main([*options, *more])["test"]


METHODS = {
    "fine-tuning": fine_tuned,
    "LoRA 8": lambda a, s: fine_tuned(a, s, lora=8, learning_rate=2e-3),
    "PET": lambda a, s: prompted(a, s, "task_pet"),
    "PET + LoRA 8": lambda a, s: prompted(
        a, s, "task_pet", "--lora=8", "--learning-rate=2e-3"
    ),
    "P-tuning": lambda a, s: prompted(
        a, s, "task_p_tuning", f"--prompt={a.weights}.safetensors"
    ),
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", nargs="+", default=["eprstmt", "bustm"])
    parser.add_argument("--data", required=True, help="folder with a folder per task")
    parser.add_argument("--model", default="zh-tiny")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--maxlen", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args(argv)
    found = {(task, name): [] for task in args.tasks for name in args.methods}
    with tempfile.TemporaryDirectory() as folder:
        args.weights = f"{folder}/best.weights.h5"
        for seed in range(args.seeds):
            for task, name in found:
                args.task = task
                found[task, name].append(METHODS[name](args, seed))
                print(task, name, seed, found[task, name][-1], flush=True)
    for (task, name), values in found.items():
        mean, spread = 100 * np.mean(values), 100 * np.std(values)
        print(f"{task}, {name}: {mean:.1f} ± {spread:.1f}", flush=True)


if __name__ == "__main__":
    main()
