"""ModelConfig: the sizes of a model, read from a file, folder or dict, and checked."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bert4keras3.models.config_files import read_config
from bert4keras3.models.config_keys import refuse

# What other libraries call our fields. Our own name wins when both are given.
ALIASES = {
    "max_position": ("max_position_embeddings",),
    "dropout_rate": ("hidden_dropout_prob",),
    "attention_dropout_rate": ("attention_probs_dropout_prob",),
    "segment_vocab_size": ("type_vocab_size",),
}


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Sizes and options of one model; the only place where defaults live.

    Every field is a keyword of `build_transformer_model` and a key of its config
    file. `options` holds what the family declares (with_pool, with_mlm, ...).
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: Any = "gelu"
    embedding_size: int | None = None
    attention_head_size: int | None = None
    attention_key_size: int | None = None
    max_position: int = 512
    segment_vocab_size: int = 2
    sequence_length: int | None = None
    dropout_rate: float = 0.0
    attention_dropout_rate: float = 0.0
    layer_norm_eps: float | None = None
    pad_token_id: int | None = 0
    keep_tokens: tuple | None = None
    compound_tokens: tuple | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(
        cls,
        source,
        family_options,
        ignored=(),
        aliases=None,
        defaults=None,
        **overrides,
    ):
        """Read a config and check every key.

        source: path of a JSON file or of a folder with config.json, a dict, None, or
        (name for messages, dict); family_options: {name: default} the family
        accepts besides the fields; ignored: further keys of no effect;
        aliases: {key: field} of the family's published configs; defaults: the
        family's own defaults of fields;
        overrides: keyword arguments, they win over the file.
        Raises ValueError for unreadable files and unknown, missing or wrong keys,
        naming a close known key, or the families that have it.
        """
        origin, values = read_config(source)
        merged = _merge(values, overrides, aliases or {})
        fields = {f.name for f in dataclasses.fields(cls)} - {"options"}
        known = {k: merged.pop(k) for k in list(merged) if k in fields}
        options = dict(family_options)
        for key in list(merged):
            if key in options:
                options[key] = merged.pop(key)
        names = fields | set(options) | set(aliases or {})
        names |= {other for others in ALIASES.values() for other in others}
        for key, value in merged.items():
            if key not in ignored:
                refuse(key, value, names, key in overrides, origin)
        _check_required(cls, known, origin)
        known = {k: v for k, v in known.items() if v is not None or k in overrides}
        known = {**(defaults or {}), **known}
        config = cls(**{k: _freeze(v) for k, v in known.items()}, options=options)
        config._check(origin)
        return config

    @property
    def full_vocab_size(self):
        """Rows of the token table after keep_tokens and compound_tokens."""
        kept = self.vocab_size if self.keep_tokens is None else len(self.keep_tokens)
        return kept + len(self.compound_tokens or ())

    @property
    def head_size(self):
        """Value size per head."""
        return self.attention_head_size or self.hidden_size // self.num_attention_heads

    @property
    def key_size(self):
        """Query and key size per head."""
        return self.attention_key_size or self.head_size

    def _check(self, origin):
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{origin}: {name} must be a positive integer. Received: {value!r}"
                )
            # A slipped digit or swapped keys would otherwise build for hours.
            limit = MAX_LAYERS if name == "num_hidden_layers" else MAX_SIZE
            if value > limit:
                raise ValueError(
                    f"{origin}: {name} may be at most {limit}. Received: {value}"
                )
        for name in ("dropout_rate", "attention_dropout_rate"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(
                    f"{origin}: {name} must be a number. Received: {value!r}"
                )
            if not 0 <= value < 1:
                raise ValueError(
                    f"{origin}: {name} must be in [0, 1). Received: {value}"
                )
        size = self.segment_vocab_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError(
                f"{origin}: segment_vocab_size must be an integer >= 0. "
                f"Received: {size!r}"
            )
        if not self.attention_head_size and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"{origin}: hidden_size={self.hidden_size} does not divide by "
                f"num_attention_heads={self.num_attention_heads}. Correct one of them, "
                "or give attention_head_size explicitly."
            )
        self._check_tokens(origin)

    def _check_tokens(self, origin):
        kept = self.keep_tokens
        if kept is not None and (min(kept) < 0 or max(kept) >= self.vocab_size):
            raise ValueError(
                f"{origin}: keep_tokens must be ids in [0, {self.vocab_size}). "
                f"Received ids from {min(kept)} to {max(kept)}"
            )


MAX_LAYERS, MAX_SIZE = 1000, 2**22

_POSITIVE = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "embedding_size",
    "attention_head_size",
    "attention_key_size",
    "max_position",
    "sequence_length",
)


def _merge(values, overrides, aliases):
    """Apply aliases to both sides, then let the overrides win."""
    merged = {}
    for part in (values, overrides):
        part = dict(part)
        for other, name in aliases.items():
            if other in part:
                value = part.pop(other)
                part.setdefault(name, value)
        for name, others in ALIASES.items():
            for other in others:
                if other in part:
                    value = part.pop(other)
                    part.setdefault(name, value)
        merged.update(part)
    return merged


def _check_required(cls, known, origin):
    missing = [
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
        and known.get(f.name) is None
    ]
    if missing:
        raise ValueError(
            f"{origin}: missing {', '.join(missing)}. Add the key(s) to the config "
            "file or pass them as keyword arguments of build_transformer_model."
        )


def _freeze(value):
    return tuple(value) if isinstance(value, list) else value
