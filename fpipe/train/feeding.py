"""Inputs of a network that are read when a batch needs them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.core.value import evolve, value
from fpipe.data.lazy.arrays import ArraySource, ListSource
from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.data.lazy.reading import materialize, read_together, stack
from fpipe.data.lazy.source import Source, Values, agrees
from fpipe.data.lazy.tensor import LazyColumn, LazyTensor

MATERIALIZE = ("auto", "memory", "device", "lazy")
BUDGET = 2 * 1024**3
"""Bytes that ``materialize="auto"`` lets an input take in memory."""


@value
class LazyInput:
    """Rows of an input that are not read yet.

    Args:
        name: the column, for messages.
        tensor: the rows.
        size: the shape that every row must have, without the batch.
        dtype: of the input.
        device: where it is to be.
    """

    name: str
    tensor: LazyTensor
    size: tuple[int, ...]
    dtype: torch.dtype
    device: str = "cpu"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows, ``(rows, …)``."""
        return (len(self.tensor), *self.size)

    def to(self, device: str) -> LazyInput:
        """Return the rows that will be on another device."""
        return evolve(self, device=device)

    def take(self, positions: NDArray[np.int64]) -> LazyInput:
        """Return the rows at some positions."""
        return evolve(self, tensor=self.tensor.take(positions))

    def ready(self, values: Values) -> Tensor:
        """Return rows that were read as the network takes them.

        Raises:
            DataError: a row has another shape, or a number that is missing or infinite.
        """
        for row, one in enumerate(values):
            if not agrees(tuple(one.shape), self.size):
                raise self._error(row, f"shape {self.size}", f"shape {tuple(one.shape)}")
            if isinstance(values, Tensor):
                break
        whole = stack(values, f"the rows of '{self.name}'")
        if not _all_finite(whole):
            bad = ~whole.isfinite().flatten(1).all(1)
            row = int(bad.nonzero()[0])
            raise self._error(row, "finite numbers", "a missing or infinite number")
        if self.device.startswith("cuda"):
            whole = whole.pin_memory()
        # Pixels travel as they are: a quarter of the bytes of the numbers that they become.
        return whole.to(self.device, non_blocking=True).to(self.dtype)

    def _error(self, row: int, expected: str, got: str) -> DataError:
        number = int(self.tensor.ids[row])
        return DataError(
            f"the tensor of row {number} in column '{self.name}' cannot enter the network.",
            expected=expected,
            got=got,
            fix="bring all rows to one shape, e.g. with ops.trafo_resize((64, 64))"
            if expected.startswith("shape")
            else "leave that row out, or replace the number",
            row=number,
            column=self.name,
        )


def _all_finite(x: Tensor) -> bool:
    """Tell whether all numbers are finite; a sum tells it of most without any memory."""
    if not x.is_floating_point() or math.isfinite(float(x.sum(dtype=torch.float32))):
        return True
    return bool(x.isfinite().all())


def read_inputs(
    inputs: Mapping[str, Tensor | LazyInput], epoch: int, pool: MemoryPool | None = None
) -> dict[str, Tensor]:
    """Return all inputs as tensors; what lazy ones share is read once.

    Args:
        inputs: one per input of the network, over the same rows.
        epoch: what draws of lazy ones depend on.
        pool: where memory for lazy ones comes from.
    """
    lazy = {name: one for name, one in inputs.items() if isinstance(one, LazyInput)}
    found = read_together([one.tensor for one in lazy.values()], epoch=epoch, pool=pool)
    ready = {n: one.ready(v) for (n, one), v in zip(lazy.items(), found, strict=True)}
    return {n: ready[n] if isinstance(x, LazyInput) else x for n, x in inputs.items()}


def held(one: LazyInput, policy: str) -> Tensor | LazyInput:
    """Return an input of which as much is read already as a policy says; values stay the same.

    Args:
        one: the input.
        policy: ``"memory"`` reads all that needs no draws, ``"device"`` puts what is ready on the
            device of the training besides, ``"lazy"`` reads nothing. ``"auto"`` is
            ``"memory"`` for inputs of at most 2 GiB, by the number of rows, the size of a row
            before the first draw and its dtype. Where rows fit as pixels and not as the numbers
            that these become, pixels are kept; else it is ``"lazy"``.
    """
    if policy == "lazy" or not len(one.tensor):
        return one
    column = one.tensor.column
    fixed = _fixed(column)
    whole = fixed == len(column.maps)
    if policy == "auto" and not _fits(one, column, fixed, whole=whole):
        fixed, whole = _before_light_maps(column, fixed), False
        if not _fits(one, column, fixed, whole=False):
            return one
    if whole and (one.device == "cpu" or policy == "device"):
        return one.ready(materialize(one.tensor))
    return one if not fixed and column.source.in_memory else _begun(one, fixed)


def _begun(one: LazyInput, fixed: int) -> LazyInput:
    """Return an input whose first maps are done, in memory; the others follow for each batch."""
    column = one.tensor.column
    before = evolve(one.tensor, column=LazyColumn(column.source, column.maps[:fixed]))
    values = materialize(before)
    rows = np.arange(len(values), dtype=np.int64)
    known = before.column.type
    held_rows: Source = (
        ArraySource(values)
        if isinstance(values, Tensor)
        else ListSource(tuple(values), known.shape, known.dtype)
    )
    left = LazyColumn(held_rows, column.maps[fixed:])
    return evolve(one, tensor=LazyTensor(left, rows, one.tensor.ids))


def _fixed(column: LazyColumn) -> int:
    """Return how many maps come before the first that draws."""
    drawing = (place for place, one in enumerate(column.maps) if one.map.draws)
    return next(drawing, len(column.maps))


def _before_light_maps(column: LazyColumn, fixed: int) -> int:
    """Return how many maps come before the last that cost next to nothing."""
    while fixed and column.maps[fixed - 1].map.light:
        fixed -= 1
    return fixed


def _fits(one: LazyInput, column: LazyColumn, fixed: int, *, whole: bool) -> bool:
    """Tell whether an input takes little enough memory."""
    shape, dtype = column.shapes()[fixed], column.dtypes()[fixed]
    if whole:
        shape, dtype = one.size, one.dtype
    if shape is None or None in shape:
        return False
    cells = int(np.prod([n for n in shape if n is not None], dtype=np.int64))
    return len(one.tensor) * cells * dtype.itemsize <= BUDGET
