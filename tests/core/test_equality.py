"""The two equalities."""

import datetime
import zoneinfo

import numpy as np
import polars as pl
import pytest
import torch
from pyrsistent import pmap

from fpipe.core.equality import close, hash_of, same
from fpipe.core.value import descriptor, value

NAN = float("nan")
UTC = datetime.UTC
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@descriptor
class A:
    x: object


@descriptor
class B:
    x: object


@value
class W:
    w: torch.Tensor


def chunked(values):
    return pl.concat([pl.Series("x", values[:1]), pl.Series("x", values[1:])], rechunk=False)


SAME = [
    (NAN, float("nan")),
    (np.float32(NAN), np.float32(NAN)),
    (complex(NAN, 0), complex(NAN, 0)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (pmap({"a": 1, "b": 2}), pmap({"b": 2, "a": 1})),
    (torch.tensor([1.0, NAN]), torch.tensor([1.0, NAN])),
    (torch.arange(6).reshape(2, 3).T, torch.tensor([[0, 3], [1, 4], [2, 5]])),
    (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
    (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
    (torch.empty(0, 3), torch.empty(0, 3)),
    (torch.tensor(2.0, dtype=torch.bfloat16), torch.tensor(2.0, dtype=torch.bfloat16)),
    (np.array(["a", None], object), np.array(["a", None], object)),
    (chunked([1.0, 2.0, None]), pl.Series("x", [1.0, 2.0, None])),
    (pl.DataFrame({"a": ["x", None]}), pl.DataFrame({"a": ["x", None]})),
    (pl.Series([[1.0, NAN], None, []]), pl.Series([[1.0, NAN], None, []])),
    (pl.List(pl.Int64), pl.List(pl.Int64())),
    (A(A(NAN)), A(A(NAN))),
    (W(torch.zeros(1)), W(torch.zeros(1))),
    ({1.5, "a"}, {"a", 1.5}),
]

DIFFERENT = [
    (0.0, -0.0),
    (1, True),
    (1, 1.0),
    (complex(0.0, 0.0), complex(0.0, -0.0)),
    ((1,), [1]),
    ({1: 0}, {True: 0}),
    ({0.0: 0}, {-0.0: 0}),
    (frozenset({1}), frozenset({True})),
    ({"a": 1}, pmap({"a": 1})),
    (A(1), B(1)),
    (A(1), A(2)),
    (torch.zeros(2), torch.zeros(2, 1)),
    (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
    (torch.tensor([0.0]), torch.tensor([-0.0])),
    (np.zeros(2), np.zeros(2, np.float32)),
    (np.zeros(2), torch.zeros(2)),
    (np.float32(1), np.float64(1)),
    (pl.Series("a", [1]), pl.Series("b", [1])),
    (pl.Series([1]), pl.Series([1], dtype=pl.Int32)),
    (pl.Series([None, 0]), pl.Series([0, None])),
    (pl.Series([[0.0]]), pl.Series([[-0.0]])),
    (pl.Series([{"a": 0.0}]), pl.Series([{"a": -0.0}])),
    (pl.Series(["a"], dtype=pl.Enum(["a"])), pl.Series(["a"], dtype=pl.Enum(["a", "b"]))),
    (pl.DataFrame({"a": [1], "b": [1]}), pl.DataFrame({"b": [1], "a": [1]})),
    (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1, 1]})),
    (pl.Datetime("us"), pl.Datetime("ms")),
    (
        datetime.datetime(2020, 1, 1, 12, tzinfo=UTC),
        datetime.datetime(2020, 1, 1, 13, tzinfo=BERLIN),
    ),
    (None, 0),
    ("1", b"1"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a, b):
    assert same(a, b)
    assert same(b, a)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_not_same(a, b):
    assert not same(a, b)
    assert not same(b, a)


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_is_same_is_close(a, b):
    assert close(a, b)


def test_what_lies_under_a_null_cannot_be_seen():
    dirty = pl.select(pl.when(pl.Series([True, False])).then(pl.Series([1, 7])))[:, 0].alias("x")
    assert same(dirty, pl.Series("x", [1, None]))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1.0, 1.0 + 1e-9),
        (torch.ones(2), torch.ones(2) + 1e-7),
        (np.ones(2), np.ones(2) + 1e-9),
        (np.float64(1), np.float64(1 + 1e-9)),
        (pl.Series([1.0, None]), pl.Series([1.0 + 1e-9, None])),
        ({"a": (1.0, NAN)}, {"a": (1.0 + 1e-9, NAN)}),
    ],
)
def test_close_but_not_same(a, b):
    assert close(a, b)
    assert not same(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1.0, 1.1),
        (10**6, 10**6 + 1),
        (torch.tensor([10**6]), torch.tensor([10**6 + 1])),
        (np.array([10**6]), np.array([10**6 + 1])),
        (pl.Series([10**6]), pl.Series([10**6 + 1])),
        (pl.Series([1.0, None]), pl.Series([1.0, 1.0])),
        (torch.ones(2), torch.ones(1, 2)),
        (pl.DataFrame({"a": [1.0]}), pl.DataFrame({"b": [1.0]})),
    ],
)
def test_not_close(a, b):
    assert not close(a, b)


def test_deep_values_are_compared_without_recursion():
    def nested(depth):
        found = ()
        for _ in range(depth):
            found = (found,)
        return found

    assert same(nested(20_000), nested(20_000))
    assert not same(nested(20_000), nested(20_001))


def test_hash_agrees():
    assert hash_of({"a": 1, "b": (NAN,)}) == hash_of({"b": (NAN,), "a": 1})
    assert hash(A((0.0, complex(NAN, 1)))) == hash(A((0.0, complex(NAN, 1))))
