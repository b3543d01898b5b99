"""Title generation: one BERT reads the abstract and writes the title (UniLM).

Data: TSV lines of title and abstract, as of CSL; train and dev in the files' names. On
CSL (CLGE) BERT base with a beam of one reaches ROUGE-L 63.8 on test (published by
bert4keras). Needs `pip install "bert4keras3[scores]"`.
    python examples/task_seq2seq_autotitle_csl.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.metrics import text_scores
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 256  # tokens of abstract and title
title_maxlen = 32
buckets = (64, 128, 192, 256)  # lengths to pad to: compiled backends see these only


def read(path):
    """[(title, abstract), ...]"""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")[-2:]) for line in lines if "\t" in line]


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False
    )
    model = bert.training_model()  # the loss of the title's tokens, segment 1
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def first_sentence(abstract):
    """What a title must be better than."""
    return abstract.replace("；", "。").split("。")[0][:title_maxlen]


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "csl_title")
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
    size = 8 if args.smoke else None
    train, dev = (read(find_file(args.data, part))[:size] for part in ("train", "dev"))
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (tokenizer.encode(d[1], d[0], maxlen=maxlen), None),
        buckets=buckets,
    )
    decoder = Decoder(bert, tokenizer, maxlen=title_maxlen)
    prompts = [
        tokenizer.encode(abstract, maxlen=maxlen - title_maxlen) for _, abstract in dev
    ]
    references = [title for title, _ in dev]

    def generate():
        found = decoder.generate(prompts, BeamSearch(args.beams))
        return [decoder.decode(row[0].ids) for row in found]

    def evaluate(model):
        titles = generate()
        for title, reference in list(zip(titles, references, strict=True))[:2]:
            print(f"\n{reference}\n  -> {title}")
        return text_scores(titles, references)

    copied = text_scores([first_sentence(abstract) for _, abstract in dev], references)
    print("the first sentence as title:", copied)
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
