"""The reference interpreter: one event, one new state. This file is what training means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch

from pyrsistent import PMap, pmap, pvector

from fpipe.core.errors import StateError
from fpipe.core.key import Key
from fpipe.core.tree import items
from fpipe.core.value import evolve
from fpipe.net.network import init_layers, make_draws, planned_draws, program
from fpipe.optim.live import LiveOptimizer
from fpipe.optim.optimizer import OptimizerState
from fpipe.train.dials import staged_state
from fpipe.train.gradient import evaluate, gradient, learned, loss_value
from fpipe.train.mixing import mixed_batch
from fpipe.train.numerics import Numerics, check_numerics
from fpipe.train.plan import (
    Batch,
    Begin,
    Cursor,
    End,
    EpochBegin,
    EpochEnd,
    Event,
    Validate,
    batch_rows,
    epoch_order,
)
from fpipe.train.run import Run
from fpipe.train.scaling import initial_scale
from fpipe.train.stages import evaluated, initial_states
from fpipe.train.state import Best, Totals, TrainState, Weights, figures
from fpipe.train.update import joined, pended, update


def initial_state(run: Run, key: Key, numerics: Numerics) -> TrainState:
    """Return the state before the first event: freshly drawn weights, nothing learned."""
    params, buffers = init_layers(run.network, run.keys)
    drawn = Weights(params, buffers).on(numerics.device, numerics.dtype)
    return TrainState(
        drawn,
        OptimizerState(settings=run.optimizer.group_settings(tuple(sorted(drawn.params)))),
        key,
        numerics,
        callbacks=initial_states(run.callbacks, drawn.params),
        scale=initial_scale(numerics),
    )


def step(run: Run, state: TrainState, event: Event) -> TrainState:
    """Return the state after one event.

    A pure function: neither ``run`` nor ``state`` changes. A state that was stopped early stays
    as it is until End, and one that has ended stays as it is at another End.

    Raises:
        StateError: the event does not come next, or training goes wrong.
    """
    if state.stopped and not isinstance(event, End):
        return state
    if state.cursor.ended and isinstance(event, End):
        return state
    return on_event(event, run, state)


@singledispatch
def on_event(event: Event, run: Run, state: TrainState) -> TrainState:
    """Return the state after an event of one type."""
    raise StateError(f"{type(event).__name__} is no event of training.")


@on_event.register
def _(event: Begin, run: Run, state: TrainState) -> TrainState:
    check_numerics(state.numerics)
    reached = evolve(state, cursor=evolve(state.cursor, last="begin"))
    reached = staged_state(run, reached, "on_begin")
    return evolve(reached, stopped=reached.stopping)


@on_event.register
def _(event: EpochBegin, run: Run, state: TrainState) -> TrainState:
    cursor = evolve(state.cursor, epoch=event.epoch, batch=0, last="epoch_begin")
    fresh = evolve(state, cursor=cursor, totals=Totals(), result=None)
    return staged_state(run, fresh, "on_epoch_begin")


@on_event.register
def _(event: Batch, run: Run, state: TrainState) -> TrainState:
    check_next(state.cursor, event)
    state = staged_state(run, state, "on_batch_begin")
    order = epoch_order(run.plan, state.key, event.epoch, run.chances)
    rows = batch_rows(run.plan, order, event.index)
    batch = mixed_batch(run.train.take(rows, event.epoch), run.mixing, state.cursor.step)
    draws = make_draws(planned_draws(run.network, batch.shapes), run.keys, state.cursor.step)
    live = LiveOptimizer(run.optimizer, state.weights.params, state.optimizer)
    steps = program(run.network, state.weights.params, state.weights.buffers)
    params = learned(steps, live.leaves, state.frozen)
    scale = 1.0 if state.scale is None else state.scale.scale
    found = gradient(
        run.network,
        steps,
        run.loss,
        params,
        state.weights.buffers,
        batch,
        draws,
        state.numerics,
        scale,
    )
    pending = None if run.plan.accumulate == 1 else pended(state.pending, found)
    updates = run.plan.is_update(event.index)
    if updates:
        grads = (
            found.grads if pending is None else joined(pending, run.loss, found.grads, state.frozen)
        )
        done = update(live, grads, run.callbacks, state.callbacks, found.buffers, state.scale)
        state = evolve(state, callbacks=done.callbacks, scale=done.scale)
    scored = run.train_scorer is not None and run.plan.evaluates(event.epoch)
    reached = evolve(
        state,
        weights=Weights(live.params(), pmap(found.buffers)),
        optimizer=live.state(),
        totals=state.totals.plus(found.loss, found.share),
        cursor=after_batch(state.cursor),
        pending=None if updates else pending,
        seen=state.seen.append((rows, found.output.cpu())) if scored else state.seen,
        last_loss=found.loss,
    )
    return staged_state(run, reached, "on_batch_end", updated=updates)


@on_event.register
def _(event: EpochEnd, run: Run, state: TrainState) -> TrainState:
    loss = run.loss.over_batches(state.totals.loss, state.totals.share)
    # A plan with more epochs may evaluate others: then what has been seen is a part of the rows.
    scores = train_scores(run, state) if run.plan.evaluates(event.epoch) else {}
    row = epoch_figures(event.epoch, loss, scores)
    cursor = evolve(state.cursor, last="epoch_end")
    reached = evolve(state, history=(*state.history, row), seen=pvector(), cursor=cursor)
    reached = staged_state(run, reached, "on_epoch_end")
    judged_next = run.plan.validates and run.plan.evaluates(event.epoch)
    return evolve(reached, stopped=reached.stopping and not judged_next)


@on_event.register
def _(event: Validate, run: Run, state: TrainState) -> TrainState:
    weights = evaluated(run.callbacks, state.callbacks, state.weights)
    check_finite(weights, event.epoch)
    scores = judge(run, weights, state.numerics)
    row = state.history[-1].update(pmap({f"valid.{name}": x for name, x in scores.items()}))
    cursor = evolve(state.cursor, last="validate")
    judged = evolve(state, history=(*state.history[:-1], row), cursor=cursor)
    considered = consider(run, judged, event.epoch, scores[run.stopping.monitor], weights)
    reached = staged_state(run, considered, "on_valid_end")
    return evolve(reached, stopped=reached.stopped or reached.stopping)


@on_event.register
def _(event: End, run: Run, state: TrainState) -> TrainState:
    ended = staged_state(run, evolve(state, cursor=evolve(state.cursor, last="end")), "on_end")
    best = ended.best.weights if ended.best is not None else None
    if run.stopping.keep_best and best is not None:
        return evolve(ended, result=best)
    result = evaluated(run.callbacks, ended.callbacks, ended.weights)
    check_finite(result, ended.cursor.epoch)
    return evolve(ended, result=result)


def check_next(cursor: Cursor, event: Batch) -> None:
    """Raise StateError where a batch is not the one that comes next."""
    if (event.epoch, event.index) != (cursor.epoch, cursor.batch):
        raise StateError(
            f"batch {event.index} of epoch {event.epoch} does not come next.",
            expected=f"batch {cursor.batch} of epoch {cursor.epoch}",
            got=f"batch {event.index} of epoch {event.epoch}",
            fix="go on with fp.events(run.plan, state.cursor)",
        )


def after_batch(cursor: Cursor) -> Cursor:
    """Return the cursor one step further."""
    return Cursor(cursor.epoch, cursor.batch + 1, cursor.step + 1, "batch")


def train_scores(run: Run, state: TrainState) -> Mapping[str, float]:
    """Return the scores of what the network gave for the training rows during the epoch."""
    if run.train_scorer is None or not state.seen:
        return {}
    return run.train_scorer(state.seen)


def epoch_figures(epoch: int, loss: float, scores: Mapping[str, float]) -> PMap[str, float]:
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
    named = {f"train.{name}": x for name, x in scores.items()}
    return figures(**{"epoch": float(epoch), "train.loss": loss, **named})


def check_finite(weights: Weights, epoch: int) -> None:
    """Raise StateError where a parameter is not finite; the first by name is told.

    The loss of an epoch is that of its weights before each update, so it does not show what
    the last update did.
    """
    for name, tensor in items(weights.params):
        if not bool(tensor.isfinite().all()):
            wrong = tensor[~tensor.isfinite()]
            raise StateError(
                f"the parameter '{name}' is not finite after epoch {epoch}.",
                expected="finite numbers",
                got=f"{wrong[0].item()} in {wrong.numel()} of {tensor.numel()}",
                fix="lower the learning rate, or add nn.callbacks(callbacks.clip_gradients(1.0))",
                epoch=epoch,
            )


def judge(run: Run, weights: Weights, numerics: Numerics) -> dict[str, float]:
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
    outputs = evaluate(
        run.network, weights, examples, run.predict_batch, numerics, workers=run.workers
    )
    row_weights = None if examples.weights is None else examples.weights.cpu()
    loss = loss_value(run.loss, outputs, examples.target.cpu(), row_weights)
    scores = {} if run.scorer is None else dict(run.scorer(outputs[0]))
    return {"loss": float(loss.item()), **scores}


def consider(run: Run, state: TrainState, epoch: int, score: float, weights: Weights) -> TrainState:
    """Return the state after an evaluation: a new best, or one more without improvement.

    A NaN score is neither; a first best is any number.

    Args:
        run: the run.
        state: the state that was evaluated.
        epoch: the epoch.
        score: what early stopping watches.
        weights: the weights that were evaluated.
    """
    rule = run.stopping
    if math.isnan(score):
        return state
    sign = -1.0 if rule.minimize else 1.0
    if state.best is None or sign * (score - state.best.score) > rule.min_delta:
        kept = weights if rule.keep_best else None
        return evolve(state, best=Best(score, epoch, kept), stagnation=0)
    waited = state.stagnation + 1
    return evolve(state, stagnation=waited, stopped=rule.patience > 0 and waited >= rule.patience)
