"""Strategies for keys, leaves, tensors, frames and values made of them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import polars as pl
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pyrsistent import pmap, pvector

from fpipe.core.code import Ref
from fpipe.core.key import Key, key
from fpipe.core.parameter import label
from fpipe.core.value import descriptor, value


@descriptor
class Point:
    """A descriptor to test with; ``note`` is a label.

    Args:
        x: anything hashable.
        y: likewise.
        note: no part of what it is.
    """

    x: Any
    y: Any = None
    note: str | None = label(default=None)


@value
class Held:
    """A value to test with, which may hold tensors and tables."""

    content: Any
    more: Any = None


def keys() -> SearchStrategy[Key]:
    """Keys with short paths."""
    steps = st.lists(st.one_of(st.integers(0, 9), st.sampled_from(["a", "fit", "0"])), max_size=2)
    return st.builds(_key, st.integers(0, 2**32), steps)


def reals() -> SearchStrategy[float]:
    """Floating numbers of every kind: NaN, both zeros, infinities, denormals."""
    return st.one_of(st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 5e-324]), st.floats())


def hashables() -> SearchStrategy[Any]:
    """Leaves that can be hashed."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        reals(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.complex_numbers(max_magnitude=9),
        st.dates(datetime.date(1990, 1, 1), datetime.date(2030, 1, 1)),
        st.sampled_from(
            [torch.float32, pl.Int8(), pl.Enum(["a", "b"]), np.float32(0.5), Ref("m:f")]
        ),
    )


def tensors() -> SearchStrategy[torch.Tensor]:
    """Small tensors of every common dtype, also without dimensions or elements, also strided."""
    return _tensors()


def arrays() -> SearchStrategy[np.ndarray[Any, Any]]:
    """Small arrays of numbers."""
    dtypes = st.sampled_from(["f4", "f8", "i1", "i8", "?"])
    lists = st.lists(st.integers(-2, 2), max_size=4)
    return st.builds(lambda numbers, dtype: np.array(numbers).astype(dtype), lists, dtypes)


def frames(rows: int | None = None) -> SearchStrategy[pl.DataFrame]:
    """Small frames: numbers, text, truth values, levels, times and lists, with missing values.

    Args:
        rows: how many rows; 0 to 4 by default.
    """
    return _frames(rows)


def leaves() -> SearchStrategy[Any]:
    """Everything that values are made of and that has no parts."""
    return st.one_of(hashables(), tensors(), arrays(), frames())


def hashable_values() -> SearchStrategy[Any]:
    """Nested descriptors, tuples and maps of hashable leaves."""
    return st.recursive(hashables(), _hashable_containers, max_leaves=5)


def values() -> SearchStrategy[Any]:
    """Nested containers, descriptors and values of all leaves."""
    return st.recursive(leaves(), _containers, max_leaves=6)


def _key(seed: int, steps: list[int | str]) -> Key:
    made = key(seed)
    for step in steps:
        made = made.fold_in(step)
    return made


_DTYPES = (
    torch.float64,
    torch.float32,
    torch.bfloat16,
    torch.float16,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.complex64,
)


@st.composite
def _tensors(draw: DrawFn) -> torch.Tensor:
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    dtype = draw(st.sampled_from(_DTYPES))
    size = int(np.prod(shape))
    numbers = draw(st.lists(st.one_of(reals(), st.integers(0, 3)), min_size=size, max_size=size))
    plain = torch.tensor([float(n) for n in numbers], dtype=torch.float64).reshape(shape)
    if not (dtype.is_floating_point or dtype.is_complex):
        plain = plain.nan_to_num(0.0, 1.0, 1.0).clamp(0.0, 3.0)
    made = plain.to(dtype)
    return made.T if made.ndim == 2 and draw(st.booleans()) else made


_COLUMNS: tuple[tuple[Any, SearchStrategy[Any]], ...] = (
    (pl.Float64, reals()),
    (pl.Float32, st.floats(width=32)),
    (pl.Int64, st.integers(-3, 3)),
    (pl.UInt8, st.integers(0, 3)),
    (pl.String, st.text(st.characters(codec="utf-8"), max_size=2)),
    (pl.Boolean, st.booleans()),
    (pl.Enum(["a", "b", "ü"]), st.sampled_from(["a", "b", "ü"])),
    (pl.Date, st.dates(datetime.date(1990, 1, 1), datetime.date(2030, 1, 1))),
    (pl.List(pl.Int8), st.lists(st.integers(0, 3), max_size=2)),
)


@st.composite
def _frames(draw: DrawFn, rows: int | None) -> pl.DataFrame:
    height = draw(st.integers(0, 4)) if rows is None else rows
    columns = []
    for name in draw(st.lists(st.sampled_from(["x", "y z", "ä.b", "0"]), unique=True, max_size=3)):
        dtype, cells = draw(st.sampled_from(_COLUMNS))
        cells = st.one_of(cells, st.none())
        found = draw(st.lists(cells, min_size=height, max_size=height))
        columns.append(pl.Series(name, found, dtype=dtype))
    return pl.DataFrame(columns)


_NAMES = st.sampled_from(["a", "b", "a.b", "ü", ""])


def _hashable_containers(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_NAMES, inner, max_size=3).map(pmap),
        st.builds(Point, inner, inner),
    )


def _containers(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        _hashable_containers(inner),
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(pvector),
        st.dictionaries(st.one_of(_NAMES, st.integers(0, 2)), inner, max_size=3),
        st.builds(Held, inner, inner),
    )
