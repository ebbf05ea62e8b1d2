"""Documents: every kind of leaf and container, what cannot be written, what cannot be read."""

import datetime as dt
import enum
import json
import pathlib
import random
import struct
import sys
import zoneinfo

import numpy as np
import polars as pl
import pytest
import torch
from pyrsistent import pmap, pvector

from fpipe.catalogue import catalogue
from fpipe.codec.archive import pack, unpack
from fpipe.codec.binary import from_bytes, to_bytes
from fpipe.core.code import Opaque, Ref
from fpipe.core.equality import same
from fpipe.core.errors import CodecError, FpipeError
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import evolve
from fpipe.testing.values import Held, Point
from fpipe.train.state import Totals

UTC = dt.UTC
NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000123"))[0]

LEAVES = [
    *(None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, -(10**30), 7**4000, 0.0, -0.0, 1e308),
    *(5e-324, 0.1, float("inf"), float("-inf"), float("nan"), NAN, 1 + 2j, complex(NAN, -0.0)),
    *("", "ü", "\0", "\ud800", "\ud83d\ude00", "\U0001f600", '"\\', b"", b"\0\xff", REQUIRED),
    *(dt.date(2000, 1, 1), dt.timedelta(-1, 5, 7), dt.time(1, 2, 3, 4), dt.time(1, fold=1)),
    dt.datetime(2000, 1, 1, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
    *(dt.datetime(2000, 1, 1, tzinfo=UTC), dt.datetime(1, 1, 1), dt.time(1, tzinfo=UTC)),
    dt.datetime(2000, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3), "here")),
    *(
        torch.float32,
        torch.strided,
        torch.channels_last,
        torch.device("cuda:1"),
        np.dtype("<M8[s]"),
    ),
    *(pl.Int8(), pl.Enum(["a"]), pl.Struct({"a": pl.List(pl.Date)}), pl.Int8, torch.Tensor, int),
    *(np.float32(-0.0), np.int64(3), np.str_("ab"), np.bytes_(b"a"), np.datetime64("2000-01-01")),
    *(np.bool_(True), np.void(b"ab"), np.array([(1, 2.0)], [("a", "i1"), ("b", "f8")])[0]),
    *(pathlib.PurePosixPath("a/../b"), pathlib.PureWindowsPath("c:\\x"), pathlib.Path("/tmp")),
    *(torch.tensor(-0.0), torch.empty(0, 3), torch.ones(2, 3).T, torch.arange(6)[::2]),
    *(torch.ones(2, dtype=d) for d in (torch.bfloat16, torch.complex128, torch.uint16, torch.bool)),
    *(torch.ones(2).to(d) for d in (torch.float8_e4m3fn, torch.float16, torch.complex64)),
    *(np.array(3), np.zeros((0, 2)), np.ones((2, 3), order="F"), np.array(["a", "bcd"])),
    *(np.array([1.0], ">f8"), np.array([True]), np.array(["NaT", "2000"], "M8[s]")),
    *(np.array([(1, 2.0)], [("a", "i1"), ("b", "f8")]), np.zeros(2, np.dtype("i4", align=True))),
    *(pl.Series("ü", [1, None]), pl.DataFrame(), pl.DataFrame(height=3), pl.DataFrame({"": [1]})),
]
CONTAINERS = [
    *((), (1, (2,)), [], [1, [2]], {}, {"b": 1, "a": {}}, pmap({"a": (1,)}), pvector([1, 2])),
    *({1: "a", 1.5: "b", (1, "x"): "c", None: 0}, {"\ud800": 1}, pmap({Ref("math:sqrt"): 1})),
    *(frozenset({1, "a"}), {2.5}, torch.Size([1, 2]), Point(1, (2, Point(None)))),
    *(Held({"a": torch.ones(1)}, [pl.DataFrame({"x": [1]})]), {"type": 1, "core.Key": 2}),
]


@pytest.mark.parametrize("value", [*LEAVES, *CONTAINERS], ids=lambda v: f"{type(v).__name__}")
def test_there_and_back(value):
    data = to_bytes(value)
    back = from_bytes(data, catalogue())
    assert same(back, value), back
    assert to_bytes(back) == data


def test_the_digits_of_huge_integers_are_no_limit():
    assert 10 ** sys.get_int_max_str_digits() < 7**4000 or sys.get_int_max_str_digits() < 5000
    assert from_bytes(to_bytes((7**9000,)), catalogue()) == (7**9000,)


def test_leaves_that_look_alike_are_told_apart():
    alike = [1, 1.0, True, "1", (1,), [1], np.int64(1), np.float64(1), 1 + 0j, b"1"]
    assert len({to_bytes(value) for value in alike}) == len(alike)


def test_what_is_the_same_is_kept_once():
    heavy = torch.arange(100_000)
    whole = to_bytes((heavy, heavy.clone(), pmap({"again": heavy})))
    assert len(whole) < 1.01 * len(to_bytes(heavy))


def test_structured_padding_cannot_be_seen():
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    # A copy would leave the padding to chance: NumPy copies field by field.
    one, other = np.zeros(2, kind), np.frombuffer(bytearray(b"\xff" * 2 * kind.itemsize), kind)
    for name in kind.names:
        other[name] = one[name]
    assert one.tobytes() != other.tobytes()
    assert to_bytes(one) == to_bytes(other)


class Colour(enum.Enum):
    RED = 1


class Count(int):
    pass


def local():
    return lambda x: x


@pytest.mark.parametrize(
    ("value", "at", "fix"),
    [
        (Opaque(local()), None, "module that can be imported"),
        (Held((1, Opaque(torch.nn.Linear(1, 1)))), "content[1]", "nn.module(torch.nn.Linear, 10"),
        ({"a b": [local()]}, "['a b'][0]", "module that can be imported"),
        ((object(),), "[0]", "@value"),
        ((Count(3),), "[0]", "plain int"),
        (torch.zeros(2).to_sparse(), None, "dense"),
        (np.array([None]), None, "numbers"),
        (np.ma.array([1], mask=[True]), None, "mask"),
        (pl.Series([object()]), None, "cast"),
        (Held(Totals("many", 1.0)), "content.loss", "float"),
    ],
)
def test_what_cannot_be_written(value, at, fix):
    with pytest.raises(CodecError) as caught:
        to_bytes(value)
    assert caught.value.at == at
    assert fix in caught.value.fix
    assert caught.value.expected
    assert caught.value.got


@pytest.mark.parametrize("nest", [lambda x: (x,), lambda x: [x], lambda x: Point(x)])
def test_deep_nesting_is_an_error_on_both_sides(nest):
    value = 1
    for _ in range(100):
        value = nest(value)
    assert from_bytes(to_bytes(value), catalogue()) is not None
    for _ in range(100_000):
        value = nest(value) if not isinstance(value, Point) else Point(value)
    with pytest.raises(CodecError, match="nested"):
        to_bytes(value)


def file_of(text, **members):
    data = text if isinstance(text, bytes) else json.dumps(text).encode()
    return pack({"value.json": data, **members}, 1)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"NaN", b"[NaN]", b"Infinity", b"[1,]", b"\xff", b'{"a":1,"a":1}', b"1" * 9000),
        *(b"[" * 100_000 + b"]" * 100_000, b'{"list":[' * 9000 + b"]}" * 9000),
        *({}, {"list": 1}, {"list": [], "tuple": []}, {"pmap": [[1]]}, {"dict": [[1, 2], [1, 3]]}),
        *({"nope": 1}, {"core.Nope": {}}, {"core.Key": []}, {"core.Key": {}}, {"float": "zz"}),
        *({"core.Key": {"seed": 1, "path": [], "x": 1}}, {"core.Key": {"seed": "1", "path": []}}),
        *({"core.Key": {"seed": -1, "path": []}}, {"core.Key": {"seed": 1, "path": [1.5]}}),
        *({"core.Opaque": {"content": 1}}, {"int": "9" * 10**6}, {"int": "x"}, {"bytes": "?"}),
        *({"tensor": [0, "torch.float32", [2**60]]}, {"tensor": []}, {"array": [0, "<f4", [1]]}),
        *(
            {"frame": [-1]},
            {"frame": [2**40]},
            {"frame": [1, 0, [["a", ["Int8"]]]]},
            {"torch": "os"},
        ),
        *({"class": "os:PathLike"}, {"member": ["enum:Enum", "x"]}, {"path": ["Path", "x"]}),
        *({"scalar": ["<f4", "00"]}, {"scalar": ["|O", "00" * 8]}, {"device": "nonsense"}),
        *({"datetime": ["2000-01-01", 0, ["zone", "../../etc/passwd"]]}, {"set": [[[]], {}]}),
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_cannot_be_read(text):
    with pytest.raises(CodecError) as caught:
        from_bytes(file_of(text), catalogue())
    assert caught.value.expected is not None
    assert caught.value.fix


def test_what_the_document_does_not_refer_to_is_refused():
    _, members = unpack(to_bytes((torch.ones(1), pl.DataFrame({"a": [1]}))))
    with pytest.raises(CodecError, match="does not refer to"):
        from_bytes(pack(members | {"value.json": b"1"}, 1), catalogue())


@pytest.mark.parametrize("member", ["tensors.safetensors", "tables/0.arrows"])
def test_bits_of_tensors_and_tables_never_crash_the_reader(member):
    """What is flipped under a right digest is read as something, or refused."""
    value = Held(torch.arange(5.0), pl.DataFrame({"a": ["x", None], "b": [[1], []]}))
    _, members = unpack(to_bytes(value))
    draw = random.Random(0)
    for _ in range(300):
        other = bytearray(members[member])
        for _ in range(draw.choice((1, 4))):
            other[draw.randrange(len(other))] ^= 1 << draw.randrange(8)
        try:
            found = from_bytes(pack(members | {member: bytes(other)}, 1), catalogue())
        except FpipeError:
            continue
        assert same(found, found)
        assert repr(found)


def test_changes_that_constructors_refuse_are_refused():
    document = {"net.Wire": {"source": "a", "port": 0, "is_input": False}}
    good = from_bytes(file_of(document), catalogue())
    assert evolve(good, port=0) == good
    document["net.Wire"]["port"] = "zero"
    with pytest.raises(CodecError, match="declared type"):
        from_bytes(file_of(document), catalogue())
