"""Columns as Arrow: every type there and back, one form for one content, nothing believed."""

import datetime as dt
import decimal
import io

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from fpipe.codec.dtypes import array_type, array_type_tree, column_type, column_type_tree
from fpipe.codec.tables import check_stream, read_table, write_table
from fpipe.core.equality import same
from fpipe.core.errors import CodecError

NUMBERS = (
    *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.Float16, pl.Float32, pl.Float64),
    *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.UInt128),
)
LEVELS = pl.Enum(["a", "b"])
COLUMNS = [
    *(pl.Series("n", [1, None, 3], dtype=dtype) for dtype in NUMBERS),
    pl.Series("f", [0.0, -0.0, float("nan"), float("inf"), None, 5e-324]),
    pl.Series("s", ["", None, "b", "ü\0"]),
    pl.Series("b", [b"a", None, b"", b"bc"]),
    pl.Series("t", [True, None, False]),
    pl.Series("0", [None, None]),
    pl.Series("dec", [decimal.Decimal("1.5"), None], dtype=pl.Decimal(10, 2)),
    pl.Series("cat", ["a", None, "ü"], dtype=pl.Categorical),
    pl.Series("own", ["a", None], dtype=pl.Categorical(pl.Categories("x", "fpipe"))),
    pl.Series("e", ["a", None], dtype=LEVELS),
    pl.Series("none", [None], dtype=pl.Enum([])),
    pl.Series("day", [dt.date(2000, 1, 1), None]),
    pl.Series("time", [dt.time(1), None]),
    pl.Series("ms", [dt.datetime(2020, 1, 1), None], dtype=pl.Datetime("ms", "Europe/Berlin")),
    pl.Series("us", [dt.datetime(2020, 1, 1), None], dtype=pl.Datetime("us")),
    pl.Series("span", [dt.timedelta(1), None], dtype=pl.Duration("ns")),
    pl.Series("v", [[1, 2], None, [3, None]], dtype=pl.Array(pl.Int8, 2)),
    pl.Series("m", [[[1, 2]], None, [[3, None]]], dtype=pl.Array(pl.Int8, (1, 2))),
    pl.Series("l", [["a", None], [], None, ["b"]], dtype=pl.List(LEVELS)),
    pl.Series("ll", [[["a"], []], [], None, [["b"]]], dtype=pl.List(pl.List(pl.Categorical))),
    pl.Series("ln", [[], [None]], dtype=pl.List(pl.Null)),
    pl.Series("st", [{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}]),
    pl.Series("s0", [{}, None], dtype=pl.Struct([])),
    pl.Series("ls", [[{"q": "a"}, None], None], dtype=pl.List(pl.Struct({"q": LEVELS}))),
    pl.Series("as", [[{"q": b"a"}, None], None], dtype=pl.Array(pl.Struct({"q": pl.Binary}), 2)),
]


def forms(column):
    """The same kind of column whole, empty, cut and in chunks."""
    twice = pl.concat([column, column], rechunk=False)
    return [column, column.clear(), column[1:], twice, twice[1:3], column.drop_nulls()]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: str(c.dtype))
def test_there_and_back(column):
    for form in forms(column):
        dtype = column_type(column_type_tree(form.dtype))
        assert dtype == form.dtype
        (back,) = read_table(write_table([form]), [dtype])
        assert same(back.alias(form.name), form)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: str(c.dtype))
def test_chunks_and_offsets_cannot_be_seen(column):
    whole = write_table([column])
    assert write_table([pl.concat([column[:1], column[1:]], rechunk=False)]) == whole
    assert write_table([pl.concat([column, column])[len(column) :]]) == whole


def test_what_lies_under_a_null_cannot_be_seen():
    plain = pl.Series([1, None])
    hidden = pl.DataFrame({"a": [1, 7]}).select(pl.when(pl.col("a") < 5).then("a")).to_series()
    assert same(hidden.alias(""), plain)
    assert write_table([hidden]) == write_table([plain])


def test_arrow_and_polars_read_it_too():
    columns = [pl.Series("a", [1, None]), pl.Series("b", ["x", "ü"])]
    data = write_table(columns)
    assert pa.ipc.open_stream(data).read_all().to_pydict() == {"0": [1, None], "1": ["x", "ü"]}
    assert pl.read_ipc_stream(io.BytesIO(data)).rows() == [(1, "x"), (None, "ü")]


@pytest.mark.parametrize(
    "dtype", [pl.Object(), pl.Array(pl.Int8, 0), pl.Unknown()], ids=["object", "width 0", "unknown"]
)
def test_types_that_are_refused(dtype):
    with pytest.raises(CodecError, match="cannot be written"):
        column_type_tree(dtype)


def stream(array, **options):
    batch = pa.RecordBatch.from_arrays([array], ["0"])
    sink = pa.BufferOutputStream()
    made = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, batch.schema, options=made) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_what_would_grow_when_it_is_read_is_refused():
    small = stream(pa.array(np.zeros(10**6)), compression="zstd")
    assert len(small) < 10**5
    with pytest.raises(CodecError, match="compressed"):
        read_table(small, [pl.Float64()])
    with pytest.raises(CodecError, match="compressed"):
        check_stream(small)


def test_another_metadata_version_is_refused():
    old = stream(pa.array([1.0]), metadata_version=pa.ipc.MetadataVersion.V4)
    with pytest.raises(CodecError, match="version"):
        read_table(old, [pl.Float64()])


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (pa.array([2**62], pa.timestamp("ms")), pl.Datetime("ms")),
        (pa.array([-(2**63) + 1], pa.timestamp("us")), pl.Datetime("us")),
        (pa.array([2**31 - 1], pa.int32()).view(pa.date32()), pl.Date()),
        (pa.array([-(2**63)], pa.int64()).view(pa.duration("ms")), pl.Duration("ms")),
    ],
)
def test_times_that_no_calendar_has(array, dtype):
    with pytest.raises(CodecError, match="years"):
        read_table(stream(array), [dtype])


def test_codes_without_a_level_are_refused():
    with pytest.raises(Exception, match="bounds|index"):
        read_table(stream(pa.array([5], pa.uint8())), [LEVELS])


def test_offsets_that_lie_are_refused():
    data = stream(pa.array(["abc"], pa.large_string()))
    offsets = np.array([0, 3]).tobytes()
    lying = data.replace(offsets, np.array([0, 99]).tobytes())
    assert lying != data
    with pytest.raises((pa.ArrowInvalid, CodecError, OSError)):
        read_table(lying, [pl.String()])


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.dtype(code) for code in ("?", "i1", "<u8", ">f4", "f2", "c16", "S3", "U2", "M8[ns]")),
        np.dtype([("a", "<f4"), ("b", [("c", "i1", (2,))])]),
        np.dtype({"names": ["a"], "formats": ["i2"], "offsets": [3], "itemsize": 8}),
    ],
)
def test_array_types_there_and_back(dtype):
    assert array_type(array_type_tree(dtype)) == dtype


@pytest.mark.parametrize(
    "tree",
    [
        *("O", "|O", "i4,i4", "V", 3, None, [], ["fields", 1, [["a", "<i8", 0]]]),
        *(["fields", 16, [["a", "<i8", 0], ["b", "<i8", 4]]], ["many", "<i8"], "<f99999999999"),
    ],
)
def test_array_types_that_are_none(tree):
    with pytest.raises((CodecError, TypeError, ValueError)):
        array_type(tree)


@pytest.mark.parametrize(
    "tree",
    [
        *("Int8", [], ["Object"], ["Int8", 1], ["List"], ["Array", ["Int8"], 0], ["Enum", [1]]),
        *(["Array", ["Int8"], 2**40], ["Decimal", 99, 1], ["Datetime", "s", None], [["Int8"]]),
        ["Datetime", "ms", "Mars/Olympus"],
        ["Struct", [["a", ["Int8"]], ["a", ["Int8"]]]],
    ],
)
def test_column_types_that_are_none(tree):
    with pytest.raises((CodecError, TypeError, pl.exceptions.PolarsError)):
        column_type(tree)
