"""Measure a masked language model on held-out text and fill some blanks.

    python evaluate_mlm.py --model zh-tiny --text corpus/heldout.txt

Accuracy: argmax over the whole vocabulary at 15% of the tokens, masked as in
training (80% [MASK], 10% random, 10% kept). zh-tiny's figures are in its README.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import numpy as np
from data import Stream, cut_rows, mask_rows
from pretrain_mlm import masked_model

from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer, load_vocab
from bert4keras3.utils.assets import asset_path

BLANKS = [
    "北京是中国的首[MASK]。",
    "江泽民主席会见了美国客[MASK]。",
    "这家酒店的房间很干[MASK]，服务也很好。",
    "这本书写得非常[MASK]，值得一看。",
    "电池的使用时间太[MASK]了。",
    "改革开[MASK]以来，我国经济发展很快。",
    "我很喜[MASK]这部电影。",
    "质量太[MASK]了，非常失望。",
]


def measure(transformer, stream, length=64, rate=0.15, seed=0, batch_size=128):
    """Masked accuracy and cross-entropy over a stream, and what chance gives.

    Returns a dict: accuracy, loss, chance (always the most frequent label), count.
    """
    model = masked_model(transformer)
    ids, starts = cut_rows(stream, length)
    masked = max(1, round(rate * (length - 2)))
    rng = np.random.default_rng(seed)
    inputs, positions, labels, weights = mask_rows(ids, starts, stream, masked, rng)
    right, loss = [], []
    for i in range(0, len(ids), batch_size):
        part = slice(i, i + batch_size)
        batch = [inputs[part], np.zeros_like(inputs[part]), positions[part]]
        logits = np.array(model.predict_on_batch(batch))  # (B, K, V)
        logits -= logits.max(-1, keepdims=True)
        chosen = np.take_along_axis(logits, labels[part][..., None], -1)[..., 0]
        loss.append(np.log(np.exp(logits).sum(-1)) - chosen)
        right.append(logits.argmax(-1) == labels[part])
    used = weights > 0
    counts = np.bincount(labels[used])
    return {
        "accuracy": float(np.concatenate(right)[used].mean()),
        "loss": float(np.concatenate(loss)[used].mean()),
        "chance": float(counts.max() / counts.sum()),
        "count": int(used.sum()),
    }


def fill(model, tokenizer, text, best=5):
    """The `best` (token, probability) for the one [MASK] in a text."""
    left, right = text.split("[MASK]")
    before = tokenizer.tokenize(left)[:-1]
    tokens = [*before, "[MASK]", *tokenizer.tokenize(right)[1:]]
    ids = np.array([tokenizer.tokens_to_ids(tokens)])
    scores = np.array(model.predict_on_batch([ids, np.zeros_like(ids)]))
    scores = scores[0, len(before)]
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    top = chances.argsort()[::-1][:best]
    return [(tokenizer.id_to_token(int(i)), float(chances[i])) for i in top]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="zh-tiny", help="folder or embedded name")
    parser.add_argument("--text", type=Path, help="held-out text, one text a line")
    args = parser.parse_args(argv)
    folder = asset_path(args.model)
    vocab = load_vocab(str(Path(folder) / "vocab.txt"))
    tokenizer = Tokenizer(vocab, do_lower_case=True)
    transformer = build_transformer_model(
        folder, with_mlm="linear", return_keras_model=False
    )
    if args.text:
        found = measure(transformer, Stream.read(args.text, vocab))
        print(" ".join(f"{name} {value:.4g}" for name, value in found.items()))
    for text in BLANKS:
        top = fill(transformer.model, tokenizer, text)
        print(text, " ".join(f"{token} {chance:.2f}" for token, chance in top))


if __name__ == "__main__":
    main()
