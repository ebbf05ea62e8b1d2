"""The functions users call: made of the class of an operator, with parameters that are checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import attrs

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.graph.compose import counted
from fpipe.graph.graph import Graph, node
from fpipe.graph.op import Op

_P = ParamSpec("_P")


def operator(cls: Callable[_P, Op]) -> Callable[_P, Graph]:
    """Turn the class of an op into the function users call: same parameters, gives a graph.

    Unknown parameter names raise `ParameterError` with the nearest right one.
    """

    def make(*args: _P.args, **kwargs: _P.kwargs) -> Graph:
        _check_names(cls, args, kwargs)
        return node(cls(*args, **kwargs))

    make.__name__ = make.__qualname__ = getattr(cls, "name", getattr(cls, "__name__", "operator"))
    make.__doc__ = cls.__doc__
    make.__module__ = cls.__module__
    make.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    return make


def by_name(fix: str) -> Callable[[Callable[_P, Graph]], Callable[_P, Graph]]:
    """Let a function refuse surplus values by position with some advice.

    Args:
        fix: the advice.
    """

    def decorated(make: Callable[_P, Graph]) -> Callable[_P, Graph]:
        found = inspect.signature(make).parameters.values()
        positional = [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]

        @functools.wraps(make)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> Graph:
            if len(args) > len(positional):
                raise too_many(make.__name__, args, positional, fix)
            return make(*args, **kwargs)

        return checked

    return decorated


def too_many(name: str, args: tuple[Any, ...], positional: list[str], fix: str) -> ParameterError:
    """Return the error for more values by position than ``name`` takes."""
    return ParameterError(
        f"{name} takes {counted(len(positional), 'positional parameter')} but got {len(args)}.",
        expected=", ".join(positional) or "none",
        got=", ".join(map(repr, args)),
        fix=fix,
    )


def positional_fix(name: str, positional: list[str], names: list[str]) -> str:
    """Return the advice to a caller who gave ``name`` too many values by position."""
    named = [one for one in names if one not in (*positional, "id")]
    if not (positional or named):
        return f"write {name}()"
    if not named:
        return f"give at most {counted(len(positional), 'value')}: {', '.join(positional)}"
    return f"give parameters by name: {', '.join(named)}"


def _check_names(cls: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    names = [a.name for a in attrs.fields(cls) if a.init and a.name != "overrides"]
    left_out: Mapping[str, str] = getattr(cls, "left_out", {})
    for name in kwargs:
        if name not in names:
            raise ParameterError(
                f"{cls.name} has no parameter '{name}'.",
                expected=", ".join(names),
                got=f"{name}={kwargs[name]!r}",
                fix=left_out.get(name) or did_you_mean(name, names),
            )
    positional = [a.name for a in attrs.fields(cls) if a.init and not a.kw_only]
    if len(args) > len(positional):
        raise too_many(cls.name, args, positional, positional_fix(cls.name, positional, names))
