"""BERT-base, batch 8 x 128: train step and inference, ours beside the peers.

    KERAS_BACKEND=jax python benchmarks/bert_base.py --rounds 7

Runs ours and each peer in turn within every round (the machine's noise then hits
all of them) and prints medians and ratios ours / peer. keras-hub is measured on
every backend, transformers (fused AdamW) on torch.
"""

import argparse
import statistics
import time

import keras
import numpy as np

BATCH, LENGTH, VOCAB = 8, 128, 21128
SIZES = {"hidden": 768, "layers": 12, "heads": 12, "inner": 3072}


def batch(seed=0):
    """Random token ids, segment ids and labels."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, VOCAB, (BATCH, LENGTH)).astype("int32")
    return ids, np.zeros_like(ids), rng.integers(0, 2, BATCH).astype("int32")


def classifier(inputs, pooled, optimizer=keras.optimizers.AdamW):
    """A two-class head, compiled with AdamW."""
    output = keras.layers.Dense(2)(pooled)
    model = keras.Model(inputs, output)
    model.compile(
        optimizer(2e-5, weight_decay=0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def steps(model, inputs, labels):
    """(train step, inference) of a Keras model."""
    return (
        lambda: model.train_on_batch(inputs, labels),
        lambda: model.predict_on_batch(inputs),
    )


def ours():
    """Our BERT with a pooled classifier: (train step, inference)."""
    from bert4keras3.models import build_transformer_model
    from bert4keras3.optimizers import AdamW

    bert = build_transformer_model(
        vocab_size=VOCAB,
        hidden_size=SIZES["hidden"],
        num_hidden_layers=SIZES["layers"],
        num_attention_heads=SIZES["heads"],
        intermediate_size=SIZES["inner"],
        dropout_rate=0.1,
        attention_dropout_rate=0.1,
        with_pool=True,
        return_keras_model=False,
    )
    model = classifier(bert.model.inputs, bert.model.output, AdamW)
    ids, segments, labels = batch()
    return steps(model, (ids, segments), labels)


def keras_hub():
    """keras-hub's BertBackbone with the same head."""
    from keras_hub.models import BertBackbone

    bert = BertBackbone(
        vocabulary_size=VOCAB,
        num_layers=SIZES["layers"],
        num_heads=SIZES["heads"],
        hidden_dim=SIZES["hidden"],
        intermediate_dim=SIZES["inner"],
        dropout=0.1,
    )
    model = classifier(bert.inputs, bert.output["pooled_output"])
    ids, segments, labels = batch()
    inputs = {
        "token_ids": ids,
        "segment_ids": segments,
        "padding_mask": np.ones_like(ids),
    }
    return steps(model, inputs, labels)


def transformers():
    """transformers' BertForSequenceClassification with fused AdamW."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=VOCAB,
        hidden_size=SIZES["hidden"],
        num_hidden_layers=SIZES["layers"],
        num_attention_heads=SIZES["heads"],
        intermediate_size=SIZES["inner"],
    )
    model = BertForSequenceClassification(config)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=2e-5, weight_decay=0.01, fused=True
    )
    ids, segments, labels = (torch.from_numpy(x).long() for x in batch())
    inputs = {
        "input_ids": ids,
        "token_type_ids": segments,
        "attention_mask": torch.ones_like(ids),
    }

    def train():
        model.train()
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer():
        model.eval()
        with torch.no_grad():
            return model(**inputs).logits.numpy()

    return train, infer


def measure(contestants, rounds, kind):
    """{name: [seconds]} of one kind of step, contestants taking turns."""
    times = {name: [] for name in contestants}
    for steps in contestants.values():
        for _ in range(2):
            np.asarray(steps[kind]())
    for _ in range(rounds):
        for name, steps in contestants.items():
            start = time.perf_counter()
            np.asarray(steps[kind]())
            times[name].append(time.perf_counter() - start)
    return times


def report(title, times):
    """Print the medians and our ratio to each peer, taken round by round."""
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(times["ours"], seconds, strict=True)]
        print(
            f"{title:9} {keras.config.backend():10} {name:13} "
            f"median {statistics.median(seconds):.3f} s   "
            f"ours/this {statistics.median(ratios):.3f} "
            f"({min(ratios):.2f}-{max(ratios):.2f})",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", nargs="*", default=["keras_hub", "transformers"])
    parser.add_argument("--kinds", nargs="*", default=["train", "inference"])
    args = parser.parse_args()
    makers = {"ours": ours, "keras_hub": keras_hub, "transformers": transformers}
    if keras.config.backend() != "torch":
        makers.pop("transformers")
    names = ["ours", *(name for name in args.peers if name in makers)]
    contestants = {name: makers[name]() for name in names}
    for kind, index in (("train", 0), ("inference", 1)):
        if kind in args.kinds:
            report(kind, measure(contestants, args.rounds, index))


if __name__ == "__main__":
    main()
