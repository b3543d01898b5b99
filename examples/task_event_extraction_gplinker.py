"""Event extraction with GPLinker: arguments linked into events, the maximal cliques.

Data: files with train, dev and schema in their names, of DuEE 1.0 or (--fin) DuEE-fin
json lines: invented sentences in that format, or the official sets. The method's
authors published no score on DuEE 1.0's dev part. https://kexue.fm/archives/8926
    python examples/task_event_extraction_gplinker.py --data FOLDER --model FOLDER \
        --learning-rate 2e-5 --epochs 200
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.extraction import (
    Dropped,
    argument_f1,
    decode_events,
    event_f1,
    event_labels,
    featurize,
    read_duee,
    read_duee_fin,
    read_event_schema,
    score_report,
    write_events,
)
from bert4keras3.layers import EfficientGlobalPointer
from bert4keras3.losses import SparseGlobalPointerCrossentropy
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

buckets = (32, 64, 128, 256, 400)  # lengths to pad to: compiled backends see these only


class data_generator(BucketedGenerator):
    """Batches of ([token_ids, segment_ids], (arguments, heads, tails))."""

    def __init__(self, data, features, labels, batch_size):
        pairs = [(f.inputs, (d, f)) for d, f in zip(data, features, strict=True)]
        super().__init__(pairs, batch_size, buckets=buckets)
        self.labels, self.dropped = labels, Dropped()

    def collate(self, pairs):
        inputs, _ = super().collate([(inputs, None) for inputs, _ in pairs])
        labels = event_labels(
            [d.events for _, (d, _) in pairs],
            [f.offsets for _, (_, f) in pairs],
            self.labels,
            texts=[d.text for _, (d, _) in pairs],
            dropped=self.dropped,
        )
        return inputs, tuple(labels)


def build_model(args, num_labels):
    bert = build_transformer_model(args.model, return_keras_model=False)
    heads = [
        EfficientGlobalPointer(num_labels, 64, name="argument"),
        EfficientGlobalPointer(1, 64, RoPE=False, name="head"),
        EfficientGlobalPointer(1, 64, RoPE=False, name="tail"),
    ]
    outputs = [head(bert.model.output) for head in heads]
    model = keras.Model(bert.model.inputs, outputs)
    model.compile(
        loss=[SparseGlobalPointerCrossentropy() for _ in heads],
        optimizer=keras.optimizers.AdamW(args.learning_rate),
    )
    return model


def extract(model, features, labels):
    """The events of every text."""

    def decode(scores, rows):
        offsets = [features[row].offsets for row in rows]
        return decode_events(*scores, offsets, labels)

    return predict_each(model, [f.inputs for f in features], decode, 16, buckets)


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder; default: the bundled samples")
    parser.add_argument("--fin", action="store_true", help="DuEE-fin, not DuEE 1.0")
    parser.add_argument("--predict", help="file to label in the submission's format")
    parser.add_argument("--output", default="duee_predict.json")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    args = parser.parse_args(argv)
    args.data = args.data or here / "data" / ("duee_fin" if args.fin else "duee")
    return args


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size, maxlen = 16 if args.smoke else None, 400 if args.fin else 128
    schema = read_event_schema(find_file(args.data, "schema"))

    def read(path, **how):
        if args.fin:
            return read_duee_fin(path, schema, **how)
        return read_duee(path, **how)

    train, dev = (read(find_file(args.data, name))[:size] for name in ("train", "dev"))
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    features = [featurize(tokenizer, [d.text for d in x], maxlen) for x in (train, dev)]
    model = build_model(args, len(schema.labels))
    generator = data_generator(train, features[0], schema.labels, args.batch_size)
    gold = [d.events for d in dev]

    def evaluate(model):
        found = extract(model, features[1], schema.labels)
        events = event_f1(gold, found, require_trigger=True)
        arguments = argument_f1(gold, found)
        return {"event_f1": events["f1"], "argument_f1": arguments["f1"]}

    evaluation = Evaluation(evaluate, "argument_f1", args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    print(f"spans that fit no tokens, in all epochs: {generator.dropped}")
    model.load_weights(args.weights)
    found = extract(model, features[1], schema.labels)
    print("whole events\n" + score_report(event_f1(gold, found, require_trigger=True)))
    print("arguments\n" + score_report(argument_f1(gold, found)))
    if args.predict:
        data = read(args.predict, labelled=False)
        texts, ids = [d.text for d in data], [d.id for d in data]
        found = extract(model, featurize(tokenizer, texts, maxlen), schema.labels)
        write_events(args.output, ids, texts, found, schema)
    return evaluation.best_result


if __name__ == "__main__":
    main()
