"""Chinese texts from NEZHA-GEN, or RoFormer-GPT: a BERT that reads left to right.

--model is a folder with bert_config.json, the checkpoint and vocab.txt, from
https://github.com/huawei-noah/Pretrained-Language-Model (NEZHA-Gen-TensorFlow) or, with
--family roformer, from https://github.com/ZhuiyiTechnology/roformer. A text ends with
the first 。 after 128 tokens.
    python examples/basic_language_model_nezha_gen_gpt.py --model FOLDER --text 今天天气
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer

families = {
    # The graph is that of BERT, with a position table and without segments.
    "nezha_gen": {"model": "bert", "application": "lm", "segment_vocab_size": 0},
    "roformer": {"model": "roformer", "application": "lm"},
}
tiny = {  # what --smoke builds without a folder: random weights
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position": 64,
    "hidden_act": "gelu",
}


def build(args):
    """Model and tokenizer; a prompt begins with [CLS] and has no [SEP]."""
    family = families[args.family]
    tokenizer = Tokenizer(args.model or "zh-tiny", do_lower_case=True)
    if args.model:
        return build_transformer_model(args.model, **family), tokenizer
    size = tokenizer._vocab_size
    return build_transformer_model(vocab_size=size, **tiny, **family), tokenizer


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="folder")
    parser.add_argument("--family", choices=sorted(families), default="nezha_gen")
    parser.add_argument("--text", default="科学技术是第一生产力", help="beginning")
    parser.add_argument("--answers", type=int, default=2)
    parser.add_argument("--maxlen", type=int, default=256)
    parser.add_argument("--minlen", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few tokens only")
    args = parser.parse_args(argv)
    if not args.model and not args.smoke:
        parser.error(
            "--model FOLDER is needed: NEZHA-Gen-TensorFlow of "
            "https://github.com/huawei-noah/Pretrained-Language-Model, or RoFormer-GPT "
            "of https://github.com/ZhuiyiTechnology/roformer"
        )
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
