"""Parameter groups: patterns over the names of parameters, each with settings of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import Check

Groups: TypeAlias = tuple[tuple[str, PMap[str, Any]], ...]
"""Pattern and settings of every group, in order; the first pattern that matches counts."""


def as_groups(given: Any) -> Any:
    """Return a dict from pattern to settings as pairs that cannot change (a converter).

    A persistent map has no order to go by, so it stays as it is and is refused.

    Example:
        >>> as_groups({"*.bias": {"weight_decay": 0.0}})
        (('*.bias', pmap({'weight_decay': 0.0})),)
    """
    if isinstance(given, dict):
        given = tuple(given.items())
    return tuple((pattern, _frozen(settings)) for pattern, settings in given)


def _frozen(settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return pmap({k: tuple(x) if isinstance(x, list) else x for k, x in settings.items()})


def _is_group(x: Any) -> bool:
    if not (isinstance(x, tuple) and len(x) == 2):
        return False
    pattern, settings = x
    named = isinstance(settings, PMap) and all(isinstance(name, str) for name in settings)
    return isinstance(pattern, str) and bool(pattern) and named and bool(settings)


def _are_groups(x: Any) -> bool:
    return isinstance(x, tuple) and all(map(_is_group, x)) and len({g[0] for g in x}) == len(x)


GROUPS = Check(
    "a dict from a pattern of parameter names to settings, such as "
    '{"*.bias": {"weight_decay": 0.0}}',
    _are_groups,
)
"""Accepts what `as_groups` returns: different patterns, each with one setting or more."""


def matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern covers a parameter's name.

    ``*`` stands for any text, ``?`` for one character, ``|`` between patterns for either. All
    else, brackets too, stands for itself: copies of a block are called ``block[0]``.

    Example:
        >>> matches("block[0].*|*.bias", "block[0].linear.weight"), matches("*.bias", "a.weight")
        (True, False)
    """
    return any(re.fullmatch(_regex(one), name, re.DOTALL) for one in pattern.split("|"))


def assigned(groups: Groups, names: Sequence[str]) -> tuple[int, ...]:
    """Return the position of every parameter's group; ``len(groups)`` where no pattern matches.

    Raises:
        ParameterError: a pattern is left without a parameter.

    Example:
        >>> assigned(as_groups({"*.bias": {"lr": 0.1}}), ("a.bias", "a.weight"))
        (0, 1)
    """
    patterns = [pattern for pattern, _ in groups]
    found = tuple(_first(patterns, name) for name in names)
    for position, pattern in enumerate(patterns):
        if position not in found:
            raise _unmatched(pattern, names)
    return found


def _first(patterns: Sequence[str], name: str) -> int:
    hits = (i for i, pattern in enumerate(patterns) if matches(pattern, name))
    return next(hits, len(patterns))


def _unmatched(pattern: str, names: Sequence[str]) -> ParameterError:
    if any(matches(pattern, name) for name in names):
        return ParameterError(
            f"the parameter group '{pattern}' is left without a parameter.",
            expected="a parameter that no group before it takes",
            got="all that it matches belong to groups before it",
            fix="put it before the wider pattern, or drop it",
            pattern=pattern,
        )
    return ParameterError(
        f"the parameter group '{pattern}' matches no parameter.",
        expected="a pattern of " + (", ".join(names) or "names; the network has no parameters"),
        got=pattern,
        fix=did_you_mean(pattern.replace("*", "").replace("?", ""), names),
        pattern=pattern,
    )


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
