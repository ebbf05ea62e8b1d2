"""Columns of tensors of one shape (`pl.Array`), and dates, from the constructor to new data."""

import datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch

import fpipe as fp
from fpipe.core.errors import SchemaError
from fpipe.data.conform import conform

IMAGES = np.arange(3 * 4 * 4, dtype=np.float32).reshape(3, 4, 4)
LABEL = ["a", "b", "a"]


def images(values=IMAGES):
    return fp.classification({"image": values, "x": [1.0, 2.0, 3.0], "y": LABEL}, "y")


@pytest.mark.parametrize(
    "values",
    [
        IMAGES,
        list(IMAGES),
        torch.from_numpy(IMAGES),
        pl.Series(IMAGES.tolist(), dtype=pl.Array(pl.Float32, (4, 4))),
    ],
    ids=["array", "list of arrays", "tensor", "series"],
)
def test_forms(values):
    """Arrays, lists of arrays, tensors and columns of polars make the same column."""
    task = images(values)
    assert task.dtype("image") == pl.Array(pl.Float32, (4, 4))
    assert np.array_equal(task.column("image").to_numpy(), IMAGES)
    assert task == images()


def test_from_arrow():
    """A fixed-size list of Arrow is a tensor of one axis."""
    flat = pa.FixedSizeListArray.from_arrays(pa.array(IMAGES.ravel()), 16)
    task = fp.classification(pa.table({"image": flat, "y": LABEL}), "y")
    assert task.dtype("image") == pl.Array(pl.Float32, 16)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.bool_])
def test_elements(dtype):
    """Integers, floats and truth values stay what they are."""
    task = images(IMAGES.astype(dtype))
    assert task.column("image").to_numpy().dtype == dtype


@pytest.mark.parametrize("inner", [pl.String, pl.Date, pl.Decimal(10, 2)])
def test_other_elements_are_refused(inner):
    """A tensor is of numbers or truth values."""
    values = {pl.String: "a", pl.Date: datetime.date(2020, 1, 1)}.get(inner, 1)
    column = pl.Series([[values] * 2] * 3, dtype=pl.Array(inner, 2))
    with pytest.raises(SchemaError, match="'image' has the type Array") as caught:
        images(column)
    assert "convert or drop 'image'" in caught.value.fix


def test_missing_tensors_and_nan():
    """A row may be missing; NaN inside a tensor stays NaN."""
    values = IMAGES.copy()
    values[1, 0, 0] = np.nan
    column = pl.Series(values)
    task = images(pl.select(pl.when(pl.Series([True, True, False])).then(column)).to_series())
    assert task.column("image").null_count() == 1
    assert np.isnan(task.column("image").to_numpy()[1, 0, 0])
    assert task == task.take([0, 1, 2])


def test_print():
    """The shape is shown."""
    assert "  features  Array(Float32, shape=(4, 4)) (1): image" in repr(images()).splitlines()


def test_rows():
    """Rows are taken, repeated, filtered and put below each other with their tensors."""
    task = images()
    for rows in (task.take([2, 0]), task.repeat([2, 0]), task.filter(pl.col("y") == "a")):
        assert rows.dtype("image") == pl.Array(pl.Float32, (4, 4))
    assert np.array_equal(task.take([2, 0]).column("image").to_numpy(), IMAGES[[2, 0]])
    assert np.array_equal(task.repeat([1, 1]).column("image").to_numpy(), IMAGES[[1, 1]])
    below = task.take([0]).rbind(task.take([1, 2]))
    assert below == task
    assert task.take([]).dtype("image") == pl.Array(pl.Float32, (4, 4))


def test_equality_and_fingerprint():
    """One element, the shape or the type tells two tasks apart."""
    other = IMAGES.copy()
    other[1, 2, 3] = -1
    assert images() == images(IMAGES.copy())
    assert fp.fingerprint(images()) == fp.fingerprint(images(IMAGES.copy()))
    for changed in (other, IMAGES.reshape(3, 2, 8), IMAGES.astype(np.float64), IMAGES[::-1]):
        task = images(np.ascontiguousarray(changed))
        assert images() != task
        assert fp.fingerprint(images()) != fp.fingerprint(task)


def test_closeness():
    """Tensors are close where their elements are."""
    exact = IMAGES.astype(np.float64)
    assert fp.close(images(exact), images(exact + 1e-12), rtol=1e-9, atol=1e-9)
    assert not fp.close(images(exact), images(exact + 1e-3), rtol=1e-9, atol=1e-9)
    missing = pl.Series([None, *exact[1:].tolist()], dtype=pl.Array(pl.Float64, (4, 4)))
    assert not fp.close(images(exact), images(missing), rtol=1e-9, atol=1e-9)
    assert fp.close(images(missing), images(missing), rtol=1e-9, atol=1e-9)


def test_the_table_is_not_changed():
    """A task neither changes nor follows the array it was made from."""
    values = IMAGES.copy()
    task = images(values)
    before = fp.fingerprint(task)
    assert np.array_equal(values, IMAGES)
    values[0, 0, 0] = 99.0
    assert fp.fingerprint(task) == before


def test_roles_and_other_columns():
    """A column of tensors may be added, and may have no role."""
    task = fp.classification({"x": [1.0, 2.0, 3.0], "y": LABEL}, "y")
    wider = task.cbind(pl.DataFrame({"image": IMAGES}))
    assert wider.features == ("x", "image")
    assert wider.select(["x"]) == task
    plain = {"image": [["a"]] * 3, "x": [1.0, 2.0, 3.0], "y": LABEL}
    assert fp.classification(plain, "y", features=["x"]).features == ("x",)


# New data


def fitted(values=IMAGES):
    return images(values).outline()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (IMAGES, pl.Float32),
        (IMAGES.astype(np.float64), pl.Float64),
        (IMAGES.astype(np.uint8), pl.Float32),
        (IMAGES.tolist(), pl.Float32),
        ([None, None, None], pl.Float32),
    ],
    ids=["same", "wider", "integers", "lists", "missing"],
)
def test_tensors_conform(values, dtype):
    """Floats stay; whole numbers, and lists of the right shape, take the type at fit."""
    rows = conform({"image": values, "x": [1.0, 2.0, 3.0]}, fitted())
    assert rows.dtype("image") == pl.Array(dtype, (4, 4))
    if values[0] is not None:
        assert np.array_equal(rows.column("image").to_numpy(), IMAGES)


def test_floats_in_place_of_whole_numbers_stay():
    """A fraction is not cut off because there were whole numbers at fit."""
    rows = conform({"image": IMAGES + 0.5, "x": [1.0] * 3}, fitted(IMAGES.astype(np.uint8)))
    assert np.array_equal(rows.column("image").to_numpy(), IMAGES + 0.5)


@pytest.mark.parametrize(
    "values",
    [
        IMAGES.reshape(3, 2, 8),
        IMAGES.reshape(3, 16),
        IMAGES > 3,
        IMAGES[:, :3].tolist(),
        [["a"]] * 3,
        [1.0, 2.0, 3.0],
        ["a", "b", "c"],
    ],
    ids=["shape", "axes", "truths", "short lists", "text lists", "numbers", "text"],
)
def test_other_tensors_are_refused(values):
    """Another shape, or something that is no tensor of numbers."""
    with pytest.raises(SchemaError, match="column 'image' was Array") as caught:
        conform({"image": values, "x": [1.0, 2.0, 3.0]}, fitted())
    assert caught.value.expected == "Array(Float32, shape=(4, 4))"
    assert caught.value.got
    assert caught.value.fix.startswith("convert 'image' to")


def test_numbers_too_large_for_the_type_at_fit_are_refused():
    """Nothing wraps around."""
    with pytest.raises(SchemaError, match="column 'image' was"):
        conform({"image": IMAGES.astype(np.int64) + 250, "x": [1.0] * 3}, fitted(np.uint8(IMAGES)))


def test_tensors_in_place_of_numbers_are_refused():
    """A tensor is no number."""
    with pytest.raises(SchemaError, match="column 'x' was Float64"):
        conform({"image": IMAGES, "x": IMAGES}, fitted())


MOMENTS = [datetime.datetime(2020, 1, 1, hour) for hour in range(3)]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_units_of_time_conform(unit):
    """The unit in which a table counts its time does not tell whether it is the same column."""
    outline = fp.classification({"at": MOMENTS, "y": LABEL}, "y").outline()
    rows = conform({"at": pl.Series(MOMENTS, dtype=pl.Datetime(unit))}, outline)
    assert rows.dtype("at") == pl.Datetime("us")
    assert rows.column("at").to_list() == MOMENTS
    lengths = [moment - MOMENTS[0] for moment in MOMENTS]
    outline = fp.classification({"took": lengths, "y": LABEL}, "y").outline()
    rows = conform({"took": pl.Series(lengths, dtype=pl.Duration(unit))}, outline)
    assert rows.dtype("took") == pl.Duration("us")
    assert rows.column("took").to_list() == lengths


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(MOMENTS).dt.replace_time_zone("UTC"),
        pl.Series(MOMENTS).dt.date(),
        ["2020-01-01"] * 3,
        [1, 2, 3],
    ],
    ids=["zone", "date", "text", "number"],
)
def test_other_times_are_refused(values):
    """A time zone or a type of another kind is an error that names both."""
    outline = fp.classification({"at": MOMENTS, "y": LABEL}, "y").outline()
    with pytest.raises(SchemaError, match="column 'at' was Datetime") as caught:
        conform({"at": values}, outline)
    assert caught.value.got
