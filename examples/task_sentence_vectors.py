"""Similarity of sentences: CoSENT, Sentence-BERT, and models that read both at once.

Data: `sentence1 TAB sentence2 TAB label` lines in files named *train*, *dev* or
*valid*, and *test* (optional): ATEC, BQ, LCQMC, PAWSX (labels 0 and 1), STS-B (0 to 5).
    python examples/task_sentence_vectors.py --data STS-B --model FOLDER \
        --method cosent --learning-rate 2e-5
cosent and sbert learn vectors (compared by cosine, fit for search); interact (softmax)
and interact_cosent read both sentences together: better, but each pair is a pass.
Spearman x 100 on test of BERT base as the author reports: STS-B 80.14 by CoSENT, 66.41
by Sentence-BERT; LCQMC 78.69, 78.72; ATEC 49.74, 46.36. Numbers of zh-tiny:
docs/sentence_vectors.md. https://kexue.fm/archives/8847, https://kexue.fm/archives/8860
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import Dense, FirstToken, PairFeatures
from bert4keras3.losses import CoSENT
from bert4keras3.metrics import pair_scores
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import (
    BucketedGenerator,
    PairedGenerator,
    find_file,
    predict_each,
)
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation
from bert4keras3.utils.vectors import sentence_vectors

METHODS = ("cosent", "sbert", "interact", "interact_cosent")


def read(folder, *parts):
    """[(sentence1, sentence2, label), ...] of the file of the first of the splits."""
    there = [part for part in parts if any(Path(folder).glob(f"*{part}*"))]
    text = find_file(folder, (there or parts)[0]).read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.rstrip("\n").split("\n"))
    return [(first, second, float(label)) for first, second, label in rows]


def ranks(method):
    """Whether it learns the order of the pairs, not a class of each."""
    return method.endswith("cosent")


class Similarity:
    """A model that is trained on pairs and tells the similarity of others."""

    def __init__(self, name, method, maxlen):
        self.tokenizer = Tokenizer(name, do_lower_case=True)
        self.method, self.maxlen = method, maxlen
        self.together = method.startswith("interact")
        self.buckets = [n for n in (32, 64, 128, 256) if n < maxlen] + [maxlen]
        bert = build_transformer_model(name, return_keras_model=False)
        vector = FirstToken()(bert.model.output)
        self.encoder = keras.Model(bert.model.inputs, vector)
        output = PairFeatures()(vector) if method == "sbert" else vector
        if method != "cosent":
            units = 1 if method == "interact_cosent" else 2
            output = Dense(units, kernel_initializer=bert.initializer)(output)
        self.model = keras.Model(bert.model.inputs, output)

    def compile(self, learning_rate):
        softmax = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.AdamW(learning_rate)
        self.model.compile(optimizer, loss=CoSENT() if ranks(self.method) else softmax)

    def generator(self, data, batch_size, seed=None):
        """Batches of pairs; classifiers learn whether a label is above the middle."""
        middle = max(label for *_, label in data) / 2
        if not ranks(self.method):
            data = [(a, b, int(y > middle)) for a, b, y in data]

        def encode(sample):
            first, second, label = sample
            if self.together:
                return self.encode(first, second), label
            return self.encode(first), self.encode(second), label

        cls = BucketedGenerator if self.together else PairedGenerator
        return cls(data, batch_size, encode=encode, buckets=self.buckets, seed=seed)

    def encode(self, *texts):
        """Ids, and segments of 0 only: not every model knows a second segment."""
        ids, segments = self.tokenizer.encode(*texts, maxlen=self.maxlen)
        return ids, [0] * len(segments)

    def __call__(self, pairs):
        """Similarities (N,) of pairs of texts."""
        if self.together:
            samples = [self.encode(*pair) for pair in pairs]

            def decode(scores, rows):  # of one unit, or of "no" and "yes"
                return scores[:, 0] if ranks(self.method) else scores @ [-1, 1]

            found = predict_each(self.model, samples, decode, buckets=self.buckets)
            return np.array(found)
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = sentence_vectors(
            self.encoder, self.tokenizer, texts, self.maxlen, buckets=self.buckets
        )
        row = {text: i for i, text in enumerate(texts)}
        first, second = (vectors[[row[pair[i]] for pair in pairs]] for i in (0, 1))
        return (first * second).sum(axis=1)


def evaluate(similarity, data):
    """{"spearman", ...}: see `pair_scores`."""
    labels = [label for *_, label in data]
    return pair_scores(similarity([pair[:2] for pair in data]), labels)


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "similarity", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--method", choices=METHODS, default="cosent")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32, help="pairs")
    parser.add_argument("--maxlen", type=int, help="64, for both together 128")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(args.seed)
    size = 32 if args.smoke else None
    train, dev = (read(args.data, *x)[:size] for x in (["train"], ["dev", "valid"]))
    together = args.method.startswith("interact")
    maxlen = args.maxlen or (128 if together else 64)
    similarity = Similarity(args.model, args.method, maxlen)
    similarity.compile(args.learning_rate)
    generator = similarity.generator(train, args.batch_size, seed=args.seed)
    evaluation = Evaluation(
        lambda model: evaluate(similarity, dev), "spearman", args.weights
    )
    similarity.model.fit(
        generator.forfit(),
        steps_per_epoch=1 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
        verbose=2,
    )
    print("best on dev:", evaluation.best_result)
    similarity.model.load_weights(args.weights)
    if any(Path(args.data).glob("*test*")):
        print("test:", evaluate(similarity, read(args.data, "test")))
    return evaluation.best_result


if __name__ == "__main__":
    main()
