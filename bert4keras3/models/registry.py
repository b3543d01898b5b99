"""Family names and the classes behind them, imported on first use."""

import difflib
import importlib

_HOME = "bert4keras3.models.families."

FAMILIES = {
    "bert": _HOME + "bert:BERT",
    "roberta": _HOME + "bert:BERT",
    "roformer": _HOME + "roformer:RoFormer",
    "roformer_v2": _HOME + "roformer_v2:RoFormerV2",
}


def find(model):
    """Return the Transformer class of a family name (any case) or of a class itself.

    Raises ValueError for unknown names, naming the closest one.
    """
    if not isinstance(model, str):
        if isinstance(model, type):
            return model
        raise ValueError(
            "model must be a family name or a Transformer subclass. Received: "
            f"{model!r}"
        )
    target = FAMILIES.get(model.lower())
    if target is None:
        close = difflib.get_close_matches(model.lower(), FAMILIES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"Unknown model {model!r}. Expected one of {sorted(FAMILIES)}, or a "
            f"Transformer subclass.{hint}"
        )
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)
