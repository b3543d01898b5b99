"""Relation extraction like CasRel: subjects first, then the objects of a subject.

A conditional layer norm, whose condition is a subject, tells the object head what it is
to look for (https://kexue.fm/archives/7161). Data: files with train and dev in their
names, of DuIE 1.0 (LIC2019) json lines, and the schema (*schemas*): bundled sentences
in that format, or the official set, on whose dev part BERT base reaches F1 0.82198
(published by bert4keras).
    python examples/task_relation_extraction.py --data FOLDER --model FOLDER \
        --learning-rate 1e-5
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.backend import K, batch_gather, ops
from bert4keras3.extraction import (
    Dropped,
    Labels,
    decode_objects,
    featurize,
    find_subjects,
    read_duie,
    read_duie_schema,
    relation_f1,
    relation_strings,
    score_report,
    subject_labels,
    worst_differences,
    write_duie,
)
from bert4keras3.layers import Dense, Input, Lambda, LayerNormalization, Loss
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file, predict_each
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only
pairs_at_once = 32  # (text, subject) pairs in one batch of predictions


class data_generator(BucketedGenerator):
    """Batches of ((token_ids, segment_ids, subjects, one of them, objects), None)."""

    def __init__(self, data, features, predicates, batch_size):
        pairs = [(f.inputs, (d, f)) for d, f in zip(data, features, strict=True)]
        super().__init__(pairs, batch_size, buckets=buckets)
        self.predicates, self.dropped = predicates, Dropped()
        self.choice = np.random.default_rng(42)

    def collate(self, pairs):
        inputs, _ = super().collate([(inputs, None) for inputs, _ in pairs])
        labels = subject_labels(
            [d.relations for _, (d, _) in pairs],
            [f.offsets for _, (_, f) in pairs],
            self.predicates,
            self.choice,
            length=inputs[0].shape[1],
            texts=[d.text for _, (d, _) in pairs],
            dropped=self.dropped,
        )
        return (*inputs, *labels), None


class TotalLoss(Loss):
    """Cross-entropies of subjects and objects, means over the tokens."""

    def compute_loss(self, inputs, mask=None):
        ids, subjects, objects, subject_scores, object_scores = inputs
        mask = ops.cast(ids != 0, "float32")
        loss = ops.mean(K.binary_crossentropy(subjects, subject_scores), axis=-1)
        each = ops.mean(K.binary_crossentropy(objects, object_scores), axis=-1)
        loss = loss + ops.sum(each, axis=-1)
        return ops.sum(loss * mask) / ops.sum(mask)


def build_models(args, num_predicates):
    """The model to train, and the two that predict: of texts, and of subjects."""
    bert = build_transformer_model(args.model, return_keras_model=False)
    name = bert.layer_name(bert.num_hidden_layers - 1, "FeedForward")
    states = bert.model.get_layer(f"{name}-Add").output  # before the last norm
    # Powers lower the first probabilities: most tokens are neither start nor end.
    dense = Dense(2, activation="sigmoid", kernel_initializer=bert.initializer)
    subject_scores = Lambda(lambda x: x**2)(dense(bert.model.output))

    size = bert.hidden_size
    both_ends = Lambda(lambda x: ops.reshape(batch_gather(*x), (-1, 2 * size)))
    norm = LayerNormalization(conditional=True)
    dense = Dense(
        2 * num_predicates, activation="sigmoid", kernel_initializer=bert.initializer
    )
    split = keras.layers.Reshape((-1, num_predicates, 2))
    fourth = Lambda(lambda x: x**4)

    def object_scores(states, subject):
        return fourth(split(dense(norm([states, both_ends([states, subject])]))))

    subjects = Input((None, 2), name="Subjects")
    chosen = Input((2,), dtype="int32", name="Chosen-Subject")
    objects = Input((None, num_predicates, 2), name="Objects")
    scores = [subject_scores, object_scores(states, chosen)]
    ids = bert.model.inputs[0]
    scores = TotalLoss([3, 4])([ids, subjects, objects, *scores])
    model = keras.Model([*bert.model.inputs, subjects, chosen, objects], scores)
    model.compile(optimizer=keras.optimizers.AdamW(args.learning_rate))

    subject_model = keras.Model(bert.model.inputs, [subject_scores, states])
    of_text = Input((None, size), name="States")
    object_model = keras.Model([of_text, chosen], object_scores(of_text, chosen))
    return model, subject_model, object_model


def extract(subject_model, object_model, features, predicates):
    """The relations of every text; the text model runs once for each."""

    def decode(outputs, rows):
        scores, states = outputs
        offsets = [features[row].offsets for row in rows]
        subjects = find_subjects(scores, offsets)
        parts = [np.zeros((0, scores.shape[1], len(predicates), 2), "float32")]
        for low in range(0, len(subjects.rows), pairs_at_once):
            some = np.arange(low, min(low + pairs_at_once, len(subjects.rows)))
            full = np.resize(some, pairs_at_once)
            pairs = [states[subjects.rows[full]], subjects.spans[full].astype("int32")]
            parts.append(object_model.predict_on_batch(pairs)[: len(some)])
        return decode_objects(np.concatenate(parts), subjects, offsets, predicates)

    inputs = [f.inputs for f in features]
    return predict_each(subject_model, inputs, decode, 32, buckets)


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
    train = [d for d in train if d.relations]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    features = [featurize(tokenizer, [d.text for d in x], maxlen) for x in (train, dev)]
    model, *models = build_models(args, len(predicates))
    generator = data_generator(train, features[0], predicates, args.batch_size)
    texts = [d.text for d in dev]
    gold = relation_strings(texts, [d.relations for d in dev])

    def evaluate(model):
        found = relation_strings(texts, extract(*models, features[1], predicates))
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
    found = relation_strings(texts, extract(*models, features[1], predicates))
    print(score_report(relation_f1(gold, found)))
    print(worst_differences(texts, gold, found, count=5))
    if args.predict:
        texts = [d.text for d in read_duie(args.predict, labelled=False)]
        features = featurize(tokenizer, texts, maxlen)
        write_duie(args.output, texts, extract(*models, features, predicates), schema)
    return evaluation.best


if __name__ == "__main__":
    main()
