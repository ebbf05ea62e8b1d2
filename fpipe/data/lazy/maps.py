"""What is done to rows after they are read, as values that can be chained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import FpipeError, ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import Rows, TensorShape, Values, agrees, stacked

Uniforms = NDArray[np.float64]
"""Draws from ``[0, 1)``, ``[rows, draws]``."""


class Map:
    """A pure function of the rows of a column of tensors.

    What happens to a row depends on that row and its draws alone, so it is the same in every
    batch. A class says what becomes of shape and dtype, how many draws it takes for each row,
    and what it does: to a batch in which all rows have one shape (`batch`), or to one row (`row`).
    Maps are descriptors; ``f >> g`` is the map that does one and then the other.
    """

    __slots__ = ()

    foreign: ClassVar[bool] = False
    """Whether this is code of the user's, which may give memory that somebody else has."""

    light: ClassVar[bool] = False
    """Whether it costs little more than a copy of the rows: it may be done in each epoch."""

    @property
    def draws(self) -> int:
        """How many uniform numbers are drawn for each row."""
        return 0

    def shaped(self, shape: TensorShape) -> TensorShape:
        """Return the shape of a row afterwards, as far as it is known."""
        return shape

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype afterwards."""
        return dtype

    def batch(self, x: Tensor, draws: Uniforms) -> Values:
        """Return rows of one shape, ``[rows, …]``, mapped; by default one by one."""
        if not len(x):
            shape = self.shaped(tuple(x.shape[1:])) or ()
            return x.new_empty((0, *(n or 0 for n in shape)), dtype=self.typed_as(x.dtype))
        return stacked([self.row(one, u) for one, u in zip(x, draws, strict=True)])

    def row(self, x: Tensor, draws: NDArray[np.float64]) -> Tensor:
        """Return one row mapped; by default as a batch of one."""
        return self.batch(x[None], draws[None])[0]

    def within(self, x: Tensor, draws: Uniforms, memory: Tensor | None) -> Values:
        """Return what `batch` returns, to the bit, in memory that may be overwritten.

        Args:
            x: the rows, which belong to nobody else.
            draws: as in `batch`.
            memory: where the result may be put, of its shape and dtype; None where nowhere is.
        """
        return self.batch(x, draws)

    def __rshift__(self, other: Map) -> Chain:
        return Chain((*flat(self), *flat(other)))


@descriptor
class Chain(Map):
    """Several maps, one after the other.

    Args:
        maps: none of them a chain.
    """

    maps: tuple[Map, ...]


@descriptor
class FunctionMap(Map):
    """A function of the user's, of one row or of a whole batch.

    Args:
        function: takes a tensor and gives one; with ``draws`` it is given as many uniform
            numbers as well, as an array.
        drawn: how many numbers are drawn for each row.
        batched: whether it takes whole batches, ``[rows, …]``, of rows of one shape.
        shape: the shape of a row afterwards, where it is known.
        dtype: the dtype afterwards; None where it stays.
    """

    name: ClassVar[str] = "function"
    foreign: ClassVar[bool] = True

    function: Ref | Opaque
    drawn: int = 0
    batched: bool = False
    shape: TensorShape = None
    dtype: torch.dtype | None = None

    @property
    def draws(self) -> int:
        """As many as were asked for."""
        return self.drawn

    def shaped(self, shape: TensorShape) -> TensorShape:
        """What was said of it."""
        return self.shape

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """What was said of it."""
        return self.dtype or dtype

    def batch(self, x: Tensor, draws: Uniforms) -> Values:
        """Call the function."""
        if not self.batched:
            return Map.batch(self, x, draws)
        found = self._called(x, draws)
        if found.ndim == 0 or len(found) != len(x):
            raise ShapeError(
                f"the function {self.function.name} gives another number of rows.",
                expected=f"[{len(x)}, …]",
                got=str(list(found.shape)),
                fix="keep the rows apart, in order",
            )
        return found

    def row(self, x: Tensor, draws: NDArray[np.float64]) -> Tensor:
        """Call the function."""
        return Map.row(self, x, draws) if self.batched else self._called(x, draws)

    def _called(self, x: Tensor, draws: NDArray[np.float64]) -> Tensor:
        function: Callable[..., Any] = self.function.resolve()
        found = function(x, draws) if self.drawn else function(x)
        if not isinstance(found, Tensor):
            raise ShapeError(
                f"the function {self.function.name} gives no tensor.",
                expected="a tensor",
                got=type(found).__name__,
                fix="return torch.as_tensor(...)",
            )
        return found


@descriptor
class Link:
    """A map in the chain of a column, and where its draws come from.

    Args:
        map: the map; no chain.
        key: the key of its draws; None where `materialize` is to give one.
    """

    map: Map
    key: Key | None = None


def flat(one: Map) -> tuple[Map, ...]:
    """Return the maps of a chain, or the one map."""
    return one.maps if isinstance(one, Chain) else (one,)


def applied(one: Map, values: Values, draws: Uniforms, memory: Tensor | None = None) -> Values:
    """Return rows mapped; a batch stays one where all rows keep one shape.

    Args:
        one: the map; no chain.
        values: the rows, which belong to nobody else and may be overwritten.
        draws: ``[rows, one.draws]``.
        memory: where the result may be put.
    """
    if isinstance(values, Tensor):
        return one.within(values, draws, memory) if len(values) else one.batch(values, draws)
    return stacked([one.row(x, u) for x, u in zip(values, draws, strict=True)])


def drawn(one: Link, key: Key | None, place: int, ids: Rows, epoch: int) -> Uniforms:
    """Return the draws of a map: they depend on its key, the epoch and each row's id alone.

    Args:
        one: the map.
        key: what gives keys to maps without one, by their place in the chain.
        place: the place in the chain.
        ids: row ids.
        epoch: the epoch.
    """
    if not one.map.draws:
        return np.empty((len(ids), 0))
    own = one.key
    if own is None:
        if key is None:
            raise FpipeError(
                f"the map {one.map!r} draws and has no key."[:200],
                expected="a key",
                got="none",
                fix="materialize(..., key=fp.key(42)); in a graph, ops.trafo_map(f, draws=…)",
            )
        own = key.fold_in(place)
    return own.fold_in(epoch).row_uniforms(ids, one.map.draws)


def checked(one: Link, values: Values, shape: TensorShape, dtype: torch.dtype) -> None:
    """Raise ShapeError where a map gave another shape or dtype than it foretold."""
    seen = [values.shape[1:]] if isinstance(values, Tensor) else [x.shape for x in values]
    first = values if isinstance(values, Tensor) else next(iter(values), None)
    if first is not None and first.dtype != dtype:
        raise ShapeError(
            f"the map {one.map!r} gives another dtype than it said."[:200],
            expected=str(dtype),
            got=str(first.dtype),
            fix=f"give the function's dtype={first.dtype}",
        )
    for found in seen:
        if not agrees(tuple(found), shape):
            raise ShapeError(
                f"the map {one.map!r} gives another shape than it said."[:200],
                expected=str(shape),
                got=str(tuple(found)),
                fix="give the function's shape=, or leave it out",
            )
