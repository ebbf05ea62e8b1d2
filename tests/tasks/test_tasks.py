"""Named data sets: what the sources say of them, and reference figures."""

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fpipe import tasks
from fpipe.core.errors import DataError
from fpipe.io.cache import fetch
from fpipe.tasks import files

pytest.importorskip("sklearn")
from sklearn.linear_model import LinearRegression  # noqa: E402

DATA = os.environ.get("FPIPE_DATA")


def needs(origin):
    there = DATA is not None and (Path(DATA) / origin.path).is_file()
    return pytest.mark.skipif(not there, reason=f"FPIPE_DATA has no {origin.path}")


def r_squared(task, features):
    x = task.table.select(pl.col(features).cast(pl.Float64)).to_numpy()
    y = task.truth().to_numpy()
    return LinearRegression().fit(x, y).score(x, y)


@needs(files.MTCARS)
def test_mtcars():
    task = tasks.mtcars()
    assert task.n_rows == 32
    assert task.target == "mpg"
    assert task.features == ("cyl", "disp", "hp", "drat", "wt", "qsec", "vs", "am", "gear", "carb")
    assert task.role("name")[0] == "Mazda RX4"
    sums = {name: float(task.column(name).sum()) for name in ("mpg", "disp", "hp", "wt")}
    assert sums == pytest.approx({"mpg": 642.9, "disp": 7383.1, "hp": 4694, "wt": 102.952})


@needs(files.MTCARS)
def test_least_squares_on_mtcars_as_in_r():
    task = tasks.mtcars()
    assert r_squared(task, list(task.features)) == pytest.approx(0.8690, abs=5e-5)
    assert r_squared(task, ["wt"]) == pytest.approx(0.7528, abs=5e-5)


@needs(files.HOUSING)
def test_california_housing():
    task = tasks.california_housing()
    assert (task.n_rows, len(task.features)) == (20_640, 9)
    assert task.target == "median_house_value"
    missing = {name: n for name in task.features if (n := task.column(name).null_count())}
    assert missing == {"total_bedrooms": 207}
    counts = dict(task.column("ocean_proximity").cast(pl.String).value_counts().iter_rows())
    assert counts == {
        "<1H OCEAN": 9136,
        "INLAND": 6551,
        "NEAR OCEAN": 2658,
        "NEAR BAY": 2290,
        "ISLAND": 5,
    }


@needs(files.HOUSING)
def test_least_squares_on_the_eight_features_of_scikit_learn():
    task = tasks.california_housing()
    whole = pl.col("total_bedrooms").is_not_null()
    by_household = [
        (pl.col(name) / pl.col("households")).alias(f"{name} each")
        for name in ("total_rooms", "total_bedrooms", "population")
    ]
    table = task.table.filter(whole).select(
        "median_income", "housing_median_age", "population", "latitude", "longitude", *by_household
    )
    x, y = table.to_numpy(), task.table.filter(whole)["median_house_value"].to_numpy()
    # 0.6062 on all rows; 207 of 20,640 are left out here
    assert LinearRegression().fit(x, y).score(x, y) == pytest.approx(0.6062, abs=2e-3)


def test_breast_cancer():
    task = tasks.breast_cancer()
    assert (task.n_rows, len(task.features)) == (569, 30)
    assert task.classes == ("benign", "malignant")
    assert task.kind.positive == "malignant"
    assert (task.truth() == "malignant").sum() == 212
    assert task.features[0] == "mean radius"
    assert task.column("mean radius").mean() == pytest.approx(14.127, abs=1e-3)
    # malignant tumours are the larger ones: the labels are not swapped
    by_class = dict(task.table.group_by("diagnosis").agg(pl.col("mean area").mean()).iter_rows())
    assert by_class["malignant"] > by_class["benign"] + 400


def test_digits():
    task = tasks.digits()
    assert (task.n_rows, len(task.features)) == (1797, 64)
    assert task.classes == tuple("0123456789")
    counts = np.bincount(task.truth().to_physical().to_numpy())
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    pixels = task.table.select(task.features)
    assert (pixels.to_numpy().min(), pixels.to_numpy().max()) == (0.0, 16.0)
    assert task.column("pixel_0_2")[0] == 5.0


@pytest.mark.parametrize("make", [tasks.breast_cancer, tasks.digits])
def test_equal_each_time(make):
    assert make() == make()


@pytest.mark.parametrize("make", [tasks.breast_cancer, tasks.digits])
def test_without_scikit_learn(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as caught:
        make()
    assert caught.value.fix == "pip install fpipe[sklearn]"


@pytest.mark.parametrize("origin", [files.MTCARS, files.HOUSING])
def test_offline_and_without_data(origin, monkeypatch, tmp_path):
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        fetch("file:///nowhere/at-all.csv", origin.sha256, origin.path)
    assert "FPIPE_DATA" in caught.value.fix


@pytest.mark.parametrize("origin", [files.MTCARS, files.HOUSING])
def test_another_file_at_hand(origin, monkeypatch, tmp_path):
    path = tmp_path / origin.path
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    make = {files.MTCARS: tasks.mtcars, files.HOUSING: tasks.california_housing}[origin]
    with pytest.raises(DataError, match="another file than the one wanted"):
        make()


@needs(files.MTCARS)
def test_from_the_cache(monkeypatch, tmp_path):
    here = tasks.mtcars()
    cached = tmp_path / files.MTCARS.path
    cached.parent.mkdir()
    cached.write_bytes((Path(DATA) / files.MTCARS.path).read_bytes())
    monkeypatch.delenv("FPIPE_DATA")
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))
    assert tasks.mtcars() == here
