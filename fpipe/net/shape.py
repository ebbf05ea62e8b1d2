"""Shapes with unknown dimensions, and the rules that layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from fpipe.core.errors import ShapeError

Shape: TypeAlias = tuple[int | None, ...]


class UnknownSizeError(ShapeError):
    """A size that is needed and not known (yet)."""


def shown(shape: Shape) -> str:
    """Return a shape as text, ``?`` for unknown.

    Example:
        >>> shown((None, 3))
        '(?, 3)'
    """
    inside = ", ".join("?" if n is None else str(n) for n in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def known(shape: Shape, dim: int, *, what: str) -> int:
    """Return the size of one dimension.

    Raises:
        ShapeError: there is no such dimension, or its size is unknown.
    """
    if not -len(shape) <= dim < len(shape):
        raise ShapeError(
            f"{what} needs dimension {dim} of its input.",
            expected=f"at least {dim + 1 if dim >= 0 else -dim} dimensions",
            got=shown(shape),
        )
    size = shape[dim]
    if size is None:
        raise UnknownSizeError(
            f"{what} must know the size of dimension {dim} of its input.",
            expected="a known size",
            got=shown(shape),
            fix="give the ingress a shape",
        )
    return size


def check_ndim(shape: Shape, allowed: Sequence[int], *, what: str) -> None:
    """Raise ShapeError where a shape has another number of dimensions than allowed."""
    if len(shape) not in allowed:
        raise ShapeError(
            f"{what} takes {' or '.join(map(str, allowed))} dimensions but got {len(shape)}.",
            expected=f"{' or '.join(map(str, allowed))} dimensions, the batch included",
            got=shown(shape),
        )


def broadcast(shapes: Sequence[Shape], *, what: str) -> Shape:
    """Return the shape of an elementwise combination; numbers of dimensions must agree.

    Per dimension: all known sizes other than 1 must be equal; that size wins; an unknown size
    beside only 1s stays unknown.

    Example:
        >>> broadcast([(None, 1), (None, 6)], what="merge_sum")
        (None, 6)
    """
    _same_ndim(shapes, what)
    return tuple(_joint(sizes, shapes, what) for sizes in zip(*shapes, strict=True))


def concatenated(shapes: Sequence[Shape], dim: int, *, what: str) -> Shape:
    """Return the shape of a concatenation along ``dim``; all other sizes must agree.

    Example:
        >>> concatenated([(None, 2), (None, 3)], -1, what="merge_cat")
        (None, 5)
    """
    _same_ndim(shapes, what)
    known(tuple(0 for _ in shapes[0]), dim, what=what)
    at = dim % len(shapes[0])
    sizes = list(zip(*shapes, strict=True))
    joint = [_equal(column, shapes, what) for i, column in enumerate(sizes) if i != at]
    parts = sizes[at]
    total = None if None in parts else sum(n for n in parts if n is not None)
    return (*joint[:at], total, *joint[at:])


def _same_ndim(shapes: Sequence[Shape], what: str) -> None:
    if len({len(shape) for shape in shapes}) > 1:
        raise ShapeError(
            f"{what}: inputs have different numbers of dimensions.",
            expected="equal numbers of dimensions",
            got=" and ".join(map(shown, shapes)),
            fix="reshape one of the paths first",
        )


def _joint(sizes: tuple[int | None, ...], shapes: Sequence[Shape], what: str) -> int | None:
    return _equal(tuple(n for n in sizes if n != 1) or (1,), shapes, what)


def _equal(sizes: tuple[int | None, ...], shapes: Sequence[Shape], what: str) -> int | None:
    distinct = sorted({n for n in sizes if n is not None})
    if len(distinct) > 1:
        raise ShapeError(
            f"{what}: sizes {distinct[0]} and {distinct[1]} do not go together.",
            expected="equal sizes",
            got=" and ".join(map(shown, shapes)),
        )
    return distinct[0] if distinct else None
