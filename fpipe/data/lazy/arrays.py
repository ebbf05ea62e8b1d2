"""Rows that are in memory already."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.core.value import value
from fpipe.data.lazy.source import Rows, Source, TensorShape, Values, stacked


@value
class ArraySource(Source):
    """The rows of one tensor.

    Args:
        array: ``[rows, …]``.
    """

    in_memory = True

    array: Tensor

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.array.shape[0])

    @property
    def shape(self) -> TensorShape:
        """The shape of a row."""
        return tuple(self.array.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the tensor."""
        return self.array.dtype

    def read(self, positions: Rows) -> Values:
        """Copy some rows."""
        return self.array.index_select(0, torch.from_numpy(positions))


@value
class ListSource(Source):
    """Rows in memory whose sizes differ.

    Args:
        tensors: the rows.
        shape: what they have in common.
        dtype: the dtype of every row.
    """

    in_memory = True

    tensors: tuple[Tensor, ...]
    shape: TensorShape
    dtype: torch.dtype

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.tensors)

    def read(self, positions: Rows) -> Values:
        """Copy some rows."""
        return stacked([self.tensors[int(position)].clone() for position in positions])


def owned(array: Any) -> Tensor:
    """Return an array or tensor as a tensor in memory of its own, on the CPU.

    Raises:
        DataError: it has no rows' dimension, or its elements are no numbers.
    """
    try:
        tensor = array.detach().cpu().clone() if isinstance(array, Tensor) else _copied(array)
    except (TypeError, ValueError) as error:
        raise DataError(
            "the array cannot be a column of tensors.",
            expected="an array of numbers, one row per observation",
            got=str(error)[:200],
        ) from error
    if tensor.ndim == 0:
        raise DataError(
            "one number is no column of tensors.",
            expected="an array whose first dimension counts the rows",
            got="0 dimensions",
            fix="put it in a list, one entry per row",
        )
    return tensor


def _copied(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array, copy=True))
