"""An uncased model learns to tell capitals: new tokens begin as copies of old ones.

Every piece of the vocabulary with letters gets its capitalised and its upper-case form
(a piece with ## its upper-case form), whose row in the embedding is a copy of the
lower-case one: compound_tokens. Before any training "Bert" and "BERT" then have the
features that "bert" had; a fine-tuning may then part them. Mixtures such as iPhone
are read in other pieces than before.
    python examples/basic_make_uncased_model_cased.py --model FOLDER --save CASED
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer, load_vocab


def cased(token_dict):
    """(The vocabulary with new tokens behind it, the old ids that each is made of)."""
    found, compound = dict(token_dict), []
    size = max(token_dict.values()) + 1  # more than there are when lines repeat
    for token, i in token_dict.items():
        stem = token.removeprefix("##")
        if stem.startswith("[") and stem.endswith("]"):
            continue  # a special token
        prefix = token[: len(token) - len(stem)]
        forms = [stem.upper()] if prefix else [stem.capitalize(), stem.upper()]
        for form in forms:
            # Whose lower case is another letter, as of ß, no uncased model has read.
            if form.lower() == stem and prefix + form not in found:
                found[prefix + form] = size + len(compound)
                compound.append([i])
    return found, compound


def features(model, tokenizer, text):
    """The hidden states of a text, (T, D)."""
    ids, segments = tokenizer.encode(text)
    return model.predict([np.array([ids]), np.array([segments])], verbose=0)[0]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="谷歌的Bert和BERT，MP3", help="text")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--save", help="new folder for the model and its vocabulary")
    parser.add_argument("--smoke", action="store_true", help="nothing to shorten here")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    token_dict, compound = cased(load_vocab(args.model))
    tokenizer = Tokenizer(token_dict, do_lower_case=False)
    bert = build_transformer_model(
        args.model, compound_tokens=compound, return_keras_model=False
    )
    old_tokenizer = Tokenizer(args.model, do_lower_case=True)
    old_model = build_transformer_model(args.model)

    print(f"{len(compound)} new tokens, {len(token_dict)} in all")
    print(old_tokenizer.tokenize(args.data), "->", tokenizer.tokenize(args.data))
    old = features(old_model, old_tokenizer, args.data)
    new = features(bert.model, tokenizer, args.data)
    difference = float(np.abs(old - new).max()) if old.shape == new.shape else None
    print("largest difference of the features:", difference)
    if args.save:
        bert.save(args.save, vocab=tokenizer)
        print(f"Tokenizer({args.save!r}, do_lower_case=False) goes with the new model")
    return difference


if __name__ == "__main__":
    main()
