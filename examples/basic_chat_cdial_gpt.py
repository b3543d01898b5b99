"""A chat with CDial-GPT, which learned from 12 million conversations (LCCC).

--model is a folder with gpt_config.json, the TensorFlow checkpoint and vocab.txt, from
https://github.com/bojone/CDial-GPT-tf. Every utterance begins with the token of its
speaker, and that token's embedding marks all of it: segments are token ids.
    python examples/basic_chat_cdial_gpt.py --model FOLDER --text 别爱我没结果 \
        你这样会失去我的 失去了又能怎样
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer, load_vocab

family = {"model": "gpt", "shared_segment_embeddings": True, "pad_token_id": 0}
speakers = ("[speaker1]", "[speaker2]")
tiny = {  # what --smoke builds without a folder: random weights
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position": 64,
}


def build(args):
    """Model and tokenizer."""
    if args.model:
        tokenizer = Tokenizer(args.model, do_lower_case=True)
        config = Path(args.model) / "gpt_config.json"
        config = config if config.exists() else args.model
        return build_transformer_model(config, args.model, **family), tokenizer
    vocabulary = load_vocab("zh-tiny")
    for one in speakers:
        vocabulary[one] = len(vocabulary)
    tokenizer = Tokenizer(vocabulary, do_lower_case=True)
    size = len(vocabulary)
    return build_transformer_model(vocab_size=size, **tiny, **family), tokenizer


def encode(tokenizer, utterances):
    """(ids, segment ids) of a conversation, and of whoever speaks next."""
    ids = [tokenizer._token_start_id]
    segments = [tokenizer._token_start_id]
    for number, utterance in enumerate([*utterances, ""]):
        speaker = tokenizer.token_to_id(speakers[number % 2])
        said = [speaker, *tokenizer.encode(utterance)[0][1:-1]]
        ids += said
        segments += [speaker] * len(said)
    return ids, segments


def chat(answer, utterances):
    """Ask for utterances and answer them, until there is none."""
    while text := input("you: ").strip():
        utterances = [*utterances, text]
        reply = answer(utterances)
        print("it:", reply)
        utterances = [*utterances, reply]


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="folder")
    parser.add_argument("--text", nargs="+", default=["你好"], help="what was said")
    parser.add_argument("--answers", type=int, default=3)
    parser.add_argument("--maxlen", type=int, default=32)
    parser.add_argument("--chat", action="store_true", help="go on talking")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few tokens only")
    args = parser.parse_args(argv)
    if not args.model and not args.smoke:
        parser.error("--model FOLDER is needed: https://github.com/bojone/CDial-GPT-tf")
    if args.smoke:
        args.maxlen = 4
    return args


def main(argv=None):
    args = parse(argv)
    model, tokenizer = build(args)
    decoder = Decoder(
        model, tokenizer, maxlen=args.maxlen, end_id=tokenizer._token_end_id
    )
    strategy = Sampling(topk=5)
    prompt = encode(tokenizer, args.text)
    (texts,) = decoder([prompt], strategy, args.answers, args.seed)
    print(*texts, sep="\n")
    if args.chat:
        chat(
            lambda said: decoder([encode(tokenizer, said)], strategy, seed=None)[0],
            [*args.text, texts[0]],
        )
    return texts


if __name__ == "__main__":
    main()
