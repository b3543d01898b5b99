"""Long texts, step 1 of SPACES: the sentences that matter (kexue.fm/archives/8046).

A sentence is the mean of its BERT vectors, which stay as they are; dilated gated
convolutions over the sentences tell which of them the summary is made of. Labels are
found by `extractive_labels`. Data: json lines {"summary": ..., "text": ...} where text
is a text or a list of {"sentence": ...}, as of CAIL 2020; train and dev in the files'
names. What is extracted goes to --output for step 2,
task_summarization_spaces_generate.py: that of train from models that have not seen it.
Needs `pip install "bert4keras3[scores]"`.
    python examples/task_summarization_spaces_extract.py --data FOLDER --model FOLDER
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import GlobalAveragePooling1D
from bert4keras3.metrics import text_scores
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import find_file, predict_each, sequence_padding
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils.extractive import extractive_labels, split_sentences

maxlen = 128  # tokens of a sentence
buckets = (32, 64, 128)
max_sentences = 256  # of a document; compiled backends see one shape only
dilations = (1, 2, 4, 8, 1, 1)
folds = 3


def read(path):
    """[(sentences, summary), ...]"""
    documents = []
    for line in Path(path).read_text(encoding="utf-8").strip("\n").split("\n"):
        one = json.loads(line)
        text = one["text"]
        if not isinstance(text, str):
            text = "".join(sentence["sentence"] for sentence in text)
        documents.append((split_sentences(text)[:max_sentences], one["summary"]))
    return documents


def vectors(documents, args):
    """[(S, D) array of sentence vectors, ...] of documents."""
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert = build_transformer_model(args.model)
    encoder = keras.Model(bert.inputs, GlobalAveragePooling1D()(bert.output))
    samples = [
        tokenizer.encode(sentence, maxlen=maxlen)
        for sentences, _ in documents
        for sentence in sentences
    ]
    found = predict_each(encoder, samples, lambda x, _: list(x), buckets=buckets)
    ends = np.cumsum([len(sentences) for sentences, _ in documents])
    return np.split(np.array(found, "float32"), ends[:-1])


def build_model(size, units=128):
    """A Keras model: sentence vectors (B, S, D) and places (B, S) -> (B, S)."""
    features = keras.Input((max_sentences, size))
    real = keras.Input((max_sentences, 1))
    x = keras.layers.Dense(units, use_bias=False)(features)
    for dilation in dilations:
        gated = keras.layers.Conv1D(
            2 * units, 3, padding="same", dilation_rate=dilation
        )(x * real)
        gate = keras.ops.sigmoid(gated[..., units:])
        x = x * (1 - gate) + gated[..., :units] * gate  # a gated residual
    x = keras.layers.Dropout(0.1)(x)
    scores = keras.layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model([features, real], scores)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return model


def arrays(features):
    """Sentence vectors and real places of documents, padded."""
    real = [np.ones((len(one), 1), "float32") for one in features]
    return [sequence_padding(one, max_sentences) for one in (features, real)]


def train(documents, features, args):
    """A model of the documents."""
    labels = [np.array(extractive_labels(*one), "float32") for one in documents]
    inputs = arrays(features)
    model = build_model(features[0].shape[1])
    model.fit(
        inputs,
        sequence_padding(labels, max_sentences)[..., None],
        sample_weight=inputs[1][..., 0],
        batch_size=8,
        epochs=2 if args.smoke else args.epochs,
        verbose=0,
    )
    return model


def extract(model, documents, features, threshold):
    """Texts of the sentences above the threshold, of the best one at least."""
    texts, scores = [], model.predict(arrays(features), verbose=0)[..., 0]
    for (sentences, _), row in zip(documents, scores, strict=True):
        row = row[: len(sentences)]
        kept = row >= min(threshold, row.max())
        texts.append("".join(np.array(sentences, object)[kept]))
    return texts


def unseen(documents, features, args):
    """Texts extracted from each document by a model of the other ones."""
    texts = [None] * len(documents)
    for fold in range(folds):
        rest = [i for i in range(len(documents)) if i % folds != fold]
        model = train([documents[i] for i in rest], [features[i] for i in rest], args)
        own = documents[fold::folds], features[fold::folds]
        texts[fold::folds] = extract(model, *own, args.threshold)
    return texts


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "summarization")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--output", default="extracted", help="a new folder")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threshold", type=float, default=0.3)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    args = parser.parse_args(argv)
    if Path(args.output).exists():
        parser.error(f"--output {args.output} is there already")
    return args


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 6 if args.smoke else None
    parts = [read(find_file(args.data, name))[:size] for name in ("train", "dev")]
    found = [vectors(documents, args) for documents in parts]
    model = train(parts[0], found[0], args)
    texts = [
        unseen(parts[0], found[0], args),
        extract(model, parts[1], found[1], args.threshold),
    ]
    references = [summary for _, summary in parts[1]]
    best = [  # what extraction can reach at most, or nearly
        "".join(x for x, one in zip(d[0], extractive_labels(*d), strict=True) if one)
        for d in parts[1]
    ]
    whole = ["".join(sentences) for sentences, _ in parts[1]]
    for name, one in (("whole", whole), ("labels", best), ("extracted", texts[1])):
        result = text_scores(one, references)
        size = sum(map(len, one)) / len(one)
        print(f"{name}: {size:.0f} characters, {result}")
    os.makedirs(args.output)
    for name, documents, one in zip(("train", "dev"), parts, texts, strict=True):
        with open(Path(args.output) / f"{name}.json", "w", encoding="utf-8") as file:
            for text, (_, summary) in zip(one, documents, strict=True):
                line = {"text": text, "summary": summary}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return result


if __name__ == "__main__":
    main()
