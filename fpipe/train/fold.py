"""Training is a fold: ``reduce(step, events, state)``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce

from fpipe.train.fast import Machine
from fpipe.train.plan import End, Event
from fpipe.train.run import Run
from fpipe.train.state import TrainState
from fpipe.train.step import step


def fold(run: Run, state: TrainState, events: Iterable[Event]) -> TrainState:
    """Return the state after all events.

    ``fold(run, s, a + b) == fold(run, fold(run, s, a), b)`` to the bit, wherever the events are
    cut, and with either interpreter.

    Args:
        run: what training reads.
        state: where it starts; still usable afterwards.
        events: events in order, such as ``events(run.plan)``.
    """
    if state.numerics.interpreter == "reference":
        return reduce(partial(step, run), events, state)
    machine = Machine(run, state)
    try:
        for event in events:
            machine.take(event)
        return machine.state()
    finally:
        machine.close()


def fold_to(
    run: Run, state: TrainState, events: Iterable[Event], wanted: Callable[[Event], bool]
) -> Iterator[tuple[TrainState, Event]]:
    """Yield the state after each event that is wanted, and after the last; that one is `fold`'s.

    Args:
        run: what training reads.
        state: where it starts.
        events: events in order.
        wanted: whether the state after an event is wanted.
    """
    machine = None if state.numerics.interpreter == "reference" else Machine(run, state)
    try:
        yield from _fold_to(run, state, events, wanted, machine)
    finally:
        if machine is not None:
            machine.close()


def _fold_to(
    run: Run,
    state: TrainState,
    events: Iterable[Event],
    wanted: Callable[[Event], bool],
    machine: Machine | None,
) -> Iterator[tuple[TrainState, Event]]:
    last: Event | None = None
    for event in events:
        stopped = state.stopped if machine is None else machine.stopped
        if stopped and not isinstance(event, End):
            continue  # a stopped state is a fixed point of every event but End
        if machine is None:
            state = step(run, state, event)
        else:
            machine.take(event)
        last = event
        if wanted(event):
            yield (state if machine is None else machine.state()), event
            last = None
    if last is not None:
        yield (state if machine is None else machine.state()), last


def scan(
    run: Run, state: TrainState, events: Iterable[Event]
) -> Iterator[tuple[TrainState, Event]]:
    """Yield the state after each event, with the event; lazy, so stopping early costs nothing.

    Args:
        run: what training reads.
        state: where it starts.
        events: events in order.
    """
    for event in events:
        state = step(run, state, event)
        yield state, event
