"""Shapes with unknown dimensions, and the rules that layers share."""

from __future__ import annotations

import math
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
            fix="unsqueeze the input, or give another dimension",
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


def inner_dim(shape: Shape, dim: int, *, what: str) -> int:
    """Return the position of a dimension other than the batch, counted from 0.

    Args:
        shape: batch first.
        dim: the dimension; negative ones count from the end.
        what: who asks.

    Raises:
        ShapeError: there is no such dimension, or it is the batch.

    Example:
        >>> inner_dim((None, 3, 4), -1, what="softmax")
        2
    """
    if not -len(shape) <= dim < len(shape):
        raise ShapeError(
            f"{what} needs dimension {dim} of its input.",
            expected=f"a dimension from {-len(shape)} to {len(shape) - 1}",
            got=f"dim={dim} of {shown(shape)}",
            fix=f"use a dimension from {-len(shape)} to {len(shape) - 1}",
        )
    if dim % len(shape) == 0:
        raise ShapeError(
            f"{what} cannot touch the batch: rows would mix.",
            expected="a dimension other than 0",
            got=f"dim={dim} of {shown(shape)}",
            fix="use dim=-1 for the last dimension"
            if len(shape) > 1
            else f"the batch comes first, as in {shown((None, *shape))}; or nn.unsqueeze(1) before",
        )
    return dim % len(shape)


def product(sizes: Sequence[int | None]) -> int | None:
    """Return the product of sizes, None where one is unknown.

    Example:
        >>> product((2, 3)), product((2, None)), product(())
        (6, None, 1)
    """
    known_sizes = [n for n in sizes if n is not None]
    return math.prod(known_sizes) if len(known_sizes) == len(sizes) else None


def check_ndim(shape: Shape, allowed: Sequence[int], *, what: str) -> None:
    """Raise ShapeError where a shape has another number of dimensions than allowed."""
    if len(shape) not in allowed:
        raise ShapeError(
            f"{what} takes {' or '.join(map(str, allowed))} dimensions but got {len(shape)}.",
            expected=f"{' or '.join(map(str, allowed))} dimensions, the batch included",
            got=shown(shape),
            fix=_ndim_fix(len(shape), allowed),
        )


def _ndim_fix(ndim: int, allowed: Sequence[int]) -> str:
    """Return what may bring a number of dimensions to one that is allowed."""
    if ndim > max(allowed):
        return "put dimensions together first, e.g. with nn.flatten()"
    if ndim == 2 and 3 in allowed:
        return "make tokens of the features first, nn.tokenizer_numeric(8), or nn.unsqueeze(1)"
    return "add a dimension first, e.g. with nn.unsqueeze(1)"


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
    at = inner_dim(shapes[0], dim, what=what)
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
            fix=f"bring the paths to equal sizes before {what}, e.g. with nn.linear(n)",
        )
    return distinct[0] if distinct else None
