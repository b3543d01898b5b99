"""Pretrain a small RoFormer with masked language modelling on text lines.

    python pretrain_mlm.py --corpus corpus/corpus.txt --vocab vocab.txt \
        --config config.json --steps 8000 --out zh-tiny
    python pretrain_mlm.py --smoke        # a few seconds on made-up text

zh-tiny (4 layers, hidden size 256, vocabulary 6,244) reaches the figures in
bert4keras3/assets/zh-tiny/README.md; on 2 CPU cores KERAS_BACKEND=tensorflow was
the fastest backend. A stopped run goes on from <out>/training.npz when the same
command is given again.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np
from data import Batches, Stream

from bert4keras3.backend import batch_gather
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import load_vocab

SMOKE_TEXT = ["今天天气很好，我们去公园散步。", "这本书写得不错，值得一读！"] * 40
ZH_TINY = {
    "model_type": "roformer",
    "hidden_size": 256,
    "embedding_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
    "rotary_value": False,
}
SMOKE_SIZES = {
    "hidden_size": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


class GatherPositions(keras.layers.Layer):
    """Pick tokens: x (B, T, D), positions (B, K) -> (B, K, D)."""

    def call(self, x, positions):
        return batch_gather(x, positions)

    def compute_mask(self, x, mask=None):
        return None  # no padding stays among the picked tokens

    def compute_output_spec(self, x, positions):
        return keras.KerasTensor((*positions.shape, x.shape[-1]), dtype=x.dtype)


def masked_model(transformer):
    """A training model that predicts the masked tokens only.

    The vocabulary projection costs as much as two blocks, so it sees K tokens of
    a row instead of T: logits are (B, K, V). All layers are the transformer's own.
    """
    model = transformer.model
    layer = model.get_layer
    # What enters the MLM head is what the last block's norm gives out.
    last = transformer.num_hidden_layers - 1
    x = layer(f"Transformer-{last}-FeedForward-Norm").output
    positions = keras.Input((None,), dtype="int32", name="Masked-Position")
    x = GatherPositions(name="Masked-Token")(x, positions)
    x = layer("MLM-Norm")(layer("MLM-Dense")(x))
    x = layer("MLM-Bias")(layer("Embedding-Token")(x, mode="dense"))
    logits = keras.layers.Activation("linear", dtype="float32", name="Logits")(x)
    return keras.Model([*model.inputs, positions], logits)


def make_optimizer(steps, peak):
    """AdamW with a linear warm-up over 6% of the steps, then linear decay to 0."""
    warmup = max(1, steps * 6 // 100)
    schedule = keras.optimizers.schedules.PolynomialDecay(peak, steps - warmup, 0.0)
    optimizer = keras.optimizers.AdamW(
        WarmUp(peak, warmup, schedule), weight_decay=0.01, beta_2=0.98, clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise to `peak` over `steps`, then what `after` says."""

    def __init__(self, peak, steps, after):
        self.peak, self.steps, self.after = peak, steps, after

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        rising = self.peak * (step + 1.0) / self.steps
        falling = self.after(keras.ops.maximum(step - self.steps, 0.0))
        return keras.ops.where(step < self.steps, rising, falling)

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps, "after": self.after}


def state_of(model):
    """All numbers of a run: weights, then optimizer state."""
    return [*model.variables, *model.optimizer.variables]


def save_state(model, step, path):
    """Write weights, optimizer and step; the old file stays until the new is whole."""
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(state_of(model))}
    temporary = path.with_suffix(".part")
    with open(temporary, "wb") as file:
        np.savez(file, step=step, **arrays)
    os.replace(temporary, path)


def load_state(model, path):
    """Restore what `save_state` wrote and return the step."""
    with np.load(path) as saved:
        variables = state_of(model)
        if len(saved.files) != len(variables) + 1:
            raise ValueError(
                f"{path} holds {len(saved.files) - 1} arrays, this model has "
                f"{len(variables)}. Give the config it was made with, or another --out."
            )
        for i, variable in enumerate(variables):
            variable.assign(saved[f"v{i}"])
        return int(saved["step"])


def train(model, batches, steps, out, save_every, on_save):
    """Run the loop from the last saved step on."""
    state = out / "training.npz"
    first = load_state(model, state) if state.exists() else 0
    began, logged = time.time(), first
    for step in range(first, steps):
        inputs, labels, weights = batches[step]
        loss, accuracy = model.train_on_batch(inputs, labels, sample_weight=weights)
        done = step + 1
        if done % 50 == 0 or done == steps:
            pace = (done - logged) / (time.time() - began)
            left = (steps - done) / pace / 60
            print(
                f"step {done}/{steps} loss {loss:.3f} accuracy {accuracy:.4f} "
                f"{pace * batches.batch_size * batches.length:.0f} tokens/s, "
                f"{left:.1f} minutes left",
                flush=True,
            )
            began, logged = time.time(), done
            model.reset_metrics()
        if done % save_every == 0 or done == steps:
            save_state(model, done, state)
            on_save()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, help="text file, one text a line")
    parser.add_argument("--vocab", type=Path, help="vocab.txt")
    parser.add_argument("--config", type=Path, help="JSON; default: zh-tiny's sizes")
    parser.add_argument("--words", type=Path, help="word list: mask whole words")
    parser.add_argument("--out", type=Path, default=Path("zh-tiny"))
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--mask-rate", type=float, default=0.15)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--store", default="float16", help="dtype of the saved weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="tiny, no files needed")
    args = parser.parse_args(argv)
    if not args.smoke and not (args.corpus and args.vocab):
        parser.error("--corpus and --vocab are required (or use --smoke)")
    return args


def smoke_settings(args, folder):
    """Fill in a corpus, a vocabulary and sizes that train in seconds."""
    args.corpus, args.vocab = folder / "corpus.txt", folder / "vocab.txt"
    args.corpus.write_text("\n".join(SMOKE_TEXT), encoding="utf-8")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += sorted(set("".join(SMOKE_TEXT)))
    args.vocab.write_text("\n".join(tokens), encoding="utf-8")
    args.steps, args.batch_size, args.length = min(args.steps, 20), 8, 16
    return {**ZH_TINY, **SMOKE_SIZES}


def run(args, config):
    keras.utils.set_random_seed(args.seed)
    vocab = load_vocab(str(args.vocab))
    config["vocab_size"] = len(vocab)
    words = set(args.words.read_text(encoding="utf-8").split()) if args.words else None
    stream = Stream.read(args.corpus, vocab, words)
    batches = Batches(stream, args.length, args.batch_size, args.mask_rate, args.seed)
    print(f"{len(stream.ids)} tokens, {batches.per_epoch} batches an epoch", flush=True)

    transformer = build_transformer_model(
        config, model="roformer", with_mlm="linear", return_keras_model=False
    )
    model = masked_model(transformer)
    model.compile(
        make_optimizer(args.steps, args.lr),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    args.out.mkdir(parents=True, exist_ok=True)

    def save():
        transformer.save(args.out, dtype=args.store, vocab=args.vocab, overwrite=True)

    train(model, batches, args.steps, args.out, args.save_every, save)
    print(f"saved in {args.out}")


def main(argv=None):
    args = parse(argv)
    if not args.smoke:
        given = json.loads(args.config.read_text("utf-8")) if args.config else {}
        run(args, {**ZH_TINY, **given})
        return
    with tempfile.TemporaryDirectory() as folder:
        run(args, smoke_settings(args, Path(folder)))


if __name__ == "__main__":
    main()
