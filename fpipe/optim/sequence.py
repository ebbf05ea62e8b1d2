"""Schedules one after the other: a warm-up, and what follows it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import Check, integer, parameter
from fpipe.core.value import descriptor, evolve, value
from fpipe.optim.optimizer import Settings
from fpipe.optim.schedule import Schedule, check_call, check_set, merged

_SCHEDULES = Check(
    "a sequence of one schedule or more (plateau follows scores, and is none of them)",
    lambda x: isinstance(x, tuple) and bool(x) and all(isinstance(s, Schedule) for s in x),
)

_MILESTONES = Check(
    "a sequence of integers of at least 1, each above the one before",
    lambda x: (
        isinstance(x, tuple)
        and all(map(integer(1).accepts, x))
        and all(a < b for a, b in pairwise(x))
    ),
)


@value
class SequenceMemory:
    """What a sequence carries from call to call.

    Args:
        base: settings of every parameter group before training.
        total: how often the sequence is called in the whole run.
        t: the last call, from 0; -1 before the first.
        now: what it set then.
        inner: the memory of the schedule that is on.
    """

    base: Settings
    total: int
    t: int
    now: Settings
    inner: Any


@descriptor
class Sequence(Schedule):
    """Schedules one after the other; each counts from 0 and starts from the rate before training.

    Args:
        schedules: the schedules, in order.
        milestones: the calls at which the second and the later ones begin.

    Raises:
        ParameterError: the milestones are not one fewer than the schedules.

    Example:
        >>> from pyrsistent import pmap
        >>> from fpipe.optim.decays import Exponential, Linear
        >>> warm = Sequence([Linear(0.5, total_iters=2), Exponential(0.1)], [2])
        >>> memory = warm.begin((pmap({"lr": 1.0}),), total=5)
        >>> [round(warm.at(memory, t)[1][0]["lr"], 3) for t in range(5)]
        [0.5, 0.75, 1.0, 0.1, 0.01]

    Source:
        torch.optim.lr_scheduler.SequentialLR.
    """

    name = "sequence"

    schedules: tuple[Schedule, ...] = parameter(check=_SCHEDULES, convert=tuple)
    milestones: tuple[int, ...] = parameter(check=_MILESTONES, convert=tuple)

    def __attrs_post_init__(self) -> None:
        given = (self.schedules, self.milestones)
        if all(isinstance(x, tuple) for x in given) and len(given[1]) != len(given[0]) - 1:
            raise ParameterError(
                "sequence: every schedule but the first begins at a milestone.",
                expected=f"{len(self.schedules) - 1} milestones",
                got=f"milestones={self.milestones!r}",
                fix="give the call at which each later schedule begins",
            )

    @property
    def needs_total(self) -> bool:
        """Whether the last schedule depends on the total; the others end at milestones."""
        return isinstance(self.schedules, tuple) and self.schedules[-1].needs_total

    def begin(self, base: Settings, total: int) -> SequenceMemory:
        """Return the memory before the first call; every schedule is checked."""
        check_set(self)
        memories = [s.begin(base, self._calls(i, total)) for i, s in enumerate(self.schedules)]
        return SequenceMemory(base, total, -1, (), memories[0])

    def at(self, memory: SequenceMemory, t: int) -> tuple[SequenceMemory, Settings]:
        """Return the memory that has come to ``t``, and the settings."""
        check_call(t)
        if t < memory.t:
            memory = self.begin(memory.base, memory.total)
        for now in range(memory.t + 1, t + 1):
            memory = self._after(memory, now)
        return memory, memory.now

    def _after(self, memory: SequenceMemory, t: int) -> SequenceMemory:
        """Return the memory after call ``t``, given that after the one before."""
        position = bisect_right(self.milestones, t)
        schedule, start = self.schedules[position], (0, *self.milestones)[position]
        if t == start and t > 0:
            fresh = schedule.begin(memory.base, self._calls(position, memory.total))
            inner, now = schedule.entered(fresh, merged(memory.base, memory.now))
        else:
            inner, now = schedule.at(memory.inner, t - start)
        return evolve(memory, t=t, now=now, inner=inner)

    def _calls(self, position: int, total: int) -> int:
        """Return how often a schedule is called; one that fills its share is told all of that."""
        bounds = (0, *self.milestones, max(total, *self.milestones, 0))
        start, end = bounds[position : position + 2]
        if not self.schedules[position].needs_total:
            end = max(start, min(end, total))  # the run may be over before the milestone
        return end - start
