"""What configs of DeBERTa-v2 say, leave unsaid, and must not say."""

from bert4keras3.layers.disentangled import POSITION_KINDS

# The published v3 models; the names are those of transformers' config.
PUBLISHED = {
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ("p2c", "c2p"),
    "position_buckets": 256,
    "max_relative_positions": -1,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "conv_kernel_size": 0,
    "conv_groups": 1,
    "conv_act": "tanh",
    "pooler_hidden_act": "gelu",
}
# What transformers takes when a config does not say.
UNSAID = {
    "relative_attention": False,
    "position_biased_input": True,
    "pos_att_type": (),
    "position_buckets": -1,
    "norm_rel_ebd": "none",
    "share_att_key": False,
}


def check(config, origin):
    """Raise ValueError, naming `origin` and the key, for what the layers cannot do."""
    options = config.options
    if not options["relative_attention"]:
        raise ValueError(
            f"{origin}: relative_attention=False is not supported, only True is. "
            "Without it DeBERTa is a BERT; the published models all have it."
        )
    for name in ("position_buckets", "max_relative_positions", "conv_kernel_size"):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(
                f"{origin}: {name} must be an integer. Received: {value!r}"
            )
    if options["norm_rel_ebd"] not in ("layer_norm", "none"):
        raise ValueError(
            f"{origin}: norm_rel_ebd must be 'layer_norm' or 'none'. Received: "
            f"{options['norm_rel_ebd']!r}"
        )
    _check_kinds(options["pos_att_type"], origin)
    _check_convolution(config, origin)
    _check_reach(config, origin)


def _check_kinds(kinds, origin):
    """Raise for a pos_att_type that is no text and no list of the known kinds."""
    listed = kinds or ()
    if isinstance(listed, str):
        listed = listed.lower().replace(" ", "").split("|")
    is_list = isinstance(listed, (list, tuple))
    if not is_list or any(one not in POSITION_KINDS for one in listed):
        raise ValueError(
            f"{origin}: pos_att_type may hold {POSITION_KINDS}, as a list or as "
            f"'c2p|p2c'. Received: {kinds!r}"
        )


def _check_convolution(config, origin):
    """Raise for a convolution whose groups do not share the features out."""
    size, groups = config.options["conv_kernel_size"], config.options["conv_groups"]
    if size < 0:
        raise ValueError(f"{origin}: conv_kernel_size must be >= 0. Received: {size}")
    if size and (groups not in range(1, 2**15) or config.hidden_size % groups):
        raise ValueError(
            f"{origin}: conv_groups must divide hidden_size={config.hidden_size}. "
            f"Received: {groups!r}"
        )


def _check_reach(config, origin):
    """Raise for position_buckets that max_relative_positions leaves no room for."""
    buckets = max(config.options["position_buckets"], 0)
    if buckets % 2:
        raise ValueError(
            f"{origin}: position_buckets must be even: half of them hold one distance "
            f"each, half the far ones. Received: {buckets}"
        )
    source, reach = "max_relative_positions", config.options["max_relative_positions"]
    if reach < 1:  # transformers takes it from the other key then
        source, reach = "max_position", config.max_position
    if reach <= buckets // 2 + 1:
        raise ValueError(
            f"{origin}: {source} must be beyond {buckets // 2 + 1}, half of "
            f"position_buckets={buckets} plus one. Received: {source}={reach}; raise "
            "it or lower position_buckets (0: each distance has a row of its own)."
        )
