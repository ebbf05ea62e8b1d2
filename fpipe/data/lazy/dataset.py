"""Rows of a torch data set."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fpipe.core.code import Opaque
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.parameter import label
from fpipe.core.value import value
from fpipe.data.lazy.source import (
    Rows,
    Source,
    TensorShape,
    UnreadableError,
    Values,
    agrees,
    stacked,
)


class Turn:
    """A lock that another process gets anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return Turn, ()


@value
class DatasetSource(Source):
    """One element of the items of a torch data set.

    A data set that has ``__getitems__`` is asked for many rows at once. It must give the same for
    the same row whenever it is asked. It equals only itself, since code cannot be compared.

    Args:
        dataset: anything with ``__len__`` and ``__getitem__``.
        element: which part of an item: a position, a key, or None for an item that is a tensor.
        rows: number of rows.
        shape: the shape of a row; None where rows differ or it is not known.
        dtype: the dtype.
        turn: lets one thread ask at a time; data sets often read from one open file.
    """

    dataset: Opaque
    element: int | str | None
    rows: int
    shape: TensorShape
    dtype: torch.dtype
    turn: Any = label(factory=Turn)

    def read(self, positions: Rows) -> Values:
        """Ask the data set for some rows."""
        wanted = [int(p) for p in positions]
        with self.turn:
            try:
                return self._asked(wanted)
            except Exception as error:
                raise self._of_one_row(wanted, error) from error

    def _asked(self, wanted: list[int]) -> Values:
        dataset = self.dataset.resolve()
        if hasattr(dataset, "__getitems__"):
            items = list(dataset.__getitems__(wanted))
        else:
            items = [dataset[p] for p in wanted]
        return stacked([tensor_of(item, self.element).clone() for item in items])

    def _of_one_row(self, wanted: list[int], error: Exception) -> UnreadableError:
        """Return the error with the row that cannot be read by itself."""
        for position in wanted:
            try:
                self._asked([position])
            except Exception as own:
                return UnreadableError(position, f"{type(own).__name__}: {own}")
        return UnreadableError(wanted[0], f"{type(error).__name__}: {error}")


def dataset_source(
    dataset: Any, element: int | str | None = None, shape: TensorShape = None
) -> DatasetSource:
    """Return one element of a torch data set as a source; its first row is looked at.

    Args:
        dataset: anything with ``__len__`` and ``__getitem__``.
        element: which part of an item; needed where an item has several.
        shape: the shape of a row, with None for unknown sizes; by default nothing is known of it.

    Raises:
        ParameterError: the data set has no length, or its items have no such element.
        DataError: it is empty.
    """
    mapping = isinstance(dataset, Mapping)
    if mapping or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise ParameterError(
            f"{type(dataset).__name__} cannot be read row by row.",
            expected="a data set with __len__ and __getitem__",
            got=type(dataset).__name__,
            fix="iterable data sets have no rows; read them into an array first",
        )
    if not len(dataset):
        raise DataError("the data set has no rows.", expected="at least one row", got="0 rows")
    first = tensor_of(dataset[0], element)
    if not agrees(tuple(first.shape), shape):
        raise DataError(
            "the first row of the data set has another shape.",
            expected=f"shape={shape}",
            got=str(tuple(first.shape)),
            fix=f"fp.lazy(dataset, shape={tuple(first.shape)}), with None for sizes that differ",
        )
    return DatasetSource(Opaque(dataset), element, len(dataset), shape, first.dtype)


def tensor_of(item: Any, element: int | str | None) -> Tensor:
    """Return one element of an item as a tensor.

    Raises:
        ParameterError: there is no such element, or it is no tensor.
    """
    several = isinstance(item, tuple | list | Mapping)
    if several and element is None and len(item) == 1:
        item = next(iter(item.values())) if isinstance(item, Mapping) else item[0]
    elif several:
        item = _chosen(item, element)
    if isinstance(item, Tensor):
        return item
    if isinstance(item, np.ndarray | int | float | bool | np.generic):
        return torch.as_tensor(np.asarray(item))
    raise ParameterError(
        f"an item of the data set is no tensor but {type(item).__name__}.",
        expected="a tensor, an array or a number",
        got=type(item).__name__,
        fix="give the data set a transform that makes tensors of it",
    )


def _chosen(item: Any, element: int | str | None) -> Any:
    names = list(item) if isinstance(item, Mapping) else list(range(len(item)))
    if element not in names:
        raise ParameterError(
            f"an item of the data set has {len(names)} elements.",
            expected=f"element= one of {', '.join(map(repr, names))}",
            got=f"element={element!r}",
            fix=f"fp.lazy(dataset, element={names[0]!r})" if names else "give items an element",
        )
    return item[element]
