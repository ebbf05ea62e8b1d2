"""union and copy: features side by side, once; the same rows, targets and validation rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import DataError, GraphError, ParameterError, SchemaError
from fpipe.core.key import Key
from fpipe.graph.context import Context
from fpipe.graph.interpret import infer_graph

KEY = fp.key(1)
RNG = np.random.default_rng(1)
N = 40
RAW = RNG.normal(size=(N, 2)) * [1.0, 30.0]
TASK = fp.regression(
    {
        "a": RAW[:, 0],
        "b": RAW[:, 1],
        "level": RNG.choice(["u", "v"], N),
        "y": RNG.normal(size=N),
        "g": RNG.integers(0, 5, N),
    },
    "y",
    group="g",
)
SQUARES = (
    ops.select(["a", "b"]) >> ops.colapply(lambda x: x**2) >> ops.rename({"a": "aa", "b": "bb"})
)
BOTH = ops.copy(2) >> ((ops.select(["a", "b"]) >> ops.scale()) & SQUARES) >> ops.union()


def test_union_is_feature_union():
    """The numbers are those of scikit-learn's FeatureUnion; row ids and roles stay."""
    fitted, out = fp.run(BOTH, TASK, key=KEY)
    made = FeatureUnion([("s", StandardScaler()), ("q", FunctionTransformer(np.square))])
    expected = made.fit(RAW).transform(RAW)
    assert out.features == ("a", "b", "aa", "bb")
    np.testing.assert_allclose(out.table.select(out.features).to_numpy(), expected, rtol=1e-9)
    assert out.column("y").equals(TASK.column("y"))
    assert out.role("group").equals(TASK.role("group"))
    assert (out.row_id == TASK.row_id).all()
    later = fp.apply(fitted, TASK.table.head(7).drop("y", "g"))
    np.testing.assert_allclose(
        later.table.select(out.features).to_numpy(), made.transform(RAW[:7]), rtol=1e-9
    )
    assert later.target is None


def test_union_takes_equal_features_once():
    """A feature that several paths leave alone comes once, where it came first."""
    graph = (
        ops.copy(3)
        >> (ops.select(["b", "level"]) & fp.identity() & ops.mutate(c=pl.col("a") + 1))
        >> ops.union()
    )
    out = fp.transform(graph, TASK, key=KEY)
    assert out.features == ("b", "level", "a", "c")
    assert all(out.column(n).equals(TASK.column(n)) for n in ("a", "b", "level"))


def test_union_of_validation_rows():
    """Validation rows go along each path and meet again."""
    out = fp.transform(BOTH, TASK, key=KEY, validate=0.25)
    train, valid = RAW[out.row_id], RAW[out.valid.row_id]
    scaler = StandardScaler().fit(train)
    np.testing.assert_allclose(
        out.valid.table.select("a", "b").to_numpy(), scaler.transform(valid), rtol=1e-9
    )
    assert out.valid.features == out.features


def test_union_of_one():
    """One task passes as it is."""
    assert fp.transform(ops.union(), TASK, key=KEY) == fp.transform(fp.identity(), TASK, key=KEY)


def test_union_types():
    """What is inferred is what comes."""
    (inferred,), _ = infer_graph(BOTH, (TASK.outline(),), key=Key(0), context=Context())
    out = fp.transform(BOTH, TASK, key=KEY)
    assert inferred.roles == out.roles
    used = [name for names in out.roles.values() for name in names]
    assert {n: inferred.dtype(n) for n in used} == {n: out.dtype(n) for n in used}


def test_union_before_a_learner():
    """A learner takes what meets."""
    line = learners.sklearn("sklearn.linear_model:LinearRegression")
    assert fp.predict(fp.fit(BOTH >> line, TASK, key=KEY), TASK).score("rmse") > 0


@pytest.mark.parametrize("n", [1, 2, 5])
def test_copy_is_wires(n):
    """copy makes no node: it is a fan-out of one wire."""
    graph = ops.copy(n)
    assert graph.ids == ()
    assert len(graph.ports) == 1
    assert len(graph.outputs) == n
    out = fp.run(graph, TASK, key=KEY)[1]
    assert out == (TASK if n == 1 else (TASK,) * n)
    assert ops.copy(2) >> (ops.scale() & ops.scale()) == fp.identity() >> (
        ops.scale() & ops.scale()
    )


SCALED_TARGET = ops.copy(2) >> (ops.scale_target() & fp.identity()) >> ops.union()
TWO_TARGETS = ops.copy(2) >> (ops.scale_target() & ops.log_target(50.0)) >> ops.union()
OTHER_ROWS = fp.identity(2) >> ops.union()
HIDDEN = ops.copy(2) >> (ops.select("a") & ops.select("b")) >> ops.union()
IMAGES = fp.regression({"i": np.arange(24.0).reshape(4, 2, 3), "y": range(4)}, "y")
OTHER_IMAGES = fp.regression(
    {"i": np.arange(24.0).reshape(4, 2, 3) * [[[1.0]], [[1.0]], [[2.0]], [[1.0]]], "y": range(4)},
    "y",
)
BAD = [
    (
        "other tensors",
        lambda: fp.run(fp.identity(2) >> ops.union(), (IMAGES, OTHER_IMAGES), key=KEY),
        SchemaError,
        "two features with the name 'i'",
        "union",
        "ops.rename",
    ),
    ("copies", lambda: ops.copy(0), ParameterError, "0 outputs", None, "copy(2)"),
    ("copies of a kind", lambda: ops.copy(True), ParameterError, "True outputs", None, "copy(2)"),
    (
        "other values",
        lambda: fp.run(ops.copy(2) >> (ops.scale() & fp.identity()) >> ops.union(), TASK, key=KEY),
        SchemaError,
        "two features with the name 'a'",
        "union",
        "ops.rename",
    ),
    (
        "other types",
        lambda: fp.check(
            ops.copy(2) >> (ops.one_hot() & ops.mutate(a=pl.col("a") > 0)) >> ops.union(), TASK
        ),
        SchemaError,
        "two features with the name 'a'",
        "union",
        "ops.rename",
    ),
    (
        "one target transformed",
        lambda: fp.check(SCALED_TARGET, TASK),
        SchemaError,
        "same from the same roles",
        "union",
        "before the paths part",
    ),
    (
        "two transformations",
        lambda: fp.run(TWO_TARGETS, TASK, key=KEY),
        SchemaError,
        "the target 'y' is not the same",
        "union",
        "before the paths part",
    ),
    (
        "other rows",
        lambda: fp.run(OTHER_ROWS, (TASK, TASK.take(range(3))), key=KEY),
        DataError,
        "do not have the same rows",
        "union",
        "before the paths part",
    ),
    (
        "other order",
        lambda: fp.run(OTHER_ROWS, (TASK, TASK.take(range(N)[::-1])), key=KEY),
        DataError,
        "do not have the same rows",
        "union",
        "before the paths part",
    ),
    (
        "other kind",
        lambda: fp.run(
            OTHER_ROWS,
            (TASK, fp.classification(TASK.table, "level").with_roles(group="g")),
            key=KEY,
        ),
        SchemaError,
        "do not predict the same",
        "union",
        "before the paths part",
    ),
    (
        "nothing",
        lambda: fp.run(fp.identity(0) >> ops.union(), (), key=KEY),
        GraphError,
        "no input",
        "union",
        "",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(refused, name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    refused(act, error, rule, at, fix)
