"""`check_op` passes what keeps the laws and names the law that a planted bug breaks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.core.errors import ParameterError
from fpipe.core.value import descriptor, evolve
from fpipe.graph.graph import operator
from fpipe.ops.task_op import TaskOp
from fpipe.testing import check_op

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
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, TaskOp) else None,
)
def test_planted_bugs(op, law):
    """Each bug is caught, and the message names the law."""
    with pytest.raises(AssertionError, match=f"the law '({law})' is broken"):
        check_op(op, TASK)


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
