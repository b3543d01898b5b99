"""CLUENER: names of ten kinds in news texts.

cluener/train.json, dev.json: {"text", "label": {type: {entity: [[first, last], ...]}}},
last included; test.json: {"id", "text"}.
F1 on dev, 10 epochs (published with GAU-alpha): BERT 79.45, RoBERTa-wwm-ext 79.47,
RoFormer 79.72, RoFormerV2 81.08, GAU-alpha 80.01. There is no majority to guess:
"no entity" has F1 0.
    python -m examples.clue.cluener --data FOLDER --checkpoint FOLDER
"""

from typing import NamedTuple

import keras

from bert4keras3.extraction import (
    Dropped,
    Entity,
    Labels,
    cluener_label,
    decode_spans,
    featurize,
    pointer_labels,
    read_cluener,
    span_f1,
    token_spans,
)
from bert4keras3.layers import GlobalPointer
from bert4keras3.losses import SparseGlobalPointerCrossentropy
from bert4keras3.utils import BucketedGenerator
from bert4keras3.utils.prediction import predict_each
from examples.clue.data import field, label_index, read_records
from examples.clue.task import Task

TYPES = Labels(
    ["address", "book", "company", "game", "government"]
    + ["movie", "name", "organization", "position", "scene"]
)


class Sample(NamedTuple):
    """id: as the submission names it; entities: those of the text, none in tests."""

    id: object
    text: str
    entities: list[Entity]


class Batches(BucketedGenerator):
    """Batches of ((token_ids, segment_ids), positions of entities)."""

    def collate(self, pairs):
        inputs, _ = super().collate([(inputs, None) for inputs, _ in pairs])
        return inputs, pointer_labels([spans for _, spans in pairs], TYPES)


class CLUENER(Task):
    """GlobalPointer: a score for every span and type, so that entities may nest."""

    name = "cluener"
    tests = {"test.json": "cluener_predict.json"}
    metric = "f1"
    maxlen = 256

    def read(self, path, labelled=True):
        """See `Task`; ValueError for entities that do not stand where the file says."""

        def parse(record):
            for kind in field(record, "label", dict) if labelled else ():
                label_index(kind, TYPES.names)
            return (None if labelled else field(record, "id", (int, str)),)

        ids = [name for (name,) in read_records(path, parse)]
        texts = read_cluener(path, labelled)
        return [Sample(name, *pair) for name, pair in zip(ids, texts, strict=True)]

    def encode(self, samples):
        """[(features, token spans), ...]; says how many entities fit no tokens."""
        features = featurize(self.tokenizer, [s.text for s in samples], self.maxlen)
        dropped, entities = Dropped(), [sample.entities for sample in samples]
        spans = token_spans(entities, [f.offsets for f in features], dropped=dropped)
        if dropped.total:
            print(f"{self.name}: {dropped.total} entities are no labels ({dropped})")
        return list(zip(features, spans, strict=True))

    def batches(self, features, seed):
        """Length buckets."""
        pairs = [(one.inputs, spans) for one, spans in features]
        return Batches(pairs, self.batch_size, seed=seed)

    def build(self, steps):
        """Encoder and one pointer a type, 64 numbers each."""
        bert = self.encoder()
        pointer = GlobalPointer(len(TYPES), 64, use_bias=False)
        model = keras.Model(bert.model.inputs, pointer(bert.model.output))
        return self.compiled(model, SparseGlobalPointerCrossentropy(), steps)

    def predict(self, model, features):
        """Lists of entities."""

        def decode(scores, rows):
            return decode_spans(
                scores, [features[row][0].offsets for row in rows], TYPES
            )

        return predict_each(model, [one.inputs for one, _ in features], decode, 64)

    def score(self, samples, predictions):
        """F1, precision and recall over all entities: right if type and edges are."""
        result = span_f1([sample.entities for sample in samples], predictions)
        return {name: result[name] for name in ("f1", "precision", "recall")}

    def majority(self, train, dev):
        """No entity anywhere."""
        return [[] for _ in dev]

    def answers(self, samples, predictions):
        """{"id", "label": {type: {entity: [[first, last], ...]}}} of every sample."""
        pairs = zip(samples, predictions, strict=True)
        return [
            {"id": one.id, "label": cluener_label(one.text, entities)}
            for one, entities in pairs
        ]


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="cluener")
