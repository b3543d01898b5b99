"""Keys that no family needs, and how an unknown one is refused."""

import difflib

from bert4keras3.models import registry

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

_CLOSE = 0.75  # below it difflib calls names alike that merely share a few letters


def refuse(key, value, names, is_argument, origin):
    """Raise ValueError for a key of no field or option, unless it is harmless.

    names: all keys that the family knows; is_argument: a keyword argument, not from
    the config; origin: name of the config. The error names a close known key and the
    families that have a key of that very name.
    """
    allowed = REQUIRED_VALUES.get(key)
    if allowed is not None and not is_argument:
        if value in allowed:
            return
        raise ValueError(
            f"{origin}: {key}={value!r} is not supported, only {allowed[0]!r} is."
        )
    if key in IGNORED and not is_argument:
        return
    if is_argument:
        names = names | ARGUMENTS
    close = difflib.get_close_matches(key, sorted(names), n=1, cutoff=_CLOSE)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    others = _families_with(key)
    if others:
        hint += (
            f" It belongs to {', '.join(others)}: pass model=... if the weights are of "
            "such a family."
        )
    kind = "argument" if is_argument else "config key"
    raise ValueError(f"{origin}: unknown {kind} {key!r} (value {value!r}).{hint}")


def _families_with(key):
    """Names of the families, one per model_type, that declare the key."""
    found = {}
    for name in registry.FAMILIES:
        cls = registry.find(name)
        declared = key in cls.options or key in cls.config_keys
        if declared and key not in cls.unsupported:
            found.setdefault(cls.model_type, name)
    return sorted(found.values())
