"""What a user's function takes: tensors by position, hyper-parameters by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fpipe.core.parameter import REQUIRED

GIVEN = ("training", "draws")
"""Keywords that fpipe fills in where a function has them: the phase, and what was drawn."""


class Signature(NamedTuple):
    """The arguments of a function, sorted by what they are for.

    Args:
        inputs: names of the arguments by position that have no default.
        variadic: whether any number of further ones is taken.
        hyper: name → default of all others, `REQUIRED` where there is none.
        given: those of `GIVEN` that the function has.
        any_name: whether any keyword is taken (``**kwargs``, or a function that tells nothing).
    """

    inputs: tuple[str, ...]
    variadic: bool
    hyper: dict[str, Any]
    given: frozenset[str]
    any_name: bool


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return what a function takes.

    Example:
        >>> def scaled(x, *, factor, bias=0.0): ...
        >>> signature_of(scaled).inputs, signature_of(scaled).hyper
        (('x',), {'factor': REQUIRED, 'bias': 0.0})
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # functions written in C often tell nothing
        return Signature((), True, {}, frozenset(), True)
    inputs: list[str] = []
    hyper: dict[str, Any] = {}
    for p in found:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.name in GIVEN:
            continue
        if p.kind is not p.KEYWORD_ONLY and p.default is p.empty:
            inputs.append(p.name)
        elif p.kind is not p.POSITIONAL_ONLY:
            hyper[p.name] = REQUIRED if p.default is p.empty else p.default
    kinds = {p.kind for p in found}
    return Signature(
        tuple(inputs),
        inspect.Parameter.VAR_POSITIONAL in kinds,
        hyper,
        frozenset(p.name for p in found if p.name in GIVEN),
        inspect.Parameter.VAR_KEYWORD in kinds,
    )


def accepted(
    function: Callable[..., Any], values: Mapping[str, Any], after: int | None = None
) -> dict[str, Any]:
    """Return those of some named values that a function takes as keywords.

    Args:
        function: the function.
        values: the values.
        after: how many arguments are given by position; those behind them may be filled by
            name. None where all of them are given.
    """
    takes = signature_of(function)
    names = {*takes.hyper, *(() if after is None else takes.inputs[after:])}
    return {name: x for name, x in values.items() if takes.any_name or name in names}
