"""What tests of operators on images share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import fpipe as fp


@pytest.fixture
def images() -> Callable[..., torch.Tensor]:
    """Return a maker of random images, ``[rows, channels, height, width]``."""

    def make(
        shape: tuple[int, ...] = (3, 9, 12), dtype: torch.dtype = torch.uint8, rows: int = 5
    ) -> torch.Tensor:
        numbers = np.random.Generator(np.random.Philox(7)).integers(0, 256, (rows, *shape))
        pixels = torch.from_numpy(numbers).to(torch.uint8)
        return pixels if dtype == torch.uint8 else pixels.to(dtype) / 255

    return make


@pytest.fixture
def op_of() -> Callable[[fp.graph.Graph], Any]:
    """Return a function from the graph of one operator to what is done to a row."""
    return lambda graph: graph.nodes[0].op.bare()


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes torch's generator give chosen numbers, one after the other.

    Args of it: the numbers from [0, 1) for intervals, for whole numbers, and for probabilities.
    """

    def force(intervals: Any = (), wholes: Any = (), chances: Any = (), order: Any = ()) -> None:
        queues = [iter(list(map(float, given))) for given in (intervals, wholes, chances)]

        def uniform(self: torch.Tensor, low: float, high: float) -> torch.Tensor:
            return self.fill_(float(low) + next(queues[0]) * (float(high) - float(low)))

        def randint(*ends: int, size: Any = ()) -> torch.Tensor:
            # torch takes the size by position too: randint(high, size), randint(low, high, size).
            numbers = [end for end in ends if isinstance(end, int)]
            low, high = (0, *numbers)[-2:]
            return torch.tensor(low + int(next(queues[1]) * (high - low)))

        monkeypatch.setattr(torch.Tensor, "uniform_", uniform)
        monkeypatch.setattr(torch, "randint", randint)
        monkeypatch.setattr(torch, "rand", lambda *size: torch.tensor(next(queues[2])))
        monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor(list(order)))

    return force
