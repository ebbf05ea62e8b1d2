"""robustify: numbers without missing values from any task, by the steps that the types call for."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import FpipeError, ParameterError
from fpipe.ops.robust import Robustify
from fpipe.testing.tables import tasks

KEY = fp.key(6)
RNG = np.random.default_rng(6)
N = 48
LEVEL = RNG.choice(["u", "v", "w"], N)
COLUMNS = {
    "number": RNG.normal(size=N).tolist(),
    "level": LEVEL.tolist(),
    "flag": (RNG.random(N) > 0.5).tolist(),
    "day": [datetime.date(2024, 1, 1) + datetime.timedelta(days=31 * i) for i in range(N)],
    "moment": [datetime.datetime(2024, 1, 1, i % 24) for i in range(N)],
    "clock": [datetime.time(i % 24, 30) for i in range(N)],
    "span": [datetime.timedelta(hours=i) for i in range(N)],
}


def holed(values, every):
    return [None if i % every == 1 else v for i, v in enumerate(values)]


def task_of(**columns):
    return fp.regression({**columns, "y": np.linspace(0, 1, N)}, "y")


HOLED = task_of(
    **{name: holed(values, 5 + i) for i, (name, values) in enumerate(COLUMNS.items())},
    constant=[3.0] * N,
    empty=[None] * N,
)


def steps(task, **settings):
    fitted = fp.fit(ops.robustify(**settings), task, key=KEY)
    return fitted.state("robustify").expansion.ids


ENDS = ("remove_constants", "remove_constants_2")
STEPS = {
    "number": ("missing_indicators", "impute_hist", "impute_mode", "truths"),
    "level": ("impute_oor", "collapse_levels", "one_hot"),
    "flag": ("missing_indicators", "impute_mode", "truths"),
    "day": ("missing_indicators", "date_features", "impute_hist", "impute_mode", "truths"),
    "span": ("missing_indicators", "clocks", "impute_hist", "impute_mode", "truths"),
}


@pytest.mark.parametrize("name", STEPS)
def test_robustify_takes_the_steps_that_types_call_for(name):
    """A task of one type gets its steps and no other."""
    assert steps(task_of(a=COLUMNS[name])) == (ENDS[0], *STEPS[name], ENDS[1])


def test_robustify_settings():
    """Indicators can be left out, scaling put in."""
    task = task_of(a=COLUMNS["number"])
    assert steps(task, indicators=False) == (ENDS[0], "impute_hist", ENDS[1])
    assert "scale" in steps(task, scale=True)
    assert steps(task.select([])) == ()


def test_robustify_numbers_of_a_complete_task():
    """Numbers pass, levels are scikit-learn's dummies, truth values are 0 and 1."""
    task = task_of(a=COLUMNS["number"], c=COLUMNS["level"], f=COLUMNS["flag"], k=[1] * N)
    out = fp.transform(ops.robustify(), task, key=KEY)
    assert out.features == ("a", "f", "c.u", "c.v", "c.w")
    dummies = OneHotEncoder(sparse_output=False).fit_transform(LEVEL[:, None])
    np.testing.assert_array_equal(out.table.select("c.u", "c.v", "c.w").to_numpy(), dummies)
    np.testing.assert_array_equal(out.column("a"), COLUMNS["number"])
    np.testing.assert_array_equal(out.column("f"), np.array(COLUMNS["flag"], float))
    scaled = fp.transform(ops.robustify(scale=True), task, key=KEY)
    raw = out.table.select(out.features).to_numpy()
    np.testing.assert_allclose(
        scaled.table.select(scaled.features).to_numpy(),
        StandardScaler().fit_transform(raw),
        rtol=1e-9,
        atol=1e-9,
    )


def test_robustify_numbers_of_missing_values():
    """What is there stays; what is missing is filled from within, and told by an indicator."""
    out = fp.transform(ops.robustify(), HOLED, key=KEY)
    assert not {"constant", "empty"} & set(out.features)
    gone = HOLED.column("number").is_null().to_numpy()
    np.testing.assert_array_equal(out.column("number.missing"), gone.astype(float))
    values = np.array(COLUMNS["number"])
    np.testing.assert_array_equal(out.column("number").to_numpy()[~gone], values[~gone])
    assert np.abs(out.column("number").to_numpy()[gone]).max() < 2 * np.abs(values).max()
    missing = HOLED.column("level").is_null().to_numpy()
    np.testing.assert_array_equal(out.column("level..MISSING"), missing.astype(float))
    np.testing.assert_array_equal(out.column("span").to_numpy()[0], 0.0)
    hours = [t.hour * 3.6e12 + 1.8e12 for t in COLUMNS["clock"]]
    there = ~HOLED.column("clock").is_null().to_numpy()
    np.testing.assert_array_equal(out.column("clock").to_numpy()[there], np.array(hours)[there])


def test_robustify_later_rows():
    """Rows that miss everything, and levels that were not there, are complete numbers too."""
    fitted, out = fp.run(ops.robustify(), HOLED, key=KEY)
    assert fp.apply(fitted, HOLED) == out
    late = HOLED.table.head(4).with_columns(
        *(pl.lit(None, dtype=HOLED.dtype(n)).alias(n) for n in HOLED.features if n != "level"),
        level=pl.Series(["new", "u", None, "v"]),
    )
    found = fp.apply(fitted, late)
    assert found.features == out.features
    assert found.table.select(found.features).null_count().sum_horizontal()[0] == 0
    names = ["level.u", "level.v", "level.w", "level..MISSING"]
    expected = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    np.testing.assert_array_equal(found.table.select(names).to_numpy(), expected)


def test_robustify_max_levels():
    """Only the most frequent levels stay."""
    names = [*["a"] * 20, *["b"] * 15, *["c"] * 8, *["d"] * 5]
    out = fp.transform(ops.robustify(max_levels=2), task_of(c=names), key=KEY)
    assert out.features == ("c.a", "c.b", "c.other")
    assert out.column("c.other").sum() == 13


def test_robustify_parameters():
    """Its own parameters and those of its steps can be set."""
    graph = ops.robustify().set({"robustify.collapse_levels.share": 0.3, "robustify.scale": True})
    names = [*["a"] * 30, *["b"] * 10, *["c"] * 8]
    out = fp.transform(graph, task_of(c=names), key=KEY)
    assert out.features == ("c.a", "c.other")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(task=tasks(rows=(6, 20)))
def test_robustify_any_task(task):
    """Any legal task becomes complete numbers, at fit and later; tensors are left alone."""
    fitted, out = fp.run(ops.select(~ops.tensor()) >> ops.robustify(), task, key=KEY)
    for found in (out, fp.apply(fitted, task.take([0, 3])), fp.apply(fitted, task.take([]))):
        assert found.features == out.features
        table = found.table.select(found.features)
        assert all(dtype.is_numeric() for dtype in table.dtypes)
        assert sum(table.null_count().row(0)) == 0 if table.width else True
    fp.check(ops.robustify(), task)


def test_robustify_before_a_learner():
    """A learner that takes numbers only can follow at once."""
    line = learners.sklearn("sklearn.linear_model:LinearRegression")
    fitted = fp.fit(ops.robustify(scale=True) >> line, HOLED, key=KEY)
    assert np.isfinite(fp.predict(fitted, HOLED).response.to_numpy()).all()
    mlp = ops.robustify(scale=True) >> learners.mlp(epochs=1)
    assert np.isfinite(fp.predict(fp.fit(mlp, HOLED, key=KEY), HOLED).response.to_numpy()).all()


PLAIN = task_of(number=COLUMNS["number"])

BAD = [
    (
        "levels",
        lambda: ops.robustify(max_levels=0),
        ParameterError,
        "max_levels",
        None,
        "at least 1",
    ),
    ("scale", lambda: ops.robustify(scale=2), ParameterError, "scale", None, "True or False"),
    (
        "misspelt",
        lambda: ops.robustify(max_level=2),
        ParameterError,
        "no parameter 'max_level'",
        None,
        "max_levels",
    ),
    (
        "no dates",
        lambda: fp.check(ops.robustify().set({"robustify.date_features.cyclic": True}), PLAIN),
        ParameterError,
        "no step 'date_features' here, but 'date_features.cyclic' is set",
        "robustify",
        "give a feature of dates, or do not set",
    ),
    (
        "not scaled",
        lambda: fp.fit(ops.robustify().set({"robustify.scale.center": False}), PLAIN, key=KEY),
        ParameterError,
        "no step 'scale' here",
        "robustify",
        "give scale=True",
    ),
    (
        "no such step",
        lambda: fp.check(ops.robustify().set({"robustify.one_hut.drop": True}), HOLED),
        ParameterError,
        "no node 'one_hut'",
        "robustify",
        "did you mean 'one_hot'?",
    ),
    (
        "reading a step",
        lambda: ops.robustify().at("robustify.collapse_levels.share"),
        ParameterError,
        "nothing stands at 'robustify.collapse_levels.share' before a task is known",
        None,
        "graph.set({'robustify.collapse_levels.share': ...})",
    ),
    (
        "reading nothing",
        lambda: ops.robustify().at("robustify.max_level"),
        ParameterError,
        "nothing stands at 'robustify.max_level'.",
        None,
        "did you mean 'max_levels'?",
    ),
]


def test_steps_that_may_be_left_out():
    """What is said of steps is true of those that tasks of all kinds, and of none, call for."""
    told = set(Robustify.steps)
    assert set(steps(HOLED, scale=True)) == told | set(ENDS)
    assert set(steps(PLAIN, indicators=False)) == {"impute_hist", *ENDS}


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    with pytest.raises(FpipeError) as caught:
        act()
    found = caught.value
    assert type(found) is error, found
    assert rule in found.rule
    assert (found.at or "").startswith(at or "")
    assert found.expected
    assert found.got
    assert fix in (found.fix or "")
