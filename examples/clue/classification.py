"""Classes of texts and of pairs of texts: eight of CLUE's tasks differ in little."""

from collections import Counter
from typing import NamedTuple

import keras
import numpy as np

from bert4keras3.layers import Dense
from bert4keras3.utils import BucketedGenerator, PackedGenerator, Unpacked
from bert4keras3.utils.prediction import predict_each
from examples.clue.data import field, label_index, read_records
from examples.clue.task import Task, device_count


class Sample(NamedTuple):
    """id: as the submission names it; texts: one or two; label: its number, or None."""

    id: object
    texts: tuple[str, ...]
    label: int | None


class Classification(Task):
    """A task that asks for one of `labels`, told from the first token's vector.

    labels: as the official files write them; dropped: labels whose rows are no
    samples; id_key: the field that names a sample in test files. row_length: texts
    that are longer come in batches of longer rows.
    """

    labels = ()
    dropped = ()
    id_key = "id"

    def texts(self, record) -> tuple[str, ...]:
        """The texts of a record, one or two."""
        raise NotImplementedError

    def read(self, path, labelled=True):
        """See `Task`; says how many rows of `dropped` labels are left out."""
        left_out = Counter()

        def parse(record):
            texts = self.texts(record)
            if not labelled:
                return Sample(field(record, self.id_key, (int, str)), texts, None)
            label = field(record, "label", (int, str))
            if label in self.dropped:
                left_out[label] += 1
                return None
            number = label_index(label, self.labels)
            return Sample(record.get(self.id_key), texts, number)

        samples = read_records(path, parse)
        for label, count in left_out.items():
            print(f"{path}: {count} rows with the label {label!r} are left out")
        return samples

    def encode(self, samples):
        """[((token_ids, segment_ids), label), ...], segments all 0."""
        return [(self.tokens(sample.texts), sample.label) for sample in samples]

    def tokens(self, texts):
        """(token_ids, segment_ids), cut to maxlen; the longer text gives way."""
        ids, _ = self.tokenizer.encode(*texts, maxlen=self.maxlen)
        return ids, [0] * len(ids)

    def batches(self, features, seed):
        """Packed rows with as many texts as a batch has, or length buckets."""
        if not self.packed:
            return BucketedGenerator(features, self.batch_size, seed=seed)
        sizes = [len(inputs[0]) for inputs, _ in features]
        longest = 64 * -(-max(sizes) // 64)
        length = self.row_length
        if max(sizes) > length and device_count() > 1:
            length = longest  # batches of one shape, which devices can share
        mean = np.mean(sizes)
        rows = round(self.batch_size * mean / length / device_count())
        rows = max(1, rows) * device_count()
        texts = max(2, round(2 * length / mean))  # places: twice what a row holds
        if max(sizes) > length:  # the few long texts come in batches of longer rows
            length = (length, longest)
        return PackedGenerator(features, rows, length=length, texts=texts, seed=seed)

    def build(self, steps):
        """Encoder, a vector of each text, one dense layer."""
        bert, vectors = self.text_vectors(self.packed)
        output = Dense(
            len(self.labels), kernel_initializer=bert.initializer, dtype="float32"
        )(vectors)
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )
        return self.compiled(keras.Model(bert.model.inputs, output), loss, steps)

    def predict(self, model, features):
        """Numbers of labels."""
        model = Unpacked(model) if self.packed else model
        decode = lambda outputs, rows: list(np.argmax(outputs, axis=-1))  # noqa: E731
        return predict_each(model, [inputs for inputs, _ in features], decode, 128)

    def score(self, samples, predictions):
        """Accuracy."""
        right = np.array([sample.label for sample in samples]) == predictions
        return {"accuracy": float(np.mean(right))}

    def majority(self, train, dev):
        """The most frequent label, always."""
        ((label, _),) = Counter(sample.label for sample in train).most_common(1)
        return [label] * len(dev)

    def answers(self, samples, predictions):
        """{"id", "label"} of every sample."""
        pairs = zip(samples, predictions, strict=True)
        return [{"id": one.id, "label": self.labels[found]} for one, found in pairs]
