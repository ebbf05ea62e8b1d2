"""What all task operators share: types, rows, columns, validation; and scaling of the target."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.data.target import undo_all
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

RNG = np.random.default_rng(2)
KEY = fp.key(0)
N = 80


def holes(values, every: int) -> list:
    """Return the values with every so many missing."""
    return [None if i % every == 0 else v for i, v in enumerate(np.asarray(values).tolist())]


NUMBERS = RNG.normal(size=(N, 2)) * [1.0, 100.0]
TASK = fp.regression(
    {
        "a": NUMBERS[:, 0],
        "colour": RNG.choice(["red", "green", "blue"], N),
        "flag": RNG.random(N) > 0.5,
        "count": RNG.integers(0, 9, N),
        "y": RNG.normal(size=N) * 20 + 7,
    },
    "y",
)
HOLED = fp.regression(
    {
        "a": holes(NUMBERS[:, 0], 3),
        "count": holes(RNG.integers(0, 9, N), 4),
        "colour": holes(RNG.choice(["red", "green", "blue"], N), 5),
        "flag": holes(RNG.random(N) > 0.4, 7),
        "short": pl.Series(holes(NUMBERS[:, 1], 6), dtype=pl.Float32),
        "small": pl.Series(holes(RNG.integers(0, 200, N), 6), dtype=pl.UInt8),
        "same": [0.1] * N,
        "day": [dt.date(2024, 1, 1) + dt.timedelta(days=i) if i % 9 else None for i in range(N)],
        "at": [dt.datetime(2024, 1, 1) + dt.timedelta(hours=7 * i) for i in range(N)],
        "image": NUMBERS.reshape(N, 2, 1),
        "y": NUMBERS[:, 1],
    },
    "y",
)


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


# All of them


CHAIN = ops.impute_median() >> ops.impute_mode() >> ops.one_hot() >> ops.scale()
SOME = ops.missing() & ops.numeric()
GRAPHS = [
    CHAIN,
    ops.collapse_levels(share=0.3),
    ops.date_features(cyclic=True),
    ops.date_features(parts=("year", "hour"), keep=True, columns=ops.matching("at")),
    ops.drop_unseen_levels(),
    ops.impute_constant(300),
    ops.impute_constant(3),
    ops.impute_constant(0.5),
    ops.impute_constant("none"),
    ops.impute_constant(False),
    ops.impute_hist(),
    ops.impute_mean(),
    ops.impute_mean(columns=SOME),
    ops.impute_median(),
    ops.impute_mode(),
    ops.impute_mode(columns=ops.numeric() | ops.categorical()),
    ops.impute_oor(),
    ops.impute_sample(),
    ops.missing_indicators(),
    ops.missing_indicators(which="all"),
    ops.missing_indicators(which="all", columns=SOME),
    ops.one_hot(),
    ops.one_hot(unseen="missing", columns=ops.missing() & ops.levels()),
    ops.ordinal(),
    ops.ordinal(unseen="code", columns=ops.categorical()),
    ops.remove_constants(),
    ops.remove_constants(ratio=0.2, ignore_missing=False, columns=ops.numeric()),
    ops.scale(),
    ops.scale(columns=SOME),
    ops.scale_max_abs(),
    ops.scale_range(),
    ops.scale_robust(),
    ops.select(~ops.numeric()),
    ops.select(ops.missing()),
    ops.select(ops.cardinality(at_most=3)),
    ops.scale_target(),
    ops.remove_constants() >> ops.collapse_levels() >> ops.one_hot() >> ops.scale(columns="a"),
]
EACH = pytest.mark.parametrize(
    "graph", GRAPHS, ids=[repr(g).partition("\n")[2].strip().replace("\n", ";") for g in GRAPHS]
)
TASKS = pytest.mark.parametrize("task", [TASK, HOLED], ids=["complete", "holed"])


def used(outline):
    """Return the columns with a role, and their types."""
    names = {column for columns in outline.roles.values() for column in columns}
    return {name: outline.dtype(name) for name in names}


@TASKS
@EACH
def test_types_are_foreseen(graph, task):
    """fp.check's type is that of the real output; an open one says nothing wrong."""
    (inferred,), _ = infer_graph(graph, (task.outline(),), key=Key(0), context=Context())
    real = fp.transform(graph, task, key=KEY).outline()
    if not inferred.open:
        assert inferred.roles == real.roles
        assert used(inferred) == used(real)
        return
    order = [name for name in real.features if name in inferred.features]
    assert set(inferred.features) <= set(real.features)
    assert order == list(inferred.features)
    assert used(inferred).items() <= used(real).items()


@EACH
def test_rows_are_apart(graph):
    """What happens to a row depends on it alone: in any order, batch, and while fitting."""
    fitted, out = fp.run(graph, HOLED, key=KEY)
    assert out.table.schema == out.schema
    order = RNG.permutation(N)
    parts = [fp.apply(fitted, HOLED.take(rows)).table for rows in np.split(order, [5, 6, 40])]
    assert pl.concat(parts).equals(out.table[order])
    none = fp.apply(fitted, HOLED.take([]))
    assert none.n_rows == 0
    assert none.table.schema == out.table.schema
    bare = fp.apply(fitted, HOLED.table.drop("y"))
    assert bare.table.select(bare.features).equals(out.table.select(out.features))


@EACH
def test_order_of_rows_at_fit_is_unread(graph):
    """Fitting on permuted rows learns the same up to rounding."""
    state = fp.fit(graph, HOLED, key=KEY).states
    moved = fp.fit(graph, HOLED.take(RNG.permutation(N)), key=KEY).states
    assert fp.close(state, moved, rtol=1e-9, atol=1e-9)


@EACH
def test_nothing_is_warned_or_changed(graph):
    """Fitting neither warns nor changes the task; the fitted value can be fingerprinted."""
    before = fp.fingerprint(HOLED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted, _ = fp.run(graph, HOLED, key=KEY)
    assert fp.fingerprint(HOLED) == before
    assert fp.fingerprint(fitted) == fp.fingerprint(fp.fit(graph, HOLED, key=KEY))


@EACH
def test_validation_rows_are_not_learned_from(graph):
    """Rows that validate ride along, transformed by what was learned without them."""
    train, valid = HOLED.take(range(50)), HOLED.take(range(50, 80))
    fitted, out = fp.run(graph, train, key=KEY, validate=valid)
    alone = fp.fit(graph, train, key=KEY)
    assert fp.same(fitted.states, alone.states)
    assert fp.same(out.valid.table, fp.apply(alone, valid).table)


def test_column_order_of_new_data_does_not_matter():
    """Shuffled and further columns change nothing."""
    fitted = fp.fit(CHAIN, HOLED, key=KEY)
    names = HOLED.table.columns
    shuffled = HOLED.table.select(names[::-1]).with_columns(extra=pl.lit("x"))
    out = fp.apply(fitted, HOLED)
    later = fp.apply(fitted, shuffled)
    assert later.table.select(out.features).equals(out.table.select(out.features))
