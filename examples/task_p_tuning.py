"""Few-shot classification with trained prompt tokens: P-tuning.

The model is frozen. [unused1] to [unused6] around a blank learn, as vectors, what to
say so that the model fills in the word of the class.
Data: FewCLUE's json lines (eprstmt, bustm, tnews) in a folder of that name, as in
task_pet.py. The vectors go to a file of a few kilobytes. Measured: docs/prompts.md.
    python examples/task_p_tuning.py --task eprstmt --data FOLDER --model FOLDER
https://kexue.fm/archives/8295
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.models import build_transformer_model, cloze_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Cloze, Evaluation
from bert4keras3.utils.prediction import predict_each

maxlen = 128
buckets = (32, 64, 128)  # lengths to pad to: compiled backends see these only
prompt = [f"[unused{i}]" for i in range(1, 7)]
BLANK = "".join([*prompt[:3], "{}", *prompt[3:]])
NEWS = "故事 文化 娱乐 体育 财经 房产 汽车 教育 科技 军事 旅游 国际 股票 农业 电竞"
NEWS_LABELS = (
    "story culture entertainment sports finance house car edu tech military travel "
    "world stock agriculture game"
)
# pattern, {label: word}
TASKS = {
    "eprstmt": (
        BLANK.format("[MASK]") + "{sentence}",
        {"Positive": "好", "Negative": "差"},
    ),
    "bustm": (
        "{sentence1}" + BLANK.format("[MASK]") + "{sentence2}",
        {"1": "同", "0": "不"},
    ),
    "tnews": (
        BLANK.format("[MASK][MASK]") + "{sentence}",
        {
            f"news_{label}": word
            for label, word in zip(NEWS_LABELS.split(), NEWS.split(), strict=True)
        },
    ),
}


def read(path):
    """[{field: text}, ...] with "label" as TASKS names it."""
    lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    records = [json.loads(line) for line in lines]
    return [{**d, "label": d.get("label_desc", d.get("label"))} for d in records]


def build_model(args, cloze, tokenizer):
    """The Transformer, frozen but for the prompt's rows, and the classifier on it."""
    bert = build_transformer_model(
        args.model, with_mlm="linear", return_keras_model=False
    )
    bert.enable_prompt(tokenizer.tokens_to_ids(prompt))
    model = cloze_model(bert, cloze.words, cloze.mask_id)
    model.compile(
        keras.optimizers.Adam(args.learning_rate),
        loss="sparse_categorical_crossentropy",
    )
    return bert, model


def accuracy(model, cloze, records):
    samples = [cloze.encode(record) for record in records]
    decode = lambda outputs, rows: list(np.argmax(outputs, axis=-1))  # noqa: E731
    found = predict_each(model, samples, decode, buckets=buckets)
    right = [cloze.index(record["label"]) for record in records]
    return float(np.mean(np.array(found) == right))


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", choices=sorted(TASKS), default="eprstmt")
    parser.add_argument("--data", default=here / "data" / "fewclue", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--prompt", default="prompt.safetensors", help="to be written")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(args.seed)
    folder = Path(args.data) / args.task
    train, dev, test = (
        read(find_file(folder, part))[: 16 if args.smoke else None]
        for part in ("train", "dev", "test")
    )
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    cloze = Cloze(tokenizer, *TASKS[args.task], maxlen=maxlen)
    bert, model = build_model(args, cloze, tokenizer)
    generator = BucketedGenerator(
        train,
        args.batch_size,
        encode=lambda d: (cloze.encode(d), cloze.index(d["label"])),
        buckets=buckets,
    )
    evaluation = Evaluation(
        lambda model: {"accuracy": accuracy(model, cloze, dev)},
        "accuracy",
        args.weights,
    )
    model.fit(
        generator.forfit(),
        steps_per_epoch=2 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
        verbose=2,
    )
    model.load_weights(args.weights)
    path = bert.save_adapter(args.prompt, overwrite=True)
    best = {"dev": evaluation.best, "test": accuracy(model, cloze, test)}
    print(f"best: {best}; the prompt: {path}, {path.stat().st_size} bytes")
    return best


if __name__ == "__main__":
    main()
