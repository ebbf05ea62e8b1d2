"""Operators on tasks of the user's own: what their class must have."""

from __future__ import annotations

import polars as pl
import pytest

import fpipe as fp
from fpipe import ops
from fpipe.callbacks import descriptor
from fpipe.core.errors import ParameterError

KEY = fp.key(5)
TASK = fp.regression({"a": [1.0, 3.0], "b": [0.0, 2.0], "y": [1.0, 2.0]}, "y")


@descriptor
class Shift(ops.TaskOp):
    """Add a number to a feature."""

    name = "shift"
    by: float = 1.0

    def transform(self, state, task, key):
        return task.computed(pl.col("a") + self.by)


@descriptor
class Nameless(ops.TaskOp):
    def transform(self, state, task, key):
        return task


@descriptor
class Spaced(Nameless):
    name = "two words"


@descriptor
class Idle(ops.TaskOp):
    name = "idle"

    def learn(self, task, key):
        return 1


class Plain(ops.TaskOp):
    name = "plain"

    def transform(self, state, task, key):
        return task


class PlainBelow(Shift):
    by: float = 2.0


def test_an_own_operator():
    """It joins, has parameters, is comparable and can be set."""
    graph = ops.scale(columns="b") >> Shift(by=2.0)
    assert graph.params()["shift.by"] == 2.0
    changed = graph.set({"shift.by": 3.0})
    assert fp.transform(changed, TASK, key=KEY).column("a").to_list() == [4.0, 6.0]
    assert Shift(2.0) == Shift(2.0) != Shift(3.0)


@pytest.mark.parametrize(
    ("cls", "rule", "expected", "fix"),
    [
        (Nameless, "Nameless has no name", "name", 'name = "nameless"'),
        (Spaced, "Spaced has no name", "Python name", 'name = "spaced"'),
        (Plain, "Plain is no descriptor", "descriptor", "@descriptor above class Plain"),
        (Idle, "Idle does not say what it makes", "transform(", "def transform(self, state"),
        (PlainBelow, "PlainBelow is no descriptor", "descriptor", "above class PlainBelow"),
    ],
    ids=lambda x: x.__name__ if isinstance(x, type) else "",
)
def test_classes_that_are_no_operators(refused, cls, rule, expected, fix):
    """A class without a name, or that is no value, is refused as soon as it is used."""
    refused(cls, ParameterError, rule, None, fix)
    with pytest.raises(ParameterError) as caught:
        cls()
    assert expected in caught.value.expected
