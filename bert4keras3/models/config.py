"""ModelConfig: the sizes of a model, read from a file, folder or dict, and checked."""

import dataclasses
import difflib
import json
import os
from collections.abc import Mapping
from typing import Any

from bert4keras3.utils.assets import EMBEDDED

# What other libraries call our fields. Our own name wins when both are given.
ALIASES = {
    "max_position": ("max_position_embeddings",),
    "dropout_rate": ("hidden_dropout_prob",),
    "attention_dropout_rate": ("attention_probs_dropout_prob",),
    "segment_vocab_size": ("type_vocab_size",),
}

# Keys of published configs that say nothing about the computation done here.
IGNORED = frozenset(
    """
    _name_or_path add_cross_attention architectures attn_implementation auto_map
    bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward
    classifier_dropout cross_attention_hidden_size decoder_start_token_id directionality
    diversity_penalty do_sample dtype early_stopping encoder_no_repeat_ngram_size
    eos_token_id exponential_decay_length_penalty finetuning_task forced_bos_token_id
    forced_eos_token_id gradient_checkpointing id2label initializer_range is_decoder
    is_encoder_decoder label2id length_penalty max_length min_length model_type name
    no_repeat_ngram_size num_beam_groups num_beams num_labels num_return_sequences
   output_attentions output_hidden_states output_past output_scores
    pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head
    pooler_type prefix problem_type pruned_heads remove_invalid_values
    repetition_penalty return_dict return_dict_in_generate sep_token_id
    suppress_tokens task_specific_params temperature tie_encoder_decoder
    tie_word_embeddings tokenizer_class top_k top_p torch_dtype torchscript
    transformers_version typical_p use_bfloat16 use_cache vocab_file
    """.split()
)

# Arguments of build_transformer_model that are no config keys: for "did you mean".
ARGUMENTS = frozenset(
    """
    config_path checkpoint_path model application return_keras_model attention_caches
    layer_norm_cond layer_norm_cond_hidden_size layer_norm_cond_hidden_act
    additional_input_layers
    """.split()
)

# Keys that are harmless with one value and would change the computation with another.
REQUIRED_VALUES = {
    "position_embedding_type": ("absolute",),
    "rotary_value": (False,),
    "use_relative_position": (False,),
    "embedding_dropout": (0, 0.0),
    "num_hidden_groups": (1,),
    "inner_group_num": (1,),
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
        naming the closest known key.
        """
        origin, values = read_config(source)
        merged = _merge(values, overrides, aliases or {})
        fields = {f.name for f in dataclasses.fields(cls)} - {"options"}
        known = {k: merged.pop(k) for k in list(merged) if k in fields}
        options = dict(family_options)
        for key in list(merged):
            if key in options:
                options[key] = merged.pop(key)
        for key, value in merged.items():
            if key not in ignored:
                known_keys = fields | set(options)
                _refuse(key, value, known_keys, key in overrides, origin)
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


def read_config(source):
    """Return (name for messages, dict) of a path, folder, dict or None."""
    if source is None:
        return "build_transformer_model", {}
    if isinstance(source, tuple):
        return source
    if isinstance(source, Mapping):
        return "config", dict(source)
    path = os.fspath(source)
    if os.path.isdir(path):
        names = ("config.json", "bert_config.json")
        found = [n for n in names if os.path.isfile(os.path.join(path, n))]
        if not found:
            raise ValueError(
                f"{path}: expected a folder with {' or '.join(names)}; there is none."
            )
        path = os.path.join(path, found[0])
    if not os.path.isfile(path):
        raise ValueError(
            f"{path!r}: no such config file or folder. Give a JSON file, a folder with "
            f"config.json, or the name of an embedded model ({', '.join(EMBEDDED)}); "
            "nothing is downloaded by a bare name."
        )
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a valid JSON config ({error}).") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path}: expected a JSON object of config keys. Received: "
            f"{type(values).__name__}"
        )
    return path, values


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


def _refuse(key, value, known, is_argument, origin):
    """Raise for a key that is neither known nor on the ignorable list."""
    allowed = REQUIRED_VALUES.get(key)
    if allowed is not None and not is_argument:
        if value in allowed:
            return
        raise ValueError(
            f"{origin}: {key}={value!r} is not supported, only {allowed[0]!r} is."
        )
    if key in IGNORED and not is_argument:
        return
    names = known | {other for others in ALIASES.values() for other in others}
    if is_argument:
        names |= ARGUMENTS
    close = difflib.get_close_matches(key, sorted(names), n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    kind = "argument" if is_argument else "config key"
    raise ValueError(f"{origin}: unknown {kind} {key!r} (value {value!r}).{hint}")


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
