"""BERT-of-Theseus: half of the layers, that learned in the place of all.

Three stages: the large model is trained; a successor of fewer layers replaces its
modules at random while the rest is frozen; the successor is trained alone.
Data: json lines {"sentence": ..., "label": 0 to 118} in files named *train* and *dev*:
the bundled made-up texts, or CLUE's IFLYTEK:
    python examples/task_iflytek_bert_of_theseus.py --data FOLDER --model FOLDER \
        --layers 3 --epochs 5 --learning-rate 2e-5
https://arxiv.org/abs/2002.02925, https://kexue.fm/archives/7575
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation, theseus_model

maxlen = 128
buckets = (64, 128)


def read(path):
    """[(text, label), ...]"""
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    return [(row["sentence"], int(row["label"])) for row in rows]


def batches(data, tokenizer, batch_size):
    """A generator of ((ids, segments), labels)."""

    def encode(row):
        return tokenizer.encode(row[0], maxlen=maxlen), row[1]

    return BucketedGenerator(data, batch_size, encode=encode, buckets=buckets)


def build_models(args, classes):
    """{stage: model}: predecessor, theseus, successor, with one head."""
    old = build_transformer_model(args.model, return_keras_model=False)
    new = build_transformer_model(
        args.model,
        num_hidden_layers=args.layers,
        prefix="Successor-",
        return_keras_model=False,
    )
    head = Dense(classes, activation="softmax", kernel_initializer=old.initializer)

    def classifier(model):
        return keras.Model(model.inputs, head(FirstToken()(model.output)))

    mixed = theseus_model(old, new, args.rate, args.growth)
    models = {"predecessor": old.model, "theseus": mixed, "successor": new.model}
    models = {stage: classifier(model) for stage, model in models.items()}
    return models, old, head


def compile_stage(stage, model, old, head, learning_rate):
    """What a stage trains must be said before `compile`: Keras looks only then."""
    for layer in old.layers.values():
        layer.trainable = stage == "predecessor"
    head.trainable = stage != "theseus"
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.AdamW(learning_rate),
    )


def evaluate(model, data):
    right = total = 0
    for inputs, labels in data:
        right += int((model.predict_on_batch(inputs).argmax(-1) == labels).sum())
        total += len(labels)
    return {"accuracy": right / total}


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "iflytek", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--layers", type=int, default=2, help="of the successor")
    parser.add_argument("--rate", type=float, default=0.5, help="of replacement")
    parser.add_argument("--growth", type=float, default=0.0, help="of it, per step")
    parser.add_argument("--weights", default="best_{stage}.weights.h5")
    parser.add_argument("--epochs", type=int, default=5, help="of each stage")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = args.batch_size if args.smoke else None
    train, dev = (read(find_file(args.data, part)) for part in ("train", "dev"))
    classes = 1 + max(label for _, label in train + dev)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    generator = batches(train[:size], tokenizer, args.batch_size)
    dev = batches(dev[:size], tokenizer, args.batch_size)
    models, old, head = build_models(args, classes)
    best = {}
    for stage, model in models.items():
        compile_stage(stage, model, old, head, args.learning_rate)
        weights = args.weights.format(stage=stage)
        evaluation = Evaluation(lambda m: evaluate(m, dev), "accuracy", weights)
        model.fit(
            generator.forfit(),
            steps_per_epoch=1 if args.smoke else len(generator),
            epochs=1 if args.smoke else args.epochs,
            callbacks=[evaluation],
            shuffle=False,  # the generator does it
        )
        model.load_weights(weights)
        best[stage] = evaluation.best
    print("best:", best)
    return best


if __name__ == "__main__":
    main()
