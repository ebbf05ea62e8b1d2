"""Selectors: which features an operator works on, as values joined with ``|``, ``&`` and ``~``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

from fpipe.core.errors import ParameterError, SchemaError, did_you_mean
from fpipe.core.value import descriptor
from fpipe.data.schema import TaskType
from fpipe.data.task import Task

View: TypeAlias = Task | TaskType


class Bounds(NamedTuple):
    """Features that are surely chosen, and all that may be; the same where the choice is known."""

    sure: frozenset[str]
    possible: frozenset[str]

    @classmethod
    def exactly(cls, names: Collection[str]) -> Bounds:
        """Return the bounds of a known choice."""
        return cls(frozenset(names), frozenset(names))


@descriptor
class Selector:
    """A choice of features; ``a | b`` is either, ``a & b`` both, ``~a`` the others.

    A name, or a list of names, stands for `named`: ``numeric() | "k"``.
    """

    def bounds(self, task: View) -> Bounds:
        """Return what is surely chosen and what may be, without a look at the data of a type."""
        raise NotImplementedError

    def known(self, task: View) -> bool:
        """Tell whether the choice can be told; some depend on data, which a type has not."""
        sure, possible = self.bounds(task)
        return sure == possible

    def of(self, task: View) -> tuple[str, ...]:
        """Return the chosen features, in the task's order.

        Raises:
            SchemaError: a named feature is not there, or the choice depends on data and the task
                is a type.
        """
        return known_choice(self, self.bounds(task), task)

    def __or__(self, other: Choice) -> Selector:
        return Either(self, _joinable(other))

    def __ror__(self, other: Choice) -> Selector:
        return Either(_joinable(other), self)

    def __and__(self, other: Choice) -> Selector:
        return Both(self, _joinable(other))

    def __rand__(self, other: Choice) -> Selector:
        return Both(_joinable(other), self)

    def __invert__(self) -> Selector:
        return Others(self)

    def __sub__(self, other: object) -> NoReturn:
        raise _no_difference(self, other)

    def __rsub__(self, other: object) -> NoReturn:
        raise _no_difference(other, self)

    def __bool__(self) -> NoReturn:
        # As an object it would be true, and "a and b" would quietly be b.
        raise ParameterError(
            "a selector is neither true nor false.",
            expected="selectors joined with &, | and ~",
            got=f"{self!r} where Python asks for a truth value"[:120],
            fix="write & for and, | for or, ~ for not",
        )


Choice: TypeAlias = Selector | str | Sequence[str]
"""What stands for a choice of features: a selector, a name, or a list of names."""


@descriptor
class ByName(Selector):
    """Features by name; each must be there."""

    names: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        for name in self.names:
            if not isinstance(name, str):
                raise ParameterError(
                    f"a feature is named by a string, not by {name!r}."[:120],
                    expected="one string per feature",
                    got=f"{name!r} ({type(name).__name__})"[:80],
                    fix=f"ops.named({_one_by_one(name)})",
                )

    def bounds(self, task: View) -> Bounds:
        """The features of these names; the features of an open type may come later.

        Raises:
            SchemaError: one of them is no feature.
        """
        absent = [name for name in self.names if name not in task.features]
        if absent and not (isinstance(task, TaskType) and task.open):
            raise SchemaError(
                f"there is no feature '{absent[0]}'.",
                expected=", ".join(task.features[:12]),
                got=absent[0],
                fix=did_you_mean(absent[0], task.features),
            )
        return Bounds.exactly([name for name in self.names if name not in absent])

    def __repr__(self) -> str:
        return f"named({', '.join(map(repr, self.names))})"


@descriptor
class Either(Selector):
    """Features that one of two selectors chooses."""

    left: Selector
    right: Selector

    def bounds(self, task: View) -> Bounds:
        """The union."""
        left, right = self.left.bounds(task), self.right.bounds(task)
        return Bounds(left.sure | right.sure, left.possible | right.possible)

    def __repr__(self) -> str:
        return f"({self.left!r} | {self.right!r})"


@descriptor
class Both(Selector):
    """Features that two selectors choose."""

    left: Selector
    right: Selector

    def bounds(self, task: View) -> Bounds:
        """The intersection."""
        left, right = self.left.bounds(task), self.right.bounds(task)
        return Bounds(left.sure & right.sure, left.possible & right.possible)

    def __repr__(self) -> str:
        return f"({self.left!r} & {self.right!r})"


@descriptor
class Others(Selector):
    """Features that a selector does not choose."""

    selector: Selector

    def bounds(self, task: View) -> Bounds:
        """The complement."""
        inner, every = self.selector.bounds(task), frozenset(task.features)
        return Bounds(every - inner.possible, every - inner.sure)

    def __repr__(self) -> str:
        return f"~{self.selector!r}"


def _joinable(given: Any) -> Selector:
    """Return what stands beside ``|`` or ``&`` as a selector."""
    found = as_selector(given)
    if isinstance(found, Selector):
        return found
    raise ParameterError(
        f"a selector is joined with selectors, not with {type(given).__name__}.",
        expected="a selector such as ops.numeric(), a name, or a list of names",
        got=repr(given)[:80],
        fix='ops.numeric() | ops.named("a"); to make an operator of it: ops.select(...)',
    )


def _no_difference(left: object, right: object) -> ParameterError:
    return ParameterError(
        "selectors have no difference.",
        expected="|, & and ~",
        got=f"{left!r} - {right!r}"[:120],
        fix="write a & ~b: what a chooses and b does not",
    )


def _one_by_one(given: object) -> str:
    """Return how names are written that were given in another form."""
    if isinstance(given, list | tuple) and given and all(isinstance(x, str) for x in given):
        return ", ".join(map(repr, given))
    return repr(str(given)) if isinstance(given, int | float) else '"a", "b"'


def as_selector(given: Any) -> Any:
    """Return a name, or a list of names, as a selector; other things as they are."""
    if isinstance(given, str):
        return ByName((given,))
    return ByName(tuple(given)) if isinstance(given, list | tuple) else given


def known_choice(selector: Selector, bounds: Bounds, task: View) -> tuple[str, ...]:
    """Return the chosen features in the task's order, where it is known which they are.

    Raises:
        SchemaError: only data can tell.
    """
    sure, possible = bounds
    if sure != possible:
        raise SchemaError(
            f"what {selector!r} chooses can only be told from data.",
            expected="a task with its data",
            got=f"the type of a task; it may choose {', '.join(sorted(possible - sure)[:6])}",
            fix="ask selector.known(task) first",
        )
    return tuple(name for name in task.features if name in sure)
