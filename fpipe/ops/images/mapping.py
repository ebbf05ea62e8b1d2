"""Functions of the user's on the rows of a lazy column."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.parameter import Check, as_tuple, boolean, instance_of, integer, optional, parameter
from fpipe.core.value import descriptor, evolve
from fpipe.data.lazy.maps import FunctionMap
from fpipe.data.lazy.source import TensorShape, Values
from fpipe.data.lazy.tensor import LazyType, foreseen
from fpipe.graph.operator import operator
from fpipe.ops.images.tensor_op import Draws
from fpipe.ops.lazy_op import LazyOp

_DTYPE = Check("a dtype such as torch.float32, or None", optional(instance_of(torch.dtype)).accepts)


@descriptor
class MapRows(LazyOp):
    """Apply a pure function of yours to every row.

    Args:
        function: takes the tensor of a row and gives one; with ``draws`` it is given as many
            uniform numbers as well, as an array.
        draws: how many numbers are drawn for each row.
        batched: whether it takes batches, ``[rows, …]``, of rows of one shape (and draws
            ``[rows, draws]``), and keeps rows apart.
        shape: the shape of a row afterwards, where it is known. A function that draws nothing, and
            of which neither is given, is tried without data, which tells both of most.
        dtype: the dtype afterwards, where it changes.

    Raises:
        ShapeError: the function gives no tensor, or another shape than was said.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"x": fp.lazy([[1, 2], [3, 4]]), "y": [1, 2]}, "y")
        >>> doubled = fp.transform(ops.trafo_map(lambda x: x * 2), task, key=fp.key(0))
        >>> fp.materialize(doubled.tensor("x")).tolist()
        [[2, 4], [6, 8]]
    """

    name = "trafo_map"
    foreign = True

    function: Any = parameter(
        check=Check(
            "a function of a tensor, or where it can be imported from",
            lambda x: isinstance(x, Ref) or (isinstance(x, Opaque) and callable(x.content)),
        ),
        convert=as_code,
    )
    draws: int = parameter(default=0, check=integer(0))
    batched: bool = parameter(default=False, check=boolean())
    shape: TensorShape = parameter(
        default=None,
        check=optional(
            Check(
                "sizes of a row, with None for those that are not known",
                lambda x: isinstance(x, tuple) and all(map(optional(integer(0)).accepts, x)),
            )
        ),
        convert=as_tuple,
    )
    dtype: torch.dtype | None = parameter(default=None, check=_DTYPE)

    def resolved(self, known: LazyType) -> LazyOp:
        """Return the operator with the shape and dtype that its function gives without data."""
        if self.draws or self.shape is not None or self.dtype is not None:
            return self
        found = foreseen(self.function.resolve(), known, batched=self.batched)
        shape = found.shape if known.shape == known.later else None
        return evolve(self, shape=shape, dtype=found.dtype)

    def shaped(self, shape: TensorShape) -> TensorShape:
        """What was said of it."""
        return self._map.shaped(shape)

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """What was said of it."""
        return self._map.typed_as(dtype)

    def batch(self, x: Tensor, draws: Draws) -> Values:
        """Call the function."""
        return self._map.batch(x, draws)

    def row(self, x: Tensor, draws: Draws) -> Tensor:
        """Call the function."""
        return self._map.row(x, draws)

    @property
    def _map(self) -> FunctionMap:
        return FunctionMap(self.function, self.draws, self.batched, self.shape, self.dtype)


trafo_map = operator(MapRows)
