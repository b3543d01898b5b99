"""Chinese chess without its rules: a language model continues games, move by move.

A game is the string of its moves in ICCS notation, four characters each, as h2e2h9g7;
--data is a json list of such strings. The model keeps 21 tokens of its vocabulary and
reads the first eighth of the games, then a quarter, a half, all of it
(https://kexue.fm/archives/7877). It plays the candidate that is the most probable next
move: of those of --candidates, or of all legal ones (`pip install cchess`).
    python examples/task_language_model_chinese_chess.py --data qipu.json \
        --model FOLDER --steps 20000 --learning-rate 1e-5 --play
"""

import argparse
import itertools
import json
import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.generation import Decoder
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator
from bert4keras3.tokenizers import load_vocab
from bert4keras3.training import Evaluation

maxlen = 512
stages = ((8, 1), (4, 1), (2, 2), (1, None))  # (maxlen // part, for so many epochs)
buckets = tuple(maxlen // part for part, _ in stages)  # lengths to pad to
tokens = ["[PAD]", "[CLS]", *"0123456789abcdefghi"]
numbers = {token: number for number, token in enumerate(tokens)}
move_form = re.compile(r"([a-i][0-9]){2}")


def encode(moves, size=maxlen):
    """Ids of a string of moves, [CLS] before it."""
    return [numbers["[CLS]"], *(numbers[one] for one in moves)][:size]


def read(path):
    """Strings of moves. Raises ValueError for what is none."""
    games = json.loads(Path(path).read_text(encoding="utf-8"))
    for number, game in enumerate(games):
        if not isinstance(game, str) or not re.fullmatch(
            f"({move_form.pattern})+", game
        ):
            raise ValueError(
                f"{path}: game {number} must be a string of moves such as "
                f"'h2e2h9g7'. Received: {game!r:.80}"
            )
    return games


def build_model(args):
    """The Transformer with the rows of 21 tokens, and the model that trains it."""
    vocabulary = load_vocab(args.model)
    bert = build_transformer_model(
        args.model,
        application="lm",
        keep_tokens=[vocabulary[token] for token in tokens],
        return_keras_model=False,
    )
    model = bert.training_model()
    model.compile(keras.optimizers.AdamW(args.learning_rate))
    return bert, model


def curriculum(games, batch_size, steps):
    """Batches of the games' beginnings, longer from stage to stage, without end."""
    for part, epochs in stages:
        size = maxlen // part
        generator = BucketedGenerator(
            [encode(game, size) for game in games],
            batch_size,
            encode=lambda ids: ((ids, [0] * len(ids)), None),
            buckets=[one for one in buckets if one <= size],
        )
        count = epochs and epochs * steps
        yield from itertools.islice(generator.forfit(), count)


def legal_moves(history):
    """Legal moves after a string of moves, in ICCS notation."""
    try:
        import cchess
    except ImportError as error:
        raise ImportError(
            "To know the legal moves: pip install cchess. Or name --candidates."
        ) from error
    board = cchess.ChessBoard(cchess.FULL_INIT_FEN)
    for move in re.findall("....", history):
        if board.move_iccs(move) is None:
            raise ValueError(f"{move} is no legal move in {history}")
        board.next_turn()
    return [
        cchess.pos2iccs(*move)
        for move in board.create_moves()
        if not board.is_checked_move(*move)
    ]


def ranked(decoder, history, candidates):
    """[(move, log p of its four characters), ...], the most probable first."""
    answers = [encode(move)[1:] for move in candidates]
    scores = decoder.log_prob([encode(history)] * len(answers), answers)
    order = np.argsort(-scores, kind="stable")
    return [(candidates[i], float(scores[i])) for i in order]


def play(decoder, history=""):
    """Ask for moves and answer them, until there is none."""
    while move := input("your move, such as h2e2 (Enter to end): ").strip():
        if move not in legal_moves(history):
            print("not a legal move")
            continue
        history += move
        if not (candidates := legal_moves(history)):
            print("you win")
            break
        history += ranked(decoder, history, candidates)[0][0]
        print("I play", history[-4:])
        if not legal_moves(history):
            print("I win")
            break


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "chess" / "openings.json")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="batches of an epoch")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--moves", default="h2e2", help="the game to be continued")
    parser.add_argument("--candidates", nargs="+", help="moves, default all legal ones")
    parser.add_argument("--play", action="store_true", help="a game after training")
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    games = read(args.data)[: 40 if args.smoke else None]
    dev = games[::10]
    train = [game for i, game in enumerate(games) if i % 10]
    bert, model = build_model(args)
    decoder = Decoder(bert, maxlen=4, end_id=())
    candidates = args.candidates or legal_moves(args.moves)

    def evaluate(model):
        print("", *ranked(decoder, args.moves, candidates)[:3], sep="\n")
        perplexity = decoder.perplexity([encode(game) for game in dev])
        return {"perplexity": float(np.mean(perplexity))}

    steps = 1 if args.smoke else args.steps
    evaluation = Evaluation(evaluate, "perplexity", args.weights, mode="min")
    model.fit(
        curriculum(train, args.batch_size, steps),
        steps_per_epoch=steps,
        epochs=2 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,
    )
    print("best:", evaluation.best_result)
    if args.play:
        model.load_weights(args.weights)
        play(decoder)
    return evaluation.best_result


if __name__ == "__main__":
    main()
