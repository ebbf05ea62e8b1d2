"""The errors of fpipe: structured fields first, text derived from them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Self


class FpipeError(Exception):
    """A broken rule, told so that the reader can mend it.

    Args:
        rule: what was broken, one sentence with the two things that disagree.
        expected: what would have been accepted.
        got: what arrived (never a whole tensor or table).
        at: path of the node, row and column, or file; the interpreter adds it once.
        fix: one concrete action.
        **fields: any further values that a program may want to read back from ``details``.

    Example:
        >>> print(FpipeError("2 outputs meet 3 inputs.", expected=3, got=2, fix="add an input"))
        2 outputs meet 3 inputs.
          expected  3
          got       2
          fix       add an input
    """

    def __init__(
        self,
        rule: str,
        *,
        expected: object = None,
        got: object = None,
        at: str | None = None,
        fix: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.expected = expected
        self.got = got
        self.at = at
        self.fix = fix
        self.details: dict[str, Any] = dict(fields)

    def located(self, at: str) -> Self:
        """Return the same error with a place; an error that has one keeps it."""
        place = self.at if self.at is not None else at
        return type(self)(
            self.rule,
            expected=self.expected,
            got=self.got,
            at=place,
            fix=self.fix,
            **self.details,
        )

    def __str__(self) -> str:
        # Python puts the name of the class in front of this text wherever it shows an error.
        rows = [("expected", self.expected), ("got", self.got), ("at", self.at), ("fix", self.fix)]
        lines = [f"  {name:<9} {_indent(_brief(text))}" for name, text in rows if text is not None]
        return "\n".join([self.rule, *lines])

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {"expected": self.expected, "got": self.got, "at": self.at, "fix": self.fix}
        return _rebuild, (type(self), self.rule, fields | self.details)


class GraphError(FpipeError):
    """Nodes, wires or ids that do not go together."""


class ShapeError(FpipeError):
    """Tensor shapes that do not go together."""


class SchemaError(FpipeError):
    """Columns, types or roles that do not go together."""


class ParameterError(FpipeError):
    """A parameter with a wrong name or value, or one that is still missing."""


class DataError(FpipeError):
    """Values in the data that the operation cannot take."""


class StateError(FpipeError):
    """A training or fitted state that does not belong to what uses it."""


class CodecError(FpipeError):
    """A value that cannot be written, or bytes that cannot be read."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name closest to ``name``, or None if nothing is close.

    Example:
        >>> nearest("weight", ["class_weight", "reduction"])
        'class_weight'
    """
    known = sorted(names)
    # Two letters in each other's place are the likeliest slip of all.
    swapped = [other for other in known if sorted(other) == sorted(name)]
    close = swapped or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return close[0]
    containing = [other for other in known if name and (name in other or other in name)]
    return containing[0] if containing else None


_SHOWN = 12
"""How many names a fix line lists at most."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a fix line that names the closest known name, or lists the first dozen of them."""
    known = sorted(names)
    close = nearest(name, known)
    if close is not None:
        return f"did you mean '{close}'?"
    if not known:
        return "remove it"
    more = ", …" if len(known) > _SHOWN else ""
    return "use one of " + ", ".join(f"'{other}'" for other in known[:_SHOWN]) + more


_WIDTH, _LINES = 120, 2
"""How long a line of a field is at most where it is shown, and how many there are."""


def _brief(text: object) -> str:
    """Return a field as it is shown; the whole of it stays in the error."""
    lines = str(text).splitlines()
    if len(lines) > _LINES:
        return _cut(f"{lines[0]} …")
    return "\n".join(map(_cut, lines))


def _cut(line: str) -> str:
    """Return a line, cut where it is too long: behind a comma or a space, if one is near."""
    if len(line) <= _WIDTH:
        return line
    kept = line[: _WIDTH - 2]
    end = max(kept.rfind(" "), 0)
    return (kept[:end] if end > _WIDTH // 2 else kept) + " …"


def _indent(text: object) -> str:
    return str(text).replace("\n", "\n" + " " * 12)


def _rebuild(cls: type[FpipeError], rule: str, fields: dict[str, Any]) -> FpipeError:
    return cls(rule, **fields)
