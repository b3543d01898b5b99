"""Long texts, step 2 of SPACES: summaries of the extracted (kexue.fm/archives/8046).

One BERT reads and writes (UniLM), up to 1024 tokens together, trained with the sparse
softmax of the 10 largest logits and with a second head, which says what to copy. Models
with a table of 512 positions, as BERT, go beyond it with --hierarchical
(https://kexue.fm/archives/7947); zh-tiny, a RoFormer, has no such table. Data: the
--output of task_summarization_spaces_extract.py, or the same whole documents, which is
the default. Needs `pip install "bert4keras3[scores]"`.
    python examples/task_summarization_spaces_generate.py --data extracted \
        --model FOLDER --hierarchical --learning-rate 2e-5
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.generation import BeamSearch, Decoder
from bert4keras3.metrics import text_scores
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation
from bert4keras3.utils.copying import copy_labels

maxlen = 1024  # tokens of text and summary
summary_maxlen = 256
buckets = (256, 512, 768, 1024)  # compiled backends see these lengths only
lead = 100  # characters of a text, whose score must be beaten


def read(path):
    """[(text, summary), ...]"""
    pairs = []
    for line in Path(path).read_text(encoding="utf-8").strip("\n").split("\n"):
        one = json.loads(line)
        text = one["text"]
        if not isinstance(text, str):
            text = "".join(sentence["sentence"] for sentence in text)
        pairs.append((text, one["summary"]))
    return pairs


def build_model(args):
    """The Transformer, which generates, and the model that trains it."""
    longer = {"hierarchical_position": True} if args.hierarchical else {}
    bert = build_transformer_model(
        args.model, application="unilm", return_keras_model=False, **longer
    )
    model = bert.training_model(topk=10, copying=True)
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "summarization")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--hierarchical", action="store_true", help="more positions")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    train, dev = (read(find_file(args.data, part)) for part in ("train", "dev"))
    if args.smoke:
        train, dev = train[:2], dev[:1]
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    bert, model = build_model(args)

    def source(text):
        return tokenizer.encode(text, maxlen=maxlen - summary_maxlen)

    def encode(pair):
        """Text and summary, each cut to its own share of maxlen."""
        (ids, segments), summary = source(pair[0]), tokenizer.encode(pair[1])[0]
        summary = summary[1 : summary_maxlen + 1]
        labels = [0] * len(ids) + copy_labels(ids[1:-1], summary)
        return (ids + summary, segments + [1] * len(summary), labels), None

    generator = BucketedGenerator(
        train, min(args.batch_size, len(train)), encode=encode, buckets=buckets
    )
    new = 8 if args.smoke else summary_maxlen
    decoder = Decoder(bert, tokenizer, args.batch_size, maxlen=new, copying=True)
    prompts = [source(text) for text, _ in dev]
    references = [summary for _, summary in dev]

    def evaluate(model):
        found = decoder.generate(prompts, BeamSearch(args.beams))
        texts = [decoder.decode(row[0].ids) for row in found]
        print(f"\n{references[0]}\n  -> {texts[0]}")
        return text_scores(texts, references)

    copied = text_scores([text[:lead] for text, _ in dev], references)
    print(f"the first {lead} characters as summary:", copied)
    evaluation = Evaluation(evaluate, "rouge-l", args.weights)
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
