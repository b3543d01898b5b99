"""Weight-name tables: one row per variable, read in both directions for every format.

`ours` is "<layer name>/<weight path>", with {i} for the block index and without the
model's prefix. Kernels are stored [in, out] by us and by TensorFlow checkpoints,
[out, in] by Hugging Face ones.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

BOTH = ("tf", "hf")


@dataclass(frozen=True)
class Row:
    """Names of one variable and how its array changes between formats.

    turned: the styles that store it transposed; vocab: the axis, of our array, that
    follows keep_tokens and compound_tokens, or None; part: (index, count) when that
    style stores `count` of our arrays side by side on its last axis under one name,
    as {style: (index, count)}; aliases: names that Hugging Face files use for the
    same array, taken when `hf` itself is absent; rowed: the styles that store our
    vector (N,) as one row (1, N); convolved: some files hold this kernel as a
    convolution of width 1, (1, in, out).
    """

    ours: str
    tf: str | None = None
    hf: str | None = None
    turned: tuple = ()
    vocab: int | None = None
    part: tuple = ()
    aliases: tuple = ()
    rowed: tuple = ()
    convolved: bool = False

    def name(self, style):
        """The name in "tf" or "hf" style, None when that format has no such weight."""
        return getattr(self, style)

    def spellings(self, style):
        """All names under which a file of that style may hold the array."""
        names = (self.name(style), *(self.aliases if style == "hf" else ()))
        return [name for name in names if name]

    def place(self, style):
        """(index, count) of our array inside theirs; (0, 1) when it is the whole."""
        return dict(self.part).get(style, (0, 1))

    def read(self, array, style):
        """Turn an array of that style into ours."""
        if self.convolved and array.ndim == 3 and array.shape[0] == 1:
            array = array[0]
        index, count = self.place(style)
        if count > 1:
            size = array.shape[-1] // count
            array = array[..., index * size : (index + 1) * size]
        if style in self.rowed:
            array = array.reshape(-1)
        return np.transpose(array) if style in self.turned else array

    def written(self, array, style):
        """Turn our array into theirs, or into its part of theirs."""
        if style in self.rowed:
            return array[None]
        return np.transpose(array) if style in self.turned else array


def plain(ours, tf=None, hf=None, **how):
    """A one-row table."""
    return (Row(ours, tf, hf, **how),)


def dense(ours, tf, hf, bias=True, **how):
    """Kernel and bias of a dense layer; Hugging Face stores the kernel transposed."""
    how = {"turned": ("hf",), **how}
    rows = (Row(f"{ours}/kernel", f"{tf}/kernel", f"{hf}.weight", **how),)
    if bias:
        how.pop("turned")
        rows += (Row(f"{ours}/bias", f"{tf}/bias", f"{hf}.bias", **how),)
    return rows


def norm(ours, tf, hf):
    """Beta and gamma of a layer normalisation."""
    return (
        Row(f"{ours}/beta", f"{tf}/beta", f"{hf}.bias"),
        Row(f"{ours}/gamma", f"{tf}/gamma", f"{hf}.weight"),
    )


def table(*parts):
    """Join tables into one."""
    return tuple(row for part in parts for row in part)


def renamed(rows, *pairs, style="hf"):
    """Replace substrings in the names of one style: renamed(rows, ("bert.", "x."))."""
    result = []
    for row in rows:
        changed = {style: _replaced(row.name(style), pairs)}
        if style == "hf":
            changed["aliases"] = tuple(_replaced(one, pairs) for one in row.aliases)
        result.append(replace(row, **changed))
    return tuple(result)


def _replaced(name, pairs):
    for old, new in pairs:
        name = name and name.replace(old, new)
    return name


def without(rows, *words):
    """Drop the rows whose own name contains one of the words."""
    return tuple(row for row in rows if not any(word in row.ours for word in words))


def expand(rows, num_layers):
    """Write out {i} for every block; {i:03d} pads with zeros."""
    result = []
    for row in rows:
        if "{i" not in row.ours + (row.tf or "") + (row.hf or ""):
            result.append(row)
            continue
        for i in range(num_layers):
            fill = {
                key: value and value.format(i=i)
                for key, value in (("ours", row.ours), ("tf", row.tf), ("hf", row.hf))
            }
            aliases = tuple(one.format(i=i) for one in row.aliases)
            result.append(replace(row, **fill, aliases=aliases))
    return tuple(result)


def mapped_rows(mapping, rows, variables):
    """Rows whose TensorFlow names a mapping gives, the rest as in the table.

    mapping: {layer name: [TensorFlow names in the order of the layer's weights]};
    rows: of the table; variables: our names, in the layers' order.
    """
    known = {row.ours: row for row in rows}
    result = []
    for layer, names in mapping.items():
        ours = [one for one in variables if one.split("/")[0] == layer]
        for one, name in _matched(layer, ours, names):
            result.append(replace(known.get(one, Row(one)), tf=name))
    return result


def _matched(layer, ours, names):
    """Pairs (our name, TensorFlow name) of one layer.

    Names that say which part of the layer they are ("o_dense/kernel") are matched by
    it: the order of a GatedAttentionUnit's weights changed between the versions of
    bert4keras. All others are in the layer's order.
    """
    parts = ["/".join(name.split("/")[-2:]) for name in names]
    named = [re.sub("_(dense|scaleoffset)/", "/", f"{layer}/{part}") for part in parts]
    if len(set(named)) == len(names) and set(named) <= set(ours):
        return zip(named, names, strict=True)
    # The shorter one ends it: weights of conditional norms have no names.
    return zip(ours, names, strict=False)


def _norm_as_tf(name):
    """Old PyTorch conversions call LayerNorm's weights gamma and beta."""
    if "LayerNorm" not in name:
        return name
    return name.removesuffix(".weight").removesuffix(".bias") + (
        ".gamma" if name.endswith(".weight") else ".beta"
    )


# What transformers puts before the names of a trunk inside a model with a head.
TRUNKS = frozenset(
    "bert roformer albert electra nezha ernie gau_alpha deberta transformer "
    "model".split()
)


def _without_model_prefix(name):
    """A bare trunk (BertModel) is saved without "bert."; heads keep their names."""
    head, _, rest = name.partition(".")
    return rest if head in TRUNKS else name


# Spellings of one style met in the wild: (style, description, our name -> theirs).
DIALECTS = (
    ("tf", "TensorFlow names", lambda name: name),
    ("hf", "Hugging Face names", lambda name: name),
    ("hf", "trunk without model prefix", _without_model_prefix),
    ("hf", "LayerNorm.gamma/beta", _norm_as_tf),
    (
        "hf",
        "no prefix, LayerNorm.gamma/beta",
        lambda name: _norm_as_tf(_without_model_prefix(name)),
    ),
    ("hf", "saved from DataParallel", lambda name: "module." + name),
)
