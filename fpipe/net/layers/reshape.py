"""Layers that move numbers to another shape, row by row; the numbers stay as they are."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import ShapeError
from fpipe.core.value import descriptor
from fpipe.net.layer import Dtypes, Elementwise
from fpipe.net.shape import Shape, inner_dim, product, shown


@descriptor
class Moved(Elementwise):
    """A layer that keeps every number and its dtype, whatever shape it gives them."""

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """Keep the dtype."""
        del shapes
        return inputs

    def of(self, x: Tensor) -> Tensor:
        """Reshape by the very rule that infers the shape."""
        (target,) = self.shapes((tuple(x.shape),))
        return x.reshape(tuple(-1 if n is None else n for n in target))


@descriptor
class Flatten(Moved):
    """Neighbouring dimensions as one.

    Args:
        start_dim: the first of them; not the batch.
        end_dim: the last of them.
    """

    name = "flatten"

    start_dim: int = 1
    end_dim: int = -1

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Multiply the sizes."""
        (shape,) = inputs
        start = inner_dim(shape, self.start_dim, what=self.name)
        end = inner_dim(shape, self.end_dim, what=self.name)
        if start > end:
            raise ShapeError(
                "flatten: start_dim comes after end_dim.",
                expected="start_dim at or before end_dim",
                got=f"start_dim={self.start_dim}, end_dim={self.end_dim} of {shown(shape)}",
                fix="exchange the two",
            )
        return ((*shape[:start], product(shape[start : end + 1]), *shape[end + 1 :]),)


@descriptor
class Unsqueeze(Moved):
    """A new dimension of size 1.

    Args:
        dim: its position among the dimensions that leave; not the batch's.
    """

    name = "unsqueeze"

    dim: int

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Insert a 1."""
        (shape,) = inputs
        at = inner_dim((*shape, 1), self.dim, what=self.name)
        return ((*shape[:at], 1, *shape[at:]),)


@descriptor
class Squeeze(Moved):
    """Some dimensions of size 1 left out.

    Args:
        dims: their positions, ascending; those that were known to be 1 when the layer was made.
    """

    name = "squeeze"

    dims: tuple[int, ...]

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Leave them out."""
        (shape,) = inputs
        for dim in self.dims:
            if shape[inner_dim(shape, dim, what=self.name)] not in (None, 1):
                raise ShapeError(
                    f"squeeze was made for a size of 1 in dimension {dim}.",
                    expected="a size of 1",
                    got=shown(shape),
                    fix="give the layer the inputs that it was made for",
                )
        return (tuple(n for at, n in enumerate(shape) if at not in self.dims),)


@descriptor
class Reshape(Moved):
    """Another shape for the numbers of every row.

    Args:
        target: the shape, batch included, with at most one -1; or a function from the shape
            that enters (None for unknown) to such a shape (None for unknown).
    """

    name = "reshape"

    target: tuple[int, ...] | Ref | Opaque

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Resolve the target."""
        (shape,) = inputs
        return (resolved(shape, self._target(shape)),)

    def _target(self, shape: Shape) -> Shape:
        if isinstance(self.target, tuple):
            return self.target
        return _as_shape(self.target.resolve()(shape), shape)


def resolved(shape: Shape, target: Shape) -> Shape:
    """Return a target with its -1 worked out and the batch kept.

    Args:
        shape: what enters, batch first.
        target: what is asked for, with at most one -1; the batch as -1, None or its size.

    Raises:
        ShapeError: numbers would move from one row to another.

    Example:
        >>> resolved((None, 3, 4), (-1, 6, 2)), resolved((8, 3, 4), (8, -1))
        ((None, 6, 2), (8, 12))
    """
    batch, inner = target[0], target[1:]
    row, taken = product(shape[1:]), math.prod(n for n in inner if n not in (None, -1))
    free = sum(n in (None, -1) for n in inner)
    if batch not in (None, -1, shape[0]) or not _may_fit(shape[1:], row, taken, free):
        raise ShapeError(
            "reshape would move numbers from one row to another.",
            expected="a target that keeps the batch and the count of numbers in a row",
            got=f"{shown(shape)} into {shown(target)}",
            fix="begin the shape with -1 for the batch; the product of the rest must stay",
        )
    size = row // taken if row is not None and free == 1 else None
    return (shape[0], *(size if n in (None, -1) else n for n in inner))


def _may_fit(inner: Shape, row: int | None, taken: int, free: int) -> bool:
    """Tell whether a row can keep its numbers, for some value of what is unknown.

    Args:
        inner: the sizes of a row.
        row: their product, None where unknown.
        taken: the product of the sizes that the target fixes.
        free: how many sizes the target leaves open.
    """
    if row is not None:
        return row % taken == 0 if free else row == taken
    least = math.prod(n for n in inner if n is not None)
    return bool(free) or (least > 0 and taken % least == 0)


def wrong_in(target: Shape, *, made: bool = False) -> str | None:
    """Return what is wrong with a target, or None.

    Args:
        target: the target.
        made: whether a function made it; then None stands for unknown, and the batch may be 0.
    """
    sizes = [n for n in (target[1:] if made else target) if not (made and n is None)]
    if not target:
        return "it is empty"
    if any(isinstance(n, bool) or not isinstance(n, int) or n == 0 or n < -1 for n in sizes):
        return "a size is neither a positive integer nor -1"
    return "it has more than one -1" if list(target).count(-1) > 1 else None


def _as_shape(made: Any, shape: Shape) -> Shape:
    target = tuple(made) if isinstance(made, tuple | list) else None
    wrong = "it is no shape" if target is None else wrong_in(target, made=True)
    if target is None or wrong is not None:
        raise ShapeError(
            f"reshape cannot take what its function gives: {wrong}.",
            expected="a tuple of positive integers, at most one -1, None for unknown",
            got=f"{made!r} for {shown(shape)}",
            fix="nn.reshape(lambda shape: (shape[0], 3, -1))",
        )
    return target
