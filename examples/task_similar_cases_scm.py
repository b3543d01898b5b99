"""Which of two cases is more similar to a third: CAIL 2019-SCM.

Data: json lines {"A": .., "B": .., "C": .., "label": "B" or "C"} in files named
*train* and *valid* or *dev*, label says which is nearer to A. The pair of A and the
nearer case has the target 1, the other pair 0; the score is the share of cases with
score(A, nearer) > score(A, other). RoFormer was shown on it for its 1024 tokens
(maxlen 1024, batch 8, Adam 6e-6, https://kexue.fm/archives/8265).
    python examples/task_similar_cases_scm.py --data FOLDER --model FOLDER --words \
        --learning-rate 6e-6
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import Dense, GlobalAveragePooling1D
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer, jieba_pre_tokenize
from bert4keras3.training import Evaluation

maxlen = 1024
buckets = (256, 512, 768, 1024)  # lengths to pad to: compiled backends see these only


def read(folder, *parts):
    """[(A, nearer, other), ...] of the first file with one of the parts in its name."""
    found = [part for part in parts if list(Path(folder).glob(f"*{part}*"))]
    lines = find_file(folder, *(found or parts)[:1]).read_text(encoding="utf-8")
    cases = []
    for number, line in enumerate(lines.strip("\n").split("\n"), 1):
        case = json.loads(line)
        if case["label"] not in ("B", "C"):
            raise ValueError(
                f"line {number}: label must be 'B' or 'C'. Received: {case['label']!r}"
            )
        other = "C" if case["label"] == "B" else "B"
        cases.append((case["A"], case[case["label"]], case[other]))
    return cases


def pairs(cases):
    """[(text, text, target), ...], two in a row for every case."""
    found = []
    for case, nearer, other in cases:
        found += [(case, nearer, 1), (case, other, 0)]
    return found


def build_model(args):
    bert = build_transformer_model(args.model, return_keras_model=False)
    output = GlobalAveragePooling1D()(bert.model.output)
    output = Dense(units=1, activation="sigmoid", kernel_initializer=bert.initializer)(
        output
    )
    model = keras.Model(bert.model.inputs, output)
    model.compile(
        loss="binary_crossentropy", optimizer=keras.optimizers.AdamW(args.learning_rate)
    )
    return model


def accuracy(model, generator):
    """Share of cases whose nearer partner has the higher score."""
    scores = [model.predict_on_batch(inputs)[:, 0] for inputs, _ in generator]
    scores = np.concatenate(scores).reshape(-1, 2)
    return float((scores[:, 0] > scores[:, 1]).mean())


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "scm", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--words", action="store_true", help="vocabulary has words")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    tokenizer = Tokenizer(
        args.model,
        do_lower_case=True,
        pre_tokenize=jieba_pre_tokenize() if args.words else None,
    )
    size = 4 if args.smoke else None
    train, dev = (
        BucketedGenerator(
            pairs(read(args.data, *parts)[:size]),
            args.batch_size,
            encode=lambda d: (tokenizer.encode(*d[:2], maxlen=maxlen), [d[2]]),
            buckets=buckets,
        )
        for parts in (["train"], ["valid", "dev"])
    )
    model = build_model(args)
    evaluation = Evaluation(
        lambda model: {"accuracy": accuracy(model, dev)}, "accuracy", args.weights
    )
    model.fit(
        train.forfit(),
        steps_per_epoch=1 if args.smoke else len(train),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
    )
    print("best:", evaluation.best_result)
    return evaluation.best_result


if __name__ == "__main__":
    main()
