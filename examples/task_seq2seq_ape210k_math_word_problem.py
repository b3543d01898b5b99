"""Word problems: one BERT reads the question and writes the equation (UniLM).

Data: json lines of original_text, equation ("x=150*20%/5%-150") and ans, as of ape210k;
train and valid in the files' names. Samples are kept if the equation's value is the
answer; what counts is the value, too. BERT base answers 70% of ape210k's test, BERT
large 73% (published by bert4keras, https://kexue.fm/archives/7809).
    python examples/task_seq2seq_ape210k_math_word_problem.py --data FOLDER \
        --model FOLDER --learning-rate 2e-5
"""

import argparse
import ast
import json
import operator
import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 192  # tokens of question and equation
equation_maxlen = 64
buckets = (64, 96, 128, 192)  # compiled backends see these lengths only
operators = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
rewritten = (  # in this order; fractions are written (3)/(4), mixed numbers 1((3)/(4))
    (r"\((\d+)\)/\((\d+)\)", r"(\1/\2)"),
    (r"\((\(\d+/\d+\))\)", r"\1"),
    (r"(\d+)\((\d+/\d+)\)", r"(\1+\2)"),
    (r"([\d.]+)%", r"(\1/100)"),
    (r"([\d.)]+):(?=[\d.(])", r"\1/"),
)


def normalize(text):
    """Fractions, mixed numbers, percentages and ratios as plain arithmetic."""
    for pattern, by in rewritten:
        text = re.sub(pattern, by, text)
    return text


def value(expression):
    """The number that an arithmetic expression is, rounded; None if it is none."""

    def of(node):  # never eval(): a model or a file may write anything
        if isinstance(node, ast.BinOp):
            return operators[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.UnaryOp):
            return operators[type(node.op)](of(node.operand))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return float(node.value)
        raise KeyError(type(node))

    if len(expression) > 200:  # beyond what the parser does at once
        return None
    try:
        return round(of(ast.parse(expression, mode="eval").body), 6)
    except (KeyError, SyntaxError, ValueError, ArithmeticError):
        return None


def plain(expression):
    """The expression without the brackets that its value does not need."""
    place = 0
    while (place := expression.find("(", place)) >= 0:
        depth = end = 0
        for end in range(place, len(expression)):
            depth += {"(": 1, ")": -1}.get(expression[end], 0)
            if depth == 0:
                break
        shorter = f"{expression[:place]}{expression[place + 1 : end]}"
        shorter += expression[end + 1 :]
        if value(shorter) == value(expression):
            expression = shorter
        else:
            place += 1
    return expression


def read(path):
    """[(question, equation, answer), ...] of the lines whose equation is right."""
    data = []
    for line in Path(path).read_text(encoding="utf-8").strip("\n").split("\n"):
        one = json.loads(line)
        equation = normalize(one["equation"].removeprefix("x=").replace(" ", ""))
        answer = value(normalize(one["ans"]))
        if answer is not None and value(equation) == answer:
            data.append((normalize(one["original_text"]), plain(equation), answer))
    return data


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "ape210k")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 8 if args.smoke else None
    train, dev = (read(find_file(args.data, part))[:size] for part in ("train", "val"))
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False
    )
    model = bert.training_model()  # the loss of the equation's tokens, segment 1
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (tokenizer.encode(d[0], d[1], maxlen=maxlen), None),
        buckets=buckets,
    )
    decoder = Decoder(bert, tokenizer, maxlen=8 if args.smoke else equation_maxlen)
    prompts = [tokenizer.encode(d[0], maxlen=maxlen - equation_maxlen) for d in dev]

    def evaluate(model):
        found = decoder.generate(prompts, BeamSearch(1))
        found = [decoder.decode(row[0].ids).replace(" ", "") for row in found]
        for (question, _, answer), equation in list(zip(dev, found, strict=True))[:2]:
            print(f"\n{question}\n  {equation} = {value(equation)}, answer {answer}")
        right = [value(x) == d[2] for x, d in zip(found, dev, strict=True)]
        return {"accuracy": sum(right) / len(right)}

    evaluation = Evaluation(evaluate, "accuracy", args.weights)
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
