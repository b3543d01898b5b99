"""Which characters make a review good or bad: integrated gradients.

Explains the model that task_sentiment.py trained: give its --weights, or it is
trained here for --epochs.
    python examples/task_sentiment.py --weights best_model.weights.h5
    python examples/task_sentiment_integrated_gradients.py \
        --weights best_model.weights.h5 "房间很干净，就是有点吵"
https://arxiv.org/abs/1703.01365, https://kexue.fm/archives/7533
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from task_sentiment import build_model, data_generator, load_data

from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import IntegratedGradients

texts = ["房间很干净，服务员也热情，就是早餐一般。", "书还没看完就散页了，很失望。"]
names = ("negative", "positive")


def explained(model, tokenizer, texts, steps):
    """[(label, probability, [(token, score), ...]), ...]; scores add up to p - p0."""
    ids, segments = tokenizer.encode_batch(texts, maxlen=128)
    probabilities = model.predict_on_batch([ids, segments])
    labels = probabilities.argmax(-1)
    explain = IntegratedGradients(model, steps=steps)
    scores = explain([ids, segments], labels).sum(-1)
    rows = []
    for row, scored, label, p in zip(ids, scores, labels, probabilities, strict=True):
        pairs = zip(tokenizer.ids_to_tokens(row), scored.tolist(), strict=True)
        kept = [pair for pair, i in zip(pairs, row, strict=True) if i]
        rows.append((names[label], float(p[label]), kept))
    return rows


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", nargs="*", default=texts)
    parser.add_argument("--data", default=here / "data" / "sentiment", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", help="of task_sentiment.py, with the same --model")
    parser.add_argument("--epochs", type=int, default=2, help="without --weights")
    parser.add_argument("--steps", type=int, default=32, help="points of the integral")
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_model(args.model, 1e-4)
    if args.weights:
        model.load_weights(args.weights)
    else:
        data = load_data(args.data, "train")[: 64 if args.smoke else None]
        train = data_generator(data, tokenizer, batch_size=32, drop_remainder=True)
        epochs = 1 if args.smoke else args.epochs
        steps = len(train)
        model.fit(train.forfit(), steps_per_epoch=steps, epochs=epochs, shuffle=False)
    found = explained(model, tokenizer, args.texts, 4 if args.smoke else args.steps)
    for label, p, scores in found:
        print(f"{label} {p:.3f}, against no text {sum(s for _, s in scores):+.3f}")
        most = np.argsort([-abs(score) for _, score in scores])[:10]
        print(*(f"  {scores[i][0]} {scores[i][1]:+.4f}" for i in most), sep="\n")
    return found


if __name__ == "__main__":
    main()
