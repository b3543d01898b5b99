"""Fill in masked characters with the masked language model.

    python examples/basic_masked_language_model.py --data "科学技术是第一生产力" \
        --positions 3 4 --model /path/to/chinese_L-12_H-768_A-12

With Google's chinese_L-12_H-768_A-12 this prints 技术. (Position 0 is [CLS].)
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import to_array
from bert4keras3.tokenizers import Tokenizer


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="科学技术是第一生产力", help="the sentence")
    parser.add_argument("--positions", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--smoke", action="store_true", help="nothing to shorten here")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_transformer_model(args.model, with_mlm=True)

    token_ids, segment_ids = tokenizer.encode(args.data)
    for position in args.positions:
        token_ids[position] = tokenizer._token_mask_id
    token_ids, segment_ids = to_array([token_ids], [segment_ids])

    probas = model.predict([token_ids, segment_ids])[0]
    filled = tokenizer.decode(probas[args.positions].argmax(axis=1))
    print(filled)
    return filled


if __name__ == "__main__":
    main()
