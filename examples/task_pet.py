"""Few-shot classification by filling in a word: PET, with plain or LoRA training.

"[MASK]满意。" before a review is filled with 很 or 不. Labelled texts teach the word,
and all texts, unlabelled ones too, masked language modelling.
Data: FewCLUE's json lines (eprstmt, bustm, csl, tnews) in a folder of that name: train,
dev and test in the files' names, unlabeled (optional). Measured: docs/prompts.md.
    python examples/task_pet.py --task eprstmt --data FOLDER --model FOLDER \
        --learning-rate 2e-5
https://kexue.fm/archives/7764
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.models import (
    build_transformer_model,
    cloze_model,
    masked_training_model,
)
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Cloze, Evaluation
from bert4keras3.utils.prediction import predict_each

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only
mask_rate = 0.15  # of the texts' own tokens
NEWS = "故事 文化 娱乐 体育 财经 房产 汽车 教育 科技 军事 旅游 国际 股票 农业 电竞"
NEWS_LABELS = (
    "story culture entertainment sports finance house car edu tech military travel "
    "world stock agriculture game"
)
# pattern, {label: word}
TASKS = {
    "eprstmt": ("[MASK]满意。{sentence}", {"Positive": "很", "Negative": "不"}),
    "bustm": ("意思[MASK]同：{sentence1}，{sentence2}", {"1": "相", "0": "不"}),
    "csl": ("用{keyword}概括[MASK]合适：{abst}", {"1": "很", "0": "不"}),
    "tnews": (
        "[MASK][MASK]新闻：{sentence}",
        {
            f"news_{label}": word
            for label, word in zip(NEWS_LABELS.split(), NEWS.split(), strict=True)
        },
    ),
}


def read(path):
    """[{field: text}, ...] with "label", where there is one, as TASKS names it."""
    lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    records = [json.loads(line) for line in lines]
    for record in records:
        if "label_desc" in record:
            record["label"] = record["label_desc"]
        if "keyword" in record:
            record["keyword"] = "、".join(record["keyword"])
    return records


def build_models(args, cloze):
    """The model that trains, and the one that tells classes, of the same weights."""
    bert = build_transformer_model(
        args.model, with_mlm="linear", return_keras_model=False
    )
    if args.lora:
        bert.enable_lora(args.lora, targets=r"/(q|k|v|o|i\d*)$")
    trainer = masked_training_model(bert)
    trainer.compile(keras.optimizers.AdamW(args.learning_rate))
    return trainer, cloze_model(bert, cloze.words, cloze.mask_id)


def predict(model, cloze, records):
    """Number of the class of every record."""
    samples = [cloze.encode(record) for record in records]
    decode = lambda outputs, rows: list(np.argmax(outputs, axis=-1))  # noqa: E731
    return predict_each(model, samples, decode, buckets=buckets)


def accuracy(model, cloze, records):
    right = [cloze.index(record["label"]) for record in records]
    return float(np.mean(np.array(predict(model, cloze, records)) == right))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", choices=sorted(TASKS), default="eprstmt")
    parser.add_argument("--data", default=here / "data" / "fewclue", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--lora", type=int, metavar="RANK", help="train LoRA alone")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def load_data(args):
    """Records for training, of them unlabelled ones; for dev; for test."""
    folder = Path(args.data) / args.task
    train, dev, test = (
        read(find_file(folder, part))[: 16 if args.smoke else None]
        for part in ("train", "dev", "test")
    )
    for path in sorted(folder.glob("*unlabeled*"))[:1]:
        train += read(path)[: 16 if args.smoke else None]
    return train, dev, test


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(args.seed)
    random = np.random.default_rng(args.seed)
    train, dev, test = load_data(args)
    cloze = Cloze(
        Tokenizer(args.model, do_lower_case=True), *TASKS[args.task], maxlen=maxlen
    )
    trainer, model = build_models(args, cloze)
    print(f"before training: {accuracy(model, cloze, dev):.4f} on dev")
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (cloze.example(d, d.get("label"), mask_rate, random), None),
        buckets=buckets,
    )
    evaluation = Evaluation(
        lambda _: {"accuracy": accuracy(model, cloze, dev)}, "accuracy", args.weights
    )
    trainer.fit(
        generator.forfit(),
        steps_per_epoch=2 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
        verbose=2,
    )
    trainer.load_weights(args.weights)
    best = {"dev": evaluation.best, "test": accuracy(model, cloze, test)}
    print("best:", best)
    return best


if __name__ == "__main__":
    main()
