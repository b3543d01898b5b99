"""Random sentences from a masked language model, by Gibbs sampling.

One place of every sentence is masked and drawn anew, again and again
(https://kexue.fm/archives/8119). A sentence given with --text is where a chain begins;
without one it begins with masks, 8 to 32 of them.
    python examples/basic_gibbs_sampling_via_mlm.py --text 科学技术是第一生产力。
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import numpy as np

from bert4keras3.generation import GibbsSampler, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer

minlen, maxlen = 8, 32


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--text", help="sentence to begin with")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--every", type=int, default=200, help="steps to a snapshot")
    parser.add_argument("--topk", type=int, help="draw among the k best tokens only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.smoke:
        args.steps, args.every = 20, 10
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    sampler = GibbsSampler(
        build_transformer_model(args.model, with_mlm=True), tokenizer
    )
    lengths = np.random.default_rng(args.seed).integers(minlen, maxlen, args.chains)
    texts = [args.text] * args.chains if args.text else [int(n) for n in lengths]
    strategy = Sampling(topk=args.topk)
    found = sampler(texts, args.steps, args.every, strategy, args.seed)
    for number, snapshots in enumerate(found):
        print(f"chain {number}")
        for i, text in enumerate(snapshots):
            print(f"  {min((i + 1) * args.every, args.steps):6} {text}")
    return found


if __name__ == "__main__":
    main()
