"""The census income data: what UCI says of it, and that its parts fit together."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import ops, tasks
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.data.conform import conform
from fpipe.tasks import census

DATA = os.environ.get("FPIPE_DATA")
THERE = DATA is not None and (Path(DATA) / census.TEST.path).is_file()
needs_adult = pytest.mark.skipif(not THERE, reason="FPIPE_DATA has no adult")


@pytest.fixture(scope="module")
def parts():
    return {part: tasks.adult(part) for part in ("all", "train", "test")}


@needs_adult
@pytest.mark.parametrize(
    ("part", "rows", "positive", "workclass", "occupation", "country"),
    [("train", 32_561, 7_841, 1_836, 1_843, 583), ("test", 16_281, 3_846, 963, 966, 274)],
)
def test_counts(parts, part, rows, positive, workclass, occupation, country):
    """Rows, positive rows and missing values of each file, counted in the files themselves."""
    task = parts[part]
    assert task.n_rows == rows
    assert (task.truth() == ">50K").sum() == positive
    missing = {name: n for name in task.features if (n := task.column(name).null_count())}
    expected = {"workclass": workclass, "occupation": occupation, "native-country": country}
    assert missing == expected


@needs_adult
def test_columns(parts):
    """Names, types and levels are those of adult.names."""
    task = parts["all"]
    described = {}
    for line in (Path(DATA) / "adult/adult.names").read_text().splitlines():
        name, colon, values = line.partition(":")
        if colon and not line.startswith("|"):
            described[name] = values.strip().rstrip(".")
    assert list(described) == list(task.features)
    for name, values in described.items():
        if values == "continuous":
            assert task.dtype(name) == pl.Int64
        else:
            assert set(task.dtype(name).categories) == set(values.split(", "))
    assert (task.target, task.classes, task.kind.positive) == ("income", ("<=50K", ">50K"), ">50K")


@needs_adult
def test_first_rows_as_in_the_files(parts):
    first = parts["train"].table.row(0)
    assert first[:6] == (39, "State-gov", 77516, "Bachelors", 13, "Never-married")
    assert first[10:] == (2174, 0, 40, "United-States", "<=50K")
    assert parts["test"].table.row(0)[:4] == (25, "Private", 226802, "11th")


@needs_adult
def test_parts_make_the_whole(parts):
    """Both parts have the types of the whole, and row ids of their own."""
    assert parts["all"].n_rows == 48_842
    schema = parts["all"].table.schema
    assert parts["train"].table.schema == schema == parts["test"].table.schema
    assert parts["train"].rbind(parts["test"]) == parts["all"]
    assert not np.isin(parts["test"].row_id, parts["train"].row_id).any()


@needs_adult
def test_what_is_fitted_on_one_part_fits_the_other(parts):
    train, test = parts["train"], parts["test"]
    assert conform(test, train.outline()).table.schema == train.table.schema
    fitted = fp.fit(ops.one_hot(), train.take(range(500)), key=fp.key(0))
    codes = fp.apply(fitted, test.take(range(500)))
    assert sum(name.startswith("native-country") for name in codes.features) >= 40
    assert codes.n_rows == 500


@needs_adult
def test_from_the_origin(parts, monkeypatch, tmp_path):
    for name in ("TRAIN", "TEST"):
        origin = getattr(census, name)
        url = (Path(DATA) / origin.path).as_uri()
        monkeypatch.setattr(census, name, evolve(origin, url=url))
    monkeypatch.delenv("FPIPE_DATA")
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))
    assert tasks.adult("test") == parts["test"]
    assert (tmp_path / census.TRAIN.path).is_file()


@pytest.mark.parametrize("part", ["tests", None, 1, ("train",)])
def test_there_is_no_such_part(part):
    with pytest.raises(ParameterError, match="no part") as caught:
        tasks.adult(part)
    assert caught.value.expected == "all, train, test"
    assert caught.value.got == repr(part)
    assert caught.value.fix
