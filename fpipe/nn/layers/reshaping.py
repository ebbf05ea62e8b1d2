"""Reshaping: numbers and codes pass as they are, row by row."""

from __future__ import annotations

from typing import Any

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ShapeError
from fpipe.core.parameter import REQUIRED, Check, integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.net.layer import Layer
from fpipe.net.layers import reshape as layers
from fpipe.net.shape import Shape, inner_dim
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp


def _target(given: Any) -> Any:
    """Return a list as a tuple and a function as code."""
    if isinstance(given, tuple | list):
        return tuple(given)
    return as_code(given) if callable(given) else given


def _is_target(given: Any) -> bool:
    if isinstance(given, tuple):
        return layers.wrong_in(given) is None
    return isinstance(given, Ref | Opaque)


def _dims(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


def _is_dims(given: Any) -> bool:
    dims = given if isinstance(given, tuple) else (given,)
    return bool(dims) and all(isinstance(n, int) and not isinstance(n, bool) for n in dims)


@descriptor
class Reshaping(LayerOp):
    """A layer that keeps every number."""

    takes_codes = True


@descriptor
class Flatten(Reshaping):
    """Neighbouring dimensions as one: ``[batch, a, b] -> [batch, a * b]``.

    Args:
        start_dim: the first of them, counted with the batch; not the batch itself.
        end_dim: the last of them.

    Raises:
        ShapeError: there are no such dimensions, or the batch is among them.
    """

    name = "flatten"

    start_dim: int = parameter(default=1, check=integer())
    end_dim: int = parameter(default=-1, check=integer())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.Flatten(self.start_dim, self.end_dim)


@descriptor
class Reshape(Reshaping):
    """Another shape for the numbers of every row.

    Args:
        shape: batch included and first, as -1 or its size; at most one -1. Or a function from
            the shape that enters (None for unknown) to such a shape (None for unknown), which
            is called again with the real shape.

    Raises:
        ShapeError: numbers would move from one row to another.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.reshape((-1, 2, 6)), x=(None, 12)).shapes({"x": (None, 12)})
        ((None, 2, 6),)
    """

    name = "reshape"

    shape: Any = parameter(
        default=REQUIRED,
        check=Check(
            "a shape of positive integers with at most one -1, or a function that gives one",
            _is_target,
        ),
        convert=_target,
    )

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        del md
        return layers.Reshape(self.shape)


@descriptor
class Squeeze(Reshaping):
    """Dimensions left out whose size is known to be 1; others stay, unknown ones always.

    Args:
        dim: one position or several, counted with the batch; not the batch itself.

    Raises:
        ShapeError: there is no such dimension, or it is the batch.
    """

    name = "squeeze"

    dim: int | tuple[int, ...] = parameter(
        default=REQUIRED, check=Check("an integer, or several", _is_dims), convert=_dims
    )

    def layer(self, md: ModelDescriptor) -> Layer:
        """Keep the positions whose size is 1 already now."""
        (shape,) = md.shapes
        wanted = self.dim if isinstance(self.dim, tuple) else (self.dim,)
        found = sorted({inner_dim(shape, dim, what=self.name) for dim in wanted})
        return layers.Squeeze(tuple(at for at in found if shape[at] == 1))


@descriptor
class Unsqueeze(Reshaping):
    """A new dimension of size 1.

    Args:
        dim: its position in the shape that leaves, counted with the batch; -1 for the last.

    Raises:
        ShapeError: there is no such position, or it is the batch's.
    """

    name = "unsqueeze"

    dim: int = parameter(default=REQUIRED, check=integer())

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer."""
        shape = md.shapes[0]
        if not -len(shape) - 1 <= self.dim <= len(shape):
            raise ShapeError(
                f"unsqueeze cannot put a dimension at {self.dim}.",
                expected=f"a position from {-len(shape)} to {len(shape)}, not the batch's",
                got=f"dim={self.dim} with {len(shape)} dimensions",
                fix="use dim=-1 to append it",
            )
        return layers.Unsqueeze(self.dim)

    def guess(self, md: ModelDescriptor) -> Shape:
        """There is one more dimension."""
        return (*md.shapes[0], None)


flatten = operator(Flatten)
reshape = operator(Reshape)
squeeze = operator(Squeeze)
unsqueeze = operator(Unsqueeze)
