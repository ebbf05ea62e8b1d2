"""Task operators against scikit-learn, and what they do with nulls, constants and levels."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError, SchemaError
from fpipe.core.key import Key
from fpipe.data.target import undo_all
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

RNG = np.random.default_rng(2)
KEY = fp.key(0)
N = 80
NUMBERS = RNG.normal(size=(N, 3)) * [1.0, 100.0, 1e-6] + [0.0, -50.0, 3.0]
COUNTS = RNG.integers(0, 9, N)
COLOURS = RNG.choice(["red", "green", "blue"], N)
TASK = fp.regression(
    {
        "a": NUMBERS[:, 0],
        "colour": COLOURS,
        "b": NUMBERS[:, 1],
        "flag": RNG.random(N) > 0.5,
        "count": COUNTS,
        "c": NUMBERS[:, 2],
        "y": RNG.normal(size=N) * 20 + 7,
    },
    "y",
)


def holes(values, every: int) -> list:
    """Return the values with every so many missing."""
    return [None if i % every == 0 else v for i, v in enumerate(np.asarray(values).tolist())]


HOLED = fp.regression(
    {
        "a": holes(NUMBERS[:, 0], 3),
        "count": holes(COUNTS, 4),
        "colour": holes(COLOURS, 5),
        "flag": holes(RNG.random(N) > 0.4, 7),
        "y": NUMBERS[:, 1],
    },
    "y",
)


def features(task: fp.Task) -> np.ndarray:
    return task.table.select(task.features).cast(pl.Float64).to_numpy()


def fresh(task: fp.Task, rows: int = 20) -> fp.Task:
    return task.take(range(rows))


# scale


def test_scale_is_standard_scaler():
    """Numeric features are scaled as scikit-learn's StandardScaler does, at fit and on new rows."""
    fitted, out = fp.run(ops.scale(), TASK, key=KEY)
    columns = ["a", "b", "count", "c"]
    raw = TASK.table.select(columns).cast(pl.Float64).to_numpy()
    expected = StandardScaler().fit(raw)
    np.testing.assert_allclose(
        out.table.select(columns).to_numpy(), expected.transform(raw), rtol=1e-9, atol=1e-9
    )
    state = fitted.state("scale")
    assert state.columns == ("a", "b", "count", "c")
    np.testing.assert_allclose(state.shift, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(state.scale, expected.scale_, rtol=1e-9)
    later = fp.apply(fitted, fresh(TASK))
    np.testing.assert_allclose(
        later.table.select(columns).to_numpy(), expected.transform(raw[:20]), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_scale_parts(center, scale):
    """Centering and scaling can be had apart, as in scikit-learn."""
    out = fp.transform(
        ops.select(ops.numeric()) >> ops.scale(center=center, scale=scale), TASK, key=KEY
    )
    raw = TASK.table.select("a", "b", "count", "c").cast(pl.Float64).to_numpy()
    expected = StandardScaler(with_mean=center, with_std=scale).fit_transform(raw)
    np.testing.assert_allclose(features(out), expected, rtol=1e-9, atol=1e-9)


def test_scale_ignores_and_keeps_nulls():
    """Missing values do not count and stay missing, as NaN does in scikit-learn."""
    out = fp.transform(ops.select("a") >> ops.scale(), HOLED, key=KEY)
    raw = np.array(holes(NUMBERS[:, 0], 3), dtype=float)[:, None]
    expected = StandardScaler().fit_transform(raw)
    np.testing.assert_allclose(features(out), expected, rtol=1e-9)
    assert out.column("a").null_count() == int(np.isnan(raw).sum())


@pytest.mark.parametrize("constant", [0.0, 7.0, 1e8, 0.1, -1e-12])
def test_scale_of_a_constant(constant):
    """A constant column becomes zeros, as in scikit-learn, also where its mean rounds."""
    task = fp.regression({"a": [constant] * 10, "y": range(10)}, "y")
    out = features(fp.transform(ops.scale(), task, key=KEY))
    expected = StandardScaler().fit_transform(np.full((10, 1), constant))
    np.testing.assert_allclose(out, expected, atol=1e-12)


def test_scale_of_an_empty_column():
    """A column that is missing everywhere stays so."""
    task = fp.regression({"a": [None, None], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
    assert fp.transform(ops.scale(), task, key=KEY).column("a").to_list() == [None, None]


def test_scale_leaves_the_rest():
    """Columns that are no numbers, order, target, roles and row ids stay."""
    out = fp.transform(ops.scale(), TASK, key=KEY)
    assert out.features == TASK.features == ("a", "colour", "b", "flag", "count", "c")
    for name in ("colour", "flag", "y"):
        assert out.column(name).equals(TASK.column(name))
    assert (out.row_id == TASK.row_id).all()


# scale_target


def test_scale_target():
    """The target is standardised, the truth is kept, predictions come back in the user's unit."""
    fitted, out = fp.run(ops.scale_target(), TASK, key=KEY)
    y = TASK.column("y").to_numpy()
    np.testing.assert_allclose(out.column("y"), (y - y.mean()) / y.std(), rtol=1e-9)
    assert out.truth().equals(TASK.column("y").alias("y (truth)"))
    (affine,) = out.target_inverse
    np.testing.assert_allclose(affine.undo(out.column("y").to_numpy()), y, rtol=1e-12)
    assert out.features == TASK.features
    new = fp.apply(fitted, TASK.table.drop("y"))
    assert new.target is None
    assert new.target_inverse == out.target_inverse


def test_scale_target_twice():
    """Two transformations are undone in reverse; the truth is the first target."""
    out = fp.transform(ops.scale_target() >> ops.scale_target(id="again"), TASK, key=KEY)
    np.testing.assert_allclose(
        undo_all(out.target_inverse, out.column("y").to_numpy()), TASK.column("y"), rtol=1e-12
    )
    assert out.truth().to_list() == TASK.column("y").to_list()


def test_scale_target_of_a_constant():
    """A target that is the same in all training rows cannot be scaled."""
    with pytest.raises(DataError, match="the same in all 2 rows"):
        fp.fit(
            ops.scale_target(),
            fp.regression({"a": [1, 2, 3], "y": [1.0, 1.0, 2.0]}, "y").take([0, 1]),
            key=KEY,
        )


# impute


def test_impute_median_is_simple_imputer():
    """Numbers are filled by the median as scikit-learn does; others are left alone."""
    fitted, out = fp.run(ops.impute_median(), HOLED, key=KEY)
    raw = np.array([holes(NUMBERS[:, 0], 3), holes(COUNTS, 4)], dtype=float).T
    imputer = SimpleImputer(strategy="median").fit(raw)
    np.testing.assert_allclose(out.table.select("a", "count").to_numpy(), imputer.transform(raw))
    assert dict(fitted.state("impute_median")) == dict(
        zip(("a", "count"), imputer.statistics_, strict=True)
    )
    assert out.column("colour").null_count() > 0
    assert out.column("count").dtype == pl.Float64


def test_impute_mode_is_simple_imputer():
    """Levels and truth values are filled by the most frequent one as scikit-learn does."""
    out = fp.transform(ops.impute_mode(), HOLED, key=KEY)
    raw = np.array([holes(COLOURS, 5)], dtype=object).T
    expected = SimpleImputer(strategy="most_frequent", missing_values=None).fit_transform(raw)
    assert out.column("colour").to_list() == expected[:, 0].tolist()
    assert out.column("colour").dtype == HOLED.column("colour").dtype
    assert out.column("flag").null_count() == 0
    assert out.column("a").null_count() > 0


def test_impute_mode_of_equals():
    """Of equally frequent levels the first in level order fills."""
    task = fp.regression({"c": ["b", "a", None, "b", "a"], "y": range(5)}, "y")
    assert fp.transform(ops.impute_mode(), task, key=KEY).column("c").to_list() == [
        "b",
        "a",
        "a",
        "b",
        "a",
    ]
    levels = pl.Series(["b", "a", None, "b", "a"], dtype=pl.Enum(["b", "a"]))
    task = fp.regression({"c": levels, "y": range(5)}, "y")
    assert fp.transform(ops.impute_mode(), task, key=KEY).column("c")[2] == "b"


def test_imputers_learn_for_complete_columns_too():
    """A column that misses nothing at fit is filled at predict."""
    task = fp.regression({"a": [1.0, 2.0, 6.0], "c": ["u", "v", "v"], "y": range(3)}, "y")
    fitted = fp.fit(ops.impute_median() >> ops.impute_mode(), task, key=KEY)
    out = fp.apply(fitted, {"a": [None, 5.0], "c": [None, "u"]})
    assert out.column("a").to_list() == [2.0, 5.0]
    assert out.column("c").to_list() == ["v", "u"]


# one_hot


def test_one_hot_is_one_hot_encoder():
    """Columns and values are those of scikit-learn, behind the features that are left alone."""
    out = fp.transform(ops.one_hot(), TASK, key=KEY)
    encoder = OneHotEncoder(sparse_output=False).fit(COLOURS[:, None])
    names = [f"colour.{level}" for level in encoder.categories_[0]]
    assert names == ["colour.blue", "colour.green", "colour.red"]
    assert out.features == ("a", "b", "flag", "count", "c", *names)
    np.testing.assert_array_equal(
        out.table.select(names).to_numpy(), encoder.transform(COLOURS[:, None])
    )


def test_one_hot_of_nulls():
    """A missing level is missing in all of its columns."""
    out = fp.transform(ops.one_hot(), HOLED, key=KEY)
    for level in ("blue", "green", "red"):
        assert out.column(f"colour.{level}").is_null().equals(HOLED.column("colour").is_null())


def test_one_hot_of_levels_without_rows():
    """An Enum keeps levels that no row has, and their order."""
    column = pl.Series(["s", "l", "s"], dtype=pl.Enum(["s", "m", "l"]))
    out = fp.transform(ops.one_hot(), fp.regression({"size": column, "y": range(3)}, "y"), key=KEY)
    assert out.features == ("size.s", "size.m", "size.l")
    assert out.column("size.m").to_list() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("unseen", "expected"), [("zeros", 0.0), ("missing", None)])
def test_unseen_levels(unseen, expected):
    """A level that was not there at fit is zeros or missing, as asked; known ones are encoded."""
    fitted = fp.fit(ops.one_hot(unseen=unseen), TASK, key=KEY)
    frame = TASK.table.head(3).with_columns(colour=pl.Series(["red", "pink", None]))
    out = fp.apply(fitted, frame)
    assert out.column("colour.red").to_list() == [1.0, expected, None]
    assert out.column("colour.blue").to_list() == [0.0, expected, None]


def test_unseen_levels_that_no_row_has():
    """Levels of an Enum that no row uses are no unseen levels."""
    fitted = fp.fit(ops.one_hot(), TASK, key=KEY)
    enum = pl.Series(["red", "blue"], dtype=pl.Enum(["pink", "red", "blue"]))
    out = fp.apply(fitted, TASK.table.head(2).with_columns(colour=enum))
    assert out.column("colour.red").to_list() == [1.0, 0.0]


def test_order_of_levels_in_new_data_does_not_matter():
    """Levels are matched by name, not by code."""
    fitted = fp.fit(ops.one_hot(), TASK, key=KEY)
    texts = ["green", "red", "blue"]
    frames = [
        TASK.table.head(3).with_columns(colour=pl.Series(texts, dtype=t))
        for t in (pl.String, pl.Categorical, pl.Enum(["red", "green", "blue"]))
    ]
    outs = [features(fp.apply(fitted, frame)) for frame in frames]
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(outs[0], outs[2])


def test_one_hot_name_clash():
    """A new column may not take the name of an old one."""
    task = fp.regression({"c": ["u", "v"], "c.u": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
    for act in (
        lambda: fp.fit(ops.one_hot() >> ops.scale(), task, key=KEY),
        lambda: fp.check(ops.one_hot(), task),
    ):
        with pytest.raises(SchemaError, match="a second column 'c.u'"):
            act()


# select


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (ops.numeric(), "a b count c"),
        (ops.categorical(), "colour flag"),
        (ops.everything(), "a colour b flag count c"),
        (ops.named("c", "a"), "a c"),
        (ops.matching("c.*"), "colour count c"),
        (ops.numeric() & ops.matching("c.*"), "count c"),
        (ops.named("a") | ops.categorical(), "a colour flag"),
        (~ops.numeric(), "colour flag"),
        (~(ops.numeric() | ops.named("flag")), "colour"),
        (ops.numeric() & ~ops.named("a", "b"), "count c"),
        (ops.numeric() & ops.categorical(), ""),
    ],
    ids=str,
)
def test_select(selector, expected):
    """Selectors choose by type, name and pattern, and combine; the order is the task's."""
    out = fp.transform(ops.select(selector), TASK, key=KEY)
    assert out.features == tuple(expected.split())
    assert out.target == "y"


def test_select_by_names():
    """A name or several stand for a selector; the order is the task's."""
    assert fp.transform(ops.select(["c", "b"]), TASK, key=KEY).features == ("b", "c")
    assert ops.select("a") == ops.select(ops.named("a")) == ops.select(["a"])


def test_selection_is_captured_at_fit():
    """What was chosen at fit is chosen later, also where types have changed."""
    fitted = fp.fit(ops.select(ops.numeric()), TASK, key=KEY)
    out = fp.apply(fitted, TASK.table.with_columns(extra=pl.lit(1.0)))
    assert out.features == ("a", "b", "count", "c")


def test_patterns_match_whole_names():
    """A pattern that matches a part of a name only does not choose it."""
    assert fp.transform(ops.select(ops.matching("c")), TASK, key=KEY).features == ("c",)


# All of them


CHAIN = ops.impute_median() >> ops.impute_mode() >> ops.one_hot() >> ops.scale()


def test_types_are_foreseen():
    """fp.check's type of every step is that of the real output."""
    for graph in (
        CHAIN,
        ops.scale(),
        ops.one_hot(),
        ops.impute_median(),
        ops.select(~ops.numeric()),
        ops.scale_target(),
    ):
        for task in (TASK, HOLED):
            (inferred,), _ = infer_graph(graph, (task.outline(),), key=Key(0), context=Context())
            real = fp.transform(graph, task, key=KEY).outline()
            assert inferred.roles == real.roles
            used = {column for columns in real.roles.values() for column in columns}
            assert {n: t for n, t in inferred.dtypes if n in used} == {
                n: t for n, t in real.dtypes if n in used
            }


def test_column_order_of_new_data_does_not_matter():
    """Shuffled and further columns change nothing."""
    fitted = fp.fit(CHAIN, HOLED, key=KEY)
    names = HOLED.table.columns
    shuffled = HOLED.table.select(names[::-1]).with_columns(extra=pl.lit("x"))
    assert (
        fp.apply(fitted, shuffled)
        .table.select(fp.apply(fitted, HOLED).features)
        .equals(fp.apply(fitted, HOLED).table.select(fp.apply(fitted, HOLED).features))
    )


def test_zero_rows():
    """No rows give no rows, with the same columns."""
    fitted, out = fp.run(CHAIN, HOLED, key=KEY)
    none = fp.apply(fitted, HOLED.take([]))
    assert none.n_rows == 0
    assert none.table.schema == out.table.schema


def test_nothing_is_warned_or_changed():
    """Fitting neither warns nor changes the task."""
    before = fp.fingerprint(HOLED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fp.run(CHAIN, HOLED, key=KEY)
    assert fp.fingerprint(HOLED) == before


def test_validation_rows_are_not_learned_from():
    """Rows that validate ride along, transformed by what was learned without them."""
    train, valid = TASK.take(range(50)), TASK.take(range(50, 80))
    fitted, out = fp.run(CHAIN, train, key=KEY, validate=valid)
    alone = fp.fit(CHAIN, train, key=KEY)
    assert fp.same(fitted.states, alone.states)
    assert fp.same(out.valid.table, fp.apply(alone, valid).table)
