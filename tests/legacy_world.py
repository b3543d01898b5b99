"""What old scripts find on their disk, and how they are brought over and run."""

import json
import math
import re
import warnings
from pathlib import Path

import keras

from bert4keras3.backend import set_gelu
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import save_vocab

FOLDER = Path(__file__).parent / "legacy_scripts"
# The find-and-replace of docs/migration.md: the package, and files of weights.
RECIPE = ((r"\bbert4keras\b", "bert4keras3"), (r"\.weights(['\"])", r".weights.h5\1"))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]"]
CHARACTERS = "今天明小红去在北京上海了开会好坏很吃的是什么哪里和同学不，。"
WORDS = ["小明", "小红", "北京", "上海", "今天"]
CONFIG = {
    "attention_probs_dropout_prob": 0.01,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.01,
    "hidden_size": 16,
    "initializer_range": 0.02,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
}
MODELS = {
    "bert": ("bert_config.json", "bert_model.ckpt", {}),
    "albert": ("albert_config.json", "model.ckpt", {"embedding_size": 8}),
    "mt5.1.1": ("config.json", "model.ckpt", {"hidden_act": ["gelu", "linear"]}),
    "gau_alpha": (
        "config.json", "model.ckpt",
        {"hidden_act": "swish", "attention_key_size": 8, "num_attention_heads": 1},
    ),
}
SENTIMENT = [
    ("今天的北京很好很好", 1), ("今天的上海很坏很坏", 0),
    ("小明在北京吃的很好", 1), ("小红在上海吃的很坏", 0),
    ("北京的小学同学很好", 1), ("上海的小学同学很坏", 0),
    ("今天开会开的很好了", 1), ("明天开会开的很坏了", 0),
]
PAIRS = [
    ("小明在哪里开会", "小明开会在哪里", 1), ("小明在哪里开会", "小红今天吃什么", 0),
    ("今天去北京好么", "今天北京去好么", 1), ("今天去北京好么", "上海的同学很坏", 0),
    ("小红不在上海了", "上海小红不在了", 1), ("小红不在上海了", "明天北京开会的", 0),
    ("你我他的同学好", "同学的你我他好", 1), ("你我他的同学好", "今天去不去上海", 0),
]
TITLES = [
    ("北京", "小明今天去北京"), ("上海", "小红今天去上海"),
    ("开会", "今天在北京开会"), ("同学", "小明小红是同学"),
]
ENTITIES = [
    ("小明今天去北京", [(0, 2, "PER"), (5, 7, "LOC")]),
    ("小红今天在上海", [(0, 2, "PER"), (5, 7, "LOC")]),
    ("今天小明在上海", [(2, 4, "PER"), (5, 7, "LOC")]),
    ("今天去北京开会", [(3, 5, "LOC")]),
]


def build_world(folder):
    """Write configs, checkpoints, vocabularies and data of the scripts."""
    keras.utils.set_random_seed(1)
    for model, (config_name, checkpoint, extra) in MODELS.items():
        home = folder / {"mt5.1.1": "t5", "gau_alpha": "gau"}.get(model, model)
        home.mkdir()
        tokens = SPECIAL + sorted(CHARACTERS) + ["##" + c for c in sorted(CHARACTERS)]
        tokens += WORDS if model == "mt5.1.1" else []
        save_vocab(home / "vocab.txt", {token: i for i, token in enumerate(tokens)})
        config = {**CONFIG, **extra, "vocab_size": len(tokens)}
        if model == "mt5.1.1":
            del config["type_vocab_size"]
        (home / config_name).write_text(json.dumps(config), "utf-8")
        heads = {"bert": {"with_nsp": True, "with_mlm": True}}.get(model, {})
        t = build_transformer_model(
            home / config_name, model=model, return_keras_model=False, **heads
        )
        for weight in t.model.trainable_weights:  # so that words differ at once
            if weight.name == "kernel" and model != "mt5.1.1":
                weight.assign(10.0 * weight.value)
        t.save_weights_as_checkpoint(str(home / checkpoint))
    _write_data(folder / "data")
    return folder


def _write_data(folder):
    folder.mkdir()
    rows = {
        "sentiment.tsv": SENTIMENT,
        "pairs.tsv": PAIRS,
        "titles.tsv": TITLES,
        "novel.txt": [["小明今天去北京开会，小红在上海吃的很好。"] for _ in range(2)],
    }
    for name, table in rows.items():
        lines = ["\t".join(map(str, row)) + "\n" for row in table]
        (folder / name).write_text("".join(lines), "utf-8")
    blocks = []
    for text, entities in ENTITIES:
        flags = ["O"] * len(text)
        for start, end, label in entities:
            flags[start:end] = ["B-" + label] + ["I-" + label] * (end - start - 1)
        blocks.append("\n".join(map(" ".join, zip(text, flags, strict=True))))
    (folder / "ner.txt").write_text("\n\n".join(blocks) + "\n", "utf-8")


def migrated(name):
    """The text of a script after the find-and-replace."""
    text = (FOLDER / f"{name}.py").read_text("utf-8")
    for old, new in RECIPE:
        text = re.sub(old, new, text)
    return text


# What Keras 3 asks for beyond the find-and-replace: (what to look for, what to write).
SEEDED = """def build(self, input_shape):
        self.seed = keras.random.SeedGenerator()

    def call(self, inputs, training=None):"""
MEAN = "K.sum({0} * mask) / (K.sum(mask) + K.epsilon())"
EDITS = {
    "pretraining": [
        (f"return {MEAN.format(x)}", f"return K.expand_dims({MEAN.format(x)}, 0)")
        for x in ("loss", "acc")
    ],
    "theseus": [
        ("def call(self, inputs):", SEEDED),
        ("p=0.5)", "p=0.5, seed=self.seed)"),
        ("(output, target)", "(output, target, training=bool(training))"),
    ],
}


class Run:
    """A script that ran: its names as attributes, and what we warned about."""

    def __init__(self, names, caught):
        self.__dict__.update(names)
        self.warned = "\n".join(str(w.message) for w in caught)
        if "history" in names:
            self.losses = self.history.history["loss"]


def run_script(name, edits=None):
    """Run a script as the main module in the current folder.

    edits: pairs of old and new text, by default those of EDITS.
    """
    text = migrated(name)
    for old, new in EDITS.get(name, ()) if edits is None else edits:
        if old not in text:
            raise ValueError(f"{name} has no {old!r}")
        text = text.replace(old, new)
    keras.utils.set_random_seed(1)
    names = {"__name__": "__main__"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(text, f"{name}.py", "exec"), names)
        finally:
            set_gelu("erf")
    return Run(names, caught)


def learns(script):
    """Whether the losses of a script's epochs are finite and end lower."""
    first, *_, last = script.losses
    return all(map(math.isfinite, script.losses)) and last < first
