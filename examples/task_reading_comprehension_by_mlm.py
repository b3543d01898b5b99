"""Reading comprehension by filling in masks: all tokens of an answer at once.

The model reads [CLS], 32 masks, [SEP] question [SEP] passage [SEP]; the masks become
the answer and its [SEP]. An answer is a piece of the passage: each place takes the best
token among those that continue what was copied so far. Long passages are read in
windows, which vote. Data: SQuAD json (CMRC 2018, DRCD); train and dev in the files'
names. On WebQA and SogouQA BERT base reaches EM 72.8, F1 82.1 (published by
bert4keras).
    python examples/task_reading_comprehension_by_mlm.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.extraction import (
    passage_windows,
    read_squad,
    reading_scores,
    vote_answers,
    window_text,
)
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each, softmax
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

answer_maxlen = 32  # tokens, with [SEP]
question_maxlen = 40  # with [SEP]
window, stride = 160, 96  # tokens of a passage, and from one window to the next
buckets = (176, 240)


def build_model(args):
    """Logits (B, 32, V) of the masks alone."""
    bert = build_transformer_model(args.model, with_mlm=True, return_keras_model=False)
    table, bias = bert.vocabulary_layers()
    states = bert.states()[-1][:, 1 : answer_maxlen + 1]
    model = keras.Model(bert.inputs, bias(table(states, mode="dense")))
    loss = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=0)
    model.compile(keras.optimizers.AdamW(args.learning_rate), loss)
    return model


class Reader:
    """Questions with the windows of their passages, as inputs and labels."""

    def __init__(self, tokenizer, questions):
        self.tokenizer, self.questions = tokenizer, questions
        self.end = tokenizer._token_end_id
        self.windows = passage_windows(tokenizer, questions, window, stride)
        texts = [tokenizer.encode(one.question)[0][1:] for one in questions]
        self.asked = [[*ids[:-1][: question_maxlen - 1], self.end] for ids in texts]
        self.rows = [[] for _ in questions]
        for one in self.windows:
            self.rows[one.row].append(one)

    def inputs(self, one):
        """Token and segment ids of a window."""
        t = self.tokenizer
        masks = [t._token_start_id, *[t._token_mask_id] * answer_maxlen, self.end]
        first, second = masks + self.asked[one.row], [*one.token_ids, self.end]
        return first + second, [0] * len(first) + [1] * len(second)

    def labels(self, one):
        """The answer with [SEP], and zeros, which are no target."""
        ids = []
        if one.answer is not None:
            ids = one.token_ids[one.answer[0] : one.answer[1] + 1]
        ids = [*ids, self.end][:answer_maxlen]
        return ids + [0] * (answer_maxlen - len(ids))

    def sample(self, row):
        """A window of a question: mostly one with the answer, sometimes any."""
        good = [one for one in self.rows[row] if one.answer is not None]
        if not good or np.random.random() < 0.25:
            good = self.rows[row]
        one = good[np.random.randint(len(good))]
        return self.inputs(one), self.labels(one)

    def decode(self, outputs, rows):
        """What the windows of these numbers answer, see `copied`."""
        windows = [self.windows[row] for row in rows]
        return [
            copied(logits, one.token_ids, self.end)
            for logits, one in zip(outputs, windows, strict=True)
        ]


def copied(logits, ids, end):
    """The piece of `ids` that logits (32, V) say: first, last token, mean probability.

    It has at least one token: a window without the answer gives it low probabilities.
    """
    p, ids, scores = softmax(logits), np.array(ids), []
    ends = np.arange(-1, len(ids) - 1)  # where what was copied so far may end
    for i, row in enumerate(p):
        following = ends[ends + 1 < len(ids)] + 1
        token = ids[following[row[ids[following]].argmax()]] if len(following) else end
        if i and row[end] >= row[token]:
            scores.append(row[end])
            break
        scores.append(row[token])
        ends, count = following[ids[following] == token], i + 1
    return int(ends[0]) - count + 1, int(ends[0]), float(np.mean(scores))


def nearest_clause(question):
    """What a reader must be better than: the clause most like the question."""
    clauses = question.passage.replace("。", "，").split("，")
    return max(clauses, key=lambda one: len(set(one) & set(question.question)))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "cmrc")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 4 if args.smoke else None
    train, dev = (
        read_squad(find_file(args.data, part))[:size] for part in ("train", "dev")
    )
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_model(args)
    reader, examiner = Reader(tokenizer, train), Reader(tokenizer, dev)
    generator = BucketedGenerator(
        range(len(train)), args.batch_size, encode=reader.sample, buckets=buckets
    )
    samples = [examiner.inputs(one) for one in examiner.windows]

    def evaluate(model):
        found = predict_each(model, samples, examiner.decode, args.batch_size, buckets)
        votes = [[] for _ in dev]
        for one, (first, last, score) in zip(examiner.windows, found, strict=True):
            votes[one.row].append((window_text(dev[one.row], one, first, last), score))
        answers = [vote_answers(one) for one in votes]
        for question, answer in list(zip(dev, answers, strict=True))[:3]:
            print(f"\n{question.question} {question.answers[0].text} -> {answer}")
        return reading_scores(answers, dev)

    print("nearest clause:", reading_scores(list(map(nearest_clause, dev)), dev))
    print("untrained:", evaluate(model))
    evaluation = Evaluation(evaluate, "f1", args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=1 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
    )
    print("best:", evaluation.best_result)
    return evaluation.best_result


if __name__ == "__main__":
    main()
