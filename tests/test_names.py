"""Every weight has a name in every format, and no two share one."""

import collections
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import FAMILIES, build

from bert4keras3.checkpoints.names import Row

HEADS = {
    "bert": {"with_nsp": True, "with_mlm": True},
    "roformer": {"with_nsp": True, "with_mlm": True},
    "roformer_v2": {"with_mlm": True},
}
VARIANTS = {
    "all heads, factorised embedding": {"embedding_size": 8},
    "gated": {"hidden_act": ["gelu", "linear"], "heads": False},
    "shared segments": {"shared_segment_embeddings": True},
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module", params=VARIANTS)
def t(request, family):
    arguments = dict(VARIANTS[request.param])
    heads = HEADS[family] if arguments.pop("heads", True) else {}
    return build(family, **heads, **arguments)


def test_every_variable_has_a_row(t):
    rows = [row.ours for row in t.rows()]
    assert sorted(rows) == sorted(t.variables())
    assert len(rows) == len(t.model.trainable_weights)


@pytest.mark.parametrize("style", ["tf", "hf"])
def test_names_of_a_style_are_distinct(t, style):
    names = collections.Counter(row.name(style) for row in t.rows())
    assert None not in names
    assert [name for name, count in names.items() if count > 1] == []


def test_prefix_is_no_part_of_a_name(family):
    plain, prefixed = build(family), build(family, prefix="Foo-")
    assert set(prefixed.variables()) == set(plain.variables())
    assert all(layer.name.startswith("Foo-") for layer in prefixed.model.layers)


def test_only_openais_kernels_lose_an_axis():
    kernel, plain = np.ones((1, 2, 3)), Row("x/kernel")
    assert plain.read(kernel, "hf").shape == (1, 2, 3)
    assert replace(plain, convolved=True).read(kernel, "hf").shape == (2, 3)
