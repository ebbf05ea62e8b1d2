"""Where values differ: what is found, and how it is shown."""

import numpy as np
import polars as pl
import pytest
import torch
from pyrsistent import pmap

import fpipe as fp
from fpipe import nn
from fpipe.core.code import Opaque
from fpipe.core.diff import Absent, Entry, diff
from fpipe.testing.values import Held, Point

GRAPH = nn.linear(8) >> nn.dropout(0.1)


@pytest.mark.parametrize(
    ("left", "right", "shown"),
    [
        (1, 2, ["the whole: 1 → 2"]),
        (1, 1.0, ["the whole: 1 → 1.0"]),
        (0.0, -0.0, ["the whole: 0.0 → -0.0"]),
        (Point(1, (2, 3)), Point(1, (2, 4)), ["y[1]: 3 → 4"]),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, ["b: 2 → nothing", "c: nothing → 2"]),
        ({"a b": 1}, {"a b": 2}, ["['a b']: 1 → 2"]),
        ({1: "x"}, {True: "x"}, ["[1]: 'x' → nothing", "[True]: nothing → 'x'"]),
        ((1, 2), (1, 2, 3), ["[2]: nothing → 3"]),
        ((1, 2), [1, 2], ["the whole: (1, 2) → [1, 2]"]),
        (frozenset({1}), frozenset({2}), ["the whole: frozenset({1}) → frozenset({2})"]),
        (Point(1, 2), Point(2, 1), ["x: 1 → 2", "y: 2 → 1"]),
        (GRAPH, GRAPH.set({"dropout.p": 0.5}), ["nodes[1].op.p: 0.1 → 0.5"]),
        (
            torch.tensor([0.0, 1.0, 2.0]),
            torch.tensor([-0.0, 1.0, 4.5]),
            ["the whole: float32[3], 2 of 3 entries differ, by up to 2.5"],
        ),
        (torch.zeros(2), torch.zeros(3), ["the whole: float32[2] → float32[3]"]),
        (torch.zeros(1), torch.zeros(1).double(), ["the whole: float32[1] → float64[1]"]),
        (
            np.array([1, 2]),
            np.array([1, 7]),
            ["the whole: array int64[2], 1 of 2 entries differ, by up to 5"],
        ),
        (
            pl.Series("a", [1.0, None, 3.0]),
            pl.Series("a", [1.0, 2.0, float("nan")]),
            ["the whole: column 'a' (Float64, 3 rows), 2 of 3 entries differ"],
        ),
        (
            pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
            pl.DataFrame({"a": [1, 3], "b": ["z", "w"]}),
            ["the whole: table of 2 rows, 2 columns, rows differ: 'a' in 1, 'b' in 2"],
        ),
        (
            pl.DataFrame({"a": [1]}),
            pl.DataFrame({"b": [1]}),
            [
                "the whole: table of 1 rows, 1 columns → table of 1 rows, 1 columns, without 'a', "
                "with 'b'"
            ],
        ),
        (
            Held(pmap({"w": torch.tensor([float("nan")])})),
            Held(pmap({"w": torch.tensor([1.0])})),
            ["content.w: float32[1], 1 of 1 entries differ"],
        ),
    ],
)
def test_what_is_shown(left, right, shown):
    found = diff(left, right)
    assert repr(found).split("\n") == shown
    assert bool(found)
    assert len(found) == len(shown)


def test_what_is_the_same_has_no_difference():
    found = diff(Held(torch.ones(2)), Held(torch.ones(2)))
    assert not found
    assert repr(found) == "no difference"
    assert list(found) == []


class Raising:
    def __eq__(self, other):
        raise ValueError("no")

    __hash__ = None

    def __repr__(self):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (torch.eye(2).to_sparse(), torch.zeros(2, 2).to_sparse()),
        (torch.empty(2, device="meta"), torch.empty(3, device="meta")),
        (torch.nested.nested_tensor([torch.ones(1)]), torch.nested.nested_tensor([torch.ones(2)])),
        (pl.LazyFrame({"a": [1]}), pl.LazyFrame({"a": [2]})),
        ({"x": Raising()}, {"x": Raising()}),
    ],
    ids=["sparse", "meta", "nested", "lazy", "raising"],
)
def test_what_has_no_bits_differs_as_a_whole(left, right):
    found = diff(left, right)
    assert len(found) == 1
    assert repr(found)
    assert not diff(left, left)


def test_entries_hold_both_sides():
    (entry,) = fp.diff({"a": (1, 2)}, {"a": (1,)})
    assert entry == Entry("a[1]", 2, Absent())


def test_opaque_code_differs_as_a_whole():
    one = Opaque(lambda x: x)
    assert not diff(one, one)
    assert [entry.path for entry in diff(Held(one), Held(Opaque(one.content)))] == []
    assert [entry.path for entry in diff(Held(one), Held(Opaque(lambda x: x)))] == ["content"]


def test_deep_values_are_walked_without_recursion():
    left = right = ()
    for _ in range(200):
        left, right = (left, 0), (right, 0)
    assert not diff(left, right)
    assert diff((left, 1), (right, 2)).entries[0].path == "[1]"


def test_differences_are_values():
    assert diff(1, 2) == diff(1, 2)
    assert diff(1, 2) != diff(1, 3)
