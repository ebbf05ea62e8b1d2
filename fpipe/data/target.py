"""Target transformations as values that can be undone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import DataError
from fpipe.core.value import descriptor

Numbers = NDArray[np.float64]


class TargetInverse(Protocol):
    """Undoes one transformation of the target."""

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in the unit they had before."""


@descriptor
class Affine:
    """The transformation ``(y - shift) / scale``.

    Args:
        shift: in the unit of the target.
        scale: in the unit of the target, not 0.

    Example:
        >>> Affine(2.0, 4.0).undo(Affine(2.0, 4.0).do(np.array([10.0]))).tolist()
        [10.0]
    """

    shift: float
    scale: float

    def do(self, values: Numbers) -> Numbers:
        """Transform targets."""
        return (values - self.shift) / self.scale

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in their own unit."""
        return values * self.scale + self.shift


@descriptor
class Logarithm:
    """The transformation ``log(y + offset)``.

    Args:
        offset: in the unit of the target.

    Example:
        >>> round(float(Logarithm(1.0).undo(Logarithm(1.0).do(np.array([9.0])))[0]), 12)
        9.0
    """

    offset: float

    def do(self, values: Numbers) -> Numbers:
        """Transform targets; what has no logarithm becomes NaN."""
        shifted = values + self.offset
        logs: Numbers = np.full(shifted.shape, np.nan)
        np.log(shifted, out=logs, where=shifted > 0.0)
        return logs

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in their own unit."""
        with np.errstate(over="ignore"):
            return np.exp(values) - self.offset


@descriptor
class Mapped:
    """A transformation by two functions of arrays.

    Args:
        function: transforms targets.
        inverse: brings transformed targets back.
    """

    function: Ref | Opaque
    inverse: Ref | Opaque

    def do(self, values: Numbers) -> Numbers:
        """Transform targets; where the function is not defined the result is not finite."""
        return _called(self.function, values)

    def undo(self, values: Numbers) -> Numbers:
        """Return transformed targets in their own unit."""
        return _called(self.inverse, values)


def undo_all(inverses: tuple[Any, ...], values: Numbers) -> Numbers:
    """Undo transformations, the last one first.

    Raises:
        DataError: a finite number becomes one that is not finite.
    """
    for inverse in reversed(inverses):
        undone = inverse.undo(values)
        _check_finite(inverse, values, undone)
        values = undone
    return values


def _check_finite(inverse: Any, values: Numbers, undone: Numbers) -> None:
    bad = np.isfinite(values) & ~np.isfinite(undone)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"a prediction cannot be brought back to the unit of the target, in row {row}.",
            expected="finite numbers",
            got=f"{undone[row]} for {values[row]}, by undoing {inverse!r}",
            fix="train longer or with a smaller learning rate, or transform the target otherwise",
            row=row,
        )


def _called(code: Ref | Opaque, values: Numbers) -> Numbers:
    """Return what a function makes of a private copy of some numbers, one number for each."""
    function = code.resolve()
    with np.errstate(all="ignore"):
        made = np.asarray(function(np.array(values)))
    if made.shape != values.shape or made.dtype.kind not in "fiu":
        raise DataError(
            f"{code.name} does not give one number for each target.",
            expected=f"{values.shape[0]} numbers",
            got=f"{made.dtype} of shape {list(made.shape)}",
            fix="write it for arrays, as NumPy's own functions",
        )
    return made.astype(np.float64)
