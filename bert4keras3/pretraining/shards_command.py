"""The command `bert4keras3 shards`: text files to token shards."""

import sys

from bert4keras3.pretraining.encoding import read_documents
from bert4keras3.pretraining.writing import write_shards
from bert4keras3.tokenizers import jieba_pre_tokenize


def add_shards(commands, load_tokenizer):
    """Add the command to the subparsers of `bert4keras3`.

    load_tokenizer: (path or name, lower-case or None) -> tokenizer.
    """
    command = commands.add_parser("shards", help="text files to pretraining input")
    command.add_argument("corpus", nargs="+", metavar="TEXT", help="UTF-8 text files")
    command.add_argument("folder", help="new folder of token shards")
    command.add_argument(
        "--tokenizer", required=True, help="folder, vocabulary file or name"
    )
    case = command.add_mutually_exclusive_group()
    for option, value in (("--lower", True), ("--no-lower", False)):
        case.add_argument(
            option, dest="lower", action="store_const", const=value, default=None
        )
    command.add_argument(
        "--unit",
        choices=["line", "document"],
        default="line",
        help="what is a document: a line (default), or lines up to an empty one",
    )
    command.add_argument(
        "--words", action="store_true", help="mark jieba's words, for whole-word masks"
    )
    command.add_argument(
        "--summaries",
        type=int,
        metavar="N",
        help="mark pseudo summaries of pieces of N tokens, source and target together",
    )
    command.add_argument("--workers", type=int, default=1, help="processes, default 1")
    command.add_argument(
        "--shard-tokens", type=int, default=1 << 27, help="tokens of a shard, at most"
    )
    command.set_defaults(run=lambda options: _shards(options, load_tokenizer))


def _shards(options, load_tokenizer):
    report = write_shards(
        read_documents(options.corpus, options.unit),
        options.folder,
        load_tokenizer(options.tokenizer, options.lower),
        segment=jieba_pre_tokenize() if options.words else None,
        summaries=options.summaries,
        shard_tokens=options.shard_tokens,
        workers=options.workers,
        progress=_progress if sys.stderr.isatty() else None,
    )
    sys.stdout.write(
        f"{report['documents']:,} documents, {report['tokens']:,} tokens in "
        f"{report['shards']} shards -> {options.folder}\n"
    )
    if report["empty"]:
        sys.stdout.write(f"left out, without a token: {report['empty']:,} documents\n")


def _progress(documents, tokens):
    sys.stderr.write(f"\r{documents:,} documents, {tokens:,} tokens ")
    sys.stderr.flush()
