"""Any scheduler class of torch as a schedule: rebuilt from plain data for every call."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.equality import same
from fpipe.core.errors import ParameterError, StateError, did_you_mean
from fpipe.core.parameter import REQUIRED, Check, parameter
from fpipe.core.tree import items
from fpipe.core.value import descriptor, value
from fpipe.optim.cycles import check_total_steps
from fpipe.optim.dynamo import load_dynamo
from fpipe.optim.optimizer import Settings
from fpipe.optim.plain import NotPlain, frozen, snapshot, thawed, unchanged
from fpipe.optim.schedule import Schedule, check_call, check_set

_OURS = ("optimizer", "last_epoch")
"""Arguments of every scheduler that are filled in, not given."""

_ELSEWHERE = (
    (ReduceLROnPlateau, "follows scores, not steps", "use the schedule plateau"),
    (SequentialLR, "is made of other schedulers", "use the schedule sequence"),
    (ChainedScheduler, "is made of other schedulers", "use one schedule for each of them"),
)
"""Schedulers that cannot be wrapped, why, and what takes their place."""


def _is_scheduler(x: Any) -> bool:
    if not isinstance(x, Ref | Opaque):
        return False
    found = x.resolve()
    return isinstance(found, type) and issubclass(found, LRScheduler) and found is not LRScheduler


_SCHEDULER = Check(
    'the class of a scheduler, such as torch.optim.lr_scheduler.StepLR, or "package.module:name"',
    _is_scheduler,
)

_OPTIONS = Check(
    "a dict of arguments: numbers, text, functions, and lists of them",
    lambda x: isinstance(x, PMap) and all(isinstance(name, str) for name in x),
)


def _as_options(given: Any) -> Any:
    return pmap({name: _as_option(option) for name, option in given.items()})


def _as_option(given: Any) -> Any:
    """Return an argument as a value: functions as code, lists and dicts frozen."""
    if isinstance(given, list | tuple):
        return _sequence(type(given), map(_as_option, given))
    if isinstance(given, dict):
        return pmap({name: _as_option(option) for name, option in given.items()})
    return as_code(given) if callable(given) else given


def _sequence(kind: type, members: Any) -> Any:
    """Return members as a tuple, or as a persistent vector in place of a list."""
    found = tuple(members)
    return found if kind is tuple else frozen([]).extend(found)


@value
class TorchMemory:
    """A scheduler between two calls, as data.

    Args:
        base: settings of every parameter group before training.
        t: the last call, from 0; -1 before the first.
        groups: all that the scheduler wrote into the parameter groups.
        changed: its attributes that differ from those of a new one.
        touched: the settings that it has changed at some call.
    """

    base: Settings
    t: int = -1
    groups: Settings = ()
    changed: PMap[str, Any] = pmap()
    touched: tuple[str, ...] = ("lr",)


@descriptor
class TorchSchedule(Schedule):
    """A scheduler of torch, or a subclass of one's own, wrapped.

    It is made anew for every call, over a private optimizer that only holds the settings, is
    given back its state, and steps. What it keeps between steps must be plain data.

    Args:
        scheduler: the class, or ``"package.module:name"``.
        options: its arguments but for the optimizer.

    Raises:
        ParameterError: the class is no scheduler, or does not take the arguments.

    Example:
        >>> schedule = TorchSchedule(torch.optim.lr_scheduler.StepLR, {"step_size": 2})
        >>> memory = schedule.begin((pmap({"lr": 1.0}),), total=4)
        >>> [round(schedule.at(memory, t)[1][0]["lr"], 3) for t in range(4)]
        [1.0, 1.0, 0.1, 0.1]
    """

    name = "torch"

    scheduler: Ref | Opaque = parameter(check=_SCHEDULER, convert=as_code)
    options: PMap[str, Any] = parameter(default=pmap(), check=_OPTIONS, convert=_as_options)

    def __attrs_post_init__(self) -> None:
        if self.scheduler is REQUIRED:
            return
        made = self.scheduler.resolve()
        for kind, reason, fix in _ELSEWHERE:
            if issubclass(made, kind):
                raise ParameterError(
                    f"{made.__name__} {reason}.",
                    expected="a scheduler made from an optimizer and numbers, that steps by itself",
                    got=made.__name__,
                    fix=fix,
                )
        _check_options(made, self.options)

    def begin(self, base: Settings, total: int) -> TorchMemory:
        """Return the memory before the first call; the scheduler is made once, as a trial."""
        check_set(self)
        memory = TorchMemory(base)
        try:
            trial, _ = self._made(memory)
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise ParameterError(
                f"{self.scheduler.name} does not take these arguments.",
                expected="arguments that it accepts for these parameter groups",
                got=f"{type(error).__name__}: {error}",
                fix="see its documentation",
            ) from error
        if type(trial) is OneCycleLR:  # a subclass may go on behind the end
            check_total_steps("OneCycleLR", trial.total_steps, total)
        return memory

    def at(self, memory: TorchMemory, t: int) -> tuple[TorchMemory, Settings]:
        """Return the memory that has come to ``t``, and the settings."""
        check_call(t)
        if t < memory.t:
            memory = TorchMemory(memory.base)
        if t > memory.t:
            memory = self._moved(memory, t)
        read = zip(memory.base, memory.groups, strict=True)
        return memory, tuple(_read(base, group, memory.touched) for base, group in read)

    def _moved(self, memory: TorchMemory, t: int) -> TorchMemory:
        scheduler, fresh = self._made(memory)
        touched = set(memory.touched)
        for now in range(memory.t + 1, t + 1):
            if now > 0:
                scheduler.step()
            touched |= _touched(memory.base, scheduler.optimizer)
        groups = tuple(pmap(_group(group)) for group in scheduler.optimizer.param_groups)
        changed = self._changed(fresh, scheduler.state_dict())
        return TorchMemory(memory.base, t, groups, changed, tuple(sorted(touched)))

    def _made(self, memory: TorchMemory) -> tuple[LRScheduler, Mapping[str, Any]]:
        """Return the scheduler of a memory, and the state of one that is new."""
        load_dynamo()
        stand = _Stand(memory.base)
        make: Any = self.scheduler.resolve()
        scheduler: LRScheduler = make(stand, **_options(self.options))
        stand.step()
        fresh = {name: snapshot(kept) for name, kept in scheduler.state_dict().items()}
        if memory.t >= 0:
            for group, written in zip(stand.param_groups, memory.groups, strict=True):
                group.update(thawed(written))
            changed = {name: thawed(kept) for name, kept in items(memory.changed)}
            scheduler.load_state_dict(scheduler.state_dict() | changed)
        return scheduler, fresh

    def _changed(self, fresh: Mapping[str, Any], now: Mapping[str, Any]) -> PMap[str, Any]:
        """Return the attributes that a new scheduler would not have, frozen."""
        found = {}
        for name, kept in now.items():
            after = snapshot(kept)
            if name not in fresh or not unchanged(fresh[name], after):
                try:
                    found[name] = frozen(kept)
                except NotPlain as error:
                    raise StateError(
                        f"{self.scheduler.name} keeps '{name}', which is no plain data.",
                        expected="numbers, text, tensors, and lists, tuples and dicts of them",
                        got=str(error),
                        fix="keep it in another form, or write a schedule of your own",
                    ) from None
        return pmap(found)


class _Stand(torch.optim.Optimizer):
    """An optimizer that holds settings and optimizes nothing."""

    def __init__(self, base: Settings) -> None:
        groups = [{"params": [torch.zeros(1)], **group} for group in base]
        super().__init__(groups, dict(base[0]))

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Do nothing; torch warns where a scheduler steps before the optimizer."""


def _check_options(made: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = inspect.signature(made).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    names = [name for name in known if name not in _OURS]
    for name in options:
        if name in _OURS or (name not in known and not open_ended):
            raise ParameterError(
                f"{made.__name__} is given no '{name}' here.",
                expected=", ".join(names),
                got=f"{name}={options[name]!r}",
                fix="leave it out: it is filled in" if name in _OURS else did_you_mean(name, names),
            )
    missing = [name for name in names if _is_needed(known[name]) and name not in options]
    if missing:
        raise ParameterError(
            f"{made.__name__} needs '{missing[0]}'.",
            expected=", ".join(names),
            got=", ".join(sorted(options)) or "no arguments",
            fix=f"give {missing[0]}=...",
        )


def _is_needed(parameter: inspect.Parameter) -> bool:
    several = (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    return parameter.default is parameter.empty and parameter.kind not in several


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _resolved(option) for name, option in items(options)}


def _resolved(option: Any) -> Any:
    """Return an argument as it was given; what code remembers of its own is copied."""
    if isinstance(option, Ref | Opaque):
        return copy.deepcopy(option.resolve())
    if isinstance(option, tuple):
        return tuple(map(_resolved, option))
    if isinstance(option, PMap):
        return {name: _resolved(below) for name, below in items(option)}
    found = thawed(option)
    return list(map(_resolved, found)) if isinstance(found, list) else found


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: frozen(given) for name, given in group.items() if name != "params"}


def _touched(base: Settings, stand: torch.optim.Optimizer) -> set[str]:
    pairs = zip(base, stand.param_groups, strict=True)
    return {name for own, group in pairs for name in own if not same(own[name], group[name])}


def _read(base: PMap[str, Any], group: PMap[str, Any], touched: tuple[str, ...]) -> PMap[str, Any]:
    """Return what a scheduler wrote of the settings, as numbers of Python."""
    return pmap({name: _as_number(group[name]) for name in touched if name in base})


def _as_number(given: Any) -> Any:
    if isinstance(given, tuple):
        return tuple(map(_as_number, given))
    keeps = given is None or isinstance(given, bool | str)
    return given if keeps else float(given)
