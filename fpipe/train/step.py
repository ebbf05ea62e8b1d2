"""The reference interpreter: one event, one new state. This file is what training means."""

from __future__ import annotations

import math
from functools import singledispatch

from pyrsistent import PMap, pmap

from fpipe.core.errors import StateError
from fpipe.core.key import Key
from fpipe.core.value import evolve
from fpipe.net.network import init_layers, make_draws, planned_draws, program
from fpipe.optim.optimizer import LiveOptimizer, OptimizerState
from fpipe.train.callback import after_backward, initial_states
from fpipe.train.gradient import evaluate, gradient, loss_value
from fpipe.train.numerics import Numerics, check_numerics
from fpipe.train.plan import (
    Batch,
    Begin,
    End,
    EpochBegin,
    EpochEnd,
    Event,
    Validate,
    batch_rows,
    epoch_order,
)
from fpipe.train.run import Run
from fpipe.train.state import Best, Cursor, Totals, TrainState, Weights, figures


def initial_state(run: Run, key: Key, numerics: Numerics) -> TrainState:
    """Return the state before the first event: freshly drawn weights, nothing learned."""
    params, buffers = init_layers(run.network, run.keys)
    drawn = Weights(params, buffers).on(numerics.device)
    callbacks = initial_states(run.callbacks, drawn.params)
    return TrainState(drawn, OptimizerState(), key, numerics, callbacks=callbacks)


def step(run: Run, state: TrainState, event: Event) -> TrainState:
    """Return the state after one event.

    A pure function: neither ``run`` nor ``state`` changes. A state that was stopped early stays
    as it is until End.
    """
    if state.stopped and not isinstance(event, End):
        return state
    return on_event(event, run, state)


@singledispatch
def on_event(event: Event, run: Run, state: TrainState) -> TrainState:
    """Return the state after an event of one type."""
    raise StateError(f"{type(event).__name__} is no event of training.")


@on_event.register
def _(event: Begin, run: Run, state: TrainState) -> TrainState:
    check_numerics(state.numerics)
    return state


@on_event.register
def _(event: EpochBegin, run: Run, state: TrainState) -> TrainState:
    cursor = evolve(state.cursor, epoch=event.epoch, batch=0)
    return evolve(state, cursor=cursor, totals=Totals())


@on_event.register
def _(event: Batch, run: Run, state: TrainState) -> TrainState:
    rows = batch_rows(run.plan, epoch_order(run.plan, state.key, event.epoch), event.index)
    batch = run.train.take(rows)
    draws = make_draws(planned_draws(run.network, batch.shapes), run.keys, state.cursor.step)
    live = LiveOptimizer(run.optimizer, state.weights.params, state.optimizer)
    steps = program(run.network, state.weights.params, state.weights.buffers)
    found = gradient(run.network, steps, run.loss, live.leaves, state.weights.buffers, batch, draws)
    callbacks, grads = after_backward(run.callbacks, state.callbacks, found.grads)
    live.step(grads)
    return evolve(
        state,
        weights=Weights(live.params(), pmap(found.buffers)),
        optimizer=live.state(),
        callbacks=callbacks,
        totals=state.totals.plus(found.loss, found.share),
        cursor=after_batch(state.cursor),
    )


@on_event.register
def _(event: EpochEnd, run: Run, state: TrainState) -> TrainState:
    loss = run.loss.over_batches(state.totals.loss, state.totals.share)
    return evolve(state, history=(*state.history, epoch_figures(event.epoch, loss)))


@on_event.register
def _(event: Validate, run: Run, state: TrainState) -> TrainState:
    scores = judge(run, state.weights, state.numerics.device)
    row = state.history[-1].update(pmap({f"valid.{name}": x for name, x in scores.items()}))
    judged = evolve(state, history=(*state.history[:-1], row))
    return consider(run, judged, event.epoch, scores[run.stopping.monitor])


@on_event.register
def _(event: End, run: Run, state: TrainState) -> TrainState:
    best = state.best.weights if state.best is not None else None
    result = best if run.stopping.keep_best and best is not None else state.weights
    return evolve(state, result=result, cursor=evolve(state.cursor, ended=True))


def after_batch(cursor: Cursor) -> Cursor:
    """Return the cursor one step further."""
    return evolve(cursor, batch=cursor.batch + 1, step=cursor.step + 1)


def epoch_figures(epoch: int, loss: float) -> PMap[str, float]:
    """Return the row of history of a finished epoch.

    Raises:
        StateError: the loss is not finite; training on would be training on nonsense.
    """
    if not math.isfinite(loss):
        raise StateError(
            f"the training loss is {loss} in epoch {epoch}.",
            expected="a finite loss",
            got=str(loss),
            fix="lower the learning rate, or scale the features (and the target) first",
            epoch=epoch,
        )
    return figures(**{"epoch": float(epoch), "train.loss": loss})


def judge(run: Run, weights: Weights, device: str) -> dict[str, float]:
    """Return the loss and the scores of weights on the validation rows."""
    examples = run.valid
    if examples is None or examples.target is None:
        raise StateError(
            "there are no validation rows with a target.",
            expected="a target in every validation row",
            got="no validation rows"
            if examples is None
            else "no target in one or more of them: none came, or it cannot be transformed, as a "
            "number below 0 by ops.log_target()",
            fix="leave such rows out of validate=, or choose a transformation that takes them",
        )
    outputs = evaluate(run.network, weights, examples, run.predict_batch, device)
    row_weights = None if examples.weights is None else examples.weights.cpu()
    loss = loss_value(run.loss, outputs, examples.target.cpu(), row_weights)
    scores = {} if run.scorer is None else dict(run.scorer(outputs))
    return {"loss": float(loss.item()), **scores}


def consider(run: Run, state: TrainState, epoch: int, score: float) -> TrainState:
    """Return the state after an evaluation: a new best, or one more without improvement.

    A NaN score is neither; a first best is any number.
    """
    rule = run.stopping
    if math.isnan(score):
        return state
    sign = -1.0 if rule.minimize else 1.0
    if state.best is None or sign * (score - state.best.score) > rule.min_delta:
        kept = state.weights if rule.keep_best else None
        return evolve(state, best=Best(score, epoch, kept), stagnation=0)
    waited = state.stagnation + 1
    return evolve(state, stagnation=waited, stopped=rule.patience > 0 and waited >= rule.patience)
