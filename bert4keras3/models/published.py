"""Helpers for translating published configs: what `understood` of families share."""


def refuse_others(values, only):
    """Take keys out of a config that are harmless with one value alone.

    values: dict of the config; only: {key: the value that changes nothing}.
    Returns a new dict; raises ValueError for any other value of such a key.
    """
    for key, allowed in only.items():
        value = values.get(key)
        if value is not None and value != allowed:
            raise ValueError(
                f"Config key {key}={value!r} is not supported, only {allowed!r} is."
            )
    return {key: value for key, value in values.items() if key not in only}


def without_end_as_pad(values):
    """Take a pad_token_id out that is the end or start token as well.

    Fine-tuned decoders often pad with the end token, which also stands between
    texts: hiding it by its id would change what transformers computes.
    """
    ends = [values.get("eos_token_id"), values.get("bos_token_id")]
    ends = [one for end in ends for one in (end if isinstance(end, list) else [end])]
    if values.get("pad_token_id") not in ends:
        return values
    return {key: value for key, value in values.items() if key != "pad_token_id"}


def kept_id(token_id, keep_tokens):
    """Where `keep_tokens` puts an id, or a list of ids; None for one that it drops."""
    if keep_tokens is None or token_id is None:
        return token_id
    if isinstance(token_id, (list, tuple)):
        places = [kept_id(one, keep_tokens) for one in token_id]
        return [one for one in places if one is not None] or None
    return keep_tokens.index(token_id) if token_id in keep_tokens else None


def with_generation_ids(values, end_token_id, keep_tokens):
    """Add what transformers generates by, which TensorFlow's configs of T5 do not say.

    end_token_id: of the original vocabulary, None: leave the values alone.
    """
    if end_token_id is None:
        return values
    said = {
        "is_encoder_decoder": True,
        "decoder_start_token_id": values.get("pad_token_id", 0),
        "eos_token_id": kept_id(end_token_id, keep_tokens),
    }
    return {**said, **values}


def renamed_activation(name, names):
    """Look an activation name up in {theirs: ours}; others and lists pass through."""
    return names.get(name, name) if isinstance(name, str) else name


def with_rope(values):
    """Bring rotary settings, old and new style, to rope_theta and rope_scaling.

    Configs before transformers 5 say rope_theta and rope_scaling, with "type" or
    "rope_type" inside; later ones have one dict, rope_parameters.
    """
    values = dict(values)
    rope = {
        **(values.pop("rope_scaling", None) or {}),
        **(values.pop("rope_parameters", None) or {}),
    }
    rope = refuse_others(rope, {"partial_rotary_factor": 1.0})
    kind = rope.pop("type", "default")
    kind = rope.pop("rope_type", kind)
    theta = rope.pop("rope_theta", None)
    if theta is not None:
        values["rope_theta"] = theta
    if kind != "default":
        values["rope_scaling"] = {"rope_type": kind, **rope}
    return values


# transformers' names of the activations behind feed_forward_proj; its "gated-gelu"
# is the tanh form, "gelu" alone the exact one.
_PROJ = {"gelu_new": "gelu_tanh", "gelu_python": "gelu_erf"}


def activation_from_proj(values):
    """Turn T5's feed_forward_proj, such as "gated-gelu", into hidden_act; a new dict.

    Raises ValueError for a prefix other than "gated-".
    """
    values = dict(values)
    proj = values.pop("feed_forward_proj", None)
    if proj is None:
        return values
    prefix, _, name = str(proj).rpartition("-")
    if prefix not in ("", "gated"):
        raise ValueError(
            "feed_forward_proj must be an activation or 'gated-' and one. Received: "
            f"{proj!r}"
        )
    name = "gelu_tanh" if proj == "gated-gelu" else _PROJ.get(name, name)
    values.setdefault("hidden_act", [name, "linear"] if prefix else name)
    return values


def proj_from_activation(values):
    """The inverse of `activation_from_proj`; hidden_act stays if there is none."""
    values, activation = dict(values), values["hidden_act"]
    names = [activation] if isinstance(activation, str) else list(activation)
    if len(names) > 2 or names[1:] not in ([], ["linear"]):
        return values
    theirs = {ours: name for name, ours in _PROJ.items()}
    proj = "gated-" * (len(names) - 1) + theirs.get(names[0], names[0])
    values["feed_forward_proj"] = proj.replace("gated-gelu_new", "gated-gelu")
    del values["hidden_act"]
    return values
