"""Selectors: which features an operator works on, as values joined with ``|``, ``&`` and ``~``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import polars as pl

from fpipe.core.errors import SchemaError, did_you_mean
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType, is_categorical, is_numeric
from fpipe.data.task import Task

View: TypeAlias = Task | TaskType


@descriptor
class Selector:
    """A choice of features; ``a | b`` is either, ``a & b`` both, ``~a`` the others."""

    def of(self, task: View) -> tuple[str, ...]:
        """Return the chosen features, in the task's order."""
        raise NotImplementedError

    def __or__(self, other: Selector) -> Selector:
        return Either(self, other)

    def __and__(self, other: Selector) -> Selector:
        return Both(self, other)

    def __invert__(self) -> Selector:
        return Others(self)


@descriptor
class ByType(Selector):
    """Features of some kinds: ``numeric``, ``categorical``, ``boolean`` or ``temporal``."""

    kinds: tuple[str, ...]

    def of(self, task: View) -> tuple[str, ...]:
        """Return the features of these kinds."""
        tests = [_KINDS[kind] for kind in self.kinds]
        return tuple(n for n in task.features if any(test(task.dtype(n)) for test in tests))

    def __repr__(self) -> str:
        return " | ".join(f"{kind}()" for kind in self.kinds)


@descriptor
class ByName(Selector):
    """Features by name; each must be there."""

    names: tuple[str, ...]

    def of(self, task: View) -> tuple[str, ...]:
        """Return the features of these names.

        Raises:
            SchemaError: one of them is no feature.
        """
        for name in self.names:
            if name not in task.features:
                raise SchemaError(
                    f"there is no feature '{name}'.",
                    expected=", ".join(task.features[:12]),
                    got=name,
                    fix=did_you_mean(name, task.features),
                )
        return tuple(n for n in task.features if n in self.names)

    def __repr__(self) -> str:
        return f"named({', '.join(map(repr, self.names))})"


@descriptor
class ByPattern(Selector):
    """Features whose whole name matches a regular expression."""

    pattern: str

    def of(self, task: View) -> tuple[str, ...]:
        """Return the matching features."""
        return tuple(n for n in task.features if re.fullmatch(self.pattern, n))

    def __repr__(self) -> str:
        return f"matching({self.pattern!r})"


@descriptor
class Everything(Selector):
    """All features."""

    def of(self, task: View) -> tuple[str, ...]:
        """Return all features."""
        return task.features

    def __repr__(self) -> str:
        return "everything()"


@descriptor
class Either(Selector):
    """Features that one of two selectors chooses."""

    left: Selector
    right: Selector

    def of(self, task: View) -> tuple[str, ...]:
        """Return the union."""
        chosen = {*self.left.of(task), *self.right.of(task)}
        return tuple(n for n in task.features if n in chosen)

    def __repr__(self) -> str:
        return f"({self.left!r} | {self.right!r})"


@descriptor
class Both(Selector):
    """Features that two selectors choose."""

    left: Selector
    right: Selector

    def of(self, task: View) -> tuple[str, ...]:
        """Return the intersection."""
        right = self.right.of(task)
        return tuple(n for n in self.left.of(task) if n in right)

    def __repr__(self) -> str:
        return f"({self.left!r} & {self.right!r})"


@descriptor
class Others(Selector):
    """Features that a selector does not choose."""

    selector: Selector

    def of(self, task: View) -> tuple[str, ...]:
        """Return the complement."""
        chosen = self.selector.of(task)
        return tuple(n for n in task.features if n not in chosen)

    def __repr__(self) -> str:
        return f"~{self.selector!r}"


def numeric() -> Selector:
    """Choose integer and floating features."""
    return ByType(("numeric",))


def categorical() -> Selector:
    """Choose features with levels, and truth values."""
    return ByType(("categorical",))


def named(*names: str) -> Selector:
    """Choose features by name."""
    return ByName(names)


def matching(pattern: str) -> Selector:
    """Choose features whose whole name matches a regular expression."""
    return ByPattern(pattern)


def everything() -> Selector:
    """Choose all features."""
    return Everything()


_KINDS: dict[str, Callable[[pl.DataType], bool]] = {
    "numeric": is_numeric,
    "categorical": is_categorical,
}
