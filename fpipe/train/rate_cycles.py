"""Schedules of the learning rate as callbacks: cycles, sequences, torch's own, and by a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.optim.cycles import Cyclic, OneCycle
from fpipe.optim.plateau import Plateau
from fpipe.optim.schedule import Schedule
from fpipe.optim.sequence import Sequence as InSequence
from fpipe.optim.wrapped import TorchSchedule
from fpipe.train.following import FollowSchedule, FollowScore, followed

PerGroup = float | Sequence[float]
"""A number; or one for each parameter group."""


def lr_cyclic(
    base_lr: PerGroup = REQUIRED,
    max_lr: PerGroup = REQUIRED,
    step_size_up: int = 2000,
    step_size_down: int | None = None,
    *,
    mode: str = "triangular",
    gamma: float = 1.0,
    scale_fn: Callable[[float], float] | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: PerGroup = 0.8,
    max_momentum: PerGroup = 0.9,
    per: str = "batch",
) -> FollowSchedule:
    """Let the rate go up and down between two bounds, the momentum down and up.

    Args:
        base_lr: the lowest rate; or one for each parameter group.
        max_lr: the highest rate; or one for each parameter group.
        step_size_up: updates (or epochs) on the way up.
        step_size_down: updates (or epochs) on the way down; as many as up by default.
        mode: ``"triangular"``, ``"triangular2"`` or ``"exp_range"``.
        gamma: of ``"exp_range"``.
        scale_fn: a function from the cycle (or the call) to a factor, in place of ``mode``.
        scale_mode: what ``scale_fn`` is a function of, ``"cycle"`` or ``"iterations"``.
        cycle_momentum: whether the momentum is cycled (the first of ``betas``, if there are such).
        base_momentum: the lowest momentum; or one for each parameter group.
        max_momentum: the highest momentum; or one for each parameter group.
        per: ``"batch"`` for every update, or ``"epoch"``.

    Example:
        >>> lr_cyclic(0.001, 0.1, step_size_up=500).per
        'batch'

    Source:
        ``torch.optim.lr_scheduler.CyclicLR``.
    """
    return followed(
        per,
        Cyclic,
        base_lr,
        max_lr,
        step_size_up,
        step_size_down,
        mode=mode,
        gamma=gamma,
        scale_fn=scale_fn,
        scale_mode=scale_mode,
        cycle_momentum=cycle_momentum,
        base_momentum=base_momentum,
        max_momentum=max_momentum,
    )


def lr_one_cycle(
    max_lr: PerGroup = REQUIRED,
    *,
    total_steps: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: PerGroup = 0.85,
    max_momentum: PerGroup = 0.95,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
    per: str = "batch",
) -> FollowSchedule:
    """Let the rate rise once and fall over the whole run, the momentum the other way.

    Args:
        max_lr: the highest rate; or one for each parameter group.
        total_steps: updates (or epochs) of the cycle; by default those of the whole run.
        pct_start: share of them on the way up.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether the momentum is cycled (the first of ``betas``, if there are such).
        base_momentum: the lowest momentum; or one for each parameter group.
        max_momentum: the highest momentum; or one for each parameter group.
        div_factor: the first rate is ``max_lr / div_factor``.
        final_div_factor: the last rate is the first divided by this.
        three_phase: whether the rate falls as steeply as it rose, and then to the last.
        per: ``"batch"`` for every update, or ``"epoch"``.

    Example:
        >>> lr_one_cycle(0.1).needs_total, lr_one_cycle(0.1, total_steps=500).needs_total
        (True, False)

    Source:
        ``torch.optim.lr_scheduler.OneCycleLR``.
    """
    return followed(
        per,
        OneCycle,
        max_lr,
        total_steps,
        pct_start,
        anneal_strategy,
        cycle_momentum,
        base_momentum,
        max_momentum,
        div_factor,
        final_div_factor,
        three_phase,
    )


def lr_sequence(
    schedules: Sequence[FollowSchedule | Schedule] = REQUIRED,
    milestones: Sequence[int] = REQUIRED,
    *,
    per: str | None = None,
) -> FollowSchedule:
    """Follow schedules one after the other: a warm-up, and what comes after it.

    Args:
        schedules: schedules as the functions beside this one make them, in order; each counts
            from 0 and starts from the rate at the beginning.
        milestones: after how many epochs (or updates) the second and the later ones begin.
        per: ``"epoch"``, or ``"batch"`` for every update; by default what all of them say.

    Raises:
        ParameterError: the schedules disagree on ``per`` and none is given.

    Example:
        >>> from fpipe.callbacks import lr_cosine_annealing, lr_linear
        >>> warm = lr_sequence([lr_linear(0.1, total_iters=5), lr_cosine_annealing(95)], [5])
        >>> warm.name, warm.per
        ('lr_sequence', 'epoch')

    Source:
        ``torch.optim.lr_scheduler.SequentialLR``.
    """
    by = _agreed(schedules) if per is None else per
    return followed(by, InSequence, _unwrapped(schedules), milestones)


def lr_scheduler(
    scheduler: type[LRScheduler] | str = REQUIRED, *, per: str = "epoch", **options: Any
) -> FollowSchedule:
    """Follow a scheduler class of torch, or a subclass of one's own.

    Args:
        scheduler: the class, or ``"package.module:name"``.
        per: ``"epoch"``, or ``"batch"`` for every update.
        **options: its arguments but for the optimizer.

    Raises:
        ParameterError: the class is no scheduler, or does not take the arguments.

    Example:
        >>> import torch
        >>> lr_scheduler(torch.optim.lr_scheduler.StepLR, step_size=5).name
        'lr_scheduler'
    """
    return followed(per, TorchSchedule, scheduler, options)


def lr_reduce_on_plateau(
    mode: str | None = None,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: PerGroup = 0.0,
    eps: float = 1e-8,
    *,
    monitor: str | None = None,
) -> FollowScore:
    """Multiply the rate by ``factor`` once a score no longer improves.

    It follows the evaluations; where there are no validation rows, nothing happens.

    Args:
        mode: whether a ``"min"`` or a ``"max"`` is sought; as the score is best by default.
        factor: factor, from 0 to below 1.
        patience: evaluations without improvement that are put up with.
        threshold: how much better a score must be.
        threshold_mode: whether that is ``"rel"``, a share of the best, or ``"abs"``.
        cooldown: evaluations after a change that do not count.
        min_lr: the lowest rate; or one for each parameter group.
        eps: a smaller change of the rate is none.
        monitor: the score, as history calls it: ``"valid.loss"``, ``"train.loss"``; what early
            stopping watches by default.

    Example:
        >>> lr_reduce_on_plateau(patience=3).name
        'lr_reduce_on_plateau'

    Source:
        ``torch.optim.lr_scheduler.ReduceLROnPlateau``.
    """
    make: Callable[..., Plateau] = Plateau
    schedule = make(
        "min" if mode is None else mode,
        factor,
        patience,
        threshold,
        threshold_mode,
        cooldown,
        min_lr,
        eps,
    )
    return FollowScore(schedule, monitor, mode)


def _agreed(schedules: Any) -> str:
    """Return whether schedules go by epochs or by updates."""
    given = schedules if isinstance(schedules, list | tuple) else ()
    found = {one.per: one for one in given if isinstance(one, FollowSchedule)}
    if len(found) > 1:
        raise ParameterError(
            "lr_sequence: some of its schedules go by epochs, others by updates.",
            expected="one of both for all of them",
            got=", ".join(f"{one.name} per {per}" for per, one in sorted(found.items())),
            fix='give lr_sequence(..., per="epoch") or per="batch"',
        )
    return next(iter(found), "epoch")


def _unwrapped(schedules: Any) -> Any:
    """Return the schedules of callbacks; what is none stays, to be refused."""
    if not isinstance(schedules, list | tuple):
        return schedules
    return tuple(one.schedule if isinstance(one, FollowSchedule) else one for one in schedules)
