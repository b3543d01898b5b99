"""Chinese texts from GPT2_ML, the 1.5 billion parameters of imcaspar.

--model is a folder with config.json, the checkpoint and vocab.txt (that of the Chinese
BERT), from https://github.com/imcaspar/gpt2-ml. A text ends with the first 。 after
128 tokens.
    python examples/basic_language_model_gpt2_ml.py --model FOLDER --text 今天天气不错
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer

tiny = {  # what --smoke builds without a folder: random weights
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position": 64,
}


def build(args):
    """Model and tokenizer; there is neither a start nor an end token."""
    if args.model:
        model = build_transformer_model(args.model, model="gpt2_ml")
    tokenizer = Tokenizer(
        args.model or "zh-tiny", token_start=None, token_end=None, do_lower_case=True
    )
    if not args.model:
        size = tokenizer._vocab_size
        model = build_transformer_model(model="gpt2_ml", vocab_size=size, **tiny)
    return model, tokenizer


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="folder")
    parser.add_argument("--text", default="科学技术是第一生产力", help="beginning")
    parser.add_argument("--answers", type=int, default=2)
    parser.add_argument("--maxlen", type=int, default=256)
    parser.add_argument("--minlen", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few tokens only")
    args = parser.parse_args(argv)
    if not args.model and not args.smoke:
        parser.error("--model FOLDER is needed: https://github.com/imcaspar/gpt2-ml")
    if args.smoke:
        args.maxlen, args.minlen = 8, 4
    return args


def main(argv=None):
    args = parse(argv)
    model, tokenizer = build(args)
    decoder = Decoder(
        model,
        tokenizer,
        maxlen=args.maxlen,
        minlen=args.minlen,
        end_id=tokenizer.token_to_id("。"),
    )
    (outputs,) = decoder.generate(
        [args.text], Sampling(topp=0.95), args.answers, args.seed
    )
    texts = [args.text + tokenizer.decode(one.ids.tolist()) for one in outputs]
    print("\n\n".join(texts))
    return texts


if __name__ == "__main__":
    main()
