"""`check_op` passes what keeps the laws and names the law that a planted bug breaks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import callbacks, learners, nn, ops
from fpipe.core.errors import GraphError, ParameterError
from fpipe.core.value import descriptor, evolve
from fpipe.graph.operator import operator
from fpipe.ops.task_op import TaskOp
from fpipe.testing import check_op
from fpipe.testing.laws.asserting import agree

NUMBERS = {"a": [1.0, 2.0, 4.0, 8.0, 3.5, 0.5] * 5, "b": [3.0, -1.0, 0.25] * 10}
TASK = fp.regression(NUMBERS | {"y": [float(i % 7) for i in range(30)]}, "y")
CLASSES = fp.classification(NUMBERS | {"y": ["u", "v", "w"] * 10}, "y")


@descriptor
class Centre(TaskOp):
    """Subtract the mean that was learned."""

    name = "centre"

    def learn(self, task, key):
        return task.column("a").mean()

    def transform(self, state, task, key):
        return task.computed((pl.col("a") - state).alias("a"))


@descriptor
class LooksAtTheBatch(Centre):
    """Subtract the mean of whatever enters."""

    def transform(self, state, task, key):
        return task.computed((pl.col("a") - pl.col("a").mean()).alias("a"))


@descriptor
class DrawsFromTheWorld(Centre):
    """Learn from the global generator."""

    def learn(self, task, key):
        return float(torch.rand(()))


@descriptor
class ForgetsItsType(Centre):
    """Make a column that its type does not know."""

    def transform(self, state, task, key):
        return task.computed((pl.col("a") - state).alias("new"))


@descriptor
class ReadsTheTarget(Centre):
    """Put the target into a feature."""

    def transform(self, state, task, key):
        return task if task.target is None else task.computed(pl.col("y").alias("a"))


@descriptor
class LearnsFromOrder(Centre):
    """Learn the first row."""

    def learn(self, task, key):
        return task.column("a")[0]


@descriptor
class LosesIds(Centre):
    """Number the rows anew."""

    def transform(self, state, task, key):
        return evolve(task, origin=np.arange(1000, 1000 + task.n_rows))


@descriptor
class OtherAtFit(Centre):
    """Give something else while fitting."""

    def fit_outputs(self, state, inputs, *, key, context):
        return (inputs[0].computed((pl.col("a") * 2.0).alias("a")),)


@descriptor
class Declared(OtherAtFit):
    """The same, with a reason."""

    exempt = {
        "fit is apply": "doubled while fitting",
        "fit with validation": "doubled while fitting",
    }


@descriptor
class DeclaredWrongly(OtherAtFit):
    """Exempt from a law that there is not."""

    exempt = {"fit is aply": "a slip"}


@descriptor
class LosesValues(Centre):
    """Divide 0 by 0."""

    def transform(self, state, task, key):
        return task.computed(((pl.col("a") - pl.col("a")) / 0.0).alias("a"))


@descriptor
class LosesToNull(Centre):
    """Put nothing in place of a feature."""

    def transform(self, state, task, key):
        return task.computed(pl.lit(None, pl.Float64).alias("a"))


@descriptor
class LosesOnPurpose(LosesToNull):
    """The same, with a reason."""

    exempt = {"values stay": "it hides a column"}


@descriptor
class KeepsAList(Centre):
    """Learn into a list."""

    def learn(self, task, key):
        return (super().learn(task, key), [1.0])

    def transform(self, state, task, key):
        return super().transform(state[0], task, key)


@descriptor
class KeepsADict(KeepsAList):
    """Learn into a dict."""

    def learn(self, task, key):
        return (Centre.learn(self, task, key), {"a": 1.0})


@descriptor
class KeepsASet(KeepsAList):
    """Learn into a set."""

    def learn(self, task, key):
        return (Centre.learn(self, task, key), {"a"})


@pytest.mark.parametrize(
    ("op", "task"),
    [
        (Centre(), TASK),
        (operator(Centre)(), TASK),
        (ops.scale() >> ops.one_hot(), TASK),
        (ops.scale_target(), TASK),
        (nn.linear(3), CLASSES),
        (nn.dropout(0.4), TASK),
        (nn.batch_norm1d(), TASK),
        (nn.block(nn.linear(4) >> nn.relu(), 2), CLASSES),
        (nn.branch(one=nn.linear(2), other=nn.tanh()), TASK),
        (nn.merge_cat(), TASK),
        (nn.ingress_numeric(), TASK),
        (learners.mlp(neurons=(3,), epochs=1), CLASSES),
        (learners.featureless(), TASK),
    ],
    ids=lambda x: ",".join(x.ids) if hasattr(x, "ids") else getattr(x, "name", None),
)
def test_what_keeps_the_laws(op, task):
    """At least fifteen laws are tried, none is broken."""
    report = check_op(op, task, examples=2)
    assert len(report.held) >= 15
    assert report.exempt == ()
    assert f"{len(report.held)} laws held" in repr(report)


@pytest.mark.parametrize(
    ("op", "law"),
    [
        (LooksAtTheBatch(), "rows are apart"),
        (DrawsFromTheWorld(), "fitting then|wrapping"),
        (ForgetsItsType(), "types are inferred"),
        (ReadsTheTarget(), "target is unread"),
        (LearnsFromOrder(), "row order at fit"),
        (LosesIds(), "origins are kept"),
        (OtherAtFit(), "fit is apply"),
        (LosesValues(), "values stay"),
        (LosesToNull(), "values stay"),
        (KeepsAList(), "states are frozen"),
        (KeepsADict(), "states are frozen"),
        (KeepsASet(), "states are frozen"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, TaskOp) else None,
)
def test_planted_bugs(op, law):
    """Each bug is caught, and the message names the law."""
    with pytest.raises(AssertionError, match=f"the law '({law})' is broken"):
        check_op(op, TASK)


def affine_init(key, shape):
    return {"w": torch.ones(shape[-1]), "b": torch.zeros(shape[-1])}


def affine(params, x):
    return x * params["w"] + params["b"]


def detached(params, x):
    return x * params["w"].detach() + params["b"]


def unread(params, x):
    return x * params["w"]


def alone(params, x):
    return x * params["w"].detach() + params["b"].detach()


def in_training(params, x, *, training):
    return x * params["w"] + params["b"] if training else x


class Unread(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    def forward(self, x):
        return self.used(x)


def own(forward):
    return nn.operator(forward, init=affine_init)()


@pytest.mark.parametrize(
    ("op", "names"),
    [
        (own(detached), "the parameter 'detached.w' "),
        (own(unread), "the parameter 'unread.b' "),
        (own(alone), "each of the parameters 'alone.b', 'alone.w' "),
        (nn.linear(2) >> own(unread) >> nn.relu(), "the parameter 'unread.b' "),
        (nn.module(Unread), "'module.unused.bias', 'module.unused.weight' "),
    ],
    ids=["detached", "unread", "alone", "inside", "module"],
)
def test_parameters_without_a_gradient(op, names):
    """A parameter that no batch teaches is caught, whatever else learns; the message names it."""
    with pytest.raises(AssertionError, match="the law 'parameters learn' is broken") as caught:
        check_op(op, TASK, examples=1)
    assert f"{names}gets no gradient from any batch" in str(caught.value)


@pytest.mark.parametrize("forward", [affine, in_training])
def test_parameters_with_a_gradient(forward):
    """Learning while training is enough; what stands before the operator need not learn."""
    assert "parameters learn" in check_op(own(forward), TASK, examples=1).held
    stops = nn.fn(torch.detach)
    before = nn.ingress_numeric() >> nn.linear(2)
    assert "parameters learn" in check_op(stops, TASK, before=before, examples=1).held


def test_values_may_be_lost_on_purpose():
    """An operator that says why is not tried, and a column that was missing may stay so."""
    assert dict(check_op(LosesOnPurpose(), TASK).exempt) == {"values stay": "it hides a column"}
    holes = fp.regression(NUMBERS | {"n": [None] * 30, "y": TASK.column("y")}, "y")
    assert "values stay" in check_op(Centre(), holes, examples=1).held


REGULAR = fp.regression({"a": [1.0, 2.0, 4.0, 8.0] * 4, "y": [1.0, 2.0, 3.0, 4.0] * 4}, "y")


@descriptor
class KeepsSome(Centre):
    """Leave out rows."""

    least: float = 3.0

    def transform(self, state, task, key):
        return task.take(np.flatnonzero((task.column("a") > self.least).to_numpy()))


@descriptor
class FailsOnFewRows(Centre):
    """Break, in a way that is no error of fpipe, where a row is alone."""

    def transform(self, state, task, key):
        return task if task.n_rows != 1 else [][task.n_rows]


@descriptor
class GivesFrame(Centre):
    """Return a table."""

    def transform(self, state, task, key):
        return task.table


@pytest.mark.parametrize(
    ("op", "law", "words"),
    [
        (LooksAtTheBatch(), "rows are apart", "column 'a', row 0: "),
        (KeepsSome(), "rows are apart", "16 rows entered apply and 8 left"),
        (KeepsSome(0.0), "rows are kept", "16 rows entered apply and 0 left"),
        (FailsOnFewRows(), "rows are apart", "IndexError: list index out of range"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, TaskOp) else None,
)
def test_regular_rows_hide_nothing(op, law, words):
    """Rows that repeat every four do not hide what a part or a single row lacks."""
    with pytest.raises(AssertionError, match=f"the law '{law}' is broken") as caught:
        check_op(op, REGULAR)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_is_no_task_is_refused():
    """A table that leaves where a task is declared is an error before any law is tried."""
    with pytest.raises(GraphError, match="what leaves 'centre'"):
        check_op(GivesFrame(), TASK)


SCRIPT = """
import polars as pl
import torch
import fpipe as fp
from fpipe import nn
from fpipe.core.value import descriptor
from fpipe.ops.task_op import TaskOp
from fpipe.testing import check_op

@descriptor
class Centre(TaskOp):
    name = "centre"

    def learn(self, task, key):
        return task.column("a").mean()

    def transform(self, state, task, key):
        return task.computed((pl.col("a") - state).alias("a"))

@descriptor
class Writes(Centre):
    name = "writes"

    def learn(self, task, key):
        SEEN.append(task)
        return len(SEEN)

SEEN = []

def twice(x):
    return torch.relu(x) * 2

task = fp.regression({"a": [1.0, 2.0, 4.0, 8.0] * 4, "y": [1.0, 2.0, 3.0, 4.0] * 4}, "y")
for op in (Centre(), nn.operator(twice)(), nn.fn(lambda x: x * 3)):
    assert len(check_op(op, task, examples=1).held) > 15
try:
    check_op(Writes(), task, examples=1)
except AssertionError as error:
    print("caught", str(error).split("'")[1])
"""


def test_operators_of_a_script():
    """Classes and functions of ``__main__``, which have no fingerprint, are tried all the same."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "caught fitting then\n"), done.stderr


def squared(output, target):
    return (output - target.reshape(output.shape)) ** 2


@pytest.mark.parametrize(
    ("graph", "task"),
    [
        (nn.loss("mse"), TASK),
        (nn.loss(squared), TASK),
        (nn.optimizer("sgd", lr=0.01), CLASSES),
        (nn.loss("cross_entropy") >> nn.optimizer("adam"), CLASSES),
        (nn.callbacks(callbacks.clip_gradients(1.0)), CLASSES),
        (nn.model(epochs=1), TASK),
        (nn.model(epochs=1), CLASSES),
        (nn.loss("cross_entropy") >> nn.optimizer("adam") >> nn.model(epochs=1), CLASSES),
        (nn.head(), CLASSES),
    ],
    ids=lambda x: ",".join(x.ids) if hasattr(x, "ids") else x.kind.name,
)
def test_what_sets_up_training(graph, task):
    """The surroundings set what the operator does not, and nothing twice."""
    assert len(check_op(graph, task, examples=1).held) >= 15


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        (TASK, evolve(TASK, origin=TASK.origin + 1), "origin, position [0]: 0 and 1"),
        ({"s": (1.0, 2.0)}, {"s": (1.0, 2.5)}, "at s[1]: 2.0 and 2.5"),
        (pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 3]}), "column 'a', row 1: 2 and 3"),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]}), "['a'] and ['b']"),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1, 2]}), "there are 1 and 2 rows"),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1.0]}), "types are Int64 and Float64"),
        (torch.zeros(2, 3), torch.eye(2, 3), "position [0, 0]: 0.0 and 1.0"),
        (torch.zeros(2), torch.zeros(3), "[2] and torch.float32 [3]"),
        (1, "a", "int 1 and str 'a'"),
        ((1,), (1, 2), "it holds (0,) and (0, 1)"),
    ],
)
def test_differences_are_placed(left, right, words):
    """A failure says where two values differ and how, not what they look like."""
    with pytest.raises(AssertionError) as caught:
        agree(left, right, "the output")
    assert str(caught.value).startswith("the output differs")
    assert str(caught.value).endswith(words)
    agree(left, left, "the output")


def test_exemptions_are_reported():
    """What an operator is exempt from is not tried, and shown with its reason."""
    report = check_op(Declared(), TASK)
    assert dict(report.exempt)["fit is apply"] == "doubled while fitting"
    assert "fit is apply" not in report.held
    assert "doubled while fitting" in repr(report)
    with pytest.raises(ParameterError, match="fit is apply"):
        check_op(DeclaredWrongly(), TASK)


def test_own_surroundings():
    """What comes before and after an operator of networks can be given."""
    after = nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.01) >> nn.model(epochs=1)
    before = ops.scale() >> nn.ingress_numeric()
    assert check_op(nn.relu(), TASK, before=before, after=after, key=fp.key(3)).held
