"""Sentences from keywords, paraphrases and summaries, by search over texts.

A masked language model proposes to replace, insert or delete a token; a score judges
(CGMH, https://arxiv.org/abs/1811.10996; UPSA, https://arxiv.org/abs/1909.03588).
Nothing is trained. What comes out is as good as the models: zh-tiny writes no good
Chinese.
    python examples/basic_text_search_via_mlm.py --steps 400
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import numpy as np
from keras import ops

from bert4keras3.generation import (
    Sampling,
    TextSearch,
    keyword_array,
    mean_vectors,
    occurs,
    pseudo_likelihood,
)
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import sequence_padding
from bert4keras3.tokenizers import Tokenizer

proposals = Sampling(topk=50)  # annealing may leave out what is improbable anyway


def share(flags):
    """Share of true values in each row of (C, K)."""
    return ops.mean(ops.cast(flags, "float32"), axis=1)


def keyword_sentence(fluency, model, tokenizer, keywords, steps, minlen=10, maxlen=16):
    """Fluent sentences that hold the keywords, drawn by Metropolis-Hastings."""

    def score(ids, lengths, words):
        return fluency(ids, lengths) - 1e6 * (1 - share(occurs(ids, words)))

    search = TextSearch(model, tokenizer, score)
    data = {"words": keyword_array(tokenizer, keywords)}
    start, end = tokenizer._token_start_id, tokenizer._token_end_id
    texts = []
    for row in keywords:  # the keywords with masks behind them
        ids = [one for word in row for one in tokenizer.encode(word)[0][1:-1]]
        ids += [tokenizer._token_mask_id] * (minlen - len(ids))
        texts.append([start, *ids, end])
    return search.sample(texts, steps, minlen=minlen, maxlen=maxlen, data=data)


def paraphrase(fluency, model, encoder, tokenizer, texts, steps):
    """Other words for the same: near in meaning, few pairs of characters in common."""
    vectors = mean_vectors(encoder)

    def score(ids, lengths, meaning, pairs):
        near = ops.sum(vectors(ids, lengths) * meaning, axis=1)
        fluent = fluency(ids, lengths) / ops.cast(lengths, "float32")
        return fluent + 20 * near - 3 * share(occurs(ids, pairs))

    search = TextSearch(model, tokenizer, score, models=[encoder])
    rows = [tokenizer.encode(text)[0] for text in texts]
    ids, lengths = sequence_padding(rows), np.array([len(row) for row in rows], "int32")
    pairs = [[text[i : i + 2] for i in range(len(text) - 1)] for text in texts]
    data = {
        "meaning": vectors(*map(ops.convert_to_tensor, (ids, lengths))),
        "pairs": keyword_array(tokenizer, pairs),
    }
    options = {"maxlen": int(max(lengths)) + 4, "minlen": 4, "data": data}
    return search.anneal(texts, steps, strategy=proposals, **options)


def summarise(fluency, model, encoder, tokenizer, texts, steps, maxlen=12):
    """At most maxlen tokens of each text's own, near to it in meaning, and fluent."""
    vectors = mean_vectors(encoder)

    def score(ids, lengths, meaning):
        near = ops.sum(vectors(ids, lengths) * meaning, axis=1)
        return fluency(ids, lengths) / ops.cast(lengths, "float32") + 20 * near

    search = TextSearch(model, tokenizer, score, models=[encoder])
    rows = [tokenizer.encode(text)[0] for text in texts]
    ids, lengths = sequence_padding(rows), np.array([len(row) for row in rows], "int32")
    meaning = vectors(*map(ops.convert_to_tensor, (ids, lengths)))
    starts = [[*row[: maxlen + 1], row[-1]] for row in rows]  # the first tokens
    options = {"maxlen": maxlen, "minlen": 4, "data": {"meaning": meaning}}
    return search.anneal(starts, steps, allowed=rows, **options)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    steps = 5 if args.smoke else args.steps
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_transformer_model(args.model, with_mlm=True)
    encoder = build_transformer_model(args.model)
    fluency = pseudo_likelihood(model, tokenizer)
    texts = ["酒店的房间很干净，服务也很好，下次还会再来住。"]
    results = {
        "keywords": keyword_sentence(
            fluency, model, tokenizer, [["房间", "干净"], ["经济", "发展"]], steps
        ),
        "paraphrase": paraphrase(fluency, model, encoder, tokenizer, texts, steps),
        "summary": summarise(fluency, model, encoder, tokenizer, texts, steps),
    }
    for name, found in results.items():
        for one in found:
            print(
                f"{name}: {one.text} ({one.score:.2f}, {one.accepted} edits accepted)"
            )
            print(f"  the best: {one.best} ({one.best_score:.2f})")
    return results


if __name__ == "__main__":
    main()
