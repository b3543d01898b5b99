"""Similar questions: one model writes them and finds them (SimBERT, RoFormer-Sim).

Data: `sentence1 TAB sentence2 TAB label` lines in files named *train* and *dev* or
*valid*; label 1 is a pair to learn from, and all lines of dev rank by cosine. The loss
is that of writing the partner (UniLM) plus that of finding it among the batch.
    python examples/task_similar_questions.py --data FOLDER --model FOLDER \
        --batch-size 64 --learning-rate 2e-6 --save simbert
RoFormer-Sim hides words of the source (--noise 0.5, needs `pip install jieba`), scales
cosines by 20, and in its second stage learns the similarities of a SimBERT:
    python examples/task_similar_questions.py --model roformer-sim --teacher simbert
https://kexue.fm/archives/7427, https://kexue.fm/archives/8454
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.generation import Paraphraser
from bert4keras3.losses import ContrastiveCrossentropy, SimilarityDistillation
from bert4keras3.metrics import spearman
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer, jieba_pre_tokenize
from bert4keras3.training import Evaluation
from bert4keras3.utils.corruption import mask_words, word_ids
from bert4keras3.utils.vectors import most_similar

maxlen = 32  # tokens of a sentence
buckets = (32, 48, 64)  # of a sentence and its partner


def read(path):
    """[(sentence1, sentence2, label), ...]"""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line)
    return [(first, second, int(label)) for first, second, label in rows]


class Pairs(BucketedGenerator):
    """Batches of pairs, each in both directions: rows 2i and 2i + 1.

    noise: share of the rows whose source loses words; vectors: {text: vector}, the
    teacher's, which are the labels then.
    """

    def __init__(self, data, batch_size, tokenizer, noise=0.0, vectors=None):
        super().__init__(data, batch_size, encode=self.rows, buckets=buckets)
        self.tokenizer, self.noise, self.vectors = tokenizer, noise, vectors
        self.cut = jieba_pre_tokenize() if noise else lambda text: [text]
        self.generator = np.random.default_rng(0)

    def rows(self, pair):
        """((ids, segments, words) of both directions, labels)."""
        (a, u), (b, v) = (word_ids(self.tokenizer, self.cut(x), maxlen) for x in pair)
        labels = None
        if self.vectors is not None:
            labels = np.stack([self.vectors[text] for text in pair])
        return (*self.row(a, u, b), *self.row(b, v, a)), labels

    @staticmethod
    def row(source, words, target):
        count = len(target) - 1
        ids = source + target[1:]
        return ids, [0] * len(source) + [1] * count, words + [-1] * count

    def collate(self, pairs):
        columns, labels = super().collate(pairs)
        both = zip(columns[:3], columns[3:], strict=True)
        ids, segments, words = (self.interleaved(np.stack(x, 1)) for x in both)
        if self.noise:
            words = np.where((segments > 0) | (ids == 0), -1, words)
            mask, size = self.tokenizer._token_mask_id, self.tokenizer._vocab_size
            ids = mask_words(ids, words, self.generator, mask, size, share=self.noise)
        return (ids, segments), None if labels is None else self.interleaved(labels)

    @staticmethod
    def interleaved(x):
        return x.reshape(-1, x.shape[-1])


def build(path):
    """A Transformer that writes and has a sentence vector; some have no pooler yet."""
    return build_transformer_model(
        path,
        application="unilm",
        with_pool="linear",
        return_keras_model=False,
        ignore_invalid_weights=path == "zh-tiny",  # which has no pooler
    )


def evaluate(paraphraser, data):
    """Rank correlation of cosine and label; how often a partner is found among all."""
    first, second, labels = zip(*data, strict=True)
    texts = list(dict.fromkeys([*first, *second]))
    vectors = dict(zip(texts, paraphraser.vectors(texts), strict=True))
    cosines = [vectors[a] @ vectors[b] for a, b in zip(first, second, strict=True)]
    result = {"spearman": 100 * spearman(cosines, labels)}
    partners = [(a, b) for a, b, label in data if label]
    corpus = list(dict.fromkeys(second))
    queries = np.stack([vectors[a] for a, _ in partners])
    found, _ = most_similar(queries, np.stack([vectors[b] for b in corpus]), k=5)
    known = set(partners)
    hits = [
        [(query, corpus[i]) in known for i in row]
        for (query, _), row in zip(partners, found, strict=True)
    ]
    for k in (1, 5):
        result[f"top{k}"] = 100 * float(np.mean([any(row[:k]) for row in hits]))
    return result


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "similarity", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--teacher", help="folder of a SimBERT to learn from: stage 2")
    parser.add_argument("--save", help="folder for the trained model")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--noise", type=float, default=0.0, help="share of the rows")
    parser.add_argument("--scale", type=float, default=30.0, help="of the cosines")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32, help="pairs")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def teacher_vectors(folder, pairs):
    """{text: vector} of a frozen SimBERT; computed once, for it does not change."""
    teacher = Paraphraser(build(folder), Tokenizer(folder, do_lower_case=True), maxlen)
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    return dict(zip(texts, teacher.vectors(texts), strict=True))


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 48 if args.smoke else None
    train, dev = (read(find_file(args.data, x))[:size] for x in ("train", "dev"))
    pairs = [(a, b) for a, b, label in train if label]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert = build(args.model)
    paraphraser = Paraphraser(bert, tokenizer, maxlen)
    loss, vectors = ContrastiveCrossentropy(args.scale), None
    if args.teacher:
        loss, vectors = SimilarityDistillation(), teacher_vectors(args.teacher, pairs)
    model = bert.training_model()  # its output: the sentence vectors
    model.compile(keras.optimizers.AdamW(args.learning_rate), loss=loss)
    generator = Pairs(pairs, args.batch_size, tokenizer, args.noise, vectors)
    print("before:", evaluate(paraphraser, dev))
    evaluation = Evaluation(
        lambda model: evaluate(paraphraser, dev), "spearman", args.weights
    )
    model.fit(
        generator.forfit(),
        steps_per_epoch=1 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    print("best:", evaluation.best_result)
    model.load_weights(args.weights)
    questions = [a for a, _, label in dev if label][:3]
    found = paraphraser(questions, n=4 if args.smoke else 100, k=5)
    for question, row in zip(questions, found, strict=True):
        print(question, *(f"  {score:.3f} {text}" for text, score in row), sep="\n")
    if args.save:
        bert.save(args.save, vocab=tokenizer)
    return evaluation.best_result


if __name__ == "__main__":
    main()
