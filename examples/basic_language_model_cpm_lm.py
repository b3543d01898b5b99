"""CPM-LM, 2.6 billion parameters, answers by example: names, sums, translation.

--model is a folder with config.json, the checkpoint (TensorFlow's, or the files of
Hugging Face) and the .model of sentencepiece, from
https://github.com/TsinghuaAI/CPM-1-Generate, as TensorFlow checkpoint from
https://github.com/bojone/CPM_LM_bert4keras. An answer is a line: it ends with a new
line, which is <cls> there. Needs `pip install jieba sentencepiece`.
    python examples/basic_language_model_cpm_lm.py --model FOLDER
"""

import argparse
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import jieba
import sentencepiece

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import SpTokenizer

space, newline = "\u2582", "\u2583"  # what CPM has for " " and a new line
prompts = {
    "人名": "王明在上海的银行上班。\n人名：王明\n上周李红去了广州出差。\n人名：",
    "算术": "3加5=8\n2加4=6\n7加1=8\n4加5=",
    "翻译": "中文：苹果\n英文：apple\n中文：学校\n英文：school\n中文：老师\n英文：",
}
tiny = {  # what --smoke builds without a folder: random weights
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position": 128,
}


def pre_tokenize(text):
    """Words of jieba, without the blanks that sentencepiece would lose."""
    return [word.replace(" ", space).replace("\n", newline) for word in jieba.cut(text)]


def tiny_sentencepiece(path):
    """Train a .model on the prompts."""
    texts = [" ".join(pre_tokenize(text)) for text in prompts.values()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=path.removesuffix(".model"),
        vocab_size=120,
        hard_vocab_limit=False,
        control_symbols=["<cls>"],
        user_defined_symbols=[space, newline],
        minloglevel=2,
    )


def build(args):
    """Model and tokenizer."""
    options = {"token_start": None, "token_end": None, "pre_tokenize": pre_tokenize}
    options["token_translate"] = {newline: "<cls>"}
    if args.model:
        model = build_transformer_model(args.model, model="gpt2")
        return model, SpTokenizer(args.model, **options)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "spiece.model")
        tiny_sentencepiece(path)
        tokenizer = SpTokenizer(path, **options)
    size = tokenizer._vocab_size
    return build_transformer_model(model="gpt2", vocab_size=size, **tiny), tokenizer


def plain(text):
    """The text without the spaces between words, and with its own."""
    return text.replace(" ", "").replace(space, " ").replace(newline, "\n")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="folder")
    parser.add_argument("--text", help="a prompt of your own")
    parser.add_argument("--maxlen", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few tokens only")
    args = parser.parse_args(argv)
    if not args.model and not args.smoke:
        parser.error(
            "--model FOLDER is needed: https://github.com/TsinghuaAI/CPM-1-Generate or "
            "https://github.com/bojone/CPM_LM_bert4keras"
        )
    args.maxlen = 4 if args.smoke else args.maxlen
    return args


def main(argv=None):
    args = parse(argv)
    model, tokenizer = build(args)
    texts = [args.text] if args.text else list(prompts.values())
    decoder = Decoder(
        model, tokenizer, maxlen=args.maxlen, end_id=tokenizer.token_to_id("<cls>")
    )
    answers = [
        plain(one) for one in decoder(texts, Sampling(topp=0.95), seed=args.seed)
    ]
    for text, answer in zip(texts, answers, strict=True):
        print(f"{text}[{answer}]\n")
    return answers


if __name__ == "__main__":
    main()
