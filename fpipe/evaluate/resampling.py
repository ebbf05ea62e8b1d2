"""Resamplings: how rows are split again and again, as values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpipe.core.key import Key
from fpipe.core.parameter import Check, boolean, integer, number, parameter
from fpipe.core.value import descriptor, evolve, value
from fpipe.data.apart import groups_of, strata_of
from fpipe.data.split import fold_rows, holdout_rows
from fpipe.data.task import Task
from fpipe.data.units import bootstrap_rows, single_units

_RATIO = Check("a number above 0 and below 1", lambda x: isinstance(x, float) and 0.0 < x < 1.0)


@value
class Split:
    """Positions of the rows to train and to test on.

    Args:
        train: ``[rows]`` int64; a position may occur more than once (a bootstrap).
        test: ``[rows]`` int64, distinct.
        place: what the split is called in tables and errors, such as
            ``(("repeat", 0), ("fold", 2))``; by default its number, as ``fold``.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    place: tuple[tuple[str, int | str], ...] = ()


@descriptor
class Resampling:
    """A way to split the rows of a task; groups and repeats of a row are never parted."""

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Return the splits for a task.

        Raises:
            DataError: the task has too few rows or groups.
        """
        raise NotImplementedError


@descriptor
class CrossValidation(Resampling):
    """Every row is tested once; see `cv`."""

    folds: int = parameter(default=10, check=integer(2))
    stratify: bool = parameter(default=True, check=boolean())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Deal the rows to the folds."""
        strata = strata_of(task) if self.stratify else None
        tests = fold_rows(task.n_rows, self.folds, key, groups=groups_of(task), strata=strata)
        return tuple(_all_but(test, task.n_rows) for test in tests)


@descriptor
class RepeatedCrossValidation(Resampling):
    """Every row is tested once in every repeat; see `repeated_cv`."""

    folds: int = parameter(default=10, check=integer(2))
    repeats: int = parameter(default=10, check=integer(1))
    stratify: bool = parameter(default=True, check=boolean())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Deal the rows to the folds, once per repeat."""
        once = CrossValidation(self.folds, self.stratify)
        return tuple(
            Split(split.train, split.test, (("repeat", repeat), ("fold", fold)))
            for repeat in range(self.repeats)
            for fold, split in enumerate(once.splits(task, key.fold_in(repeat)))
        )


@descriptor
class Holdout(Resampling):
    """One split; see `holdout`."""

    ratio: float = parameter(default=2 / 3, check=_RATIO, convert=float)
    stratify: bool = parameter(default=True, check=boolean())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Split once."""
        strata = strata_of(task) if self.stratify else None
        first, rest = holdout_rows(
            task.n_rows, self.ratio, key, groups=groups_of(task), strata=strata
        )
        return (Split(first, rest),)


@descriptor
class Subsampling(Resampling):
    """One split after the other, each on its own; see `subsampling`."""

    repeats: int = parameter(default=30, check=integer(1))
    ratio: float = parameter(default=2 / 3, check=_RATIO, convert=float)
    stratify: bool = parameter(default=True, check=boolean())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Split once per repeat."""
        once = Holdout(self.ratio, self.stratify)
        return tuple(
            evolve(split, place=(("repeat", i),))
            for i in range(self.repeats)
            for split in once.splits(task, key.fold_in(i))
        )


@descriptor
class Bootstrap(Resampling):
    """Training rows drawn with replacement, tested on the rest; see `bootstrap`."""

    repeats: int = parameter(default=30, check=integer(1))
    ratio: float = parameter(default=1.0, check=number(0, above=True), convert=float)
    stratify: bool = parameter(default=True, check=boolean())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Draw once per repeat."""
        groups, strata = groups_of(task), strata_of(task) if self.stratify else None
        drawn = (
            bootstrap_rows(task.n_rows, self.ratio, key.fold_in(i), groups=groups, strata=strata)
            for i in range(self.repeats)
        )
        return tuple(Split(train, test, (("repeat", i),)) for i, (train, test) in enumerate(drawn))


@descriptor
class LeaveOneOut(Resampling):
    """Every row, or every group, is tested alone; see `loo`."""

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Leave out one after the other; nothing is drawn from the key."""
        tests = single_units(task.n_rows, groups=groups_of(task))
        return tuple(_all_but(test, task.n_rows) for test in tests)


@descriptor
class InSample(Resampling):
    """All rows are trained on and tested on; see `insample`."""

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Give all rows to both sides; nothing is drawn from the key."""
        everything = np.arange(task.n_rows, dtype=np.int64)
        return (Split(everything, everything),)


def cv(folds: int = 10, *, stratify: bool = True) -> CrossValidation:
    """Cross-validation: ``folds`` nearly equal parts, each tested once.

    Args:
        folds: number of parts, at least 2.
        stratify: whether the task's strata, or where it has none its classes, keep their
            proportions.

    Raises:
        ParameterError: there are fewer than 2 folds.

    Example:
        >>> cv(5).folds
        5
    """
    return CrossValidation(folds, stratify)


def repeated_cv(
    folds: int = 10, repeats: int = 10, *, stratify: bool = True
) -> RepeatedCrossValidation:
    """Cross-validation done ``repeats`` times, every time dealt anew.

    Args:
        folds: number of parts, at least 2.
        repeats: how often, at least 1.
        stratify: whether the task's strata, or where it has none its classes, keep their
            proportions.

    Raises:
        ParameterError: there are fewer than 2 folds, or no repeat.

    Example:
        >>> repeated_cv(5, repeats=3)
        RepeatedCrossValidation(folds=5, repeats=3, stratify=True)
    """
    return RepeatedCrossValidation(folds, repeats, stratify)


def holdout(ratio: float = 2 / 3, *, stratify: bool = True) -> Holdout:
    """One random split.

    Args:
        ratio: share of the rows to train on, in (0, 1).
        stratify: whether the task's strata, or where it has none its classes, keep their
            proportions.
    """
    return Holdout(ratio, stratify)


def subsampling(repeats: int = 30, ratio: float = 2 / 3, *, stratify: bool = True) -> Subsampling:
    """Random splits, each drawn on its own (Monte Carlo cross-validation).

    Args:
        repeats: how many, at least 1.
        ratio: share of the rows to train on, in (0, 1).
        stratify: whether the task's strata, or where it has none its classes, keep their
            proportions.

    Raises:
        ParameterError: there is no repeat, or the ratio is not in (0, 1).

    Example:
        >>> subsampling(3).repeats
        3
    """
    return Subsampling(repeats, ratio, stratify)


def bootstrap(repeats: int = 30, ratio: float = 1.0, *, stratify: bool = True) -> Bootstrap:
    """Training rows drawn with replacement; tested on the rows that were not drawn.

    Groups (and repeats of one row) are drawn whole. A row drawn twice is there twice, under a new
    row id and with its origin, so that no split for validation parts it. Every test row is
    predicted once.

    Args:
        repeats: how many, at least 1.
        ratio: rows (or groups) to draw, as a share of all; above 0.
        stratify: whether the task's strata, or where it has none its classes, keep their
            proportions; a group counts to the stratum that most of its rows have.

    Raises:
        ParameterError: there is no repeat, or the ratio is not above 0.

    Example:
        >>> bootstrap(100).ratio
        1.0

    Source:
        Efron (1979).
    """
    return Bootstrap(repeats, ratio, stratify)


def loo() -> LeaveOneOut:
    """Leave one out: as many folds as rows, or as groups where the task has them.

    One row has no correlation and no area under a curve: score what all folds predict together,
    with ``aggregate(..., average="micro")``.

    Example:
        >>> loo()
        LeaveOneOut()
    """
    return LeaveOneOut()


def insample() -> InSample:
    """Train on all rows and test on the same: how well a graph fits, not how well it predicts.

    Example:
        >>> insample()
        InSample()
    """
    return InSample()


def _all_but(test: NDArray[np.int64], n: int) -> Split:
    kept = np.ones(n, np.bool_)
    kept[test] = False
    return Split(np.flatnonzero(kept), test)
