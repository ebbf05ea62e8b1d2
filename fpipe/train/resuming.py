"""Going on from a state: what must be as it was, and how callbacks that are new start."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import StateError
from fpipe.core.tree import fields_of, items
from fpipe.core.value import evolve, value
from fpipe.train.callback import Named
from fpipe.train.dials import staged_state
from fpipe.train.numerics import Numerics, check_numerics
from fpipe.train.plan import Plan
from fpipe.train.run import Run
from fpipe.train.stages import initial_states
from fpipe.train.state import TrainState


@value
class Reached:
    """Where training stands, with what must not change when it goes on.

    Args:
        state: the state.
        plan: how training goes through the rows.
        callbacks: the callbacks with their ids.
    """

    state: TrainState
    plan: Plan
    callbacks: Named


def continued(run: Run, fresh: TrainState, reached: Reached) -> TrainState:
    """Return the state from which a run goes on.

    Callbacks that are new in the run start now: they are given their initial state and, where
    training has begun, their stage `on_begin`.

    Args:
        run: what training reads.
        fresh: the state that the run would begin with.
        reached: where training stood.

    Raises:
        StateError: something has changed that must not: how numbers are computed, the key, the
            parameters, the plan (but for more epochs, where no callback depends on the length of
            the whole run), or a callback that has taken part.
    """
    state = reached.state
    _check_numerics(state.numerics, fresh.numerics)
    _check_same("key", state.key, fresh.key)
    _check_same("parameters", _shapes(state), _shapes(fresh))
    _check_plan(reached, run.plan)
    _check_callbacks(reached.callbacks, run.callbacks)
    state = evolve(state, numerics=fresh.numerics)
    new = starting(run, reached)
    return _joined(run, state, new) if new else state


def starting(run: Run, reached: Reached) -> Named:
    """Return the callbacks of a run that have not taken part so far."""
    known = {name for name, _ in reached.callbacks}
    return tuple(pair for pair in run.callbacks if pair[0] not in known)


def _joined(run: Run, state: TrainState, new: Named) -> TrainState:
    """Return the state with callbacks that start now."""
    states = state.callbacks.update(initial_states(new, state.weights.params))
    joined = evolve(state, callbacks=states)
    if not state.cursor.last:
        return joined  # training has not begun: Begin calls them with all others
    begun = staged_state(evolve(run, callbacks=new), joined, "on_begin")
    return evolve(begun, stopped=begun.stopped or begun.stopping)


def _check_plan(reached: Reached, now: Plan) -> None:
    before = reached.plan
    for field in fields_of(Plan):
        if field.name != "epochs":
            _check_same(field.name, getattr(before, field.name), getattr(now, field.name))
    if now.epochs < before.epochs:
        _check_same("epochs", before.epochs, now.epochs)
    bound = [name for name, callback in reached.callbacks if callback.needs_total]
    if now.epochs > before.epochs and bound:
        raise StateError(
            f"the callback '{bound[0]}' depends on the length of the whole run.",
            expected=f"epochs={before.epochs}",
            got=f"epochs={now.epochs}",
            fix="begin anew with more epochs, in another folder",
        )


def _check_callbacks(before: Named, now: Named) -> None:
    """Raise StateError where a callback that has taken part is gone, or another one."""
    present = dict(now)
    for name, callback in before:
        if name not in present:
            raise StateError(
                f"the callback '{name}' has taken part so far and is gone.",
                expected=", ".join(each for each, _ in before),
                got=", ".join(present) or "no callbacks",
                fix=f"keep '{name}': what it has done to the weights cannot be taken back",
            )
        _check_same(f"callback '{name}'", callback, present[name])
    kept = [name for name in present if name in dict(before)]
    _check_same("order of callbacks", [name for name, _ in before], kept)


def _check_numerics(before: Numerics, now: Numerics) -> None:
    """Raise StateError unless numbers are computed as before; both interpreters give the same."""
    check_numerics(before)
    for field in fields_of(Numerics):
        if field.name != "interpreter":
            _check_same(field.name, getattr(before, field.name), getattr(now, field.name))


def _check_same(name: str, before: Any, now: Any) -> None:
    if before != now:
        raise StateError(
            f"training cannot go on with another {name}.",
            expected=repr(before)[:200],
            got=repr(now)[:200],
            fix="go on with the graph, the task and the settings that the run began with",
        )


def _shapes(state: TrainState) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in items(state.weights.params)}
