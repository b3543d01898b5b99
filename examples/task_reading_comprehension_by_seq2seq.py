"""Reading comprehension by writing the answer (UniLM), word for word from the passage.

The model reads [CLS] passage [SEP] question [SEP] and writes the answer and [SEP], or
at once [SEP] for a passage without it. `CopySpan` lets it copy only. Long passages are
read in windows; all windows of all questions are decoded in batches, and the answers
of a question's windows vote by sum(p ** 2) / (sum(p) + 1), p the mean probability of a
token. (bert4keras averages so at every single token.) Data: SQuAD json (CMRC 2018,
DRCD); train and dev in the files' names. On WebQA and SogouQA BERT base reaches EM
72.6, F1 81.4 (published by bert4keras).
    python examples/task_reading_comprehension_by_seq2seq.py --data FOLDER \
        --model FOLDER --learning-rate 1e-5
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
)
from bert4keras3.generation import BeamSearch, CopySpan, Decoder
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

answer_maxlen = 32  # tokens, with [SEP]
question_maxlen = 40  # with [SEP]
window, stride = 160, 96  # tokens of a passage, and from one window to the next
buckets = (192, 240)


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False
    )
    model = bert.training_model()  # the loss of the answer's tokens, segment 1
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


class Reader:
    """Questions with the windows of their passages, as prompts and answers."""

    def __init__(self, tokenizer, questions):
        self.questions = questions
        self.start, self.end = tokenizer._token_start_id, tokenizer._token_end_id
        self.windows = passage_windows(tokenizer, questions, window, stride)
        texts = [tokenizer.encode(one.question)[0][1:] for one in questions]
        self.asked = [[*ids[:-1][: question_maxlen - 1], self.end] for ids in texts]
        self.rows = [[] for _ in questions]
        for one in self.windows:
            self.rows[one.row].append(one)

    def prompt(self, one):
        """Token ids of a window and its question."""
        return [self.start, *one.token_ids, self.end, *self.asked[one.row]]

    def sample(self, row):
        """A window of a question: mostly one with the answer, sometimes any."""
        good = [one for one in self.rows[row] if one.answer is not None]
        if not good or np.random.random() < 0.25:
            good = self.rows[row]
        one, answer = good[np.random.randint(len(good))], []
        if one.answer is not None:
            answer = one.token_ids[one.answer[0] : one.answer[1] + 1]
        prompt, answer = self.prompt(one), [*answer, self.end][:answer_maxlen]
        return (prompt + answer, [0] * len(prompt) + [1] * len(answer)), None

    def text(self, one, ids):
        """The characters of the passage that the copied tokens stand for."""
        question, ids = self.questions[one.row], [x for x in ids if x != self.end]
        size = len(ids)
        for i in range(len(one.token_ids) - size + 1):
            if one.token_ids[i : i + size] == ids:
                start, end = one.offsets[i][0], one.offsets[i + size - 1][1]
                return question.passage[start:end]
        raise ValueError(f"No piece of the passage: {ids}")


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "cmrc")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--beams", type=int, default=1)
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
    bert, model = build_model(args)
    reader, examiner = Reader(tokenizer, train), Reader(tokenizer, dev)
    generator = BucketedGenerator(
        range(len(train)), args.batch_size, encode=reader.sample, buckets=buckets
    )
    # A window without the answer has to give one too, with a low score: minlen.
    rules = CopySpan(tokenizer._token_end_id, answer_maxlen)
    decoder = Decoder(bert, tokenizer, maxlen=answer_maxlen, minlen=2, rules=rules)
    prompts = [examiner.prompt(one) for one in examiner.windows]

    def evaluate(model):
        found = decoder.generate(prompts, BeamSearch(args.beams))
        votes = [[] for _ in dev]
        for one, (output, *_) in zip(examiner.windows, found, strict=True):
            score = float(np.exp(output.score / len(output.ids)))
            votes[one.row].append((examiner.text(one, output.ids.tolist()), score))
        answers = [vote_answers(one) for one in votes]
        for question, answer in list(zip(dev, answers, strict=True))[:3]:
            print(f"\n{question.question} {question.answers[0].text} -> {answer}")
        return reading_scores(answers, dev)

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
