"""Titles of short news: one BERT reads the text and writes its title (UniLM).

--data is a folder of .txt files: LCSTS (PART_I.txt and so on, `<doc>`s with summary and
short_text), or articles as of THUCNews, one a file with the title in its first line.
Dev is LCSTS's PART_III, pairs with a human score of 3 and more; without other files, or
without PART_III, a tenth of the texts. On LCSTS BERT base with a beam of one has
ROUGE-1/2/L 29.6, 18.0, 28.0 (published with T5-PEGASUS).
Needs `pip install "bert4keras3[scores]"`.
    python examples/task_seq2seq_autotitle.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.metrics import text_scores
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 256  # tokens of text and title
title_maxlen = 32
buckets = (64, 96, 128, 160, 192, 256)  # compiled backends see these lengths only
doc = re.compile(
    r"<doc id=\d+>\s*(?:<human_label>(\d)</human_label>)?\s*"
    r"<summary>(.*?)</summary>\s*<short_text>(.*?)</short_text>\s*</doc>",
    re.S,
)


def read(files, least=0):
    """[(title, text), ...]; least: human score that a pair of LCSTS must have."""
    pairs = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        if text.lstrip().startswith("<doc"):
            scored = doc.findall(text)
            pairs += [(t, x) for score, t, x in scored if int(score or least) >= least]
        else:
            pairs.append(text.strip().partition("\n")[::2])
    pairs = [(title.strip(), text.strip()) for title, text in pairs]
    return [pair for pair in pairs if all(pair)]


def train_and_dev(folder):
    """The pairs of both: dev is PART_III, or where nothing else is there a tenth."""
    files = sorted(Path(folder).rglob("*.txt"))
    dev = [file for file in files if "PART_III" in file.name]
    train = [file for file in files if file not in dev]
    if train and dev:
        return read(train), read(dev, least=3)
    held = set(read(files, least=3)[::10])
    if not held:
        raise ValueError(f"{folder}: no .txt file with titles and texts.")
    return [pair for pair in read(files) if pair not in held], sorted(held)


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False
    )
    model = bert.training_model()  # the loss of the title's tokens, segment 1
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "lcsts")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    train, dev = train_and_dev(args.data)
    if args.smoke:
        train, dev = train[:8], dev[:2]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (tokenizer.encode(d[1], d[0], maxlen=maxlen), None),
        buckets=buckets,
    )
    decoder = Decoder(bert, tokenizer, maxlen=title_maxlen)
    prompts = [tokenizer.encode(x, maxlen=maxlen - title_maxlen) for _, x in dev]
    references = [title for title, _ in dev]

    def evaluate(model):
        found = decoder.generate(prompts, BeamSearch(args.beams))
        titles = [decoder.decode(row[0].ids) for row in found]
        for title, reference in list(zip(titles, references, strict=True))[:3]:
            print(f"\n{reference}\n  -> {title}")
        return text_scores(titles, references)

    for size in (15, 30):  # what a title must be better than
        copied = text_scores([text[:size] for _, text in dev], references)
        print(f"the first {size} characters as title:", copied)
    evaluation = Evaluation(evaluate, "rouge-l", args.weights)
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
