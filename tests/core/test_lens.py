"""Lenses and the walk they stand on."""

import collections
import types

import pytest
import torch
from pyrsistent import pmap, pvector

from fpipe.core.equality import same
from fpipe.core.errors import ParameterError
from fpipe.core.lens import get, over, put
from fpipe.core.parameter import label
from fpipe.core.tree import leaves, map_leaves, parts, sorted_keys
from fpipe.core.value import descriptor, value

Pair = collections.namedtuple("Pair", "x y")


@descriptor
class Inner:
    rate: float
    note: str = label("n")


@value
class Outer:
    inner: Inner
    weights: object
    table: object


def make():
    return Outer(Inner(0.5), {"w": (torch.ones(2), 3)}, pmap({"a": pvector([1, 2])}))


PATHS = [("inner", "rate"), ("weights", "w", 1), ("table", "a", 0), ("table",), ()]


@pytest.mark.parametrize("path", PATHS)
def test_lens_laws(path):
    v = make()
    assert same(get(put(v, path, "A"), path), "A")
    assert same(put(v, path, get(v, path)), v)
    assert same(put(put(v, path, "A"), path, "B"), put(v, path, "B"))
    assert same(v, make())


def test_disjoint_puts_commute():
    v, p, q = make(), ("inner", "rate"), ("weights", "w", 1)
    assert same(put(put(v, p, 1.0), q, 2), put(put(v, q, 2), p, 1.0))


def test_labels_are_kept():
    v = Outer(Inner(0.5, note="mine"), {}, {})
    assert put(v, ("inner", "rate"), 1.0).inner.note == "mine"


def test_over():
    assert over((1, 2), (0,), lambda x: x + 1) == (2, 2)


def test_a_path_that_leads_nowhere():
    with pytest.raises(ParameterError, match="Inner has nothing at 'rat'") as caught:
        get(make(), ("inner", "rat"))
    assert caught.value.fix == "did you mean 'rate'?"
    with pytest.raises(ParameterError, match="no further step"):
        put(make(), ("inner", "rate", 0), 1)


@pytest.mark.parametrize(
    "v",
    [
        Pair(1, 2),
        torch.Size([2, 3]),
        collections.OrderedDict(b=1, a=2),
        types.MappingProxyType({"a": 1}),
        {"a": 1},
        pmap({"a": 1}),
        [1],
        pvector([1]),
        frozenset({1, 2}),
        Inner(1.0),
    ],
)
def test_build_makes_the_same_type(v):
    found = parts(v)
    again = found.build(found.children)
    assert type(again) is type(v)
    assert same(again, v)


def test_maps_are_walked_by_sorted_keys():
    assert sorted_keys({2.5: 0, -0.0: 0, "b": 0, "a": 0, 10: 0, 9: 0}) == sorted_keys(
        {9: 0, 10: 0, "a": 0, "b": 0, -0.0: 0, 2.5: 0}
    )
    assert [path for path, _ in leaves({"b": (1,), "a": 2})] == [("a",), ("b", 0)]
    assert map_leaves(str, {"b": (1,), "a": 2}) == {"a": "2", "b": ("1",)}
