"""Strategies for lazy tensors and what is done to their rows."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.code import as_code
from fpipe.core.value import value
from fpipe.data.construct import classification
from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.making import lazy
from fpipe.data.lazy.maps import FunctionMap, Map
from fpipe.data.lazy.source import Rows, Source, TensorShape, Values, stacked
from fpipe.data.lazy.tensor import LazyTensor, lazy_tensor
from fpipe.data.task import Task


@value
class Uneven(Source):
    """Images whose sizes differ from row to row.

    Args:
        sizes: height and width of each.
        channels: how many each has.
    """

    sizes: tuple[tuple[int, int], ...]
    channels: int

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(self.sizes)

    @property
    def shape(self) -> TensorShape:
        """Only the channels are known."""
        return (self.channels, None, None)

    @property
    def dtype(self) -> torch.dtype:
        """Pixels are uint8."""
        return torch.uint8

    def read(self, positions: Rows) -> Values:
        """Make the images."""
        return stacked([self._one(int(p)) for p in positions])

    def _one(self, position: int) -> Tensor:
        height, width = self.sizes[position]
        random = np.random.default_rng(position)
        pixels = random.integers(0, 256, (self.channels, height, width))
        return torch.from_numpy(pixels.astype(np.uint8))


def _inverted(x: Tensor) -> Tensor:
    return 255 - x


def _moved(x: Tensor, draws: NDArray[np.float64]) -> Tensor:
    return x.roll(int(draws[0] * x.shape[-1]), -1) if x.shape[-1] else x


def _blackened(x: Tensor) -> Tensor:
    x[..., :1] = 0  # in its place: what it is given must be nobody else's
    return x


def _cut(x: Tensor, draws: NDArray[np.float64]) -> Tensor:
    return x[..., : 1 + int(draws[1] * (x.shape[-1] - 1))]


def functions() -> SearchStrategy[Map]:
    """Functions of a row: drawing or not, changing the shape, writing into what they are given."""
    return st.sampled_from(
        [
            FunctionMap(as_code(_inverted)),
            FunctionMap(as_code(_blackened)),
            FunctionMap(as_code(_moved), 1),
            FunctionMap(as_code(_cut), 2),
        ]
    )


@st.composite
def sources(draw: DrawFn, channels: int | None = None) -> Source:
    """Sources of one to seven small images, of one size or of several."""
    count = draw(st.integers(1, 7))
    deep = channels or draw(st.sampled_from([1, 3]))
    side = st.integers(4, 9)
    if draw(st.booleans()):
        return Uneven(tuple(draw(st.tuples(side, side)) for _ in range(count)), deep)
    height, width = draw(side), draw(side)
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return ArraySource(
        torch.from_numpy(random.integers(0, 256, (count, deep, height, width)).astype(np.uint8))
    )


@st.composite
def lazy_tensors(
    draw: DrawFn, maps: SearchStrategy[Map] | None = None, channels: int | None = None
) -> LazyTensor:
    """Lazy tensors of small images, with up to three maps and rows in any order.

    Args:
        draw: Hypothesis's.
        maps: what may be done to the rows; `functions` by default.
        channels: how many channels images have; 1 or 3 by default.
    """
    lazy = lazy_tensor(draw(sources(channels)))
    for one in draw(st.lists(functions() if maps is None else maps, max_size=3)):
        lazy = lazy.map(one)
    return lazy.take(draw(st.permutations(range(len(lazy)))))


@st.composite
def pictured(draw: DrawFn) -> Task:
    """Classification tasks of small images (no pixel above 200), unbalanced, with groups."""
    rows = draw(st.integers(8, 24))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    pixels = random.integers(0, 201, (rows, 1, 2, 3)).astype(np.uint8)
    label = np.where(random.random(rows) < 0.3, "rare", "often")
    label[:4] = ["rare", "often", "rare", "often"]
    group = random.integers(0, max(rows // 2, 4), rows)
    group[:4] = [0, 1, 2, 3]  # four groups or more, with both classes in them
    columns = {"image": lazy(pixels), "patient": [f"p{code}" for code in group], "y": label}
    return classification(columns, "y", group="patient")
