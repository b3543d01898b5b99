"""Reviews at will: a language model told by its norms whether to praise or to complain.

The label's vector moves the scales and offsets of every normalisation
(https://kexue.fm/archives/7124). Such a model classifies too: a text has the label
under which it is more probable, which is what `accuracy` means here. Data: `text TAB
label` lines, train and dev or valid in the files' names, as of task_sentiment.py.
    python examples/task_conditional_language_model.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

names = ("negative", "positive")
maxlen = 128
buckets = (32, 64, 96, 128)  # lengths to pad to: compiled backends see these only


def read(folder, *parts):
    """[(text, label), ...] of the first file with one of the parts in its name."""
    found = [part for part in parts if list(Path(folder).glob(f"*{part}*"))]
    lines = find_file(folder, *(found or parts)[:1]).read_text(encoding="utf-8")
    pairs = (line.rsplit("\t", 1) for line in lines.strip("\n").split("\n"))
    return [(text, int(label)) for text, label in pairs]


def build_model(args):
    """The Transformer, whose last input is the label, and the model that trains it."""
    label = keras.Input((), dtype="int32", name="Label")
    bert = build_transformer_model(
        args.model,
        application="lm",
        layer_norm_cond=keras.layers.Embedding(len(names), 128)(label),
        additional_input_layers=label,
        return_keras_model=False,
    )
    model = bert.training_model()
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def batches(generator):
    """Labels are an input: the loss is that of the text's own tokens."""
    for inputs, labels in generator.forfit():
        yield (*inputs, labels), None


def accuracy(decoder, dev):
    """Share of texts that are more probable under their own label."""
    texts = [decoder.tokenizer.encode(text, maxlen=maxlen)[0] for text, _ in dev]
    heads, tails = [ids[:1] for ids in texts], [ids[1:] for ids in texts]
    scores = [
        decoder.log_prob(heads, tails, [np.full(len(dev), label, "int32")])
        for label in range(len(names))
    ]
    return float(np.mean(np.argmax(scores, 0) == [label for _, label in dev]))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "sentiment")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--dev-size", type=int, default=500, help="texts to classify")
    parser.add_argument("--samples", type=int, default=2, help="of each label")
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 8 if args.smoke else None
    train = read(args.data, "train")[:size]
    dev = read(args.data, "dev", "valid")[: size or args.dev_size]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (tokenizer.encode(d[0], maxlen=maxlen), d[1]),
        buckets=buckets,
    )
    decoder = Decoder(bert, tokenizer, maxlen=8 if args.smoke else maxlen)
    labels = [number for number, _ in enumerate(names) for _ in range(args.samples)]

    def evaluate(model):
        texts = decoder(
            [""] * len(labels), Sampling(topp=0.95), conditions=[np.array(labels)]
        )
        for label, text in zip(labels, texts, strict=True):
            print(f"\n{names[label]}: {text}", end="")
        return {"accuracy": accuracy(decoder, dev)}

    evaluation = Evaluation(evaluate, "accuracy", args.weights)
    model.fit(
        batches(generator),
        steps_per_epoch=1 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
    )
    print("best:", evaluation.best_result)
    return evaluation.best_result


if __name__ == "__main__":
    main()
