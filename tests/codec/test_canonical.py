"""Canonical bytes: equal if and only if the values are the same."""

import collections
import copy
import datetime
import enum
import itertools
import math
import os
import pathlib
import re
import struct
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrsistent import pmap, pvector

from fpipe.codec.canonical import canonical_bytes
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.code import Opaque, Ref
from fpipe.core.equality import same
from fpipe.core.errors import CodecError
from fpipe.core.key import key
from fpipe.core.law import Law
from fpipe.core.parameter import REQUIRED

UTC = datetime.UTC
NAN = float("nan")
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
Pair = collections.namedtuple("Pair", "x y")

# `fpipe.core.law.Law` and Ref serve as fpipe values: classes of a test have no importable name.

FRAME = pl.DataFrame({"a": [1.0, None], "b": ["x", ""]})
PADDED = np.dtype([("a", np.int8), ("b", np.float64, (2,))], align=True)

VALUES = [
    None, True, False, 0, 1, -1, 255, 10**40, 0.0, -0.0, 1.0, NAN, OTHER_NAN, math.inf,
    0j, complex(-0.0, 0.0), "", "a", "1", "None", "\ud800", b"", b"a", b"1",
    (), [], {}, set(), frozenset(), pmap(), pvector(),
    ((),), ((), ()), ([],), (1, 2), (1, (2,)), ((1,), 2), [1, 2], pvector([1, 2]), Pair(1, 2),
    (1, 1), {1: 1}, {"a": 1}, {"a": 1, "b": 2}, {"ab": 1}, {True: 1}, {1.0: 1}, {"1": 1},
    pmap({"a": 1}), collections.OrderedDict(a=1), {"a": {"b": 1}}, {("a", 1): 2}, {1, 2}, {True},
    frozenset({1, 2}), frozenset({"a"}), torch.Size([1, 2]), ("a", "b"), ("ab",), ("a", "b", ""),
    Ref("a:b"), Ref("a:c"), key(0), key(1), key(0).fold_in("a"), Law("a", "b", 0), REQUIRED,
    torch.tensor(0.0), torch.tensor(-0.0), torch.tensor(0), torch.tensor([0.0]), torch.zeros(1, 1),
    torch.zeros(0), torch.zeros(0, 3), torch.zeros(3, 0), torch.tensor([1.0, NAN]),
    torch.tensor([1.0, OTHER_NAN], dtype=torch.float64), torch.tensor([True]),
    torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16),
    torch.zeros(2, dtype=torch.uint8), torch.zeros(1, dtype=torch.complex64),
    np.array(0.0), np.array([0.0]), np.zeros((0, 2)), np.zeros(2, np.int32), np.zeros(2, ">i4"),
    np.array(["a"]), np.array(["a"], object), np.array([1], object), np.zeros(1, PADDED),
    np.zeros(1, [("a", np.int8)]), np.zeros(1, [("b", np.int8)]), np.zeros(1, "M8[D]"),
    np.zeros(1, "M8[s]"), np.float64(0), np.float32(0), np.int64(0), np.bool_(False), np.str_("a"),
    np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00"), np.dtype("f4"), np.dtype("f8"),
    FRAME, FRAME.select("b", "a"), FRAME.head(1), FRAME.clear(), FRAME.select("a"), pl.DataFrame(),
    pl.DataFrame(height=2), FRAME.rename({"a": "c"}), FRAME.to_dicts(), FRAME["a"], FRAME["b"],
    pl.Series([1, 2]), pl.Series([1, 2], dtype=pl.Int8), pl.Series("a", [1, 2]), pl.Series([0, None]),
    pl.Series([None, 0]), pl.Series([None, None]), pl.Series([None] * 3),
    pl.Series([None, None], dtype=pl.Int64), pl.Series([True, False, None]), pl.Series([True, False]),
    pl.Series([0.0]), pl.Series([-0.0]), pl.Series([NAN]), pl.Series([None], dtype=pl.Float64),
    pl.Series([1.5], dtype=pl.Float16), pl.Series([1], dtype=pl.Int128),
    pl.Series([-1, None], dtype=pl.Int128), pl.Series([1.5], dtype=pl.Decimal(10, 2)),
    pl.Series([1.5], dtype=pl.Decimal(11, 2)), pl.Series(["a", "bc"]), pl.Series(["ab", "c"]),
    pl.Series(["", "abc"]), pl.Series([b"ab", b"c"]), pl.Series([b"a", b"bc"]), pl.Series(["", None]),
    pl.Series(["a"], dtype=pl.Categorical), pl.Series(["a"], dtype=pl.Enum(["a"])),
    pl.Series(["a"], dtype=pl.Enum(["a", "b"])), pl.Series(["a"], dtype=pl.Enum(["b", "a"])),
    pl.Series(["a"], dtype=pl.Categorical(pl.Categories("x"))),
    pl.Series([[1], [2, 3]]), pl.Series([[1, 2], [3]]), pl.Series([[1, 2, 3]]), pl.Series([[], [1]]),
    pl.Series([None, [1]], dtype=pl.List(pl.Int64)), pl.Series([[None], [1]]), pl.Series([[[1], []]]),
    pl.Series([[[], [1]]]), pl.Series([[0.0]]), pl.Series([[-0.0]]),
    pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
    pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
    pl.Series([{"a": 1, "b": "x"}]), pl.Series([{"a": 1, "b": None}]), pl.Series([{"a": 1}]),
    pl.Series([None], dtype=pl.Struct({"a": pl.Int64})), pl.Series([{"a": None}], dtype=pl.Struct({"a": pl.Int64})),
    pl.Series([datetime.date(2020, 1, 1)]), pl.Series([datetime.datetime(2020, 1, 1)]),
    pl.Series([datetime.datetime(2020, 1, 1)], dtype=pl.Datetime("ms")),
    pl.Series([datetime.datetime(2020, 1, 1, tzinfo=UTC)]), pl.Series([datetime.timedelta(1)]),
    pl.Series([datetime.time(1)]), pl.Int64, pl.Int64(), pl.Int32(), pl.Datetime("us"),
    pl.Datetime("us", "UTC"), pl.List(pl.Int8), pl.Enum(["a"]), pl.Enum(["b"]), pl.Struct({"a": pl.Int8}),
    torch.float32, torch.float64, torch.device("cpu"), torch.device("cuda"), torch.device("cuda:0"),
    torch.strided, int, float, dict, torch.nn.Linear, enum.Enum, pathlib.Path,
    pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), pathlib.PurePosixPath("b"),
    datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=UTC),
    datetime.datetime(2020, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
    datetime.datetime(2020, 1, 1, fold=1), datetime.time(0), datetime.time(0, fold=1),
    datetime.timedelta(1), datetime.timedelta(0, 1), datetime.timedelta(0, 0, 1),
    re.RegexFlag.ASCII, int(re.RegexFlag.ASCII), re.RegexFlag.ASCII | re.RegexFlag.DOTALL,
]  # fmt: skip


def equal_bytes(a, b):
    return canonical_bytes(a) == canonical_bytes(b)


def test_no_two_of_the_values_are_the_same_or_have_the_same_bytes():
    written = [canonical_bytes(v) for v in VALUES]
    for (a, x), (b, y) in itertools.combinations(zip(VALUES, written, strict=True), 2):
        assert not same(a, b), (a, b)
        assert x != y, (a, b)


def test_no_value_is_the_beginning_of_another():
    written = sorted(canonical_bytes(v) for v in VALUES)
    for x, y in itertools.pairwise(written):
        assert not y.startswith(x)


@pytest.mark.parametrize("v", VALUES, ids=lambda v: type(v).__name__)
def test_a_copy_has_the_same_bytes(v):
    try:
        again = copy.deepcopy(v)
    except (TypeError, NotImplementedError):
        pytest.skip("cannot be copied")
    assert same(v, again)
    assert equal_bytes(v, again)


def test_the_way_of_storing_cannot_be_seen():
    whole = pl.DataFrame({"a": ["x", None, "y"], "b": [[1], None, [2, 3]]})
    cut = pl.concat([whole[:1], whole[1:2], whole[2:]], rechunk=False)
    assert cut.n_chunks() > 1
    assert equal_bytes(whole, cut)
    assert equal_bytes(whole[1:], pl.DataFrame({"a": [None, "y"], "b": [None, [2, 3]]}))
    strided = torch.arange(6.0).reshape(2, 3).T
    assert equal_bytes(strided, strided.contiguous())
    assert equal_bytes(torch.nn.Parameter(strided), strided)
    assert equal_bytes(torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j]))
    assert equal_bytes(np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy())
    dirty = pl.select(pl.when(pl.Series([True, False])).then(pl.Series([1, 7])))[:, 0].alias("")
    assert equal_bytes(dirty, pl.Series([1, None]))


def test_padding_of_records_cannot_be_seen():
    clean, dirty = np.zeros(2, PADDED), np.zeros(2, PADDED)
    dirty.view(np.uint8).reshape(2, -1)[:, 1] = 7
    assert same(clean, dirty)
    assert equal_bytes(clean, dirty)


def test_categories_met_in_another_order_are_the_same():
    ahead = pl.Series(["q", "a", "b"], dtype=pl.Categorical)[1:]
    assert equal_bytes(ahead, pl.Series(["a", "b"], dtype=pl.Categorical))


def test_deep_values():
    found = ()
    for _ in range(20_000):
        found = (found,)
    assert len(fingerprint(found)) == 32


@pytest.mark.parametrize(
    "v",
    [
        Opaque(len),
        lambda x: x,
        len,
        object(),
        torch.nn.Linear(1, 1),
        torch.empty(1, device="meta"),
        torch.eye(2).to_sparse(),
        FRAME.lazy(),
        pl.Series([object()], dtype=pl.Object),
        np.ma.masked_array([1], [True]),
        type("Local", (), {}),
        iter(()),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_has_no_bytes(v):
    with pytest.raises(CodecError) as caught:
        canonical_bytes({"a": [v]})
    assert caught.value.fix


def test_the_error_names_the_type():
    with pytest.raises(CodecError, match="Thing has no canonical bytes"):
        canonical_bytes(type("Thing", (), {})())


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2**63, -(2**63)]),
    st.floats(),
    st.sampled_from([0.0, -0.0, NAN, OTHER_NAN, 1.0]),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.sampled_from(VALUES),
)
KEYS = st.one_of(
    st.text(max_size=2), st.integers(-2, 2), st.booleans(), st.sampled_from([0.5, 1.0])
)


def containers(below):
    maps = st.dictionaries(KEYS, below, max_size=3)
    rows = st.lists(below, max_size=3)
    return st.one_of(
        maps,
        maps.map(pmap),
        rows,
        rows.map(tuple),
        rows.map(pvector),
        rows.map(lambda r: Law("l", "s", r)),
    )


TREES = st.recursive(LEAVES, containers, max_leaves=8)
RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(TREES, TREES)
def test_same_is_equal_bytes(a, b):
    assert same(a, b) == equal_bytes(a, b)


@RELAXED
@given(TREES)
def test_same_after_rebuilding(v):
    again = rebuilt(v)
    assert same(v, again)
    assert equal_bytes(v, again)
    assert fingerprint(v) == fingerprint(again)


def rebuilt(v):
    """Build an equal value on another way: maps from the back, tensors and tables anew."""
    if type(v) is dict:
        return {k: rebuilt(v[k]) for k in reversed(v)}
    if type(v) in (list, tuple):
        return type(v)(rebuilt(x) for x in v)
    if isinstance(v, Law):
        return Law(v.name, v.statement, rebuilt(v.check))
    if type(v) is type(pmap()):
        return pmap({k: rebuilt(x) for k, x in reversed(list(v.items()))})
    if type(v) is type(pvector()):
        return pvector([rebuilt(x) for x in v])
    if isinstance(v, torch.Tensor):
        return v.clone()
    if isinstance(v, pl.DataFrame | pl.Series) and v.shape[0] > 1:
        first, rest = v[:1], v[1:]
        return first.append(rest) if isinstance(v, pl.Series) else first.vstack(rest)
    return v


CODE = """
import polars as pl, torch, numpy as np
from pyrsistent import pmap
from fpipe.codec.fingerprint import fingerprint
from fpipe.core.key import key
names = ["n%d" % i for i in range(50)]
print(fingerprint((
    {name: len(name) for name in names}, pmap({name: 0 for name in names}), frozenset(names),
    {1, "a", 2.5, None, (1, "b")}, key(3).fold_in("x"), torch.arange(3), np.arange(3.0),
    pl.DataFrame({"a": ["x", None], "b": [1.0, float("nan")]}), int, torch.float32,
)))
"""


def test_other_processes_and_hash_seeds_give_the_same():
    found = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_fingerprints_of_today():
    """A change here makes every stored fingerprint stale: raise the number in `fingerprint`."""
    v = ({"a": 1, "b": (2.5, None)}, torch.arange(3), pl.DataFrame({"x": ["u", None]}))
    assert fingerprint(v) == "daa7d71721a36ca3890b1c7c55592bda"
