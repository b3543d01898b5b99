"""Measure a masked language model on held-out text and fill some blanks.

    python evaluate_mlm.py --model zh-tiny --text corpus/heldout.txt

Accuracy: argmax over the whole vocabulary at 15% of the tokens, masked as in
training (80% [MASK], 10% random, 10% kept). zh-tiny's figures are in its README.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.pretraining import (
    MaskedLM,
    PretrainingData,
    TokenShards,
    read_documents,
    write_shards,
)
from bert4keras3.tokenizers import Tokenizer
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


def measure(transformer, shards, length=64, rate=0.15, seed=0, batch_size=32):
    """Accuracy and cross entropy of masked tokens, of all whole batches of rows.

    Returns a dict: accuracy, loss, chance (always the most frequent label), count.
    """
    objective = MaskedLM(rate, whole_word=False)
    data = PretrainingData(shards, objective, batch_size, length, seed=seed)
    right, losses, answers = [], [], []
    for step in range(len(data)):
        inputs, labels, weights = data.batch(step)
        logits = np.array(transformer.model.predict_on_batch(list(inputs)))
        logits, labels = logits[weights > 0], labels[weights > 0]  # (K, V), (K,)
        logits -= logits.max(-1, keepdims=True)
        chosen = np.take_along_axis(logits, labels[:, None], -1)[:, 0]
        losses.append(np.log(np.exp(logits).sum(-1)) - chosen)
        right.append(logits.argmax(-1) == labels)
        answers.append(labels)
    answers = np.concatenate(answers)
    return {
        "accuracy": float(np.concatenate(right).mean()),
        "loss": float(np.concatenate(losses).mean()),
        "chance": float(np.bincount(answers).max() / len(answers)),
        "count": len(answers),
    }


def measure_text(transformer, path, tokenizer, **kwargs):
    """The same of a file, one text a line."""
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder, "shards")
        write_shards(read_documents([path]), shards, tokenizer)
        return measure(transformer, TokenShards(shards), **kwargs)


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
    tokenizer = Tokenizer(str(Path(folder) / "vocab.txt"), do_lower_case=True)
    transformer = build_transformer_model(
        folder, with_mlm="linear", return_keras_model=False
    )
    if args.text:
        found = measure_text(transformer, args.text, tokenizer)
        print(" ".join(f"{name} {value:.4g}" for name, value in found.items()))
    for text in BLANKS:
        top = fill(transformer.model, tokenizer, text)
        print(text, " ".join(f"{token} {chance:.2f}" for token, chance in top))


if __name__ == "__main__":
    main()
