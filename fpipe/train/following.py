"""Callbacks that let settings of the optimizer follow a schedule, or a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import attrs
from pyrsistent import pmap
from torch import Tensor

from fpipe.core.errors import ParameterError, StateError
from fpipe.core.parameter import instance_of, one_of, optional, parameter, text
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve, value
from fpipe.graph.op import written
from fpipe.measure.score import measure
from fpipe.optim.optimizer import Settings
from fpipe.optim.plateau import Plateau, PlateauMemory
from fpipe.optim.schedule import Recurrence, Schedule, merged
from fpipe.train.callback import Callback
from fpipe.train.moment import Moment


@value
class Followed:
    """What `FollowSchedule` remembers.

    Args:
        memory: the memory of the schedule; None before training.
        t: its last call, from 0; -1 before training.
        total: how often it is called in the whole run.
        now: what it set then, for every group.
        start: epochs or updates that were done when it began.
    """

    memory: Any = None
    t: int = -1
    total: int = 0
    now: Settings = ()
    start: int = 0


class Following:
    """Of a callback that holds a schedule: it shows the hyper-parameters of this as its own."""

    __slots__ = ()

    hidden: ClassVar[tuple[str, ...]] = ()
    schedule: Any

    def parameters(self) -> dict[str, Any]:
        """The schedule's hyper-parameters, and those beside it."""
        inner = {f.name: getattr(self.schedule, f.name) for f in fields_of(type(self.schedule))}
        return {n: x for n, x in inner.items() if n not in self.hidden} | self._own()

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the callback with some of these replaced."""
        own = {name: given for name, given in changes.items() if name in self._own()}
        inner = {name: given for name, given in changes.items() if name not in own}
        schedule = evolve(self.schedule, **inner) if inner else self.schedule
        return evolve(self, schedule=schedule, **own)

    def written(self) -> tuple[str, ...]:
        """The schedule's hyper-parameters that are no default, and those beside it."""
        return (*written(self.schedule, self.hidden), *written(self, ("schedule",)))

    def _own(self) -> dict[str, Any]:
        fields = (field.name for field in fields_of(type(self)))
        return {name: getattr(self, name) for name in fields if name != "schedule"}


@descriptor
class FollowSchedule(Following, Callback):
    """Lets settings of the optimizer follow a schedule, by the epoch or by the update.

    Settings are set when an epoch begins, or when the first batch of an update does: those of
    call t hold after t epochs or updates. What a schedule counts (``T_max``, ``step_size``) is
    counted in epochs or updates. The rates that it starts from are those of every parameter group
    when training begins.

    Where something else has changed the rate meanwhile, a schedule that multiplies the rate goes
    on from there, as torch's do. One that sets it outright cannot.

    Args:
        schedule: the schedule.
        per: ``"epoch"``, or ``"batch"`` for every update.

    Raises:
        StateError: something else has changed what the schedule sets; or the length of the run
            has changed, and the schedule depends on it.

    Example:
        >>> from fpipe.optim.decays import Exponential
        >>> FollowSchedule(Exponential(0.9)).name, FollowSchedule(Exponential(0.9)).parameters()
        ('lr_exponential', {'gamma': 0.9, 'per': 'epoch'})
    """

    foreign: ClassVar[bool] = False

    schedule: Schedule = parameter(default=attrs.NOTHING, check=instance_of(Schedule))
    per: str = parameter(default="epoch", check=one_of("epoch", "batch"))

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the schedule, behind ``lr_``."""
        known = self.schedule.name
        return "lr_scheduler" if known == "torch" else f"lr_{known}"

    @property
    def needs_total(self) -> bool:
        """Whether the schedule depends on how long the whole run is."""
        return self.schedule.needs_total

    def init(self, params: Mapping[str, Tensor]) -> Followed:
        """Nothing is set yet."""
        del params
        return Followed()

    def on_begin(self, state: Followed, moment: Moment) -> tuple[Followed, Moment]:
        """Set what holds in the first epoch, or for the first update.

        Where it joins a run that goes on, that is the epoch or the update which comes next.
        """
        start = len(moment.history) if self.per == "epoch" else moment.updates
        total = self._total(moment) - start
        memory = self.schedule.begin(moment.settings, total)
        return self._called(Followed(memory, total=total, start=start), moment, 0)

    def on_epoch_begin(self, state: Followed, moment: Moment) -> tuple[Followed, Moment]:
        """Set what holds in this epoch."""
        if self.per != "epoch":
            return state, moment
        return self._next(state, moment, moment.epoch - 1 - state.start)

    def on_batch_begin(self, state: Followed, moment: Moment) -> tuple[Followed, Moment]:
        """Set what holds for the next update."""
        if self.per != "batch":
            return state, moment
        return self._next(state, moment, moment.updates - state.start)

    def _total(self, moment: Moment) -> int:
        return moment.epochs * (1 if self.per == "epoch" else moment.updates_per_epoch)

    def _next(self, state: Followed, moment: Moment, t: int) -> tuple[Followed, Moment]:
        if t == state.t:
            return state, moment
        if self.needs_total and state.total != self._total(moment) - state.start:
            unit = "epochs" if self.per == "epoch" else "updates"
            raise StateError(
                f"{self.name} was laid out for another length of the run.",
                expected=f"{state.total} {unit}, as when training began",
                got=f"{self._total(moment) - state.start} {unit}",
                fix="train for as many epochs as before, or start anew",
            )
        return self._called(evolve(state, memory=self._resumed(state, moment)), moment, t)

    def _called(self, state: Followed, moment: Moment, t: int) -> tuple[Followed, Moment]:
        memory, changes = self.schedule.at(state.memory, t)
        after = evolve(moment, settings=merged(moment.settings, changes))
        return evolve(state, memory=memory, t=t, now=changes), after

    def _resumed(self, state: Followed, moment: Moment) -> Any:
        """Return the memory to go on from, given how settings are now."""
        pairs = list(zip(state.now, moment.settings, strict=True))
        now = tuple(pmap({name: group[name] for name in before}) for before, group in pairs)
        if now == state.now:
            return state.memory
        if isinstance(self.schedule, Recurrence):
            return evolve(state.memory, now=now)
        changed = sorted({n for before, group in pairs for n in before if before[n] != group[n]})
        raise StateError(
            f"{self.name} sets {changed[0]}, and something else has changed it.",
            expected=f"one callback that sets {changed[0]}",
            got=f"{changed[0]} " + ", ".join(str(group[changed[0]]) for group in now),
            fix="leave the other callback out, or put schedules into one lr_sequence(...)",
        )


def followed(per: str, kind: Callable[..., Schedule], *given: Any, **named: Any) -> FollowSchedule:
    """Return the callback that follows a schedule of some class.

    Example:
        >>> from fpipe.optim.decays import Exponential
        >>> followed("batch", Exponential, 0.5)
        FollowSchedule(schedule=Exponential(gamma=0.5), per='batch')
    """
    return FollowSchedule(kind(*given, **named), per)


@descriptor
class FollowScore(Following, Callback):
    """Lowers the rate once a score no longer improves.

    The score is read after every evaluation (a figure that begins with ``train.`` after every
    epoch that has it); where there is none, nothing happens.

    Args:
        schedule: when the rate is lowered, and by how much; its ``mode`` does not count.
        monitor: what is watched, a figure of history: ``"valid.loss"``, ``"train.loss"``, or the
            name of a measure on the validation rows; what early stopping watches by default.
        mode: whether a ``"min"`` or a ``"max"`` is sought; as the figure is best by default.

    Raises:
        ParameterError: history has no such figure, or it is not known how it is best.

    Example:
        >>> FollowScore(Plateau(patience=3)).parameters()["patience"]
        3

    Source:
        ``torch.optim.lr_scheduler.ReduceLROnPlateau``.
    """

    name: ClassVar[str] = "lr_reduce_on_plateau"
    foreign: ClassVar[bool] = False
    hidden: ClassVar[tuple[str, ...]] = ("mode",)

    schedule: Plateau = parameter(default=attrs.NOTHING, check=instance_of(Plateau))
    monitor: str | None = parameter(default=None, check=optional(text()))
    mode: str | None = parameter(default=None, check=optional(one_of("min", "max")))

    def on_begin(self, state: None, moment: Moment) -> tuple[PlateauMemory, Moment]:
        """Begin with no best score."""
        return self._plateau(moment).begin(moment.settings), moment

    def on_epoch_end(self, state: PlateauMemory, moment: Moment) -> tuple[PlateauMemory, Moment]:
        """Read the score, if it is one of the training rows."""
        figure = self._figure(moment)
        there = figure.startswith("train.") and figure in moment.history[-1]
        return self._next(state, moment, figure) if there else (state, moment)

    def on_valid_end(self, state: PlateauMemory, moment: Moment) -> tuple[PlateauMemory, Moment]:
        """Read the score, if it is one of the validation rows."""
        figure = self._figure(moment)
        return (state, moment) if figure.startswith("train.") else self._next(state, moment, figure)

    def _next(
        self, state: PlateauMemory, moment: Moment, figure: str
    ) -> tuple[PlateauMemory, Moment]:
        row = moment.history[-1]
        if figure not in row:
            raise ParameterError(
                f"{self.name}: history has no figure '{figure}'.",
                expected=", ".join(sorted(set(row) - {"epoch"})),
                got=figure,
                fix=f'nn.model(..., measures=("{figure.partition(".")[2]}",))',
            )
        after, changes = self._plateau(moment).next(state, row[figure], moment.settings)
        return after, evolve(moment, settings=merged(moment.settings, changes))

    def _figure(self, moment: Moment) -> str:
        given = self.monitor or moment.monitor
        return given if given.startswith(("train.", "valid.")) else f"valid.{given}"

    def _plateau(self, moment: Moment) -> Plateau:
        mode = self.mode or ("min" if self._minimizes(moment) else "max")
        return evolve(self.schedule, mode=mode)

    def _minimizes(self, moment: Moment) -> bool:
        figure = self._figure(moment)
        name = figure.partition(".")[2]
        if figure == moment.monitor or name == "loss":
            return moment.minimize or name == "loss"
        try:
            return measure(name).smaller_is_better()
        except ParameterError as error:
            raise ParameterError(
                f"{self.name}: it is not known whether '{figure}' is best small or large.",
                expected='a monitor with a direction, or mode="min" or mode="max"',
                got=error.rule,
                fix='give mode="min" or mode="max"',
            ) from error
