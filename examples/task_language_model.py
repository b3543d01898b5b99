"""Stories from novels: a language model learns a text and goes on with its sentences.

--data is a text file or a folder of .txt files (novels are often in gbk: --encoding
gb18030). Samples are groups of sentences, as many as fit into 256 tokens, beginning at
every sentence. The last tenth of each file is held out; its perplexity tells which
epoch is best.
    python examples/task_language_model.py --data FOLDER --model FOLDER \
        --encoding gb18030 --learning-rate 1e-5 --text 当晚两人在一家小客店中歇宿。
"""

import argparse
import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation

maxlen = 256
buckets = (128, 256)  # lengths to pad to: compiled backends see these only
sentence = re.compile(r"[^。！？…\n]+[。！？…]*[”’」』）]*\n?")


def groups(sentences, size=maxlen - 2):
    """Texts of consecutive sentences with at most `size` characters, from every one."""
    end, length, found = 0, 0, []
    for start, first in enumerate(sentences):
        while end < len(sentences) and (
            end <= start or length + len(sentences[end]) <= size
        ):
            length += len(sentences[end])
            end += 1
        found.append("".join(sentences[start:end]))
        length -= len(first)
        if end == len(sentences):
            break  # what follows is only shorter
    return found


def read(source, encoding):
    """(train, dev): groups of sentences of the files."""
    source = Path(source)
    files = sorted(source.rglob("*.txt")) if source.is_dir() else [source]
    train, dev = [], []
    for file in files:
        sentences = sentence.findall(file.read_text(encoding=encoding))
        cut = len(sentences) * 9 // 10
        train += groups(sentences[:cut])
        dev += groups(sentences[cut:])
    if not train:
        raise ValueError(f"{source}: no .txt file with two sentences or more.")
    return train, dev


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    bert = build_transformer_model(
        args.model, application="lm", return_keras_model=False
    )
    model = bert.training_model()
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "story")
    parser.add_argument("--encoding", default="utf-8")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--text", default="第二天清早，", help="beginning of a story")
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    train, dev = read(args.data, args.encoding)
    if args.smoke:
        train, dev = train[:8], dev[:2]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)

    def encode(text):
        """Ids without [SEP]: the story goes on."""
        ids, segments = tokenizer.encode(text, maxlen=maxlen)
        return ids[:-1], segments[:-1]

    generator = BucketedGenerator(
        train, args.batch_size, encode=lambda d: (encode(d), None), buckets=buckets
    )
    # No token ends a text: a story has as many tokens as there is room for.
    decoder = Decoder(bert, tokenizer, maxlen=16 if args.smoke else 128, end_id=())

    def evaluate(model):
        stories = decoder([args.text], Sampling(topp=0.95), n=2)[0]
        print("", *(args.text + story for story in stories), sep="\n")
        perplexity = decoder.perplexity([encode(text)[0] for text in dev])
        return {"perplexity": float(np.mean(perplexity))}

    evaluation = Evaluation(evaluate, "perplexity", args.weights, mode="min")
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
