"""Selectors that look at the data: missing values and numbers of distinct values."""

from __future__ import annotations

import polars as pl

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import Check, integer, optional, parameter
from fpipe.core.value import descriptor
from fpipe.data.schema import is_categorical
from fpipe.data.schema import levels as levels_of
from fpipe.data.task import Task
from fpipe.ops.selector import Bounds, Selector, View

_COUNT_OR_SHARE = Check(
    "a number of rows of at least 1, or a share of the rows above 0 and at most 1.0",
    lambda x: (
        (isinstance(x, int) and not isinstance(x, bool) and x >= 1)
        or (isinstance(x, float) and 0.0 < x <= 1.0)
    ),
)


@descriptor
class Missing(Selector):
    """Features that miss values in some rows.

    Args:
        at_least: in how many rows, or (a float) in which share of them.
    """

    at_least: int | float = parameter(default=1, check=_COUNT_OR_SHARE)

    def bounds(self, task: View) -> Bounds:
        """Count; a type cannot tell."""
        if not isinstance(task, Task):
            return Bounds(frozenset(), frozenset(task.features))
        counts = task.statistics(*(pl.col(name).null_count() for name in task.features))
        share = isinstance(self.at_least, float)
        least = self.at_least * task.n_rows if share else self.at_least
        pairs = zip(task.features, counts, strict=True)
        return Bounds.exactly([name for name, n in pairs if n and n >= least])

    def __repr__(self) -> str:
        return f"missing({self.at_least})"


@descriptor
class Cardinality(Selector):
    """Features by their number of levels, or of distinct values that are not missing.

    Tensors are never chosen.

    Args:
        at_least: the fewest.
        at_most: the most.

    Raises:
        ParameterError: neither is given, or at_least is above at_most.
    """

    at_least: int | None = parameter(default=None, check=optional(integer(0)))
    at_most: int | None = parameter(default=None, check=optional(integer(0)))

    def __attrs_post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ParameterError(
                "cardinality needs a bound.",
                expected="at_least, at_most or both",
                got="neither",
                fix="ops.cardinality(at_most=10)",
            )
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ParameterError(
                "cardinality would choose nothing: its bounds are crossed.",
                expected="at_least of no more than at_most",
                got=f"at_least={low}, at_most={high}",
                fix=f"ops.cardinality(at_least={high}, at_most={low})",
            )

    def bounds(self, task: View) -> Bounds:
        """Levels are known from the type, other distinct values from data alone."""
        plain = [n for n in task.features if not isinstance(task.dtype(n), pl.Array)]
        levelled = [n for n in plain if is_categorical(task.dtype(n))]
        chosen = [n for n in levelled if self._takes(len(levels_of(task.dtype(n))))]
        others = [n for n in plain if n not in levelled]
        if not isinstance(task, Task):
            return Bounds(frozenset(chosen), frozenset([*chosen, *others]))
        counts = task.statistics(*(pl.col(name).drop_nulls().n_unique() for name in others))
        chosen += [name for name, n in zip(others, counts, strict=True) if self._takes(n)]
        return Bounds.exactly(chosen)

    def _takes(self, count: int) -> bool:
        low = self.at_least is None or count >= self.at_least
        return low and (self.at_most is None or count <= self.at_most)

    def __repr__(self) -> str:
        given = (("at_least", self.at_least), ("at_most", self.at_most))
        return f"cardinality({', '.join(f'{k}={v}' for k, v in given if v is not None)})"


def missing(at_least: int | float = 1) -> Selector:
    """Choose features that miss values.

    Args:
        at_least: in how many rows, or (a float) in which share of them.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, None], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.select(~ops.missing()), task, key=fp.key(0)).features
        ('b',)
    """
    return Missing(at_least)


def cardinality(at_least: int | None = None, at_most: int | None = None) -> Selector:
    """Choose features by their number of levels, or of distinct values that are not missing.

    Args:
        at_least: the fewest.
        at_most: the most.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"a": [1.0, 1.0], "b": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
        >>> fp.transform(ops.select(ops.cardinality(at_least=2)), task, key=fp.key(0)).features
        ('b',)
    """
    return Cardinality(at_least, at_most)
