"""Laws of the callbacks: what is frozen stays, averages are sums, rates follow their schedules."""

from __future__ import annotations

from typing import Any

from fpipe.core.law import Law
from fpipe.testing.laws.asserting import agree, near
from fpipe.train.averaging import EMA, SWA, Averaging
from fpipe.train.fold import scan
from fpipe.train.following import Following, FollowSchedule
from fpipe.train.plan import Batch, EpochEnd, Plan, events
from fpipe.train.run import Run
from fpipe.train.stages import evaluated
from fpipe.train.state import TrainState


def frozen_stays(run: Run, state: TrainState) -> None:
    """A frozen parameter, its slots, and buffers of layers frozen as a whole stay as they are."""
    before = state
    for reached, event in scan(run, state, events(run.plan)):
        if isinstance(event, Batch) and not before.stopped:
            for name in reached.frozen:
                now, then = reached.weights.params[name], before.weights.params[name]
                agree(now, then, f"the frozen {name}")
                kept, had = (s.optimizer.slots.get(name) for s in (reached, before))
                if kept is not None and had is None:  # some begin with slots for all parameters
                    assert float(kept["step"]) == 0.0, f"a step was counted for the frozen {name}"
                else:
                    agree(kept, had, f"what the optimizer remembers of {name}")
            for name, buffer in before.weights.buffers.items():
                if _rests(name, reached):
                    agree(reached.weights.buffers[name], buffer, f"the buffer {name} at rest")
        before = reached


def _rests(buffer: str, state: TrainState) -> bool:
    """Tell whether the layer of a buffer has parameters, and all of them are frozen."""
    start = buffer.rpartition(".")[0] + "."
    own = [name for name in state.weights.params if name.startswith(start)]
    return bool(own) and set(own) <= state.frozen


def averages_are_means(run: Run, state: TrainState) -> None:
    """An average of weights is the weighted sum of those that it has taken, and is judged."""
    averages = {name: one for name, one in run.callbacks if isinstance(one, Averaging)}
    passed: dict[str, list[TrainState]] = {name: [] for name in averages}
    reached = state
    for reached, event in scan(run, state, events(run.plan)):
        for name, one in averages.items():
            if not reached.stopped and _passes(one, run.plan, event):
                passed[name].append(reached)
    for name, one in averages.items():
        taken = passed[name][one.start - 1 :: one.every]
        held = reached.callbacks[name]
        assert (held.seen, held.taken) == (len(passed[name]), len(taken))
        if not taken:
            assert held.weights is None
            continue
        kept = held.weights.params.update(held.weights.buffers)
        shares = _shares(one, len(taken))
        for key, average in kept.items():
            tensors = [(s.weights.params.update(s.weights.buffers))[key] for s in taken]
            if average.is_floating_point():
                total = sum(w * x.double() for w, x in zip(shares, tensors, strict=True))
                near(average.double(), total, f"the average of {key}", 1e-4, 1e-5)
        judged = evaluated(((name, one),), reached.callbacks, reached.weights)
        agree(judged.params, held.weights.params, "the parameters that are judged")


def _passes(average: Averaging, plan: Plan, event: Any) -> bool:
    """Tell whether weights pass an average at an event."""
    if isinstance(average, SWA) and average.per == "epoch":
        return isinstance(event, EpochEnd)
    return isinstance(event, Batch) and plan.is_update(event.index)


def _shares(average: Averaging, taken: int) -> list[float]:
    """Return how much each of the weights that were taken counts."""
    if not isinstance(average, EMA):
        return [1.0 / taken] * taken
    rest = [(1.0 - average.decay) * average.decay ** (taken - 1 - i) for i in range(1, taken)]
    return [average.decay ** (taken - 1), *rest]


def rates_follow(run: Run, state: TrainState) -> None:
    """In every batch settings are what the schedule gives for the epochs or updates before."""
    following = [one for _, one in run.callbacks if isinstance(one, Following)]
    if len(following) != 1 or not isinstance(following[0], FollowSchedule):
        return
    one, base, updates = following[0], state.optimizer.settings, 0
    total = run.plan.epochs * (1 if one.per == "epoch" else run.plan.updates)
    for reached, event in scan(run, state, events(run.plan)):
        if reached.stopped or not isinstance(event, Batch):
            continue
        done = event.epoch - 1 if one.per == "epoch" else updates
        updates += run.plan.is_update(event.index)
        _, changes = one.schedule.at(one.schedule.begin(base, total), done)
        for position, (now, wanted) in enumerate(
            zip(reached.optimizer.settings, changes, strict=True)
        ):
            for name, setting in wanted.items():
                near(now[name], setting, f"{name} of group {position} at {done}", 1e-12, 0.0)


CALLBACKS = (
    Law("frozen stays", "what is frozen does not change", frozen_stays),
    Law("averages are means", "averages are sums of the weights taken", averages_are_means),
    Law("rates follow", "settings are what the schedule gives", rates_follow),
)
