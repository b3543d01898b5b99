"""Named entity recognition with GlobalPointer or EfficientGlobalPointer.

Data: files with train, dev and test (optional) in their names, of CLUENER json lines or
of `character TAG` lines with a blank line between sentences (People's Daily, MSRA,
Weibo): the bundled sentences, or the official sets. GlobalPointer on BERT base reaches
F1 96.25 on dev and 95.51 on test of People's Daily, 80.03 on dev of CLUENER (published
in https://github.com/bojone/GlobalPointer); EfficientGlobalPointer 96.55 (bert4torch).
    python examples/task_sequence_labeling_ner_globalpointer.py --data FOLDER \
        --model FOLDER --learning-rate 2e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.extraction import (
    Labels,
    decode_spans,
    featurize,
    pointer_labels,
    read_entities,
    score_report,
    span_f1,
    token_spans,
    worst_mistakes,
    write_cluener,
)
from bert4keras3.layers import EfficientGlobalPointer, GlobalPointer
from bert4keras3.losses import SparseGlobalPointerCrossentropy
from bert4keras3.metrics import SpanF1
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 256
buckets = (32, 64, 128, 256)  # lengths to pad to: compiled backends see these only


class data_generator(BucketedGenerator):
    """Batches of ([token_ids, segment_ids], positions of entities)."""

    def __init__(self, data, features, labels, batch_size):
        texts, entities = zip(*data, strict=True)
        spans = token_spans(entities, [f.offsets for f in features], texts)
        pairs = [(f.inputs, s) for f, s in zip(features, spans, strict=True)]
        super().__init__(pairs, batch_size, buckets=buckets)
        self.labels = labels

    def collate(self, pairs):
        inputs, _ = super().collate([(inputs, None) for inputs, _ in pairs])
        return inputs, pointer_labels([spans for _, spans in pairs], self.labels)


def build_model(args, labels):
    bert = build_transformer_model(args.model, return_keras_model=False)
    heads = {"gp": GlobalPointer, "egp": EfficientGlobalPointer}
    output = heads[args.head](len(labels), head_size=64)(bert.model.output)
    model = keras.Model(bert.model.inputs, output)
    model.compile(
        loss=SparseGlobalPointerCrossentropy(),
        optimizer=keras.optimizers.AdamW(args.learning_rate),
        metrics=[SpanF1()],
    )
    return model


def recognize(model, features, labels):
    """The entities of every text."""

    def decode(scores, rows):
        return decode_spans(scores, [features[row].offsets for row in rows], labels)

    inputs = [f.inputs for f in features]
    return predict_each(model, inputs, decode, buckets=buckets)


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "cluener", help="folder")
    parser.add_argument("--train", default="train", help="part of the file's name")
    parser.add_argument("--dev", default="dev", help="part of the file's name")
    parser.add_argument("--predict", help="file to label; CLUENER lines are written")
    parser.add_argument("--output", default="cluener_predict.json")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--head", default="egp", choices=["gp", "egp"])
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 16 if args.smoke else None
    train, dev = (
        read_entities(find_file(args.data, name))[:size]
        for name in (args.train, args.dev)
    )
    labels = Labels.of(entities for _, entities in train)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    features = [featurize(tokenizer, [t for t, _ in d], maxlen) for d in (train, dev)]
    model = build_model(args, labels)
    generator = data_generator(train, features[0], labels, args.batch_size)
    gold = [entities for _, entities in dev]

    def evaluate(model):
        result = span_f1(gold, recognize(model, features[1], labels))
        return {name: result[name] for name in ("f1", "precision", "recall")}

    evaluation = Evaluation(evaluate, filepath=args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    model.load_weights(args.weights)
    found = recognize(model, features[1], labels)
    print(score_report(span_f1(gold, found)))
    print(worst_mistakes([text for text, _ in dev], gold, found, count=5))
    if args.predict:
        texts = [text for text, _ in read_entities(args.predict, labelled=False)]
        found = recognize(model, featurize(tokenizer, texts, maxlen), labels)
        write_cluener(args.output, texts, found)
    return evaluation.best


if __name__ == "__main__":
    main()
