"""Training is a fold: ``reduce(step, events, state)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial, reduce
from itertools import groupby

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
    for event in events:
        machine.take(event)
    return machine.state()


def fold_epochs(run: Run, state: TrainState, events: Iterable[Event]) -> Iterator[TrainState]:
    """Yield the state after each epoch and after the last event; the last one is `fold`'s.

    Args:
        run: what training reads.
        state: where it starts.
        events: events in order.
    """
    for epoch, group in groupby(events, key=_epoch_of):
        if state.stopped and epoch != _AFTER:
            continue  # a stopped state is a fixed point of every event but End
        state = fold(run, state, group)
        yield state


_AFTER = -1


def _epoch_of(event: Event) -> int:
    return _AFTER if isinstance(event, End) else getattr(event, "epoch", 0)


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
