"""Multi-label classification with the ZLPR loss: which relations does a text tell of?

ZLPR (https://arxiv.org/abs/2208.02955, https://kexue.fm/archives/7359) ranks the labels
that hold above 0 and the others below, without a threshold to tune. Data: files with
train and dev in their names, of DuIE 1.0 (LIC2019) json lines, and the schema
(*schemas*); the labels of a text are its predicates. Nobody published a score.
    python examples/task_multilabel_classification.py --data FOLDER --model FOLDER \
        --learning-rate 2e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.extraction import (
    Labels,
    multilabel_f1,
    read_duie,
    read_duie_schema,
    score_report,
)
from bert4keras3.layers import Dense, FirstToken
from bert4keras3.losses import MultilabelCategoricalCrossentropy
from bert4keras3.metrics import MultilabelF1
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only


def labelled(data, labels):
    """0/1 labels (N, C) of the predicates of every text."""
    y = np.zeros((len(data), len(labels)), "float32")
    for row, (_, relations) in enumerate(data):
        y[row, labels.ids({relation.predicate for relation in relations})] = 1
    return y


def build_model(args, num_labels):
    bert = build_transformer_model(args.model, return_keras_model=False)
    output = FirstToken()(bert.model.output)
    output = Dense(num_labels, kernel_initializer=bert.initializer)(output)
    model = keras.Model(bert.model.inputs, output)
    model.compile(
        loss=MultilabelCategoricalCrossentropy(),
        optimizer=keras.optimizers.AdamW(args.learning_rate),
        metrics=[MultilabelF1()],
    )
    return model


def predict(model, inputs):
    """0/1 predictions (N, C)."""

    def decode(scores, rows):
        return scores > 0

    return np.stack(predict_each(model, inputs, decode, buckets=buckets))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "duie", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 16 if args.smoke else None
    labels = Labels(read_duie_schema(find_file(args.data, "schemas")))
    train, dev = (
        read_duie(find_file(args.data, name))[:size] for name in ("train", "dev")
    )
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    inputs = [
        [tokenizer.encode(d.text, maxlen=maxlen) for d in data] for data in (train, dev)
    ]
    pairs = list(zip(inputs[0], labelled(train, labels), strict=True))
    generator = BucketedGenerator(pairs, args.batch_size, buckets=buckets)
    gold = labelled(dev, labels)
    model = build_model(args, len(labels))

    def evaluate(model):
        result = multilabel_f1(gold, predict(model, inputs[1]), labels)
        return {name: result[name] for name in ("f1", "macro_f1")}

    evaluation = Evaluation(evaluate, filepath=args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    model.load_weights(args.weights)
    found = predict(model, inputs[1])
    print(score_report(multilabel_f1(gold, found, labels)))
    return evaluation.best


if __name__ == "__main__":
    main()
