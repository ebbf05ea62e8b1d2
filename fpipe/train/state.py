"""The state of training: everything that the next event needs, and nothing else."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pyrsistent import PMap, PVector, pmap, pvector
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.value import descriptor, value
from fpipe.optim.optimizer import OptimizerState
from fpipe.train.numerics import Numerics
from fpipe.train.plan import Cursor
from fpipe.train.scaling import LossScale

Seen: TypeAlias = tuple[NDArray[np.int64], Tensor]


@descriptor
class Totals:
    """Sums over the batches of the present epoch.

    Args:
        loss: sum of the batches' losses, each times its share.
        share: sum of the shares: rows or row weights for a mean, 1 per batch for a sum.
    """

    loss: float = 0.0
    share: float = 0.0

    def plus(self, loss: float, share: float) -> Totals:
        """Return the sums with one more batch."""
        return Totals(self.loss + loss * share, self.share + share)


@value
class Weights:
    """Parameters and buffers by full name."""

    params: PMap[str, Tensor]
    buffers: PMap[str, Tensor]

    def on(self, device: str, dtype: torch.dtype | None = None) -> Weights:
        """Return the weights on a device.

        Args:
            device: the device.
            dtype: what floating tensors become; they stay as they are where it is None.
        """

        def moved(x: Tensor) -> Tensor:
            return x.to(device, dtype) if dtype and x.is_floating_point() else x.to(device)

        maps = ({k: moved(v) for k, v in m.items()} for m in (self.params, self.buffers))
        return Weights(*map(pmap, maps))


@value
class Pending:
    """Gradients of batches that wait for the update that they make together.

    Args:
        grads: sum of the batches' gradients, each times its share; those that the loss of any
            of them depends on.
        share: sum of the shares.
    """

    grads: PMap[str, Tensor]
    share: float


@value
class Best:
    """The best evaluation so far.

    Args:
        score: its score; NaN is never best.
        epoch: its epoch.
        weights: the weights it was made with, or None where they are not kept.
    """

    score: float
    epoch: int
    weights: Weights | None


@value
class TrainState:
    """A moment of training, as a value.

    Args:
        weights: present parameters and buffers.
        optimizer: what the optimizer remembers.
        key: the key of the run.
        numerics: how numbers are computed.
        totals: sums of the present epoch.
        history: one map of figures per finished epoch.
        best: the best evaluation so far, or None.
        stagnation: evaluations since then without improvement.
        stopped: whether training has been stopped early; only End changes such a state.
        stopping: whether a callback has asked to stop; training stops after the present epoch.
        result: the weights that predictions use; set by End.
        cursor: where training stands.
        callbacks: what each callback remembers, by its id.
        frozen: names of the parameters that are not learned now.
        pending: gradients that wait for an update, or None.
        seen: positions and outputs of the rows of the present epoch, one pair per batch; kept
            where the training rows are scored.
        last_loss: the loss of the last batch; None before the first.
        scale: what the loss is scaled by in float16; None elsewhere.
    """

    weights: Weights
    optimizer: OptimizerState
    key: Key
    numerics: Numerics
    totals: Totals = Totals()
    history: tuple[PMap[str, float], ...] = ()
    best: Best | None = None
    stagnation: int = 0
    stopped: bool = False
    stopping: bool = False
    result: Weights | None = None
    cursor: Cursor = Cursor()
    callbacks: PMap[str, Any] = pmap()
    frozen: frozenset[str] = frozenset()
    pending: Pending | None = None
    seen: PVector[Seen] = pvector()
    last_loss: float | None = None
    scale: LossScale | None = None

    def __repr__(self) -> str:
        at = self.cursor
        last = dict(self.history[-1]) if self.history else {}
        figures = ", ".join(f"{k} {v:.4g}" for k, v in sorted(last.items()) if k != "epoch")
        count = sum(tensor.numel() for tensor in self.weights.params.values())
        note = ", stopped early" if self.stopped else ""
        return (
            f"TrainState (epoch {at.epoch}, step {at.step}{note}, {count:,} parameters; {figures})"
        )


def figures(**values: float) -> PMap[str, float]:
    """Return one row of history."""
    return pmap(values)
