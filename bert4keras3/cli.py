"""The command `bert4keras3`: look at checkpoints, convert and serve them.

bert4keras3 info PATH
bert4keras3 convert SRC DST --to hf|tf|npz [--dtype float16|bfloat16]
bert4keras3 serve MODEL [--application unilm] [--port 8000]
bert4keras3 fill-mask TEXT [MODEL]
bert4keras3 generate TEXT [MODEL] --application unilm
bert4keras3 shuffle CORPUS [CORPUS ...] TARGET [--memory 256MB]
bert4keras3 shards TEXT [TEXT ...] FOLDER --tokenizer PATH [--words]
"""

import argparse
import sys

from bert4keras3.models.convert import convert, inspect
from bert4keras3.pretraining.shards_command import add_shards
from bert4keras3.pretraining.shuffle_command import add_command as add_shuffle
from bert4keras3.serving.command import add_commands
from bert4keras3.serving.loading import load_tokenizer

_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position",
)


def main(arguments=None):
    """Run the command with `arguments` (default: those of the process).

    Returns the exit status: 0, or 1 after an error, which is told on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError, ImportError) as error:
        _say(f"error: {error}", sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="bert4keras3", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what a checkpoint holds")
    info.add_argument("path", help="folder, file or TensorFlow prefix")
    info.set_defaults(run=_info)
    change = commands.add_parser("convert", help="write a checkpoint in another format")
    change.add_argument("path", metavar="SRC", help="folder, file or TensorFlow prefix")
    change.add_argument("target", metavar="DST", help="folder to write")
    change.add_argument("--to", required=True, choices=["hf", "tf", "npz"])
    change.add_argument(
        "--dtype",
        choices=["float32", "float16", "bfloat16"],
        help="of the stored arrays, default as they are; npz cannot hold bfloat16",
    )
    change.add_argument(
        "--max-shard-size", metavar="SIZE", help='such as "2GB", for --to hf'
    )
    change.add_argument("--force", action="store_true", help="replace existing files")
    change.set_defaults(run=_convert)
    for command in (info, change):
        command.add_argument("--model", help="family, default: what the config says")
        command.add_argument("--config", help="default: the one beside the weights")
    add_commands(commands)
    add_shuffle(commands)
    add_shards(commands, load_tokenizer)
    return parser


def _info(options):
    found = inspect(options.path, options.model, options.config)
    t = found.t
    lines = [("family", found.family), ("names", found.dialect)]
    lines += [(name, getattr(t, name)) for name in _SIZES]
    lines.append(("parameters", f"{found.parameters:,}"))
    kinds = ", ".join(f"{kind} ({size:,})" for kind, size in found.dtypes.items())
    lines.append(("dtype", kinds))
    lines.append(("missing", _listed(found.missing)))
    lines.append(("unused", _listed(found.unused)))
    if found.foreign:
        lines.append(("wrong family?", found.foreign))
    for name, value in lines:
        _say(f"{name:20} {value}")


def _convert(options):
    found = convert(
        options.path,
        options.target,
        options.to,
        options.dtype,
        options.model,
        options.config,
        overwrite=options.force,
        max_shard_size=options.max_shard_size,
        progress=_progress,
    )
    _say(f"\n{found.family}: {len(found.pairs)} weights -> {options.target}")
    if found.unused:
        _say(f"not converted, no part of the family: {_listed(found.unused)}")


def _progress(done, total):
    if not sys.stderr.isatty() and done < total:
        return  # a log file wants the last line only
    filled = 30 * done // total
    bar = "#" * filled + "." * (30 - filled)
    sys.stderr.write(f"\r[{bar}] {done}/{total} tensors")
    sys.stderr.flush()


def _listed(names):
    more = f" ... {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) + more) or "nothing"


def _say(text, stream=None):
    (stream or sys.stdout).write(text + "\n")
