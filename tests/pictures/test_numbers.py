"""Predicted against true numbers, and residuals: what is drawn."""

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.value import evolve
from fpipe.data.kind import Classification, Regression
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.canvas import in_words
from fpipe.pictures.numbers import residuals, response
from fpipe.pictures.picture import plot

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")


def prediction(n=50, scale=1.0, seed=0, name="price"):
    random = np.random.default_rng(seed)
    truth = scale * random.normal(size=n)
    found = truth + scale * random.normal(size=n)
    ids = np.arange(n)
    known = pl.Series(name, truth)
    return Prediction(Regression(), ids, ids, pl.Series("response", found), known)


def folds(count):
    return ResampleResult(fp.cv(count), (), tuple(prediction(seed=i) for i in range(count)))


@pytest.mark.parametrize("value", [prediction(), folds(3)], ids=["prediction", "folds"])
def test_response(value):
    part = value.prediction() if isinstance(value, ResampleResult) else value
    axes = plot(value).axes[0]
    dots, line = axes.get_lines()
    assert dots.get_xdata().tolist() == part.truth.to_list()
    assert dots.get_ydata().tolist() == part.response.to_list()
    assert list(line.get_xdata()) == list(line.get_ydata()) == list(axes.get_xlim())
    assert line.get_label() == "prediction = truth"
    assert axes.get_aspect() == 1.0
    low, high = axes.get_xlim()
    assert (low, high) == axes.get_ylim()
    everything = part.truth.to_list() + part.response.to_list()
    assert low < min(everything)
    assert high > max(everything)
    error = metrics.root_mean_squared_error(part.truth, part.response)
    assert axes.get_title(loc="left") == f"{len(part.row_id)} rows, rmse {error:.4g}"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true price", "predicted price")


@pytest.mark.parametrize("value", [prediction(), folds(3)], ids=["prediction", "folds"])
def test_residuals(value):
    part = value.prediction() if isinstance(value, ResampleResult) else value
    axes = plot(value, "residuals").axes[0]
    dots, line = axes.get_lines()
    assert dots.get_xdata().tolist() == part.response.to_list()
    assert dots.get_ydata().tolist() == (part.truth - part.response).to_list()
    assert list(line.get_ydata()) == [0.0, 0.0]
    assert line.get_label() == "no error"
    words = axes.get_title(loc="left")
    assert words.startswith(f"{len(part.row_id)} rows, mean residual ")
    assert axes.get_xlabel() == "predicted price"
    assert axes.get_ylabel() == "residual: true − predicted price"


def test_numbers_in_titles():
    part = prediction(scale=50_000.0)
    left = part.truth - part.response
    words = residuals(part).axes[0].get_title(loc="left")
    mean = f"{left.mean():,.0f}".replace("-", "−")
    assert words == f"50 rows, mean residual {mean}, standard deviation {left.std(ddof=0):,.0f}"
    assert in_words(-0.00012345) == "−0.0001234"


def test_large_numbers_have_commas_at_the_ticks():
    figure = response(prediction(scale=50_000.0))
    figure.draw_without_rendering()
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "100,000" in ticks


def test_a_scaled_target_keeps_its_name():
    """The operators that transform a target keep the one that entered under a longer name."""
    part = prediction(name="price (truth)")
    assert response(part).axes[0].get_xlabel() == "true price"


def test_one_row():
    one = evolve(
        prediction(n=1), truth=pl.Series("y", [2.0]), response=pl.Series("response", [2.0])
    )
    axes = response(one).axes[0]
    assert axes.get_xlim() == axes.get_ylim() == (1.5, 2.5)


def of_classes():
    ids, names = np.arange(2), pl.Series("y", ["a", "b"], dtype=pl.Enum(["a", "b"]))
    return Prediction(Classification(("a", "b"), "b"), ids, ids, names, names)


@pytest.mark.parametrize("kind", ["response", "residuals"])
@pytest.mark.parametrize(
    ("value", "error", "words", "expected", "fix"),
    [
        ("x", ParameterError, "a str holds no prediction", "a Prediction", "fp.predict"),
        (of_classes(), ParameterError, "is of classes", "a regression", '"confusion"'),
        (evolve(prediction(), truth=None), DataError, "truth", "their target", "its target"),
        (evolve(prediction(2), response=pl.Series([1.0, float("nan")])), DataError,
         "missing or infinite in 1 of 2", "a finite number", "find out why"),
    ],
)  # fmt: skip
def test_what_is_not_drawn(kind, value, error, words, expected, fix):
    with pytest.raises(error, match=words) as caught:
        plot(value, kind)
    assert expected in caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix
