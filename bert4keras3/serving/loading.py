"""From names of files to tasks: what `bert4keras3 serve` starts with."""

from pathlib import Path

import keras

from bert4keras3.models import build_transformer_model, registry
from bert4keras3.models.build import family_of
from bert4keras3.models.config_files import read_config
from bert4keras3.serving.classify import Classify
from bert4keras3.serving.fill_mask import FillMask
from bert4keras3.serving.generate import Generate
from bert4keras3.serving.similar import Similar
from bert4keras3.tokenizers import HFTokenizer, SpTokenizer, Tokenizer
from bert4keras3.tokenizers.folders import open_vocabulary
from bert4keras3.utils.assets import asset_path

# application -> what such a model is served for
TASKS = {
    "encoder": ("fill-mask", "similar"),
    "unilm": ("fill-mask", "similar", "generate"),
    "lm": ("generate",),
}


def load_tokenizer(source, lower=None):
    """The tokenizer of a model's folder or of a vocabulary file.

    source: folder, file or name of an embedded model; vocab.txt is WordPiece, a .model
    SentencePiece (ending texts with </s>, as T5), else a tokenizer.json counts;
    lower: lower-case the text, default what the folder says, else whether a vocab.txt
    has no upper-case letters. Raises FileNotFoundError if there is none of them.
    """
    path = Path(asset_path(source, weights=False))
    names = {one.name for one in path.iterdir()} if path.is_dir() else {path.name}
    if path.is_dir() and "vocab.txt" in names or path.suffix == ".txt":
        return _wordpiece(source, lower)
    if any(name.endswith(".model") for name in names):
        return SpTokenizer(source, token_start=None, token_end="</s>")
    if any(name == "tokenizer.json" or path.suffix == ".json" for name in names):
        return HFTokenizer(source)
    raise FileNotFoundError(
        f"{path} holds no vocabulary: expected vocab.txt, a SentencePiece .model or "
        "tokenizer.json. Name it with --tokenizer."
    )


def _wordpiece(source, lower):
    if lower is None:
        known, settings = open_vocabulary(source)
        lower = settings.lower
        if lower is None:
            lower = "a" in known and "A" not in known
    return Tokenizer(source, do_lower_case=lower)


def load_tasks(
    source=None,
    checkpoint=None,
    tokenizer=None,
    application="encoder",
    tasks=None,
    classifier=None,
    labels=None,
    lower=None,
    maxlen=None,
    batch_size=32,
    pooling=None,
    **options,
):
    """The tasks that a model, a classifier, or both can do.

    source: folder, config file or name of a model; checkpoint and options (such as
    model="roformer", with_pool="linear") as in `build_transformer_model`; tokenizer:
    folder or vocabulary file, default the model's; application: "encoder", "unilm" or
    "lm"; tasks: names of tasks, default fill-mask and similar of an encoder, also
    generate of a "unilm", generate alone of a language model or encoder-decoder;
    classifier: .keras file of a Keras model, labels: its classes; lower: see
    `load_tokenizer`; maxlen, batch_size: see `Task`; pooling: see `Similar`. Raises
    ValueError for what does not fit together.
    """
    if source is None and classifier is None:
        raise ValueError("Name a model or a classifier to be served.")
    if tokenizer is None and (source is None or Path(source).suffix == ".json"):
        raise ValueError(
            "Name the vocabulary (tokenizer=, --tokenizer): a config or a classifier "
            "does not bring it along."
        )
    words = load_tokenizer(tokenizer or source, lower)
    how = {"maxlen": maxlen, "batch_size": batch_size}
    found = []
    if source is not None:
        names = tasks or _usual(source, application, options.get("model"))
        if "fill-mask" in names and application == "encoder":
            options = {"with_mlm": True, **options}
        t = build_transformer_model(
            source, checkpoint, application=application, **options
        )
        found = [_made(name, t, words, pooling, how) for name in names]
    if classifier is not None:
        model = keras.models.load_model(classifier)
        found.append(Classify(model, words, labels, **how))
    return found


def _made(name, t, tokenizer, pooling, how):
    """The task of that name."""
    if name == "similar":
        return Similar(t, tokenizer, pooling, **how)
    kinds = {"fill-mask": FillMask, "generate": Generate}
    if name not in kinds:
        raise ValueError(f"tasks are {[*kinds, 'similar']}. Received: {name!r}")
    return kinds[name](t, tokenizer, **how)


def _usual(source, application, family):
    """The names of the tasks that models of that kind are for."""
    _, values = read_config(asset_path(source, weights=False))
    if registry.find(family or family_of(values)).options.get("with_lm"):
        return TASKS["lm"]
    return TASKS.get(application, ())
