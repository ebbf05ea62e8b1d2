"""The fast interpreter: the meaning of ``step`` with private memory that is reused.

Between two states it keeps parameters and moments in place and works out programs, draws and
row orders once. Nothing that anyone else can see is changed, and the states are the same to
the bit as the reference's (a law holds it to that).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyrsistent import pmap

from fpipe.core.value import evolve
from fpipe.net.layer import Draw
from fpipe.net.network import make_draws, planned_draws, program
from fpipe.optim.optimizer import LiveOptimizer
from fpipe.train.callback import after_backward
from fpipe.train.gradient import gradient
from fpipe.train.plan import Batch, Event, batch_rows, epoch_order
from fpipe.train.run import Batched, Run
from fpipe.train.state import Cursor, Totals, TrainState, Weights
from fpipe.train.step import step

_Planned = tuple[tuple[str, str, Draw], ...]


class Machine:
    """Private memory for a stretch of events; made from a state, read back as a state.

    Args:
        run: the run.
        state: where it starts; it is copied.
    """

    def __init__(self, run: Run, state: TrainState) -> None:
        self._run = run
        self._rest = state
        self._live = LiveOptimizer(run.optimizer, state.weights.params, state.optimizer)
        self._buffers = dict(state.weights.buffers)
        self._steps = program(run.network, state.weights.params, state.weights.buffers)
        self._callbacks = state.callbacks
        self._totals = (state.totals.loss, state.totals.share)
        self._cursor = state.cursor
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._planned: dict[int, _Planned] = {}
        self._dirty = False

    def take(self, event: Event) -> None:
        """Move past one event."""
        if isinstance(event, Batch):
            if not self._rest.stopped:
                self._batch(event)
            return
        before = self.state()
        self._rest = step(self._run, before, event)
        self._totals = (self._rest.totals.loss, self._rest.totals.share)
        self._cursor = self._rest.cursor

    def state(self) -> TrainState:
        """Return the present state; it shares no memory with what goes on."""
        if self._dirty:
            totals = Totals(*self._totals)
            self._rest = evolve(
                self._rest,
                weights=Weights(self._live.params(), pmap(self._buffers)),
                optimizer=self._live.state(),
                callbacks=self._callbacks,
                totals=totals,
                cursor=self._cursor,
            )
            self._dirty = False
        return self._rest

    def _batch(self, event: Batch) -> None:
        run = self._run
        batch = run.train.take(batch_rows(run.plan, self._epoch(event.epoch), event.index))
        draws = make_draws(self._draws(batch), run.keys, self._cursor.step)
        found = gradient(
            run.network, self._steps, run.loss, self._live.leaves, self._buffers, batch, draws
        )
        self._callbacks, grads = after_backward(run.callbacks, self._callbacks, found.grads)
        self._live.step(grads)
        self._buffers = found.buffers
        loss, share = self._totals
        self._totals = (loss + found.loss * found.share, share + found.share)
        at = self._cursor
        self._cursor = Cursor(at.epoch, at.batch + 1, at.step + 1, at.ended)
        self._dirty = True

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, epoch_order(self._run.plan, self._rest.key, epoch))
        return self._order[1]

    def _draws(self, batch: Batched) -> _Planned:
        if batch.rows not in self._planned:
            self._planned[batch.rows] = planned_draws(self._run.network, batch.shapes)
        return self._planned[batch.rows]
