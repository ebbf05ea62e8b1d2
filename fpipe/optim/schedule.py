"""Schedules: how settings of the optimizer change with the steps, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, StateError
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve, value
from fpipe.optim.optimizer import Settings


@value
class Memory:
    """What a schedule carries from call to call.

    Args:
        base: settings of every parameter group before training.
        total: how often the schedule is called in the whole run.
        t: the last call, from 0; -1 before the first.
        now: what it set then.
    """

    base: Settings
    total: int
    t: int = -1
    now: Settings = ()


@descriptor
class Schedule:
    """How settings of every parameter group change over the calls of a run, as a value.

    ``begin`` is called once, with the settings before training; ``at`` once per epoch (or
    batch), with ``t`` from 0: what it returns for 0 holds in the first. It returns, for every
    group, the settings that it changes (``lr``, and the momentum where that is cycled) and no
    others, so that several schedules can govern several settings. It is a pure function of the
    arguments of ``begin`` and ``t``: the memory saves repeated work, and calls may jump and be
    repeated.

    The numbers are those of torch's schedulers, computed in the same order.
    """

    name: ClassVar[str]

    @property
    def needs_total(self) -> bool:
        """Whether it depends on the number of calls in the whole run."""
        return False

    def begin(self, base: Settings, total: int) -> Any:
        """Return the memory before the first call.

        Args:
            base: settings of every parameter group before training.
            total: how often `at` will be called in the whole run (epochs, or batches).

        Raises:
            ParameterError: what is given per group does not fit the number of groups, or the
                optimizer has no setting that would be changed.
        """
        check_set(self)
        for setting in ("lr", *self.touches(base)):
            if any(setting not in group for group in base):
                raise self._no_setting(setting, base)
        self.check_groups(len(base))
        return Memory(base, total)

    def at(self, memory: Any, t: int) -> tuple[Any, Settings]:
        """Return the memory after a call, and the settings to change, for every group.

        Args:
            memory: what `begin` or the call before returned.
            t: which call, from 0.
        """
        raise NotImplementedError

    def entered(self, memory: Any, before: Settings) -> tuple[Any, Settings]:
        """Return what `at` does for 0 where another schedule went before, and left ``before``."""
        del before
        return self.at(memory, 0)

    def touches(self, base: Settings) -> tuple[str, ...]:
        """Return the settings besides ``lr`` that it changes."""
        return ()

    def grouped(self) -> Mapping[str, Any]:
        """Return the fields that may be a tuple of one for each group."""
        return {}

    def check_groups(self, count: int) -> None:
        """Raise ParameterError where a field gives one value per group for other groups."""
        for name, given in self.grouped().items():
            if isinstance(given, tuple) and len(given) != count:
                raise ParameterError(
                    f"{self.name}: {name} is given for {len(given)} parameter groups of {count}.",
                    expected=f"one value, or {count}",
                    got=f"{name}={given!r}",
                    fix="give one for each group, in the order of the optimizer's groups",
                )

    def _no_setting(self, setting: str, base: Settings) -> ParameterError:
        return ParameterError(
            f"{self.name} changes {setting}, and the optimizer has none.",
            expected=f"an optimizer with {setting}",
            got=", ".join(sorted(base[0])),
            fix="use another optimizer, such as sgd or adam"
            + (", or cycle_momentum=False" if setting != "lr" else ""),
        )


@descriptor
class Curve(Schedule):
    """A schedule whose settings follow from ``t`` alone."""

    def at(self, memory: Memory, t: int) -> tuple[Memory, Settings]:
        """Return the memory as it is, and the settings."""
        check_call(t)
        return memory, self.curve(memory, t)

    def curve(self, memory: Memory, t: int) -> Settings:
        """Return the settings of call ``t``."""
        raise NotImplementedError


@descriptor
class Recurrence(Schedule):
    """A schedule of the rate in which every call goes on from the one before.

    torch computes most of its schedules so; the same order of operations gives the same bits.
    """

    def at(self, memory: Memory, t: int) -> tuple[Memory, Settings]:
        """Return the memory that has come to ``t``, and the settings."""
        check_call(t)
        if t < memory.t:
            memory = Memory(memory.base, memory.total)
        rates = tuple(group["lr"] for group in memory.now or memory.base)
        for now in range(memory.t + 1, t + 1):
            rates = self.after(memory, rates, now)
        settings = tuple(pmap({"lr": rate}) for rate in rates)
        return evolve(memory, t=t, now=settings), settings

    def after(self, memory: Memory, rates: tuple[float, ...], t: int) -> tuple[float, ...]:
        """Return the rates of call ``t``, given those of the one before.

        Args:
            memory: the memory of some call before.
            rates: the rates of call ``t - 1``; for the first, those before training.
            t: which call.
        """
        raise NotImplementedError


def check_set(schedule: Schedule) -> None:
    """Raise ParameterError where a parameter without a default has not been given."""
    for field in fields_of(type(schedule)):
        if getattr(schedule, field.name) is REQUIRED:
            raise ParameterError(
                f"{schedule.name}: {field.name} is not set.",
                expected=f"a value for {field.name}",
                got="REQUIRED",
                fix=f"give {field.name}=...",
            )


def check_call(t: Any) -> None:
    """Raise StateError where a call is not counted from 0."""
    if not isinstance(t, int) or isinstance(t, bool) or t < 0:
        raise StateError(
            "a schedule's calls are counted from 0.",
            expected="an integer of at least 0",
            got=repr(t),
            fix="give at(memory, t) with t = 0, 1, 2, …",
        )


def base_rates(memory: Memory) -> tuple[float, ...]:
    """Return the rates of all groups before training."""
    return tuple(group["lr"] for group in memory.base)


def of_group(given: Any, position: int) -> Any:
    """Return what is given for a group: its member of a tuple, else what is given for all.

    Example:
        >>> of_group((0.1, 0.2), 1), of_group(0.3, 1)
        (0.2, 0.3)
    """
    return given[position] if isinstance(given, tuple) else given


def merged(settings: Settings, changes: Settings) -> Settings:
    """Return settings in which those that a schedule returned are replaced.

    Example:
        >>> merged((pmap({"lr": 1.0}),), (pmap({"lr": 0.5}),))
        (pmap({'lr': 0.5}),)
    """
    return tuple(now.update(new) for now, new in zip(settings, changes, strict=True))


def rate(value: float) -> PMap[str, Any]:
    """Return the settings of one group that change the rate alone."""
    return pmap({"lr": value})
