"""Training little of a model: matrices of a low rank, or rows of prompt tokens."""

from bert4keras3.layers import Dense, Embedding
from bert4keras3.layers.adapters import adapted_layers
from bert4keras3.models.weights import named_variables
from bert4keras3.utils.checks import as_list, as_regex, nearest

# Queries and values of attention, as in the paper; the one projection of a GAU.
LORA_TARGETS = r"/(q|v|i)$"


def enable_lora(model, rank=8, targets=LORA_TARGETS, alpha=None, train=None):
    """Freeze a model and add trainable matrices of a low rank to some of its kernels.

    A kernel W (D, E) becomes W + alpha / rank * A B, with A (D, rank) drawn and B
    (rank, E) zero: outputs are the same at first (https://arxiv.org/abs/2106.09685).
    model: a Transformer, whose trunk is frozen (heads put on its model are not), or a
    Keras model; targets: regular expression, or several, searched in the paths of
    dense layers such as "Transformer-0-MultiHeadSelfAttention/q", by default queries
    and values; alpha: default rank; train: regular expression, or several, of
    variable paths that stay trainable, such as "^Pooler|^MLM-Bias".
    Compile after this, not before. Raises ValueError for a rank below 1, an expression
    that matches nothing, with the nearest paths, and for a second call.
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise ValueError(f"rank must be an int of at least 1. Received: {rank!r}")
    dense = dense_layers(model)
    chosen = matching(targets, dense, "targets")
    taken = [path for path in chosen if dense[path].lora_enabled]
    if taken:
        raise ValueError(
            f"{taken[0]!r} has LoRA already. Call merge_lora() first, or name all "
            "targets in one call."
        )
    kept = matching(train, variables_of(model), "train")
    enable(model, dict.fromkeys(chosen, (rank, alpha)), (), kept)


def merge_lora(model):
    """Write A B into the kernels and drop A and B; outputs stay the same.

    Unless prompt tokens are left, all of the model is trainable again: compile it, if
    it is to be trained further. Raises ValueError for a model without LoRA.
    """
    _merge(model, Dense, "LoRA")


def enable_prompt(model, ids, train=None):
    """Freeze a model but for the embeddings of some tokens: P-tuning.

    model, train: as in `enable_lora`; ids: of the prompt's tokens, such as those of
    [unused1] to [unused6], in the embedding layer "Embedding-Token", where the rows
    count in lookups and in a tied output projection. https://kexue.fm/archives/8295,
    https://arxiv.org/abs/2103.10385 (without its LSTM). Compile after this.
    Raises ValueError for ids outside the table, none or twice the same, and for a
    second call.
    """
    ids = as_list(ids, "ids")
    token_table(model).check_prompt(ids)
    kept = matching(train, variables_of(model), "train")
    enable(model, {}, ids, kept)


def merge_prompt(model):
    """Write the trained rows into the embedding table; outputs stay the same.

    Unless LoRA is left, all of the model is trainable again, see `merge_lora`. Raises
    ValueError if there are none.
    """
    _merge(model, Embedding, "trained prompt tokens")


def enable(model, lora, prompt_ids, kept):
    """Freeze a model, `kept` paths of variables excepted, and add what is trained.

    lora: {path of a dense layer: (rank, alpha)}; prompt_ids: of tokens, or ().
    """
    dense = dense_layers(model)
    changed = [dense[path] for path in lora]
    if prompt_ids:
        changed.append(token_table(model))
    _check_trainable(model, changed)
    for path, (rank, alpha) in lora.items():
        dense[path].enable_lora(rank, alpha)
    if prompt_ids:
        token_table(model).enable_prompt(prompt_ids)
    added = {id(v) for one in adapted(model) for v in one.adapter.values()}
    for path, variable in variables_of(model).items():
        if path not in kept and id(variable) not in added:
            variable.trainable = False
    _forget_programs(model)


def _merge(model, kind, what):
    """Merge the additions of all layers of a kind."""
    layers = [one for one in adapted(model) if isinstance(one, kind)]
    if not layers:
        raise ValueError(f"This model has no {what} to merge.")
    for layer in layers:
        layer.merge_adapter()
    if not adapted(model):
        for part in _parts(model):
            for variable in part._trainable_variables:  # made to be trained
                variable.trainable = True
    _forget_programs(model)


def matching(patterns, paths, argument):
    """The paths in which one of the patterns is found; None: none of them.

    argument: name of what `patterns` are, for the ValueError if one finds nothing.
    """
    if patterns is None:
        return []
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    found = []
    for pattern in patterns:
        own = list(filter(as_regex(pattern, argument).search, paths))
        if not own:
            near = nearest(pattern, paths)
            raise ValueError(f"{argument}: {pattern!r} is found in no path. {near}")
        found += [path for path in own if path not in found]
    return found


def layers_of(model):
    """{name: layer} of a Transformer or a Keras model."""
    if is_builder(model):
        found = model.layers.items()
    else:
        found = ((one.name, one) for one in model.layers)
    return {name: one for name, one in found if hasattr(one, "_flatten_layers")}


def is_builder(model):
    """Whether it is a Transformer; else it is a Keras model."""
    return hasattr(model, "variable_mapping")


def variables_of(model):
    """{path: variable} of a Transformer or a Keras model, additions too."""
    return named_variables(layers_of(model), getattr(model, "prefix", ""))


def _parts(model):
    """All layers and layers within layers, once."""
    parts = [p for one in layers_of(model).values() for p in one._flatten_layers()]
    return list({id(part): part for part in parts}.values())


def adapted(model):
    """The layers that have additions."""
    return adapted_layers(layers_of(model).values())


def dense_layers(model):
    """{path: layer} of this package's dense layers."""
    paths = {id(v): path for path, v in variables_of(model).items()}
    dense = [part for part in _parts(model) if isinstance(part, Dense) and part.built]
    return {paths[id(one.frozen_weight)].rpartition("/")[0]: one for one in dense}


def token_table(model):
    """The embedding layer of the tokens. Raises ValueError without exactly one."""
    tables = [
        one
        for one in _parts(model)
        if isinstance(one, Embedding) and one.name.endswith("Embedding-Token")
    ]
    if len(tables) != 1:
        raise ValueError(
            "Prompt tokens need a model with one layer named Embedding-Token. This has "
            f"{len(tables)}."
        )
    return tables[0]


def _check_trainable(model, changed):
    """Layers with trainable=False would never train what is added to them."""
    inside = {id(one) for one in changed}
    for layer in layers_of(model).values():
        parts = [part for part in layer._flatten_layers() if id(part) in inside]
        if parts and not all(one.trainable for one in (layer, *parts)):
            raise ValueError(
                f"Layer {layer.name!r} has trainable=False, nothing in it would be "
                "trained. Set `model.trainable = True` first: all but what is asked "
                "for is frozen here."
            )


def _forget_programs(model):
    """What was compiled knows the variables of before."""
    t = model if is_builder(model) else getattr(model, "transformer", None)
    models = [] if is_builder(model) else [model]
    if t is not None:
        t.decoders.clear()
        models += [t.model, getattr(t, "encoder", None), getattr(t, "decoder", None)]
    for one in models:
        if one is None:
            continue
        one.train_function = one.test_function = one.predict_function = None
        if one.compiled and one.optimizer is not None and one.optimizer.built:
            one.compiled = False  # its optimizer has slots of other variables
