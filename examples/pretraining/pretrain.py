"""Pretrain RoBERTa, GPT, UniLM or T5-PEGASUS on token shards.

    bert4keras3 shards corpus.txt shards --tokenizer vocab.txt
    python pretrain.py --recipe roberta --shards shards --vocab vocab.txt --out model
    python pretrain.py --recipe gpt --smoke       # a few seconds on made-up text

From random weights, or with `--checkpoint FOLDER` from those of a pretrained model.
The same command goes on where a run was stopped. OUT holds the model as a Hugging
Face folder, OUT/training the saves, OUT/logs the curves for TensorBoard.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
from recipes import OPTIMIZERS, RECIPES, make_optimizer

from bert4keras3.models import build_transformer_model
from bert4keras3.models.flops import step_flops
from bert4keras3.pretraining import PretrainingData, TokenShards, write_shards
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Checkpoint, Evaluation, TensorBoardLog, Throughput

SMOKE_TEXT = ["今天天气很好，我们去公园散步。这本书写得不错，值得一读！"] * 60
SMOKE_SIZES = {
    "hidden_size": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "attention_head_size": 16,
    "intermediate_size": 64,
}


class Batches(PretrainingData):
    """Batches of a recipe as its training model takes them: inputs alone."""

    def __init__(self, recipe, shards, args, **kwargs):
        self.inputs = recipe.inputs
        objective = recipe.objective(args.rate, args.target)
        size, length = args.batch_size, args.length - recipe.further
        super().__init__(shards, objective, size, length, seed=args.seed, **kwargs)

    def batch(self, step):
        return (self.inputs(super().batch(step)),)


class Export(keras.callbacks.Callback):
    """Write the model after every epoch, complete or not at all."""

    def __init__(self, transformer, tokenizer, args):
        super().__init__()
        self.transformer, self.tokenizer, self.args = transformer, tokenizer, args

    def on_epoch_end(self, epoch, logs=None):
        _ = self.model  # fetches the weights on jax
        self.transformer.save(
            self.args.out,
            format="hf",
            dtype=self.args.store,
            vocab=self.tokenizer,
            overwrite=True,
        )


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--recipe", choices=RECIPES, default="roberta")
    add("--shards", type=Path, help="folder that `bert4keras3 shards` wrote")
    add("--heldout", type=Path, help="shards whose loss is told after every epoch")
    add("--vocab", type=Path, help="vocab.txt of the shards")
    add("--config", type=Path, help="JSON; default: zh-tiny's sizes")
    add("--checkpoint", help="folder or embedded name: go on from its weights")
    add("--out", type=Path, default=Path("pretrained"))
    add("--steps", type=int, default=8000, help="batches, whole epochs of them")
    add("--epoch", type=int, default=500, help="steps between saves")
    add("--batch-size", type=int, default=64, help="rows of a step")
    add("--accumulate", type=int, default=1, help="steps of an update")
    add("--length", type=int, default=64, help="tokens of a row")
    add("--target", type=int, default=32, help="tokens of a target (t5-pegasus)")
    add("--rate", type=float, default=0.15, help="share that is hidden (roberta)")
    add("--optimizer", choices=OPTIMIZERS, default="adamw")
    add("--learning-rate", type=float, help="default: the optimizer's for zh-tiny")
    add("--dtype", default="float32", help="mixed_bfloat16: products in half precision")
    add("--devices", action="store_true", help="share batches among all (jax)")
    add("--peak", type=float, help="FLOPs a second of all devices: shows the MFU")
    add("--store", default="float16", help="dtype of the exported weights")
    add("--seed", type=int, default=0)
    add("--smoke", action="store_true", help="tiny, no files needed")
    args = parser.parse_args(argv)
    args.epoch = min(args.epoch, args.steps)
    check(args, parser)
    return args


def check(args, parser):
    """End with a message for options that do not go together."""
    if min(args.steps, args.epoch, args.accumulate) < 1:
        parser.error("--steps, --epoch and --accumulate must be at least 1")
    for name, size in (("epoch", args.epoch), ("accumulate", args.accumulate)):
        if args.steps % size:
            parser.error(f"--steps {args.steps} are no multiple of --{name} {size}")
    if not args.smoke and not (args.shards and (args.vocab or args.checkpoint)):
        parser.error(
            "--shards, and --vocab or --checkpoint, are required (or use --smoke)"
        )
    if args.devices and keras.backend.backend() != "jax":
        parser.error(
            "--devices is of jax. See docs/scale.md for MirroredStrategy (tensorflow) "
            "and DistributedDataParallel (torch)"
        )
    if args.checkpoint and (args.config or args.vocab):
        parser.error(
            "--checkpoint has a config and a vocabulary: leave out --config and --vocab"
        )


def smoke_settings(args, folder):
    """Fill in shards, a vocabulary and sizes that train in seconds."""
    args.vocab, args.shards = folder / "vocab.txt", folder / "shards"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += sorted(set("".join(SMOKE_TEXT)))
    args.vocab.write_text("\n".join(tokens), encoding="utf-8")
    args.steps, args.epoch = 12, 6
    args.batch_size, args.length, args.target = 4, 16, 8
    marks = {"summaries": args.length + args.target}
    write_shards(SMOKE_TEXT, args.shards, Tokenizer(str(args.vocab)), **marks)
    return SMOKE_SIZES


def built(recipe, args, shards, sizes):
    """The Transformer: --checkpoint, --config, or the recipe's sizes."""
    config = {**recipe.sizes, **{k: v for k, v in sizes.items() if k in recipe.sizes}}
    if args.config:
        config = json.loads(args.config.read_text("utf-8"))
    config["vocab_size"] = shards.vocabulary.size
    family = {"model": recipe.family}
    if args.checkpoint or {"model_type", "model"} & set(config):
        family = {}
    transformer = build_transformer_model(
        args.checkpoint or config, **family, **recipe.model, return_keras_model=False
    )
    pairs, both = recipe.family == "t5_pegasus", hasattr(transformer, "encoder")
    if pairs != both or not both and len(transformer.model.inputs) != 2:
        needed = "an encoder-decoder" if pairs else "a family with segments"
        raise ValueError(
            f"--recipe {args.recipe} needs {needed}. Received: "
            f"{type(transformer).__name__}. Choose another --checkpoint or --config."
        )
    limit = transformer.position_limit
    if limit is not None and args.length > limit:
        raise ValueError(
            f"--length {args.length} is beyond the model's {limit} positions. Make it "
            "shorter, or choose another --checkpoint or --config."
        )
    return transformer


def speed_of(recipe, transformer, args):
    """Tokens a second, and MFU if --peak is given."""
    rows, length, target = args.batch_size, args.length, None
    if recipe.family == "t5_pegasus":
        target = args.target + 1
    tokens = rows * (length + (target or 0))
    if args.peak is None:
        return Throughput(tokens)
    predicted = recipe.share(args.rate) * (target or length)  # tokens with logits
    flops = step_flops(transformer, rows, length, target, predicted=predicted)
    return Throughput(tokens, flops.total, args.peak)


def run(args, sizes):
    """Train, and return the history of the loss."""
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(args.dtype)
    if args.devices:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    recipe = RECIPES[args.recipe]
    tokenizer = Tokenizer(args.checkpoint or str(args.vocab), do_lower_case=True)
    shards = TokenShards(args.shards, tokenizer)
    heldout = args.heldout and TokenShards(args.heldout, tokenizer)
    data = Batches(recipe, shards, args)
    transformer = built(recipe, args, shards, sizes)
    model = recipe.trainer(transformer)
    rate, steps = args.learning_rate, args.steps
    model.compile(make_optimizer(args.optimizer, steps, rate, args.accumulate))
    curves = TensorBoardLog(args.out / "logs", every=min(50, args.epoch))
    callbacks = [speed_of(recipe, transformer, args)]
    if heldout:
        callbacks.append(held_out(recipe, heldout, args))
    callbacks += [curves, Export(transformer, tokenizer, args)]
    saver = Checkpoint(args.out / "training", data=data, callbacks=[curves])
    callbacks.append(saver)
    tell(data, saver.trained, args)
    return model.fit(
        data.forfit(prefetch=2),
        steps_per_epoch=args.epoch,
        epochs=args.steps // args.epoch,
        callbacks=callbacks,
        shuffle=False,  # the data are
        verbose=1 if sys.stdout.isatty() else 2,
    ).history


def tell(data, trained, args):
    """Print what lies ahead."""
    shards = data.shards
    print(f"{shards.tokens} tokens, {len(data)} steps to go over them", flush=True)
    if args.recipe == "t5-pegasus" and shards.summaries is None:
        print("no summaries in the shards (--summaries): they are sought at every step")
    if trained:
        left = max(0, args.steps - trained)
        print(f"{args.out}: {trained} steps are done, {left} are left", flush=True)


def held_out(recipe, shards, args, steps=20):
    """The loss on other text, always of the same batches."""
    data = Batches(recipe, shards, args)
    steps = min(steps, len(data))

    def evaluate(model):
        batches = data.forfit(start=0)
        return {"loss": model.evaluate(batches, steps=steps, verbose=0)}

    return Evaluation(evaluate, monitor="loss", mode="min")


def main(argv=None):
    args = parse(argv)
    if not args.smoke:
        return run(args, {})
    with tempfile.TemporaryDirectory() as folder:
        return run(args, smoke_settings(args, Path(folder)))


if __name__ == "__main__":
    main()
