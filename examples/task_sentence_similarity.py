"""Whether two sentences mean the same: pair classification with [CLS].

Data: `sentence1 TAB sentence2 TAB label` lines in files named *train*, *dev* or
*valid*, and *test* (optional): LCQMC (238,766 for training), or the small bundled
sample. On LCQMC bert4keras reports dev .887071, test .870320 (BERT-wwm base,
maxlen 128, batch 64, 2e-5, 20 epochs).
    python examples/task_sentence_similarity.py --data LCQMC --model FOLDER \
        --batch-size 64 --learning-rate 2e-5 --epochs 20
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.layers import Dense, Dropout, FirstToken
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import Tokenizer

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these shapes only


def load_data(folder, *splits):
    """[(sentence1, sentence2, label), ...] of the first file of one of the splits."""
    for split in splits:
        for path in sorted(Path(folder).glob(f"*{split}*")):
            lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
            rows = (line.split("\t") for line in lines)
            return [(first, second, int(label)) for first, second, label in rows]
    return []


def data_generator(data, tokenizer, batch_size):
    """Batches of ((token_ids, segment_ids), labels), grouped by length."""

    def encode(sample):
        first, second, label = sample
        return tokenizer.encode(first, second, maxlen=maxlen), label

    return BucketedGenerator(data, batch_size, encode=encode, buckets=buckets)


def build_model(name, learning_rate):
    bert = build_transformer_model(name, return_keras_model=False)
    output = Dropout(rate=0.1)(FirstToken()(bert.model.output))
    output = Dense(
        units=2, activation="softmax", kernel_initializer=bert.initializer
    )(output)
    model = keras.Model(bert.model.inputs, output)
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.AdamW(learning_rate),
        metrics=["accuracy"],
    )
    return model


def evaluate(model, data):
    total, right = 0, 0
    for x_true, y_true in data:
        y_pred = model.predict_on_batch(x_true).argmax(axis=1)
        total += len(y_true)
        right += (y_true == y_pred).sum()
    return right / total


class Evaluator(keras.callbacks.Callback):
    """Evaluate after every epoch and keep the best weights."""

    def __init__(self, data, weights):
        super().__init__()
        self.data, self.weights, self.best = data, weights, 0.0

    def on_epoch_end(self, epoch, logs=None):
        accuracy = evaluate(self.model, self.data)
        if accuracy > self.best:
            self.best = accuracy
            self.model.save_weights(self.weights)
        print(f"dev accuracy {accuracy:.5f}, best {self.best:.5f}")


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "similarity", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 32 if args.smoke else None
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    train, dev, test = (
        data_generator(load_data(args.data, *splits)[:size], tokenizer, args.batch_size)
        for splits in (("train",), ("dev", "valid"), ("test",))
    )
    model = build_model(args.model, args.learning_rate)
    evaluator = Evaluator(dev, args.weights)
    model.fit(
        train.forfit(),
        steps_per_epoch=len(train),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluator],
        shuffle=False,  # the generator does it
    )
    model.load_weights(args.weights)
    if len(test):
        print(f"test accuracy {evaluate(model, test):.5f}")
    return evaluator.best


if __name__ == "__main__":
    main()
