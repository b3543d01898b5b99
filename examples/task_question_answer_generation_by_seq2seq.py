"""Questions and answers about a passage, made up by one model (UniLM).

The model reads [CLS] passage [SEP] and writes answer [SEP] question [SEP]. First an
answer is sampled among the pieces of the passage, so that every call asks something
else; then, with the answer in the prompt, a beam search writes the question.
Data: SQuAD json (CMRC 2018, DRCD); train and dev in the files' names.
    python examples/task_question_answer_generation_by_seq2seq.py --data FOLDER \
        --model FOLDER --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.extraction import answer_f1, passage_windows, read_squad
from bert4keras3.generation import BeamSearch, CopySpan, Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

passage_maxlen = 128  # tokens around an answer
answer_maxlen, question_maxlen = 32, 40  # with [SEP]
buckets = (160, 208)


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False
    )
    model = bert.training_model()  # the loss of answer and question, segment 1
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def read(path, tokenizer):
    """[(question, prompt, answer ids, question ids), ...]: windows with the answer."""
    start, end = tokenizer._token_start_id, tokenizer._token_end_id
    questions, samples = read_squad(path), {}
    size = passage_maxlen - 2
    for one in passage_windows(tokenizer, questions, size, size // 2):
        if one.answer is None or one.row in samples:
            continue
        question = questions[one.row]
        answer = one.token_ids[one.answer[0] : one.answer[1] + 1]
        asked = tokenizer.encode(question.question)[0][1:-1]
        samples[one.row] = (
            question,
            [start, *one.token_ids, end],
            [*answer[: answer_maxlen - 1], end],
            [*asked[: question_maxlen - 1], end],
        )
    return list(samples.values())


def encode(sample):
    """Inputs of the model that trains; no labels."""
    _, prompt, answer, question = sample
    new = answer + question
    return (prompt + new, [0] * len(prompt) + [1] * len(new)), None


class Asker:
    """Writes questions with answers about passages.

    asker(prompts, seed=1)  # [(question, answer), ...]
    """

    def __init__(self, bert, tokenizer, beams=2):
        self.decoder = Decoder(bert, tokenizer, maxlen=question_maxlen)
        self.strategy = BeamSearch(beams)

    def ask(self, prompts, answers):
        """Questions with these answers; prompts, answers: lists of token ids."""
        prompts = [
            (prompt + answer, [0] * len(prompt) + [1] * len(answer))
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        found = self.decoder.generate(prompts, self.strategy)
        return [self.decoder.decode(row[0].ids) for row in found]

    def __call__(self, prompts, seed=None):
        copy = CopySpan(self.decoder.settings.end_ids[0], answer_maxlen)
        options = {"maxlen": answer_maxlen, "minlen": 2, "rules": copy}
        found = self.decoder.generate(
            prompts, Sampling(topp=0.95), seed=seed, **options
        )
        end, answers = self.decoder.settings.end_ids[0], []
        for (output,) in found:
            ids = output.ids.tolist()
            answers.append(ids if ids[-1] == end else [*ids, end])
        texts = [self.decoder.decode(one) for one in answers]
        return list(zip(self.ask(prompts, answers), texts, strict=True))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "cmrc")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--beams", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 4 if args.smoke else None
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    train, dev = (
        read(find_file(args.data, part), tokenizer)[:size] for part in ("train", "dev")
    )
    bert, model = build_model(args)
    generator = BucketedGenerator(
        train, args.batch_size, encode=encode, buckets=buckets
    )
    asker = Asker(bert, tokenizer, args.beams)
    references, prompts, answers, _ = map(list, zip(*dev, strict=True))

    def evaluate(model):
        """F1 of questions about the true answers, of the longest common run."""
        asked = asker.ask(prompts, answers)
        total = sum(
            answer_f1(one, reference.question)
            for one, reference in zip(asked, references, strict=True)
        )
        for question, answer in asker(prompts[:3], seed=0):
            print(f"\n{question} -> {answer}")
        return {"question_f1": total / len(dev)}

    print("untrained:", evaluate(model))
    evaluation = Evaluation(evaluate, "question_f1", args.weights)
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
