"""Relation extraction with GPLinker: three pointer matrices joined into triples.

Data: files with train and dev in their names, of DuIE 1.0 (LIC2019) json lines, and the
schema (*schemas*): bundled sentences in that format, or the official set, on whose dev
part BERT base reaches F1 0.827 (published by bert4keras; bert4torch: 0.8238). Method:
https://kexue.fm/archives/8888
    python examples/task_relation_extraction_gplinker.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.extraction import (
    Dropped,
    Labels,
    decode_relations,
    featurize,
    read_duie,
    read_duie_schema,
    relation_f1,
    relation_labels,
    relation_strings,
    score_report,
    worst_differences,
    write_duie,
)
from bert4keras3.layers import EfficientGlobalPointer
from bert4keras3.losses import SparseGlobalPointerCrossentropy
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only


class data_generator(BucketedGenerator):
    """Batches of ([token_ids, segment_ids], (entities, heads, tails))."""

    def __init__(self, data, features, predicates, batch_size):
        pairs = [(f.inputs, (d, f)) for d, f in zip(data, features, strict=True)]
        super().__init__(pairs, batch_size, buckets=buckets)
        self.predicates, self.dropped = predicates, Dropped()

    def collate(self, pairs):
        inputs, _ = super().collate([(inputs, None) for inputs, _ in pairs])
        labels = relation_labels(
            [d.relations for _, (d, _) in pairs],
            [f.offsets for _, (_, f) in pairs],
            self.predicates,
            texts=[d.text for _, (d, _) in pairs],
            dropped=self.dropped,
        )
        return inputs, tuple(labels)


def build_model(args, num_predicates):
    bert = build_transformer_model(args.model, return_keras_model=False)
    free = {"RoPE": False, "tril_mask": False}  # the object may stand first
    heads = [
        EfficientGlobalPointer(2, 64, name="entity"),
        EfficientGlobalPointer(num_predicates, 64, name="head", **free),
        EfficientGlobalPointer(num_predicates, 64, name="tail", **free),
    ]
    outputs = [head(bert.model.output) for head in heads]
    model = keras.Model(bert.model.inputs, outputs)
    model.compile(
        loss=[SparseGlobalPointerCrossentropy() for _ in heads],
        optimizer=keras.optimizers.AdamW(args.learning_rate),
    )
    return model


def extract(model, features, predicates):
    """The relations of every text."""

    def decode(scores, rows):
        offsets = [features[row].offsets for row in rows]
        return decode_relations(*scores, offsets, predicates)

    return predict_each(model, [f.inputs for f in features], decode, 32, buckets)


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "duie", help="folder")
    parser.add_argument("--predict", help="file to label in the submission's format")
    parser.add_argument("--output", default="duie_predict.json")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 16 if args.smoke else None
    schema = read_duie_schema(find_file(args.data, "schemas"))
    predicates = Labels(schema)
    train, dev = (
        read_duie(find_file(args.data, name))[:size] for name in ("train", "dev")
    )
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    features = [featurize(tokenizer, [d.text for d in x], maxlen) for x in (train, dev)]
    model = build_model(args, len(predicates))
    generator = data_generator(train, features[0], predicates, args.batch_size)
    texts = [d.text for d in dev]
    gold = relation_strings(texts, [d.relations for d in dev])

    def evaluate(model):
        found = relation_strings(texts, extract(model, features[1], predicates))
        result = relation_f1(gold, found)
        return {name: result[name] for name in ("f1", "precision", "recall")}

    evaluation = Evaluation(evaluate, filepath=args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    print(f"spans that fit no tokens, in all epochs: {generator.dropped}")
    model.load_weights(args.weights)
    found = relation_strings(texts, extract(model, features[1], predicates))
    print(score_report(relation_f1(gold, found)))
    print(worst_differences(texts, gold, found, count=5))
    if args.predict:
        texts = [d.text for d in read_duie(args.predict, labelled=False)]
        found = extract(model, featurize(tokenizer, texts, maxlen), predicates)
        write_duie(args.output, texts, found, schema)
    return evaluation.best


if __name__ == "__main__":
    main()
