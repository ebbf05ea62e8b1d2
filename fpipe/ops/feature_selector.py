"""Selectors by type, name and pattern: what the names and types of features alone can tell."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from fpipe.core.errors import ParameterError
from fpipe.core.value import descriptor
from fpipe.data.lazy.columns import is_lazy
from fpipe.data.schema import is_categorical, is_numeric
from fpipe.ops.selector import Bounds, ByName, Selector, View


@descriptor
class ByType(Selector):
    """Features of some kinds, such as ``numeric`` and ``categorical``."""

    kinds: tuple[str, ...]

    def bounds(self, task: View) -> Bounds:
        """The features of these kinds."""
        tests = [_KINDS[kind] for kind in self.kinds]
        found = [n for n in task.features if any(test(task.dtype(n)) for test in tests)]
        return Bounds.exactly(found)

    def __repr__(self) -> str:
        return " | ".join(f"{kind}()" for kind in self.kinds)


@descriptor
class ByPattern(Selector):
    """Features whose whole name matches a regular expression."""

    pattern: str

    def __attrs_post_init__(self) -> None:
        try:
            re.compile(self.pattern if isinstance(self.pattern, str) else None)
        except (re.error, TypeError) as error:
            literal = re.escape(self.pattern) if isinstance(self.pattern, str) else "x[0-9]+"
            raise ParameterError(
                f"{self.pattern!r} is no regular expression."[:120],
                expected="a regular expression as Python's re reads it",
                got=str(error)[:120],
                fix=f"ops.matching({literal!r})",
            ) from error

    def bounds(self, task: View) -> Bounds:
        """The matching features."""
        return Bounds.exactly([n for n in task.features if re.fullmatch(self.pattern, n)])

    def __repr__(self) -> str:
        return f"matching({self.pattern!r})"


@descriptor
class Everything(Selector):
    """All features."""

    def bounds(self, task: View) -> Bounds:
        """All features."""
        return Bounds.exactly(task.features)

    def __repr__(self) -> str:
        return "everything()"


def numeric() -> Selector:
    """Choose integer and floating features."""
    return ByType(("numeric",))


def categorical() -> Selector:
    """Choose features with levels, and truth values."""
    return ByType(("categorical",))


def levels() -> Selector:
    """Choose features with levels, which is what text becomes; no truth values."""
    return ByType(("levels",))


def boolean() -> Selector:
    """Choose truth values."""
    return ByType(("boolean",))


def integer() -> Selector:
    """Choose integer features."""
    return ByType(("integer",))


def floating() -> Selector:
    """Choose floating features."""
    return ByType(("floating",))


def temporal() -> Selector:
    """Choose dates, points in time, times of day and durations."""
    return ByType(("temporal",))


def dates() -> Selector:
    """Choose dates and points in time."""
    return ByType(("dates",))


def tensor() -> Selector:
    """Choose features that hold a tensor in every row."""
    return ByType(("tensor",))


def named(*names: str) -> Selector:
    """Choose features by name."""
    return ByName(names)


def matching(pattern: str) -> Selector:
    """Choose features whose whole name matches a regular expression."""
    return ByPattern(pattern)


def everything() -> Selector:
    """Choose all features."""
    return Everything()


def lazy() -> Selector:
    """Choose columns of lazy tensors, such as images that are read when they are needed."""
    return ByType(("lazy",))


_KINDS: dict[str, Callable[[pl.DataType], bool]] = {
    "numeric": is_numeric,
    "categorical": is_categorical,
    "levels": lambda dtype: isinstance(dtype, pl.Enum),
    "boolean": lambda dtype: isinstance(dtype, pl.Boolean),
    "integer": lambda dtype: dtype.is_integer(),
    "floating": lambda dtype: dtype.is_float(),
    "temporal": lambda dtype: dtype.is_temporal(),
    "dates": lambda dtype: isinstance(dtype, pl.Date | pl.Datetime),
    "tensor": lambda dtype: isinstance(dtype, pl.Array),
    "lazy": is_lazy,
}
