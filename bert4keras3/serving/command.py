"""The commands `bert4keras3 serve`, `fill-mask` and `generate`."""

import sys

from bert4keras3.serving.generate import Plan
from bert4keras3.serving.limits import Limits
from bert4keras3.serving.loading import TASKS, load_tasks
from bert4keras3.serving.server import needed, serve

LIMITS = {
    "body_bytes": "bytes of a request",
    "texts": "texts of a request",
    "characters": "characters of a text",
    "new_tokens": "tokens that generation may make",
    "answers": "answers and beams of generation",
    "queue": "texts that may wait for the model",
    "streams": "streamed answers at a time",
    "timeout": "seconds until a request is answered",
    "grace": "seconds for what is in flight at the end",
}


def add_commands(commands):
    """Add the three commands to the subparsers of `bert4keras3`."""
    web = commands.add_parser("serve", help="answer requests over HTTP")
    web.add_argument("source", nargs="?", help="model: folder, config file or name")
    web.add_argument("--tasks", type=_names, help="such as fill-mask,similar")
    web.add_argument("--classifier", metavar="FILE", help="a .keras file to /classify")
    web.add_argument("--labels", type=_names, help="its classes, such as neg,pos")
    web.add_argument("--pooling", help="of /similar: mean, first or pooler")
    web.add_argument("--host", default="127.0.0.1")
    web.add_argument("--port", type=int, default=8000)
    web.add_argument("--max-batch", type=int, default=32, help="texts of a model call")
    web.add_argument(
        "--max-wait", type=float, default=5, help="milliseconds to wait for others"
    )
    web.add_argument(
        "--warm-up",
        nargs="*",
        type=int,
        metavar="LENGTH",
        help="compile first, for texts of these lengths in tokens, default all",
    )
    for name, text in LIMITS.items():
        default = getattr(Limits, name)
        option = f"--{name.replace('_', '-')}"
        text = f"{text}, default {default:g}"
        web.add_argument(option, type=type(default), default=default, help=text)
    web.set_defaults(run=_serve)
    fill = commands.add_parser("fill-mask", help="fill the [MASK] of a text")
    fill.add_argument("--topk", type=int, default=5)
    fill.set_defaults(run=_fill_mask, application="encoder")
    write = commands.add_parser("generate", help="continue a text")
    write.add_argument("--maxlen", dest="new", type=int, default=32, metavar="TOKENS")
    write.set_defaults(run=_generate)
    for command in (fill, write):
        command.add_argument("text")
        command.add_argument("source", nargs="?", default="zh-tiny", help="the model")
    for command in (web, fill, write):
        _add_model(command, command is not fill)


def _add_model(command, application):
    """The arguments that say what model it is."""
    command.add_argument("--model", help="family, default: what the config says")
    command.add_argument("--checkpoint", help="weights, default: the folder's own")
    command.add_argument("--tokenizer", help="folder or vocabulary file")
    command.add_argument("--with-pool", metavar="ACTIVATION", help="SimBERT: linear")
    if application:
        command.add_argument("--application", default="encoder", choices=list(TASKS))


def _names(text):
    return [one.strip() for one in text.split(",")]


def _tasks(options, **more):
    """`load_tasks` of the parsed arguments."""
    names = ("source", "checkpoint", "tokenizer", "application")
    more.update((name, getattr(options, name)) for name in names)
    for name in ("model", "with_pool"):
        if getattr(options, name):
            more[name] = getattr(options, name)
    return load_tasks(**more)


def _serve(options):
    for package in ("fastapi", "uvicorn"):
        needed(package)  # before the model is loaded
    limits = Limits(**{name: getattr(options, name) for name in LIMITS})
    tasks = _tasks(
        options,
        tasks=options.tasks,
        classifier=options.classifier,
        labels=options.labels,
        pooling=options.pooling,
        batch_size=options.max_batch,
    )
    if options.warm_up is not None:
        for task in tasks:
            count = task.warm_up(options.warm_up)
            sys.stderr.write(f"{task.name}: {count} shapes warm\n")
    how = {"limits": limits, "max_wait": options.max_wait / 1000}
    serve(tasks, options.host, options.port, **how)


def _fill_mask(options):
    (task,) = _tasks(options, tasks=["fill-mask"])
    (found,) = task([options.text], options.topk)
    sys.stdout.write(found["text"] + "\n")
    for number, mask in enumerate(found["masks"], 1):
        for one in mask:
            sys.stdout.write(f"{number}  {one['score']:.4f}  {one['token']}\n")


def _generate(options):
    (task,) = _tasks(options, tasks=["generate"])
    ((answer,),) = task([options.text], Plan(maxlen=options.new))
    sys.stdout.write(answer["text"] + "\n")
