"""Rows that come group by group, brought together in one piece of memory."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.data.lazy.source import Values
from fpipe.data.lazy.tensor import LazyType


class Gathered:
    """Collects groups of rows: one tensor where all rows are alike, else a list.

    Args:
        rows: how many rows will come.
        known: what is known of them.
        pool: where memory comes from; fresh by default.
    """

    def __init__(self, rows: int, known: LazyType, pool: MemoryPool | None = None) -> None:
        self._rows = rows
        self._pool = pool
        self._whole: Tensor | None = None
        sizes = [n for n in known.shape or (None,) if n is not None]
        if known.shape is not None and len(sizes) == len(known.shape):
            self._whole = self._empty((rows, *sizes), known.dtype)
        self._filled = 0
        self._list: list[Tensor] | None = None

    def memory(self, rows: int) -> Tensor | None:
        """Return where the next rows will be, where that is known."""
        if self._whole is None or self._list is not None:
            return None
        return self._whole[self._filled : self._filled + rows]

    def add(self, part: Values) -> None:
        """Take over the next rows; those that were put where they will be are there."""
        if self._list is None and isinstance(part, Tensor) and self._fits(part):
            if self._whole is None:
                self._whole = self._empty((self._rows, *part.shape[1:]), part.dtype)
            place = self._whole[self._filled : self._filled + len(part)]
            there = place.data_ptr() == part.data_ptr() and place.stride() == part.stride()
            if not there:
                # Part may be a view of the place, in another order.
                place.copy_(part.clone() if _one_storage(place, part) else part)
            self._filled += len(part)
            return
        if self._list is None:
            self._list = [] if self._whole is None else list(self._whole[: self._filled])
        self._list.extend(part)

    def values(self) -> Values:
        """Return all rows."""
        if self._list is not None:
            return self._list
        assert self._whole is not None
        assert self._filled == self._rows
        return self._whole

    def _fits(self, part: Tensor) -> bool:
        if self._whole is None:
            return True
        return part.shape[1:] == self._whole.shape[1:] and part.dtype == self._whole.dtype

    def _empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return memory that NumPy has asked for: it asks for large pages, torch for small ones."""
        count = math.prod(shape) * dtype.itemsize
        array = np.empty(count, np.uint8) if self._pool is None else self._pool.take(count)
        return torch.from_numpy(array).view(dtype).view(shape)


def _one_storage(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
