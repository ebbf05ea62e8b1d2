"""The state of training: everything that the next event needs, and nothing else."""

from __future__ import annotations

from typing import Any

from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.value import descriptor, value
from fpipe.optim.optimizer import OptimizerState
from fpipe.train.numerics import Numerics


@descriptor
class Cursor:
    """Where training stands.

    Args:
        epoch: the present epoch, from 1; 0 before the first.
        batch: batches done in it.
        step: steps done in all.
        ended: whether End has been seen.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    ended: bool = False


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

    def on(self, device: str) -> Weights:
        """Return the weights on a device."""
        moved = ({k: v.to(device) for k, v in m.items()} for m in (self.params, self.buffers))
        return Weights(*map(pmap, moved))


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
        result: the weights that predictions use; set by End.
        cursor: where training stands.
        callbacks: what each callback remembers, by its id.
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
    result: Weights | None = None
    cursor: Cursor = Cursor()
    callbacks: PMap[str, Any] = pmap()

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
