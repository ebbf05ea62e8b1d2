"""Where lazy columns are read from."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.value import value

Rows: TypeAlias = NDArray[np.int64]
TensorShape: TypeAlias = tuple[int | None, ...] | None
"""The shape of one row: None for an unknown size, None in its place where all is unknown."""

Values: TypeAlias = Tensor | list[Tensor]
"""Rows that have one shape, ``[rows, …]``, or one tensor per row."""


class UnreadableError(Exception):
    """A row that cannot be read; `materialize` turns it into a `DataError` with the row's id.

    Args:
        position: where the row stands in the source.
        reason: why it cannot be read.
        place: the file, where there is one.
    """

    def __init__(self, position: int, reason: str, place: str | None = None) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.place = place


@value
class Source:
    """Numbered rows, each of which is a tensor; derive from it to read from elsewhere.

    Reading is pure: the same positions give the same tensors, in any order, grouping and thread.
    """

    in_memory: ClassVar[bool] = False
    """Whether reading is no more than copying."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        raise NotImplementedError

    @property
    def shape(self) -> TensorShape:
        """The shape of a row, as far as it is known without reading."""
        raise NotImplementedError

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of every row."""
        raise NotImplementedError

    def read(self, positions: Rows) -> Values:
        """Return the rows at some positions, in memory that nobody else has.

        Raises:
            UnreadableError: a row cannot be read.
        """
        raise NotImplementedError


def stacked(rows: list[Tensor]) -> Values:
    """Return rows as one tensor where all have one shape (and there is one); they are copied.

    Example:
        >>> stacked([torch.zeros(2), torch.ones(2)]).shape
        torch.Size([2, 2])
    """
    if not rows or any(row.shape != rows[0].shape for row in rows):
        return rows
    if rows[0].ndim == 3 and all(row.stride(0) == 1 < row.shape[0] for row in rows):
        # Pixels as decoders give them, colour by colour: many kernels are faster on these.
        return torch.stack([row.permute(1, 2, 0) for row in rows]).permute(0, 3, 1, 2)
    return torch.stack(rows)


def agrees(found: tuple[int, ...], shape: TensorShape) -> bool:
    """Tell whether a shape is one that was foreseen.

    Example:
        >>> agrees((3, 8, 9), (3, None, None)), agrees((3, 8), None), agrees((1, 8), (3, None))
        (True, True, False)
    """
    if shape is None:
        return True
    pairs = zip(found, shape, strict=False)
    return len(found) == len(shape) and all(b is None or a == b for a, b in pairs)
