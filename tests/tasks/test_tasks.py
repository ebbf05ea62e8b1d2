"""Named data sets: what the sources say of them, and reference figures."""

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fpipe import tasks
from fpipe.core.errors import DataError
from fpipe.core.value import evolve
from fpipe.io.cache import fetch
from fpipe.tasks import census, files

pytest.importorskip("sklearn")
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
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


def counts_of(task, column):
    return dict(task.column(column).cast(pl.String).value_counts().iter_rows())


def test_iris_is_fishers_table():
    task = tasks.iris()
    assert (task.n_rows, task.target, task.kind.positive) == (150, "species", None)
    assert task.classes == ("setosa", "versicolor", "virginica")
    assert counts_of(task, "species") == dict.fromkeys(task.classes, 50)
    # UCI's copy, with two wrong rows, has other sums
    sums = [float(task.column(name).sum()) for name in task.features]
    assert sums == pytest.approx([876.5, 458.6, 563.7, 179.9])


def test_discriminants_misclassify_three_irises():
    task = tasks.iris()
    x, y = task.table.select(task.features).to_numpy(), task.truth().to_numpy()
    assert (LinearDiscriminantAnalysis().fit(x, y).predict(x) != y).sum() == 3


@pytest.mark.skipif(
    DATA is None or not (Path(DATA) / "iris/iris.csv").is_file(), reason="FPIPE_DATA has no iris"
)
def test_iris_agrees_with_the_file():
    task, frame = tasks.iris(), pl.read_csv(Path(DATA) / "iris/iris.csv")
    assert tuple(frame.columns) == (*task.features, "species")
    assert frame.equals(task.table.with_columns(pl.col("species").cast(pl.String)))


def test_wine():
    task = tasks.wine()
    assert (task.n_rows, len(task.features)) == (178, 13)
    assert counts_of(task, "cultivar") == {"class_0": 59, "class_1": 71, "class_2": 48}
    # the ranges that UCI's description lists
    for name, low, high, mean in (("alcohol", 11.0, 14.8, 13.0), ("proline", 278, 1680, 746)):
        column = task.column(name)
        assert [column.min(), column.max()] == pytest.approx([low, high], abs=0.05)
        assert column.mean() == pytest.approx(mean, rel=2e-3)


def test_diabetes():
    task = tasks.diabetes()
    assert task.features == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    assert (task.n_rows, task.target) == (442, "progression")
    assert (task.truth().min(), task.truth().max()) == (25.0, 346.0)
    # not scaled: years, codes of the sex, kg/m²
    assert (task.column("age").min(), task.column("age").max()) == (19.0, 79.0)
    assert set(task.column("sex")) == {1.0, 2.0}
    # the first row that Efron and others print in their table 1
    first = [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.9, 87, 151]
    assert list(task.table.row(0)) == pytest.approx(first, abs=0.05)


def test_least_squares_on_diabetes():
    """Efron and others 2004: all ten covariates together give R² of 0.518."""
    task = tasks.diabetes()
    assert r_squared(task, list(task.features)) == pytest.approx(0.518, abs=5e-4)


@needs(files.PENGUINS)
def test_penguins():
    task = tasks.penguins()
    assert (task.n_rows, task.target) == (344, "species")
    assert counts_of(task, "species") == {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124}
    missing = {name: n for name in task.features if (n := task.column(name).null_count())}
    measured = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    assert missing == dict.fromkeys(measured, 2) | {"sex": 11}
    assert task.dtype("island") == pl.Enum(["Biscoe", "Dream", "Torgersen"])
    assert task.dtype("sex") == pl.Enum(["female", "male"])
    assert task.dtype("year") == pl.Int64
    # mean body mass by species, as the package's own page gives them
    means = dict(task.table.group_by("species").agg(pl.col("body_mass_g").mean()).iter_rows())
    published = {"Adelie": 3701, "Chinstrap": 3733, "Gentoo": 5076}
    assert means == pytest.approx(published, abs=0.5)


BUNDLED = [tasks.breast_cancer, tasks.diabetes, tasks.digits, tasks.iris, tasks.wine]


@pytest.mark.parametrize("make", BUNDLED)
def test_equal_each_time(make):
    assert make() == make()


@pytest.mark.parametrize("make", BUNDLED)
def test_without_scikit_learn(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError) as caught:
        make()
    assert caught.value.fix == "pip install fpipe[sklearn]"


ORIGINS = {
    files.MTCARS: tasks.mtcars,
    files.HOUSING: tasks.california_housing,
    files.PENGUINS: tasks.penguins,
    census.TRAIN: tasks.adult,
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_offline_and_without_data(origin, monkeypatch, tmp_path):
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        fetch("file:///nowhere/at-all.csv", origin.checksum, origin.path)
    assert "FPIPE_DATA" in caught.value.fix


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_file_at_hand(origin, monkeypatch, tmp_path):
    path = tmp_path / origin.path
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    monkeypatch.setenv("FPIPE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="another file than the one wanted"):
        ORIGINS[origin]()


@needs(files.MTCARS)
def test_from_the_cache(monkeypatch, tmp_path):
    here = tasks.mtcars()
    cached = tmp_path / files.MTCARS.path
    cached.parent.mkdir()
    cached.write_bytes((Path(DATA) / files.MTCARS.path).read_bytes())
    monkeypatch.delenv("FPIPE_DATA")
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path))
    assert tasks.mtcars() == here


@needs(files.PENGUINS)
def test_downloaded_once(monkeypatch, tmp_path):
    """Without the folder of data a file comes from its origin, and then from the cache."""
    here = tasks.penguins()
    source = tmp_path / "source.csv"
    source.write_bytes((Path(DATA) / files.PENGUINS.path).read_bytes())
    monkeypatch.setattr(files, "PENGUINS", evolve(files.PENGUINS, url=source.as_uri()))
    monkeypatch.delenv("FPIPE_DATA")
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    assert tasks.penguins() == here
    source.unlink()
    assert tasks.penguins() == here


def test_a_damaged_download_is_refused(monkeypatch, tmp_path):
    source = tmp_path / "source.csv"
    source.write_text("species,year\nAdelie,2007\n")
    monkeypatch.setattr(files, "PENGUINS", evolve(files.PENGUINS, url=source.as_uri()))
    monkeypatch.delenv("FPIPE_DATA", raising=False)
    monkeypatch.setenv("FPIPE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="another one than the one wanted") as caught:
        tasks.penguins()
    assert files.PENGUINS.checksum in caught.value.expected
    assert not list((tmp_path / "cache").rglob("*.csv"))
