"""The read-only context of a run: network, loss, optimizer, plan and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pyrsistent import PMap
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.parameter import label
from fpipe.core.value import descriptor, value
from fpipe.data.lazy.memory_pool import MemoryPool
from fpipe.measure.loss import Loss
from fpipe.net.network import Network
from fpipe.optim.optimizer import Optimizer
from fpipe.train.batched import Batched
from fpipe.train.callback import Named
from fpipe.train.feeding import LazyInput, read_inputs
from fpipe.train.mixing import Placed
from fpipe.train.plan import Plan


@value
class Examples:
    """Rows as tensors, ready for a network.

    Args:
        inputs: one per input of the network: a tensor, ``[rows, …]``, or rows to be read.
        target: ``[rows, 1]`` floating, or ``[rows]`` int64 class codes; None where unknown.
        weights: ``[rows]`` floating, or None.
        rows: number of rows.
    """

    inputs: PMap[str, Tensor | LazyInput]
    target: Tensor | None
    weights: Tensor | None
    rows: int

    @property
    def lazy(self) -> bool:
        """Whether an input is read when a batch needs it."""
        return any(isinstance(one, LazyInput) for one in self.inputs.values())

    def take(
        self, positions: NDArray[np.int64], epoch: int = 0, pool: MemoryPool | None = None
    ) -> Batched:
        """Return the rows at these positions as plain tensors, read where they are lazy.

        Args:
            positions: which rows.
            epoch: what the draws of lazy inputs depend on.
            pool: where memory for lazy inputs comes from; fresh by default.
        """
        index = torch.from_numpy(positions)
        inputs = {
            name: one.take(positions) if isinstance(one, LazyInput) else one.index_select(0, index)
            for name, one in self.inputs.items()
        }
        return Batched(
            read_inputs(inputs, epoch, pool),
            None if self.target is None else self.target.index_select(0, index),
            None if self.weights is None else self.weights.index_select(0, index),
        )

    def chunks(self, size: int) -> list[Callable[[], Batched]]:
        """Return functions that give all rows in order, ``size`` at a time."""
        whole = np.arange(self.rows, dtype=np.int64)
        pool = MemoryPool()
        starts = range(0, self.rows, size)
        return [partial(self.take, whole[i : i + size], pool=pool) for i in starts]


@descriptor
class Stopping:
    """When to stop early, and which weights to keep.

    Args:
        monitor: what is watched on the validation rows: ``"loss"`` or a measure's name.
        minimize: whether smaller is better.
        patience: evaluations without improvement after which training stops; 0 for never.
        min_delta: how much better an evaluation must be to count, in the monitor's unit.
        keep_best: whether predictions use the weights of the best evaluation.
    """

    monitor: str = "loss"
    minimize: bool = True
    patience: int = 0
    min_delta: float = 0.0
    keep_best: bool = False


Scorer = Callable[[Tensor], Mapping[str, float]]
"""Turns the network's outputs on the validation rows, ``[rows, …]``, into named scores."""


TrainScorer = Callable[[Sequence[tuple[NDArray[np.int64], Tensor]]], Mapping[str, float]]
"""Turns positions of training rows and outputs for them, batch by batch, into named scores."""


@value
class Run:
    """Everything that training reads and never changes.

    Args:
        network: the network.
        keys: the key of each layer, by path.
        loss: the loss.
        optimizer: the optimizer.
        plan: how training goes through the rows.
        train: the training rows.
        valid: the validation rows, or None.
        scorer: scores of the outputs on the validation rows, or None.
        stopping: early stopping.
        predict_batch: rows per batch where nothing is learned.
        callbacks: the callbacks with their ids, in the order in which they are called.
        train_scorer: scores of the outputs that the training rows had in the epoch, or None.
        chances: of each row to be drawn for an epoch, ``[rows]``; None where all come once.
        mixing: how the rows of training batches are mixed with each other.
        workers: threads that read batches ahead; no part of the run, since nothing depends on it.
    """

    network: Network
    keys: PMap[str, Key]
    loss: Loss
    optimizer: Optimizer
    plan: Plan
    train: Examples
    valid: Examples | None = None
    scorer: Scorer | None = None
    stopping: Stopping = Stopping()
    predict_batch: int = 1024
    callbacks: Named = ()
    train_scorer: TrainScorer | None = None
    mixing: tuple[Placed, ...] = ()
    chances: NDArray[np.float64] | None = None
    workers: int = label(default=0)
