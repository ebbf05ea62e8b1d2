"""Mixing the rows of a batch with each other while training: mixup and cutmix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fpipe.core.key import Key
from fpipe.core.parameter import number, parameter, real
from fpipe.core.value import descriptor
from fpipe.train.batched import Batched


class Draws(NamedTuple):
    """What is drawn for a batch: how much rows keep of themselves, their partners, a place."""

    kept: float
    partners: Tensor
    place: tuple[float, float]


@descriptor
class Mixing:
    """Rows are mixed with others of their batch, and so are their targets.

    Args:
        alpha: of the Beta(alpha, alpha) distribution of the share that a row keeps of itself.
        p: the probability that a batch is mixed.
    """

    name: ClassVar[str]
    images: ClassVar[bool] = False

    alpha: float = parameter(default=1.0, check=number(0.0, above=True), convert=real)
    p: float = parameter(default=1.0, check=number(0.0, 1.0), convert=real, kw_only=True)

    def mixed(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the rows of an input mixed, ``[rows, …]``."""
        raise NotImplementedError

    def share(self, draws: Draws, size: tuple[int, ...]) -> float:
        """Return the share that a row keeps of itself, given the shape of an input."""
        del size
        return draws.kept


@descriptor
class Mixup(Mixing):
    """Every number of a row is a weighted mean of two rows.

    Source:
        Zhang et al. 2018, *mixup: Beyond empirical risk minimization*.
    """

    name = "mixup"

    def mixed(self, x: Tensor, draws: Draws) -> Tensor:
        """The weighted mean of each row and its partner."""
        return torch.lerp(x.index_select(0, draws.partners), x, draws.kept)


@descriptor
class Cutmix(Mixing):
    """A box of an image is cut out of another image.

    Source:
        Yun et al. 2019, *CutMix*: the box has the share ``1 - kept`` of the area and its centre
        anywhere; what lies outside of the image is cut off, and the target mixed by the rest.
    """

    name = "cutmix"
    images = True

    def mixed(self, x: Tensor, draws: Draws) -> Tensor:
        """Each image with a box of its partner."""
        top, bottom, left, right = self._box(draws, tuple(x.shape))
        out = x.clone()
        box = (..., slice(top, bottom), slice(left, right))
        out[box] = x.index_select(0, draws.partners)[box]
        return out

    def share(self, draws: Draws, size: tuple[int, ...]) -> float:
        """The share of the area outside of the box."""
        top, bottom, left, right = self._box(draws, size)
        return 1.0 - (bottom - top) * (right - left) / (size[-2] * size[-1])

    def _box(self, draws: Draws, size: tuple[int, ...]) -> tuple[int, int, int, int]:
        height, width = size[-2:]
        half = 0.5 * math.sqrt(1.0 - draws.kept)
        y, x = draws.place[0] * height, draws.place[1] * width
        top, bottom = int(y - half * height), int(y + half * height)
        left, right = int(x - half * width), int(x + half * width)
        return max(top, 0), min(bottom, height), max(left, 0), min(right, width)


@descriptor
class Placed:
    """A mixing in a run.

    Args:
        mixing: how rows are mixed.
        key: where it draws from.
        classes: number of classes that the target has codes of; 0 for numbers.
    """

    mixing: Mixing
    key: Key
    classes: int = 0


def mixed_batch(batch: Batched, mixings: Sequence[Placed], step: int) -> Batched:
    """Return a batch mixed; the same in every run, since draws depend on the step alone.

    Args:
        batch: the rows.
        mixings: how, one after the other.
        step: batches done in all.
    """
    for one in mixings:
        batch = _mixed(batch, one, one.key.fold_in(step).numpy())
    return batch


def _mixed(batch: Batched, one: Placed, random: np.random.Generator) -> Batched:
    mixing, rows = one.mixing, batch.rows
    if batch.target is None or random.random() >= mixing.p:
        return batch
    kept = float(random.beta(mixing.alpha, mixing.alpha))
    partners = torch.from_numpy(random.permutation(rows)).to(batch.target.device)
    draws = Draws(kept, partners, (float(random.random()), float(random.random())))
    inputs = {name: mixing.mixed(x, draws) for name, x in sorted(batch.inputs.items())}
    first = next(iter(inputs.values()))
    target, share = soft(batch.target, one.classes, first.dtype), draws.kept
    share = mixing.share(draws, tuple(first.shape))
    weights = batch.weights
    return Batched(
        inputs,
        torch.lerp(target.index_select(0, partners), target, share),
        None if weights is None else torch.lerp(weights.index_select(0, partners), weights, share),
    )


def soft(target: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Return a target of codes as probabilities, ``[rows, classes]``; others stay.

    Example:
        >>> soft(torch.tensor([1, 0]), 3, torch.float32).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if target.is_floating_point():
        return target
    return functional.one_hot(target, classes).to(dtype)
