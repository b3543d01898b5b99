"""Similar questions on the web: SimBERT writes them, and ranks them by cosine.

    python examples/basic_simple_web_serving_simbert.py --model SIMBERT_FOLDER \
        --with-pool linear
    curl "http://127.0.0.1:8864/gen_synonyms?text=怎么开通手机银行&k=5"

Needs `pip install fastapi uvicorn`. zh-tiny, the default, was trained for neither: with
it the answers make no sense. `bert4keras3 serve` has more: batches, limits, metrics.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from bert4keras3.generation import Decoder, Sampling
from bert4keras3.models import build_transformer_model
from bert4keras3.serving import Similar
from bert4keras3.snippets import WebServing
from bert4keras3.tokenizers import Tokenizer

maxlen = 32  # tokens of a question


def build_generator(args):
    """The function that is served."""
    options = {"with_pool": args.with_pool} if args.with_pool else {}
    simbert = build_transformer_model(args.model, application="unilm", **options)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    decoder = Decoder(simbert, tokenizer, maxlen=maxlen)
    similar = Similar(simbert, tokenizer)

    def gen_synonyms(text, n=100, k=20):
        """The k most similar of n questions drawn for `text`."""
        ids = tokenizer.encode(text, maxlen=maxlen)[0]
        drawn = decoder([ids] * n, Sampling(topp=0.95), seed=None)
        found = [one for one in dict.fromkeys(drawn) if one and one != text]
        ranked = similar([text], found, topk=k, truncate=True) if found else [[]]
        return [one["text"] for one in ranked[0]]

    return gen_synonyms


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="怎么开通手机银行", help="asked by --smoke")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--with-pool", help="linear for SimBERT")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8864)
    parser.add_argument("--smoke", action="store_true", help="ask once, serve nothing")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    gen_synonyms = build_generator(args)
    if args.smoke:
        found = gen_synonyms(args.data, n=4, k=2)
        print(found)
        return found
    web = WebServing(args.host, args.port)
    arguments = {"text": (None, True), "n": (int, False), "k": (int, False)}
    web.route("/gen_synonyms", gen_synonyms, arguments)
    web.start()
    return []


if __name__ == "__main__":
    main()
