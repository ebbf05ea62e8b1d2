"""What leaves an operator is what its output ports declare."""

from __future__ import annotations

import polars as pl
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.core.errors import GraphError
from fpipe.core.value import descriptor
from fpipe.data.task import Task
from fpipe.graph.op import Op
from fpipe.graph.ports import Port
from fpipe.ops.task_op import TaskOp

TASK = fp.regression({"a": [1.0, 2.0, 4.0, 8.0], "y": [1.0, 2.0, 3.0, 4.0]}, "y")


@descriptor
class GivesNothing(TaskOp):
    """Forget to return."""

    name = "silent"

    def transform(self, state, task, key):
        pass


@descriptor
class GivesFrame(GivesNothing):
    """Return the table of the task."""

    name = "frame"

    def transform(self, state, task, key):
        return task.table


@descriptor
class WrongAtFitOnly(TaskOp):
    """Give a frame while fitting."""

    name = "fitting"

    def transform(self, state, task, key):
        return task

    def fit_outputs(self, state, inputs, *, key, context):
        return (inputs[0].table,)


@descriptor
class WrongAtApplyOnly(TaskOp):
    """Give a frame at apply."""

    name = "applying"

    def transform(self, state, task, key):
        return task.table

    def fit_outputs(self, state, inputs, *, key, context):
        return inputs


@descriptor
class OneTooFew(Op):
    """Declare two tasks and give one."""

    name = "pair"
    inputs = (Port("task", Task),)
    outputs = (Port("one", Task), Port("other", Task))

    def apply(self, state, inputs, *, key, context):
        return inputs


@descriptor
class NoTuple(OneTooFew):
    """Give a task that is in no tuple."""

    name = "bare"
    outputs = (Port("task", Task),)

    def apply(self, state, inputs, *, key, context):
        return inputs[0]


@pytest.mark.parametrize(
    ("op", "place", "expected", "got", "fix"),
    [
        (GivesNothing(), "silent", "Task at output 'task'", "NoneType", "missing return"),
        (GivesFrame(), "frame", "Task at output 'task'", "DataFrame", "task.computed"),
        (WrongAtFitOnly(), "fitting", "Task at output 'task'", "DataFrame", "task.computed"),
        (OneTooFew(), "pair", "a tuple of one: Task, other: Task", "a tuple of Task", "per output"),
        (NoTuple(), "bare", "a tuple of task: Task", "Task", "in a tuple"),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_what_leaves_is_what_is_declared(op, place, expected, got, fix):
    """The node is named, with what it declares and what came, before the next node sees it."""
    with pytest.raises(GraphError) as caught:
        fp.transform(ops.scale() >> op, TASK, key=fp.key(0))
    error = caught.value
    assert (error.at, error.expected, error.got) == (place, expected, got)
    assert fix in error.fix


def test_the_same_at_apply_and_for_validation_rows():
    """What is applied is checked as what was fitted."""
    fitted = fp.fit(WrongAtApplyOnly(), TASK, key=fp.key(0))
    for act in (
        lambda: fp.apply(fitted, TASK),
        lambda: fp.transform(WrongAtApplyOnly(), TASK, key=fp.key(0), validate=TASK),
    ):
        with pytest.raises(GraphError) as caught:
            act()
        assert (caught.value.at, caught.value.got) == ("applying", "DataFrame")


def test_a_frame_does_not_reach_the_next_operator():
    """The error names the operator that gave the frame, not the one behind it."""
    with pytest.raises(GraphError) as caught:
        fp.fit(GivesFrame() >> ops.scale(), TASK, key=fp.key(0))
    assert caught.value.at == "frame"
    assert isinstance(TASK.table, pl.DataFrame)
