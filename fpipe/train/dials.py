"""Between a state of training and the moment that callbacks see."""

from __future__ import annotations

from collections.abc import Mapping

from pyrsistent import PMap
from torch import Tensor

from fpipe.core.value import evolve
from fpipe.optim.optimizer import Optimizer
from fpipe.train.callback import staged
from fpipe.train.moment import Moment, Settings
from fpipe.train.plan import Cursor, Plan
from fpipe.train.run import Run
from fpipe.train.stages import at_stage
from fpipe.train.state import TrainState


def moment(
    run: Run,
    cursor: Cursor,
    history: tuple[PMap[str, float], ...],
    params: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    settings: Settings,
    frozen: frozenset[str],
    stopping: bool,
    loss: float | None,
    updated: bool,
) -> Moment:
    """Return the moment of a run that callbacks see."""
    watched = run.stopping
    return Moment(
        epoch=cursor.epoch,
        batch=cursor.batch,
        step=cursor.step,
        updates=updates_done(run.plan, cursor),
        epochs=run.plan.epochs,
        updates_per_epoch=run.plan.updates,
        updated=updated,
        loss=loss,
        history=history,
        monitor=f"valid.{watched.monitor}",
        minimize=watched.minimize,
        params=params,
        buffers=buffers,
        settings=settings,
        frozen=frozen,
        stopped=stopping,
    )


def updates_done(plan: Plan, cursor: Cursor) -> int:
    """Return how many updates of the parameters were due in all.

    Example:
        >>> updates_done(Plan(rows=10, epochs=2, batch_size=2, accumulate=2), Cursor(2, 3, 8))
        4
    """
    if not cursor.epoch:
        return 0
    within = plan.updates if cursor.batch == plan.batches else cursor.batch // plan.accumulate
    return (cursor.epoch - 1) * plan.updates + within


def staged_state(run: Run, state: TrainState, stage: str, *, updated: bool = False) -> TrainState:
    """Return the state after the callbacks have been called at a stage."""
    if not staged(run.callbacks, stage):
        return state
    now = moment(
        run,
        state.cursor,
        state.history,
        state.weights.params,
        state.weights.buffers,
        state.optimizer.settings,
        state.frozen,
        state.stopping,
        state.last_loss,
        updated,
    )
    states, after = at_stage(run.callbacks, stage, state.callbacks, now)
    turned = after.settings is not now.settings
    settings = _accepted(run.optimizer, after.settings) if turned else now.settings
    return evolve(
        state,
        callbacks=states,
        optimizer=evolve(state.optimizer, settings=settings),
        frozen=after.frozen,
        stopping=after.stopped,
    )


def _accepted(optimizer: Optimizer, settings: Settings) -> Settings:
    """Return settings as the optimizer takes them."""
    return tuple(optimizer.with_settings(dict(group)).settings() for group in settings)
