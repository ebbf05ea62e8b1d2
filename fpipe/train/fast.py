"""The fast interpreter: the meaning of ``step`` with private memory that is reused.

Between two states it keeps parameters and moments in place and works out programs, draws and
row orders once. Nothing that anyone else can see is changed, and the states are the same to
the bit as the reference's (a law holds it to that).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyrsistent import PVector, pmap

from fpipe.core.value import evolve
from fpipe.net.layer import Draw
from fpipe.net.network import make_draws, planned_draws, program
from fpipe.optim.live import LiveOptimizer
from fpipe.train.batched import Batched
from fpipe.train.callback import staged
from fpipe.train.dials import moment
from fpipe.train.gradient import Learned, gradient, learned
from fpipe.train.loading import Loader
from fpipe.train.mixing import mixed_batch
from fpipe.train.plan import Batch, Event, batch_rows, epoch_order
from fpipe.train.run import Run
from fpipe.train.stages import at_stage
from fpipe.train.state import Pending, Seen, Totals, TrainState, Weights
from fpipe.train.step import after_batch, check_next, step
from fpipe.train.update import joined, pended, update

_Planned = tuple[tuple[str, str, Draw], ...]


class Machine:
    """Private memory for a stretch of events; made from a state, read back as a state.

    Args:
        run: the run.
        state: where it starts; it is copied.
    """

    def __init__(self, run: Run, state: TrainState) -> None:
        self._run = run
        self._rest: TrainState = state
        self._dirty = False
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._planned: dict[int, _Planned] = {}
        self._params: Learned | None = None
        self._live = LiveOptimizer(run.optimizer, state.weights.params, state.optimizer)
        self._steps = program(run.network, state.weights.params, state.weights.buffers)
        self._buffers = dict(state.weights.buffers)
        self._loader = Loader(run, run.workers if run.train.lazy else 0)
        self._read(state)

    @property
    def stopped(self) -> bool:
        """Whether training has been stopped."""
        return self._rest.stopped

    def close(self) -> None:
        """Let go of threads that read ahead."""
        self._loader.close()

    def take(self, event: Event) -> None:
        """Move past one event."""
        if isinstance(event, Batch):
            if not self._rest.stopped:
                self._batch(event)
            return
        before = self.state()
        after = step(self._run, before, event)
        if after is not before:
            self._follow(before, after)

    def state(self) -> TrainState:
        """Return the present state; it shares no memory with what goes on."""
        if self._dirty:
            self._rest = evolve(
                self._rest,
                weights=Weights(self._live.params(), pmap(self._buffers)),
                optimizer=self._live.state(),
                callbacks=self._callbacks,
                totals=Totals(*self._totals),
                cursor=self._cursor,
                frozen=self._frozen,
                stopping=self._stopping,
                pending=self._pending,
                seen=self._seen,
                last_loss=self._loss,
                scale=self._scale,
            )
            self._dirty = False
        return self._rest

    def _read(self, state: TrainState) -> None:
        """Take over what is not a tensor of the network or the optimizer."""
        self._callbacks = state.callbacks
        self._totals = (state.totals.loss, state.totals.share)
        self._cursor = state.cursor
        self._frozen = state.frozen
        self._stopping = state.stopping
        self._pending: Pending | None = state.pending
        self._seen: PVector[Seen] = state.seen
        self._loss = state.last_loss
        self._scale = state.scale

    def _follow(self, before: TrainState, after: TrainState) -> None:
        """Follow the reference past an event that changes no weights."""
        if after.frozen != before.frozen:
            self._params = None
        if after.optimizer is not before.optimizer:
            self._live.set_settings(after.optimizer.settings)
        self._rest = after
        self._read(after)

    def _batch(self, event: Batch) -> None:
        run, cursor = self._run, self._cursor
        check_next(cursor, event)
        self._stage("on_batch_begin", updated=False)
        order = self._epoch(event.epoch)
        rows = batch_rows(run.plan, order, event.index)
        read = self._loader.batch(event.epoch, event.index, order)
        batch = mixed_batch(read, run.mixing, cursor.step)
        found = gradient(
            run.network,
            self._steps,
            run.loss,
            self._learned(),
            self._buffers,
            batch,
            make_draws(self._draws(batch), run.keys, cursor.step),
            self._rest.numerics,
            1.0 if self._scale is None else self._scale.scale,
        )
        pending = None if run.plan.accumulate == 1 else pended(self._pending, found)
        updates = run.plan.is_update(event.index)
        if updates:
            grads = (
                found.grads
                if pending is None
                else joined(pending, run.loss, found.grads, self._frozen)
            )
            self._callbacks, self._scale = update(
                self._live, grads, run.callbacks, self._callbacks, found.buffers, self._scale
            )
        self._pending = None if updates else pending
        if run.train_scorer is not None and run.plan.evaluates(event.epoch):
            self._seen = self._seen.append((rows, found.output.cpu()))
        self._buffers, self._loss = found.buffers, found.loss
        loss, share = self._totals
        self._totals = (loss + found.loss * found.share, share + found.share)
        self._cursor = after_batch(cursor)
        self._dirty = True
        self._stage("on_batch_end", updated=updates)

    def _stage(self, stage: str, *, updated: bool) -> None:
        """Call the callbacks at a stage of a batch."""
        if not staged(self._run.callbacks, stage):
            return
        now = moment(
            self._run,
            self._cursor,
            self._rest.history,
            {name: leaf.detach() for name, leaf in self._live.leaves.items()},
            dict(self._buffers),
            self._live.settings,
            self._frozen,
            self._stopping,
            self._loss,
            updated,
        )
        self._callbacks, after = at_stage(self._run.callbacks, stage, self._callbacks, now)
        if after.settings is not now.settings:
            self._live.set_settings(after.settings)
        if after.frozen != self._frozen:
            self._frozen, self._params = after.frozen, None
        self._stopping = after.stopped
        self._dirty = True

    def _learned(self) -> Learned:
        if self._params is None:
            self._params = learned(self._steps, self._live.leaves, self._frozen)
        return self._params

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, self._drawn(epoch))
        return self._order[1]

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        return epoch_order(self._run.plan, self._rest.key, epoch, self._run.chances)

    def _draws(self, batch: Batched) -> _Planned:
        if batch.rows not in self._planned:
            self._planned[batch.rows] = planned_draws(self._run.network, batch.shapes)
        return self._planned[batch.rows]
