"""Family names and the classes behind them, imported on first use."""

import difflib
import importlib

_HOME = "bert4keras3.models.families."

FAMILIES = {
    "bert": _HOME + "bert:BERT",
    "roberta": _HOME + "bert:BERT",
    "albert": _HOME + "albert:ALBERT",
    "albert_unshared": _HOME + "albert:ALBERT_Unshared",
    "deberta-v2": _HOME + "deberta_v2:DeBERTaV2",
    "deberta_v2": _HOME + "deberta_v2:DeBERTaV2",
    "electra": _HOME + "electra:ELECTRA",
    "ernie": _HOME + "ernie:ERNIE",
    "gau": _HOME + "gau_alpha:GAU_alpha",
    "gau_alpha": _HOME + "gau_alpha:GAU_alpha",
    "nezha": _HOME + "nezha:NEZHA",
    "gpt": _HOME + "gpt:GPT",
    "openai-gpt": _HOME + "gpt:GPT",
    "gpt2": _HOME + "gpt2:GPT2",
    "gpt2_ml": _HOME + "gpt2_ml:GPT2_ML",
    "llama": _HOME + "llama:Llama",
    "qwen2": _HOME + "llama:Qwen2",
    "qwen3": _HOME + "llama:Qwen3",
    "roformer": _HOME + "roformer:RoFormer",
    "bart": _HOME + "bart:BART",
    "bart_encoder": _HOME + "bart:BART_Encoder",
    "bart_decoder": _HOME + "bart:BART_Decoder",
    "mbart": _HOME + "mbart:MBART",
    "t5": _HOME + "t5:T5",
    "t5_encoder": _HOME + "t5:T5_Encoder",
    "t5_decoder": _HOME + "t5:T5_Decoder",
    "t5.1.0": _HOME + "t5:T5",
    "t5.1.0_encoder": _HOME + "t5:T5_Encoder",
    "t5.1.0_decoder": _HOME + "t5:T5_Decoder",
    "t5.1.1": _HOME + "mt5:T5_1_1",
    "t5.1.1_encoder": _HOME + "mt5:T5_1_1_Encoder",
    "t5.1.1_decoder": _HOME + "mt5:T5_1_1_Decoder",
    "mt5": _HOME + "mt5:MT5",
    "mt5_encoder": _HOME + "mt5:MT5_Encoder",
    "mt5_decoder": _HOME + "mt5:MT5_Decoder",
    "mt5.1.1": _HOME + "mt5:MT5",
    "mt5.1.1_encoder": _HOME + "mt5:MT5_Encoder",
    "mt5.1.1_decoder": _HOME + "mt5:MT5_Decoder",
    "t5_pegasus": _HOME + "mt5:T5_PEGASUS",
    "t5_pegasus_encoder": _HOME + "mt5:T5_PEGASUS_Encoder",
    "t5_pegasus_decoder": _HOME + "mt5:T5_PEGASUS_Decoder",
    "roformer_v2": _HOME + "roformer_v2:RoFormerV2",
}

# Public classes that are no family of their own.
PARTS = (
    _HOME + "t5:T5_Base",
    _HOME + "bart:BART_Base",
    _HOME + "mbart:MBART_Encoder",
    _HOME + "mbart:MBART_Decoder",
)
_BUILT_IN = frozenset(FAMILIES)

# Kinds of model that a config's model_type does not tell apart.
ARCHITECTURES = {
    "T5EncoderModel": "t5_encoder",
    "MT5EncoderModel": "mt5_encoder",
    "T5_PEGASUSEncoderModel": "t5_pegasus_encoder",
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
    return _imported(target)


def register(name, target):
    """Make a family from outside the package known by a name.

    name: what `model=` takes, in any case, and what a config's model_type says: the
    class attribute model_type should be the same, so that saved folders open alone;
    target: Transformer subclass, or "package.module:Class", imported on first use.
    Raises ValueError for a name of the package's own and for any other target.
    """
    if str(name).lower() in _BUILT_IN:
        raise ValueError(
            f"{name!r} is a family of bert4keras3 itself. Register yours by another "
            "name, or pass the class as model=..."
        )
    is_path = isinstance(target, str) and target.count(":") == 1
    if not is_path and not isinstance(target, type):
        raise ValueError(
            "target must be a Transformer subclass or 'package.module:Class'. "
            f"Received: {target!r}"
        )
    FAMILIES[str(name).lower()] = target


def public_classes():
    """{class name: "module:Class"} of the package's own classes."""
    targets = [*(FAMILIES[name] for name in _BUILT_IN), *PARTS]
    return {target.split(":")[1]: target for target in targets}


def public_class(name):
    """The package's own class of that name, imported now; None if there is none."""
    target = public_classes().get(name)
    return None if target is None else _imported(target)


def _imported(target):
    if isinstance(target, type):
        return target
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)
