"""Named entity recognition by tags, with a CRF or a MEMM on top.

Data: files with train, dev and test (optional) in their names, of `character TAG` lines
with a blank line between sentences (People's Daily, MSRA, Weibo) or of CLUENER json
lines: the bundled sentences, or the official sets. On People's Daily BERT base with a
CRF reaches F1 96.48 on dev and 95.38 on test (published by bert4keras).
    python examples/task_sequence_labeling_ner_crf.py --data FOLDER --model FOLDER \
        --learning-rate 2e-5 --lr-multiplier 1000
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.extraction import (
    Labels,
    decode_tags,
    encode_tags,
    featurize,
    read_entities,
    score_report,
    span_f1,
    tag_names,
    to_entities,
    token_spans,
    worst_mistakes,
    write_cluener,
)
from bert4keras3.layers import ConditionalRandomField, Dense, MaximumEntropyMarkovModel
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 256
buckets = (32, 64, 128, 256)  # lengths to pad to: compiled backends see these only


def tagged(data, features, tags):
    """[((token_ids, segment_ids), tag ids), ...] for the generator."""
    texts, entities = zip(*data, strict=True)
    spans = token_spans(entities, [f.offsets for f in features], texts)
    rows = encode_tags(spans, tags, maxlen, overlaps="longest")
    return [
        (f.inputs, row[: len(f.token_ids)])
        for f, row in zip(features, rows, strict=True)
    ]


def build_model(args, tags):
    """The model and its top layer, which has the losses and the decoder."""
    bert = build_transformer_model(args.model, return_keras_model=False)
    heads = {"crf": ConditionalRandomField, "memm": MaximumEntropyMarkovModel}
    head = heads[args.head](lr_multiplier=args.lr_multiplier)
    output = Dense(len(tags), kernel_initializer=bert.initializer)(bert.model.output)
    model = keras.Model(bert.model.inputs, head(output))
    model.compile(
        loss=head.sparse_loss,
        optimizer=keras.optimizers.AdamW(args.learning_rate),
        metrics=[head.sparse_accuracy],  # of single tags, without transitions
    )
    return model, head


def recognize(model, head, features, tags):
    """The entities of every text."""

    def decode(scores, rows):
        return decode_tags(head.decode(scores), tags)

    inputs = [f.inputs for f in features]
    spans = predict_each(model, inputs, decode, buckets=buckets)
    return to_entities(spans, [f.offsets for f in features])


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "people_daily_ner")
    parser.add_argument("--train", default="train", help="part of the file's name")
    parser.add_argument("--dev", default="dev", help="part of the file's name")
    parser.add_argument("--predict", help="file to label; CLUENER lines are written")
    parser.add_argument("--output", default="cluener_predict.json")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--head", default="crf", choices=["crf", "memm"])
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--lr-multiplier", type=float, default=20.0)
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
    tags = tag_names(Labels.of(entities for _, entities in train))
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    features = [featurize(tokenizer, [t for t, _ in d], maxlen) for d in (train, dev)]
    model, head = build_model(args, tags)
    generator = BucketedGenerator(
        tagged(train, features[0], tags),
        args.batch_size,
        buckets=buckets,
        pad_labels=True,
    )
    gold = [entities for _, entities in dev]

    def evaluate(model):
        result = span_f1(gold, recognize(model, head, features[1], tags))
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
    found = recognize(model, head, features[1], tags)
    print(score_report(span_f1(gold, found)))
    print(worst_mistakes([text for text, _ in dev], gold, found, count=5))
    if args.predict:
        texts = [text for text, _ in read_entities(args.predict, labelled=False)]
        found = recognize(model, head, featurize(tokenizer, texts, maxlen), tags)
        write_cluener(args.output, texts, found)
    return evaluation.best


if __name__ == "__main__":
    main()
