"""Bad input of every kind: which error, what it says, where it says it, and that nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import (
    DataError,
    FpipeError,
    GraphError,
    ParameterError,
    SchemaError,
    ShapeError,
    StateError,
)
from fpipe.data.prediction import pool
from fpipe.measure.loss import CrossEntropy
from fpipe.measure.score import UndefinedError

KEY = fp.key(7)
RNG = np.random.default_rng(0)
X1, X2 = RNG.normal(size=41), RNG.normal(size=41)
COLOUR = ["red", "green", "blue"] * 13 + ["red", "green"]

REGRESSION = fp.regression({"x1": X1, "x2": X2, "y": 2 * X1 - X2}, "y", name="numbers")
MIXED = fp.regression({"x1": X1, "colour": COLOUR, "y": X1}, "y")
BINARY = fp.classification(
    {"x1": X1, "x2": X2, "y": np.where(X1 > 0, "yes", "no")}, "y", name="binary"
)
MULTI = fp.classification({"x1": X1, "x2": X2, "y": COLOUR}, "y")
GROUPED = fp.regression({"x1": X1, "g": ["a", "b"] * 20 + ["a"], "y": X2}, "y", group="g")
HOLED = fp.regression({"x1": [1.0, None, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 4.0]}, "y")
INFINITE = fp.regression({"x1": [1.0, np.inf, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 4.0]}, "y")
EMPTY_COLUMN = fp.regression({"x1": [None, None], "x2": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
ONE_CLASS = BINARY.filter(pl.col("y") == "yes")
NO_TRUTH = fp.regression({"x1": X1, "x2": X2, "y": X1}, "y").table.drop("y")

BODY = nn.ingress_numeric() >> nn.linear(4) >> nn.relu() >> nn.head()
ENDLESS = BODY >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.01)
NET = ENDLESS >> nn.model(epochs=1, batch_size=8)
CLASSIFIER = BODY >> nn.loss("cross_entropy") >> nn.optimizer("adam") >> nn.model(epochs=1)
NORMED = (
    nn.ingress_numeric()
    >> nn.batch_norm1d()
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("adam")
    >> nn.model(epochs=1)
)
TWO_PATHS = (nn.ingress_numeric(id="a") >> nn.linear(3)) & (
    nn.ingress_numeric(id="b") >> nn.linear(4)
)
FITTED = fp.fit(NET, REGRESSION, key=KEY)
ENCODED = fp.fit(ops.one_hot(), MIXED, key=KEY)

INPUTS: dict[str, Any] = {
    name: thing
    for name, thing in list(globals().items())
    if isinstance(thing, fp.Task | fp.Graph | fp.Fitted)
}


class Case(NamedTuple):
    """One way to be wrong, and what must be said about it."""

    name: str
    act: Callable[[], Any]
    error: type[FpipeError]
    rule: str
    at: str | None = None
    fix: str | None = None


def fit(graph: Any, task: Any = REGRESSION, **more: Any) -> Any:
    return fp.fit(graph, task, key=KEY, **more)


def changed(graph: fp.Graph, **changes: Any) -> fp.Graph:
    return graph.set({name.replace("__", "."): value for name, value in changes.items()})


def frame(**columns: Any) -> Mapping[str, Any]:
    return {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]} | columns


def twice() -> pd.DataFrame:
    made = pd.DataFrame([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    made.columns = ["x", "x", "y"]
    return made


PARAMETERS = [
    Case(
        "layer parameter misspelt",
        lambda: nn.linear(out_feature=3),
        ParameterError,
        "linear has no parameter 'out_feature'",
        fix="did you mean 'out_features'?",
    ),
    Case(
        "layer parameter of the wrong type",
        lambda: nn.linear(3.5),
        ParameterError,
        "out_features cannot be 3.5",
    ),
    Case(
        "layer parameter out of range",
        lambda: nn.linear(0),
        ParameterError,
        "out_features cannot be 0",
    ),
    Case(
        "bool for a number of features",
        lambda: nn.linear(True),
        ParameterError,
        "out_features cannot be True",
    ),
    Case("dropout above 1", lambda: nn.dropout(1.5), ParameterError, "p cannot be 1.5"),
    Case("dropout NaN", lambda: nn.dropout(float("nan")), ParameterError, "p cannot be nan"),
    Case("dropout as text", lambda: nn.dropout("half"), ParameterError, "p cannot be 'half'"),
    Case(
        "too many positional parameters",
        lambda: nn.relu(1),
        ParameterError,
        "relu takes 0 positional parameters but got 1",
    ),
    Case(
        "op parameter misspelt",
        lambda: ops.scale(centre=True),
        ParameterError,
        "scale has no parameter 'centre'",
        fix="did you mean 'center'?",
    ),
    Case(
        "op parameter of the wrong type",
        lambda: ops.scale(center="yes"),
        ParameterError,
        "center cannot be 'yes'",
    ),
    Case(
        "op parameter no choice",
        lambda: ops.one_hot(unseen="ignore"),
        ParameterError,
        "unseen cannot be 'ignore'",
    ),
    Case(
        "selector of the wrong type", lambda: ops.select(3), ParameterError, "selector cannot be 3"
    ),
    Case(
        "model parameter misspelt",
        lambda: nn.model(epoch=3),
        ParameterError,
        "model has no parameter 'epoch'",
        fix="did you mean 'epochs'?",
    ),
    Case("negative epochs", lambda: nn.model(epochs=-1), ParameterError, "epochs cannot be -1"),
    Case(
        "batch size 0",
        lambda: nn.model(epochs=1, batch_size=0),
        ParameterError,
        "batch_size cannot be 0",
    ),
    Case(
        "weights no choice",
        lambda: nn.model(epochs=1, weights="bst"),
        ParameterError,
        "weights cannot be 'bst'",
    ),
    Case(
        "measure unknown at construction",
        lambda: fit(changed(NET, model__measures=("rmsee",)), validate=0.2),
        ParameterError,
        "no measure 'rmsee'",
        at="model",
        fix="did you mean 'rmse'?",
    ),
    Case(
        "optimizer unknown",
        lambda: nn.optimizer("adan"),
        ParameterError,
        "no optimizer 'adan'",
        fix="did you mean",
    ),
    Case(
        "optimizer parameter misspelt",
        lambda: nn.optimizer("adam", learning_rate=1.0),
        ParameterError,
        "adam has no parameter 'learning_rate'",
    ),
    Case(
        "optimizer parameter negative",
        lambda: nn.optimizer("adam", lr=-1.0),
        ParameterError,
        "lr cannot be -1.0",
    ),
    Case(
        "betas too large",
        lambda: nn.optimizer("adam", betas=(0.9, 1.0)),
        ParameterError,
        "betas cannot be",
    ),
    Case(
        "betas no pair",
        lambda: nn.optimizer("adam", betas=0.9),
        ParameterError,
        "betas cannot be 0.9",
    ),
    Case("loss unknown", lambda: nn.loss("mean"), ParameterError, "no loss 'mean'", fix="mse"),
    Case(
        "loss parameter unknown",
        lambda: nn.loss("mse", reduce="sum"),
        ParameterError,
        "mse has no parameter 'reduce'",
        fix="did you mean 'reduction'?",
    ),
    Case(
        "loss reduction unknown",
        lambda: nn.loss("mse", reduction="none"),
        ParameterError,
        "reduction cannot be 'none'",
    ),
    Case(
        "measures no sequence",
        lambda: nn.model(epochs=1, measures=3),
        ParameterError,
        "measures cannot be 3",
    ),
    Case(
        "path unknown in set",
        lambda: NET.set({"linear.width": 3}),
        ParameterError,
        "'linear' has no parameter 'width'",
    ),
    Case(
        "node unknown in set",
        lambda: NET.set({"liner.out_features": 3}),
        ParameterError,
        "no node 'liner'",
        fix="did you mean 'linear'?",
    ),
    Case(
        "pattern without a match",
        lambda: NET.set({"*.width": 3}),
        ParameterError,
        "'*.width' leads to no parameter",
    ),
    Case(
        "set with a bad value",
        lambda: NET.set({"linear.out_features": "wide"}),
        ParameterError,
        "out_features cannot be 'wide'",
        at="linear",
    ),
    Case(
        "at an unknown path",
        lambda: NET.at("linear.width"),
        ParameterError,
        "nothing stands at 'linear.width'",
    ),
    Case(
        "set a node as a whole",
        lambda: NET.set({"linear": 3}),
        ParameterError,
        "'linear' leads to the node 'linear'",
    ),
    Case("id with a dot", lambda: nn.linear(3, id="a.b"), ParameterError, "id cannot be 'a.b'"),
    Case(
        "branch option unknown",
        lambda: nn.branch(a=nn.relu(), b=nn.tanh(), selection="c"),
        ParameterError,
        "branch has no option 'c'",
    ),
    Case(
        "branch option unknown in set",
        lambda: nn.branch(a=nn.relu(), b=nn.tanh()).set({"branch.selection": "c"}),
        ParameterError,
        "branch has no option 'c'",
        at="branch",
    ),
    Case("branch without options", lambda: nn.branch(), GraphError, "at least one option"),
    Case(
        "branch of unequal arities",
        lambda: nn.branch(a=nn.relu(), b=nn.relu() & nn.relu()),
        GraphError,
        "must be interchangeable",
    ),
    Case(
        "block below zero", lambda: nn.block(nn.relu(), -1), ParameterError, "n_blocks cannot be -1"
    ),
    Case(
        "block path unknown",
        lambda: nn.block(nn.linear(3), 2).set({"block.linear.width": 3}),
        ParameterError,
        "no parameter 'width'",
        at="block",
    ),
    Case(
        "block copy path unknown",
        lambda: nn.block(nn.linear(3), 2).set({"block[0].linear.width": 3}),
        ParameterError,
        "no parameter 'linear.width'",
    ),
    Case(
        "block copy too high",
        lambda: fit(
            nn.ingress_numeric()
            >> nn.block(nn.linear(3), 2).set({"block[5].linear.out_features": 3})
        ),
        ParameterError,
        "has no copy [5]",
        at="block",
    ),
    Case(
        "network input no shape",
        lambda: nn.network(nn.linear(3), x=(None, -4)),
        ParameterError,
        "is no shape",
    ),
    Case("folds below 2", lambda: fp.cv(1), ParameterError, "folds cannot be 1"),
    Case("holdout ratio 1", lambda: fp.holdout(1.0), ParameterError, "ratio cannot be 1.0"),
    Case(
        "holdout ratio as text",
        lambda: fp.holdout("half"),
        ParameterError,
        "ratio cannot be 'half'",
    ),
    Case(
        "partition ratio 0",
        lambda: fp.partition(REGRESSION, 0.0, key=KEY),
        ParameterError,
        "ratio cannot be 0.0",
    ),
    Case(
        "partition ratio as text",
        lambda: fp.partition(REGRESSION, "half", key=KEY),
        ParameterError,
        "ratio cannot be 'half'",
    ),
]

KEYS = [
    Case(
        "fit without a key",
        lambda: fp.fit(NET, REGRESSION, key=None),
        ParameterError,
        "what draws takes a key",
        fix="fp.key(",
    ),
    Case(
        "partition without a key",
        lambda: fp.partition(REGRESSION, key=None),
        ParameterError,
        "what draws takes a key",
        fix="fp.key(",
    ),
    Case(
        "resample without a key",
        lambda: fp.resample(NET, REGRESSION, fp.cv(2), key=None),
        ParameterError,
        "what draws takes a key",
        fix="fp.key(",
    ),
    Case(
        "a seed instead of a key",
        lambda: fp.fit(NET, REGRESSION, key=42),
        ParameterError,
        "key",
        fix="fp.key(42)",
    ),
    Case("a negative seed", lambda: fp.key(-1), ParameterError, "-1"),
    Case("a seed as text", lambda: fp.key("42"), ParameterError, "42"),
    Case(
        "a key folded with a float",
        lambda: KEY.fold_in(0.5),
        ParameterError,
        "folded with an integer or a name only",
    ),
]

TASKS = [
    Case(
        "target as group, classes",
        lambda: fp.classification({"x": range(4), "y": list("abab")}, "y", group="y"),
        SchemaError,
        "the target 'y' cannot be the group as well.",
        fix="leave the group out",
    ),
    Case(
        "target as group, numbers",
        lambda: fp.regression(frame(), "y", group="y"),
        SchemaError,
        "the target 'y' cannot be the group as well.",
        fix="leave the group out",
    ),
    Case(
        "target as group, afterwards",
        lambda: REGRESSION.with_roles(group="y"),
        SchemaError,
        "the target 'y' cannot be the group as well.",
        fix="leave the group out",
    ),
    Case(
        "one value for a column",
        lambda: fp.regression(frame(z=1), "y"),
        SchemaError,
        "column 'z' is one value, and others have one per row.",
        fix="{'z': [...]}, with one value per row",
    ),
    Case(
        "one text for a column",
        lambda: fp.predict(FITTED, {"x1": "u", "x2": [1.0, 2.0]}),
        SchemaError,
        "column 'x1' is one value, and others have one per row.",
    ),
    Case(
        "an array of no dimension for a column",
        lambda: fp.regression(frame(z=np.array(1.0)), "y"),
        SchemaError,
        "column 'z' is one value",
    ),
    Case(
        "a list for a target",
        lambda: fp.regression(frame(), ["y"]),  # type: ignore[arg-type]
        SchemaError,
        "target takes the name of one column.",
        fix="target='y'",
    ),
    Case(
        "two groups",
        lambda: fp.regression(frame(), "y", group=["x", "y"]),  # type: ignore[arg-type]
        SchemaError,
        "group takes the name of one column.",
    ),
    Case(
        "Python objects for a column",
        lambda: fp.regression(frame(z=pl.Series([1, "a", None], dtype=pl.Object)), "y"),
        SchemaError,
        "column 'z' has the type Object, which cannot be a feature.",
        fix="give 'z' a type first (it holds int, str)",
    ),
    Case(
        "empty table",
        lambda: fp.regression(frame(x=[], y=[]), "y"),
        DataError,
        "the table has no rows",
    ),
    Case("table without columns", lambda: fp.regression({}, "y"), DataError, "no rows"),
    Case(
        "columns of unequal lengths",
        lambda: fp.regression(frame(x=[1.0] * 2), "y"),
        DataError,
        "do not make a table",
    ),
    Case("no table at all", lambda: fp.regression(3, "y"), SchemaError, "int is no table"),
    Case(
        "None instead of a table",
        lambda: fp.regression(None, "y"),
        SchemaError,
        "NoneType is no table",
    ),
    Case(
        "file that is not there",
        lambda: fp.regression("nowhere.csv", "y"),
        DataError,
        "cannot be read",
        at="nowhere.csv",
    ),
    Case("file of an unknown type", lambda: fp.regression("table.xyz", "y"), DataError, ".xyz"),
    Case("target unknown", lambda: fp.regression(frame(), "z"), SchemaError, "no column 'z'"),
    Case("target no string", lambda: fp.regression(frame(), 1), SchemaError, "name of one"),
    Case(
        "target close to a column",
        lambda: fp.regression(frame(price=[1, 2, 3]), "prise"),
        SchemaError,
        "no column 'prise'",
        fix="did you mean 'price'?",
    ),
    Case(
        "target missing somewhere",
        lambda: fp.regression(frame(y=[1.0, None, 2.0]), "y"),
        DataError,
        "missing in 1 of 3 rows",
        fix="drop the rows without a value of 'y'",
    ),
    Case(
        "target NaN somewhere",
        lambda: fp.regression(frame(y=[1.0, float("nan"), 2.0]), "y"),
        DataError,
        "missing in 1 of 3 rows",
    ),
    Case(
        "target infinite",
        lambda: fp.regression(frame(y=[1.0, float("inf"), 2.0]), "y"),
        DataError,
        "infinite",
    ),
    Case(
        "class missing somewhere",
        lambda: fp.classification(frame(y=["a", None, "b"]), "y"),
        DataError,
        "missing in 1 of 3 rows",
    ),
    Case(
        "constant target, regression",
        lambda: fp.regression(frame(y=[2.0] * 3), "y"),
        DataError,
        "same value in every row",
    ),
    Case(
        "constant target, classification",
        lambda: fp.classification(frame(y=["a"] * 3), "y"),
        DataError,
        "same value in every row",
    ),
    Case(
        "one row",
        lambda: fp.regression({"x": [1.0], "y": [1.0]}, "y"),
        DataError,
        "same value in every row",
    ),
    Case(
        "text target of a regression",
        lambda: fp.regression(frame(y=["a", "b", "c"]), "y"),
        SchemaError,
        "has the type String",
        fix="fp.classification",
    ),
    Case(
        "truth values as target of a regression",
        lambda: fp.regression(frame(y=[True, False, True]), "y"),
        SchemaError,
        "has the type Boolean",
    ),
    Case(
        "list target of a classification",
        lambda: fp.classification(frame(y=[[1], [2], [3]]), "y"),
        SchemaError,
        "cannot be classes",
    ),
    Case(
        "duplicate columns", lambda: fp.regression(twice(), "y"), SchemaError, "'x' occurs 2 times"
    ),
    Case(
        "column name no string",
        lambda: fp.regression({0: [1.0, 2.0], "y": [1.0, 2.0]}, "y"),
        SchemaError,
        "a column name is no string",
    ),
    Case(
        "pandas column name no string",
        lambda: fp.regression(pd.DataFrame([[1.0, 2.0], [3.0, 4.0]]), "1"),
        SchemaError,
        "a column name is no string",
    ),
    Case(
        "column name a pattern",
        lambda: fp.regression(frame(**{"^a$": [1, 2, 3]}), "y"),
        SchemaError,
        "is a pattern",
    ),
    Case(
        "feature of an unsupported type",
        lambda: fp.regression(frame(x=[[1], [2], [3]]), "y"),
        SchemaError,
        "column 'x' has the type List",
    ),
    Case(
        "feature of objects",
        lambda: fp.regression(frame(x=[object(), object(), object()]), "y"),
        SchemaError,
        "column 'x' has the type Object",
    ),
    Case(
        "binary feature",
        lambda: fp.regression(frame(x=[b"a", b"b", b"c"]), "y"),
        SchemaError,
        "column 'x' has the type Binary",
    ),
    Case(
        "feature unknown",
        lambda: fp.regression(frame(), "y", features=["z"]),
        SchemaError,
        "no column 'z'",
    ),
    Case(
        "feature twice",
        lambda: fp.regression(frame(), "y", features=["x", "x"]),
        SchemaError,
        "'x'",
    ),
    Case(
        "target also a feature",
        lambda: fp.regression(frame(), "y", features=["x", "y"]),
        SchemaError,
        "'y' is also a feature",
    ),
    Case(
        "group also a feature",
        lambda: fp.regression(frame(g=[1, 2, 3]), "y", features=["x", "g"], group="g"),
        SchemaError,
        "'g'",
    ),
    Case(
        "weights negative",
        lambda: fp.regression(frame(w=[1.0, -1.0, 2.0]), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "weights missing",
        lambda: fp.regression(frame(w=[1.0, None, 2.0]), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "weights NaN",
        lambda: fp.regression(frame(w=[1.0, float("nan"), 2.0]), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "weights infinite",
        lambda: fp.regression(frame(w=[1.0, float("inf"), 2.0]), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "weights all zero",
        lambda: fp.regression(frame(w=[0.0] * 3), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "weights as text",
        lambda: fp.regression(frame(w=["a", "b", "c"]), "y", weight="w"),
        DataError,
        "'w' cannot weigh",
    ),
    Case(
        "row ids repeated",
        lambda: fp.regression(frame(i=[1, 1, 2]), "y", row_id="i"),
        DataError,
        "'i' cannot name the rows",
    ),
    Case(
        "features neither name nor names",
        lambda: fp.regression(frame(), "y", features=3),
        SchemaError,
        "no column '3'",
    ),
    Case(
        "weight also a feature",
        lambda: fp.regression(frame(), "y", features=["x"], weight="x"),
        SchemaError,
        "the weight 'x' is also a feature",
    ),
    Case(
        "group missing somewhere",
        lambda: fp.regression(frame(g=["a", None, "b"]), "y", group="g"),
        DataError,
        "missing in 1 rows",
    ),
    Case(
        "group missing, given afterwards",
        lambda: HOLED.with_roles(group="x1"),
        DataError,
        "missing in 1 rows",
    ),
    Case(
        "weights negative, given afterwards",
        lambda: REGRESSION.with_roles(weight="x1"),
        DataError,
        "'x1' cannot weigh",
    ),
    Case(
        "role of the target",
        lambda: REGRESSION.with_roles(target="x1"),
        SchemaError,
        "cannot be given afterwards",
    ),
    Case(
        "repeat a row that is not there",
        lambda: REGRESSION.repeat([0, 0, -3]),
        DataError,
        "no row at position -3",
    ),
    Case(
        "row ids as text",
        lambda: fp.regression(frame(i=["a", "b", "c"]), "y", row_id="i"),
        DataError,
        "'i' cannot name the rows",
    ),
    Case(
        "positive class unknown",
        lambda: fp.classification(frame(y=["a", "b", "a"]), "y", positive="c"),
        ParameterError,
        "positive class 'c' is no class",
    ),
    Case(
        "positive class of three",
        lambda: fp.classification(frame(y=["a", "b", "c"]), "y", positive="a"),
        ParameterError,
        "one of 3 classes cannot be the positive one",
    ),
    Case(
        "group unknown",
        lambda: fp.regression(frame(), "y", group="g"),
        SchemaError,
        "no column 'g'",
    ),
    Case(
        "rbind of different schemas",
        lambda: REGRESSION.rbind(MIXED),
        SchemaError,
        "different columns",
    ),
    Case(
        "rbind of different kinds",
        lambda: REGRESSION.rbind(BINARY),
        SchemaError,
        "different columns",
    ),
    Case(
        "cbind of other rows",
        lambda: REGRESSION.cbind(pl.DataFrame({"z": [1.0]})),
        DataError,
        "1 rows do not fit a task of 41 rows",
    ),
    Case(
        "cbind over the target",
        lambda: REGRESSION.cbind(pl.DataFrame({"y": X1})),
        SchemaError,
        "'y'",
    ),
    Case("take a row twice", lambda: REGRESSION.take([0, 0]), DataError, "taken twice"),
    Case(
        "take a row that is not there",
        lambda: REGRESSION.take([99]),
        DataError,
        "no row at position 99",
    ),
    Case(
        "select an unknown feature",
        lambda: REGRESSION.select(["x9"]),
        SchemaError,
        "no column 'x9'",
    ),
    Case(
        "filter by an unknown column",
        lambda: REGRESSION.filter(pl.col("zz") > 0),
        SchemaError,
        "zz",
    ),
    Case(
        "role unknown",
        lambda: REGRESSION.with_roles(grup="x1"),
        SchemaError,
        "grup",
        fix="did you mean 'group'?",
    ),
    Case("pool of nothing", lambda: pool([]), DataError, "no prediction"),
]

GRAPHS = [
    Case(
        "a branch of a list",
        lambda: nn.branch([nn.relu(), nn.tanh()]),
        ParameterError,
        "branch takes 0 positional parameters but got 1.",
        fix="nn.branch(relu=nn.relu(), tanh=nn.tanh())",
    ),
    Case(
        "task op after a network op",
        lambda: nn.ingress_numeric() >> ops.scale(),
        GraphError,
        "what 'ingress_numeric' gives cannot enter 'scale'",
        at="ingress_numeric >> scale",
        fix="before the ingress",
    ),
    Case(
        "network op without an ingress",
        lambda: ops.scale() >> nn.linear(3),
        GraphError,
        "what 'scale' gives cannot enter 'linear'",
        at="scale >> linear",
        fix="ingress",
    ),
    Case(
        "arity mismatch",
        lambda: (nn.relu() & nn.relu()) >> (nn.relu() & nn.relu() & nn.relu()),
        GraphError,
        "2 outputs but the right graph has 3 inputs",
        at="relu & relu_2 >> relu & relu_2 & relu_3",
    ),
    Case(
        "arity mismatch, many into one",
        lambda: (nn.relu() & nn.relu()) >> nn.linear(3),
        GraphError,
        "2 outputs but the right graph has 1 input",
        at="relu & relu_2 >> linear",
    ),
    Case(
        "nothing into one",
        lambda: (nn.relu() >> nn.relu())[()] >> nn.relu(),
        GraphError,
        "0 outputs",
    ),
    Case(
        "given id twice",
        lambda: nn.relu(id="a") >> nn.tanh(id="a"),
        GraphError,
        "the id 'a' is given to 2 nodes",
    ),
    Case(
        "given id twice beside",
        lambda: nn.relu(id="a") & nn.tanh(id="a"),
        GraphError,
        "the id 'a' is given to 2 nodes",
    ),
    Case(
        "operator not called",
        lambda: nn.relu() >> nn.relu,
        GraphError,
        "the function 'relu' cannot be joined",
        fix="call it: relu(...)",
    ),
    Case("a number joined", lambda: nn.relu() >> 3, GraphError, "int cannot be joined"),
    Case("output unknown", lambda: nn.relu()["indices"], GraphError, "no single output 'indices'"),
    Case("output number unknown", lambda: nn.relu()[4], GraphError, "no single output 4"),
    Case(
        "block gives more than it takes",
        lambda: nn.block(nn.relu() >> (nn.relu() & nn.tanh())),
        GraphError,
        "as many outputs as it takes inputs",
    ),
    Case(
        "unset parameters",
        lambda: fit(nn.ingress_numeric() >> nn.linear() >> nn.linear(id="wide")),
        ParameterError,
        "2 parameters of the graph have not been set",
        fix="linear.out_features",
    ),
    Case(
        "sgd without lr",
        lambda: fit(BODY >> nn.loss("mse") >> nn.optimizer("sgd") >> nn.model(epochs=1)),
        ParameterError,
        "1 parameter of the graph has not been set",
        fix="optimizer.lr",
    ),
    Case(
        "too few inputs",
        lambda: fit(ops.scale() & ops.scale()),
        GraphError,
        "does not take what was given",
    ),
    Case(
        "too many inputs",
        lambda: fit(ops.scale(), (REGRESSION, REGRESSION)),
        GraphError,
        "does not take what was given",
    ),
    Case(
        "a frame instead of a task",
        lambda: fit(NET, REGRESSION.table),
        GraphError,
        "does not take what was given",
        fix="fp.regression(data, target)",
    ),
    Case(
        "too many inputs at apply",
        lambda: fp.apply(FITTED, (REGRESSION, REGRESSION)),
        GraphError,
        "takes 1 inputs but 2 came",
    ),
    Case(
        "no batch in a shape",
        lambda: nn.network(nn.linear(4), a=(6,)),
        ShapeError,
        "linear cannot touch the batch",
        at="linear",
        fix="as in (?, 6)",
    ),
    Case(
        "tables in a residual",
        lambda: nn.residual(ops.scale()),
        GraphError,
        "a residual path is made of layers",
        fix="put tables before the ingress",
    ),
    Case(
        "a model in a shortcut",
        lambda: nn.residual(
            nn.linear(3), shortcut=nn.head() >> nn.loss("mse") >> nn.model(epochs=1)
        ),
        GraphError,
        "a residual path is made of layers",
        fix="before the ingress",
    ),
    Case(
        "no such dimension in merge_cat",
        lambda: nn.network(nn.merge_cat(5), a=(None, 3)),
        ShapeError,
        "merge_cat needs dimension 5",
        at="merge_cat",
        fix="use a dimension from -2 to 1",
    ),
    Case(
        "a function of torch in a graph",
        lambda: nn.linear(3) >> torch.relu,
        GraphError,
        "'relu' cannot be joined",
        fix="nn.fn(torch.relu)",
    ),
    Case(
        "a function of torch.nn in a graph",
        lambda: nn.linear(3) >> torch.nn.functional.gelu,
        GraphError,
        "'gelu' cannot be joined",
        fix="nn.fn(torch.nn.functional.gelu)",
    ),
    Case(
        "a class of torch in a graph",
        lambda: nn.linear(3) >> torch.nn.ReLU,
        GraphError,
        "'ReLU' cannot be joined",
        fix="nn.module(torch.nn.ReLU)",
    ),
    Case(
        "a function as a module",
        lambda: nn.network(nn.module(torch.relu), x=(None, 3)),
        ParameterError,
        "relu cannot be built",
        at="module",
        fix="a function of tensors is nn.fn(relu)",
    ),
    Case(
        "a number as a function",
        lambda: nn.fn(3),
        ParameterError,
        "3 is no function of tensors",
        fix="such as torch.relu",
    ),
    Case(
        "a number as an operator",
        lambda: nn.operator(3),
        ParameterError,
        "3 is no function of tensors",
        fix="such as torch.relu",
    ),
    Case(
        "a token before features",
        lambda: nn.network(nn.cls_token(), x=(None, 3)),
        ShapeError,
        "cls_token takes 3 dimensions but got 2",
        at="cls_token",
        fix="nn.tokenizer_numeric(8), or nn.unsqueeze(1)",
    ),
    Case(
        "images into batch_norm1d",
        lambda: nn.network(nn.batch_norm1d(), x=(None, 3, 4, 5)),
        ShapeError,
        "takes 2 or 3 dimensions but got 4",
        at="batch_norm1d",
        fix="nn.flatten()",
    ),
    Case(
        "nothing into a network",
        lambda: nn.network(nn.linear(2), x=(None, 3)).bind(KEY)(),
        ShapeError,
        "the network has 1 input.",
        fix="one tensor per input",
    ),
    Case(
        "another width into a network",
        lambda: nn.network(nn.linear(2), x=(None, 3)).bind(KEY)(torch.zeros(2, 4)),
        ShapeError,
        "linear was made for 3 features",
        at="linear",
        fix="give inputs of 3 features",
    ),
    Case(
        "too few shapes for a network",
        lambda: nn.network(nn.linear(2)),
        GraphError,
        "1 input but 0 shapes",
    ),
    Case(
        "a model in a network",
        lambda: nn.network(
            nn.linear(2) >> nn.loss("mse") >> nn.optimizer("adam") >> nn.model(epochs=1),
            x=(None, 2),
        ),
        FpipeError,
        "not fed by a task",
    ),
]

NETWORKS = [
    Case(
        "missing value at the ingress",
        lambda: fit(NET, HOLED),
        DataError,
        "column 'x1' has 1 missing or infinite",
        at="ingress_numeric",
        fix="impute",
    ),
    Case(
        "infinite value at the ingress",
        lambda: fit(NET, INFINITE),
        DataError,
        "column 'x1' has 1 missing or infinite",
        at="ingress_numeric",
    ),
    Case(
        "text at the ingress",
        lambda: fit(NET, MIXED),
        SchemaError,
        "'colour' is Enum",
        at="ingress_numeric",
        fix="one_hot",
    ),
    Case(
        "text at the ingress, by check",
        lambda: fp.check(NET, MIXED),
        SchemaError,
        "'colour' is Enum",
        at="ingress_numeric",
    ),
    Case(
        "no features",
        lambda: fit(ops.select(ops.categorical()) >> NET),
        SchemaError,
        "no feature reaches the ingress",
        at="ingress_numeric",
    ),
    Case(
        "select an unknown name",
        lambda: fit(ops.select("x3") >> NET),
        SchemaError,
        "no feature 'x3'",
        at="select",
        fix="use one of 'x1', 'x2'",
    ),
    Case(
        "loss missing",
        lambda: fit(BODY >> nn.optimizer("adam") >> nn.model(epochs=1)),
        ParameterError,
        "no loss is set",
        at="model",
        fix="nn.loss",
    ),
    Case(
        "optimizer missing",
        lambda: fit(BODY >> nn.loss("mse") >> nn.model(epochs=1)),
        ParameterError,
        "no optimizer is set",
        at="model",
        fix="nn.optimizer",
    ),
    Case(
        "loss missing, by check",
        lambda: fp.check(BODY >> nn.optimizer("adam") >> nn.model(epochs=1), REGRESSION),
        ParameterError,
        "no loss is set",
        at="model",
    ),
    Case(
        "classification loss for a regression",
        lambda: fit(CLASSIFIER),
        ParameterError,
        "'cross_entropy' is not for regression",
        at="loss",
        fix="mse",
    ),
    Case(
        "regression loss for a classification",
        lambda: fit(NET, BINARY),
        ParameterError,
        "'mse' is not for classification",
        at="loss",
        fix="cross_entropy",
    ),
    Case(
        "loss value for the wrong kind",
        lambda: fp.run(BODY >> nn.loss(CrossEntropy()), REGRESSION, key=KEY),
        ParameterError,
        "'cross_entropy' is not for regression",
        at="loss",
    ),
    Case(
        "loss set twice",
        lambda: fp.run(BODY >> nn.loss("mse") >> nn.loss("mse"), REGRESSION, key=KEY),
        ParameterError,
        "the loss is set twice",
        at="loss_2",
    ),
    Case(
        "optimizer set twice",
        lambda: fp.run(BODY >> nn.optimizer("adam") >> nn.optimizer("adam"), REGRESSION, key=KEY),
        ParameterError,
        "the optimizer is set twice",
        at="optimizer_2",
    ),
    Case(
        "patience without validation",
        lambda: fit(changed(NET, model__patience=2)),
        ParameterError,
        "need validation rows",
        at="model",
        fix="validate=0.2",
    ),
    Case(
        "measures without validation",
        lambda: fit(changed(NET, model__measures=("rmse",))),
        ParameterError,
        "need validation rows",
        at="model",
        fix="validate=0.2",
    ),
    Case(
        "best weights without validation",
        lambda: fit(changed(NET, model__weights="best")),
        ParameterError,
        "need validation rows",
        at="model",
    ),
    Case(
        "monitor not measured",
        lambda: fit(changed(NET, model__monitor="mae"), validate=0.2),
        ParameterError,
        "monitor 'mae' is not measured",
        at="model",
        fix="measures=('mae',)",
    ),
    Case(
        "measure for the wrong kind",
        lambda: fit(changed(NET, model__measures=("accuracy",)), validate=0.2),
        ParameterError,
        "a measure for classification meets",
        at="model",
    ),
    Case(
        "batches of one into batch norm",
        lambda: fit(changed(NORMED, model__batch_size=1)),
        DataError,
        "'batch_norm1d' cannot normalise a training batch of one row",
        at="model",
    ),
    Case(
        "a last batch of one into batch norm",
        lambda: fit(changed(NORMED, model__batch_size=8)),
        DataError,
        "batch of one row",
        at="model",
        fix="drop_last=True",
    ),
    Case(
        "drop_last leaves no batch",
        lambda: fit(changed(NET, model__batch_size=64, model__drop_last=True)),
        ParameterError,
        "41 rows has no batch of 64",
        at="model",
    ),
    Case(
        "one class in training",
        lambda: fit(CLASSIFIER, ONE_CLASS),
        DataError,
        "training rows have the class 'yes'",
        at="model",
    ),
    Case(
        "head without a task",
        lambda: nn.network(nn.head(), x=(None, 3)),
        ShapeError,
        "head needs a task",
        at="head",
        fix="nn.linear",
    ),
    Case(
        "merge shapes mismatch",
        lambda: fp.run(fp.identity() >> TWO_PATHS >> nn.merge_sum(), REGRESSION, key=KEY),
        ShapeError,
        "sizes 3 and 4 do not go together",
        at="merge_sum",
    ),
    Case(
        "merge shapes mismatch, by check",
        lambda: fp.check(TWO_PATHS >> nn.merge_sum(), (REGRESSION, REGRESSION)),
        ShapeError,
        "sizes 3 and 4",
        at="merge_sum",
    ),
    Case(
        "merge of unequal ranks",
        lambda: nn.network((nn.relu() & nn.relu()) >> nn.merge_sum(), a=(None, 3), b=(None, 3, 4)),
        ShapeError,
        "different numbers of dimensions",
        at="merge_sum",
    ),
    Case(
        "concatenation along the batch",
        lambda: nn.network((nn.relu() & nn.relu()) >> nn.merge_cat(0), a=(None, 3), b=(None, 3)),
        ShapeError,
        "behind each other",
        at="merge_cat",
    ),
    Case(
        "concatenation along a missing dimension",
        lambda: nn.network((nn.relu() & nn.relu()) >> nn.merge_cat(4), a=(None, 3), b=(None, 3)),
        ShapeError,
        "dimension 4",
        at="merge_cat",
    ),
    Case(
        "linear over an unknown size",
        lambda: nn.network(nn.linear(3), x=(None, None)),
        ShapeError,
        "must know the size of dimension -1",
        at="linear",
    ),
    Case(
        "batch norm of four dimensions",
        lambda: nn.network(nn.batch_norm1d(), x=(None, 2, 3, 4)),
        ShapeError,
        "takes 2 or 3 dimensions but got 4",
        at="batch_norm1d",
    ),
    Case(
        "module with wrong arguments",
        lambda: nn.network(nn.module(torch.nn.Linear, 3, width=4), x=(None, 3)),
        ParameterError,
        "cannot be built",
        at="module",
    ),
    Case(
        "module over a wrong shape",
        lambda: nn.network(nn.module(torch.nn.Linear, 3, 4), x=(None, 5)),
        ShapeError,
        "cannot take inputs of these shapes",
        at="module",
    ),
    Case(
        "module that is none",
        lambda: nn.network(nn.module(torch.zeros, 3), x=(None, 5)),
        ParameterError,
        "gives no module",
        at="module",
    ),
    Case(
        "network without a head",
        lambda: fit(
            nn.ingress_numeric()
            >> nn.linear(3)
            >> nn.loss("mse")
            >> nn.optimizer("adam")
            >> nn.model(epochs=1)
        ),
        ShapeError,
        "the network gives",
        at="model",
        fix="nn.head()",
    ),
    Case(
        "network without a head, classification",
        lambda: fit(
            nn.ingress_numeric()
            >> nn.linear(5)
            >> nn.loss("cross_entropy")
            >> nn.optimizer("adam")
            >> nn.model(epochs=1),
            MULTI,
        ),
        ShapeError,
        "the network gives",
        at="model",
        fix="nn.head()",
    ),
    Case(
        "training loss diverges",
        lambda: fit(changed(NET, optimizer__lr=1e30, model__epochs=3)),
        StateError,
        "the training loss is",
        at="model",
        fix="lower the learning rate",
    ),
    Case(
        "interpreter unknown",
        lambda: fit(NET, interpreter="slow"),
        ParameterError,
        "no interpreter 'slow'",
    ),
    Case(
        "device unknown",
        lambda: fit(NET, device="abacus"),
        ParameterError,
        "the device 'abacus' cannot be used",
    ),
    Case("device no text", lambda: fit(NET, device=3.5), ParameterError, "device"),
    Case(
        "scale_target on a classification",
        lambda: fit(ops.scale_target() >> CLASSIFIER, BINARY),
        ParameterError,
        "scale_target is for regression",
        at="scale_target",
    ),
    Case(
        "scale_target on a classification, by check",
        lambda: fp.check(ops.scale_target(), BINARY),
        ParameterError,
        "scale_target is for regression",
        at="scale_target",
    ),
    Case(
        "impute a column missing everywhere",
        lambda: fit(ops.impute_median(), EMPTY_COLUMN),
        DataError,
        "'x1', which is missing in every row",
        at="impute_median",
        fix="ops.named('x1')",
    ),
    Case(
        "place inside a wrap",
        lambda: fit(fp.wrap(ops.impute_median(), id="clean"), EMPTY_COLUMN),
        DataError,
        "missing in every row",
        at="clean.impute_median",
    ),
    Case(
        "paths that disagree about an id",
        lambda: fit((fp.wrap(ops.scale(), id="s") & fp.identity()) >> (ops.scale() & ops.scale())),
        GraphError,
        "does not take",
    ),
]

APPLYING = [
    Case(
        "predict without a column",
        lambda: fp.predict(FITTED, {"x1": [1.0]}),
        SchemaError,
        "1 of the 2 features",
        fix="add the column 'x2'",
    ),
    Case(
        "predict with text for numbers",
        lambda: fp.predict(FITTED, {"x1": ["a"], "x2": [1.0]}),
        SchemaError,
        "column 'x1' was Float64 at fit and is",
    ),
    Case(
        "predict with lists for numbers",
        lambda: fp.predict(
            fp.fit(
                NET,
                fp.regression(
                    REGRESSION.table.with_columns(x1=pl.Series(range(41), dtype=pl.UInt8)), "y"
                ),
                key=KEY,
            ),
            {"x1": [[1]], "x2": [1.0]},
        ),
        SchemaError,
        "column 'x1' was UInt8",
    ),
    Case(
        "predict with a null",
        lambda: fp.predict(FITTED, {"x1": [None], "x2": [1.0]}),
        DataError,
        "column 'x1' has 1 missing",
        at="ingress_numeric",
    ),
    Case(
        "predict with an unseen level",
        lambda: fp.apply(ENCODED, {"x1": [1.0, 2.0], "colour": ["red", "pink"]}),
        DataError,
        "level 'pink', which was not there at fit",
        at="one_hot",
        fix='unseen="zeros"',
    ),
    Case(
        "predict without a prediction",
        lambda: fp.predict(ENCODED, MIXED),
        GraphError,
        "does not end in a prediction",
        fix="nn.model",
    ),
    Case(
        "apply what is not fitted",
        lambda: fp.apply(NET, REGRESSION),
        GraphError,
        "Graph is not fitted",
        fix="fp.fit",
    ),
    Case(
        "predict with what is not fitted",
        lambda: fp.predict(NET, REGRESSION),
        GraphError,
        "Graph is not fitted",
        fix="fp.fit",
    ),
    Case("predict on no table", lambda: fp.predict(FITTED, 3), SchemaError, "int is no table"),
    Case(
        "state of an unknown node",
        lambda: FITTED.state("mode"),
        ParameterError,
        "nothing was fitted at 'mode'",
        fix="did you mean 'model'?",
    ),
    Case(
        "score without truth",
        lambda: fp.predict(FITTED, NO_TRUTH).score("rmse"),
        DataError,
        "rmse needs the truth",
    ),
    Case(
        "score by an unknown measure",
        lambda: fp.predict(FITTED, REGRESSION).score("rmsse"),
        ParameterError,
        "no measure 'rmsse'",
        fix="did you mean 'rmse'?",
    ),
    Case(
        "score by a measure of the wrong kind",
        lambda: fp.predict(FITTED, REGRESSION).score("accuracy"),
        ParameterError,
        "a measure for classification meets",
    ),
    Case(
        "score of no rows",
        lambda: fp.predict(FITTED, REGRESSION.take([])).score("rmse"),
        UndefinedError,
        "zero rows have no score",
    ),
]

EVALUATING = [
    Case(
        "validate of 1.5", lambda: fit(NET, validate=1.5), ParameterError, "validate cannot be 1.5"
    ),
    Case("validate of 0", lambda: fit(NET, validate=0.0), ParameterError, "validate cannot be 0.0"),
    Case(
        "validate as True",
        lambda: fit(NET, validate=True),
        ParameterError,
        "validate cannot be True",
    ),
    Case(
        "validate test in fit",
        lambda: fit(NET, validate="test"),
        ParameterError,
        "only where there is a test set",
        fix="fp.resample",
    ),
    Case(
        "validate misspelt in resample",
        lambda: fp.resample(NET, REGRESSION, fp.cv(2), key=KEY, validate="tset"),
        ParameterError,
        "tset",
    ),
    Case(
        "validate twice",
        lambda: fit(NET, REGRESSION.with_valid(REGRESSION), validate=0.2),
        DataError,
        "validation rows already",
    ),
    Case(
        "validate on another target",
        lambda: fit(NET, validate=BINARY),
        SchemaError,
        "the validation task predicts something else",
    ),
    Case(
        "validate on no rows",
        lambda: fit(NET, validate=REGRESSION.take([])),
        DataError,
        "the validation task has no rows",
    ),
    Case(
        "validate without a feature",
        lambda: fit(NET, validate=fp.regression({"x1": X1, "y": X1}, "y")),
        SchemaError,
        "x2",
    ),
    Case(
        "validate leaves no row",
        lambda: fit(NET, REGRESSION.take([0, 1]), validate=0.1),
        DataError,
        "leaves one part empty",
    ),
    Case(
        "validate a task with one group",
        lambda: fit(NET, GROUPED.filter(pl.col("g") == "a"), validate=0.2),
        DataError,
        "1 group",
    ),
    Case(
        "more folds than rows",
        lambda: fp.resample(NET, REGRESSION, fp.cv(50), key=KEY),
        DataError,
        "50 folds were asked for",
        fix="folds=41",
    ),
    Case(
        "more folds than groups",
        lambda: fp.resample(NET, GROUPED, fp.cv(5), key=KEY),
        DataError,
        "only 2 groups",
        fix="folds=2",
    ),
    Case(
        "resample a frame",
        lambda: fp.resample(NET, REGRESSION.table, fp.cv(2), key=KEY),
        DataError,
        "DataFrame is no task",
    ),
    Case(
        "resample by a number",
        lambda: fp.resample(NET, REGRESSION, 5, key=KEY),
        ParameterError,
        "int is no resampling",
        fix="fp.cv(5)",
    ),
    Case(
        "resample what gives no prediction",
        lambda: fp.resample(ops.scale(), REGRESSION, fp.cv(2), key=KEY),
        GraphError,
        "does not end in a prediction",
    ),
    Case(
        "one class in a fold",
        lambda: fp.resample(CLASSIFIER, BINARY.take(range(6)), fp.cv(6), key=KEY).score("roc_auc"),
        UndefinedError,
        "roc_auc",
        at="fold",
    ),
    Case(
        "partition a frame",
        lambda: fp.partition(REGRESSION.table, key=KEY),
        DataError,
        "DataFrame is no task",
    ),
    Case(
        "partition one row",
        lambda: fp.partition(REGRESSION.take([0]), key=KEY),
        DataError,
        "leaves one part empty",
    ),
    Case(
        "check a frame",
        lambda: fp.check(NET, REGRESSION.table),
        GraphError,
        "does not take what was given",
    ),
]


CASES = [*PARAMETERS, *KEYS, *TASKS, *GRAPHS, *NETWORKS, *APPLYING, *EVALUATING]


def prints() -> dict[str, str]:
    return {name: fp.fingerprint(thing) for name, thing in INPUTS.items()}


BEFORE = prints()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_input(case: Case) -> None:
    """The error is of its class, says the rule and a way out, names the node; inputs stay."""
    with pytest.raises(case.error) as caught:
        case.act()
    error = caught.value
    assert type(error) is case.error or case.error in (FpipeError, ShapeError)
    assert case.rule in error.rule or case.rule in str(error)
    assert error.rule.endswith(".")
    assert error.expected is not None or error.got is not None or error.fix is not None
    if case.at is not None:
        assert error.at is not None
        assert error.at.startswith(case.at) if case.at == "fold" else error.at == case.at
    if case.fix is not None:
        assert case.fix in (error.fix or "")
    assert str(error).startswith(error.rule)
    assert prints() == BEFORE


@pytest.mark.parametrize("function", [fp.fit, fp.run, fp.transform, fp.partition, fp.resample])
def test_key_left_out(function: Callable[..., Any]) -> None:
    """Where the key is left out altogether, Python itself names it."""
    with pytest.raises(TypeError, match="keyword-only argument.* 'key'"):
        function(NET, REGRESSION, fp.cv(2)) if function is fp.resample else function(
            REGRESSION, 0.5
        ) if function is fp.partition else function(NET, REGRESSION)


def test_names_are_unique_and_enough() -> None:
    """Every case has a name of its own, and there are at least two hundred."""
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 200
