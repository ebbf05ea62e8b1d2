"""Resamplings: how rows are split again and again, as values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpipe.core.key import Key
from fpipe.core.parameter import Check, boolean, integer, parameter
from fpipe.core.value import descriptor, value
from fpipe.data.split import fold_rows, holdout_rows
from fpipe.data.task import Task
from fpipe.evaluate.partition import groups_of, strata_of

_RATIO = Check("a number above 0 and below 1", lambda x: isinstance(x, float) and 0.0 < x < 1.0)


@value
class Split:
    """Positions of the rows to train and to test on, ``[rows]`` int64 each."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


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
        everything = np.arange(task.n_rows, dtype=np.int64)
        return tuple(Split(np.setdiff1d(everything, test), test) for test in tests)


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


def cv(folds: int = 10, *, stratify: bool = True) -> CrossValidation:
    """Cross-validation: ``folds`` nearly equal parts, each tested once.

    Args:
        folds: number of parts, at least 2.
        stratify: whether classes (or strata) keep their proportions.

    Raises:
        ParameterError: there are fewer than 2 folds.

    Example:
        >>> cv(5).folds
        5
    """
    return CrossValidation(folds, stratify)


def holdout(ratio: float = 2 / 3, *, stratify: bool = True) -> Holdout:
    """One random split.

    Args:
        ratio: share of the rows to train on, in (0, 1).
        stratify: whether classes (or strata) keep their proportions.
    """
    return Holdout(ratio, stratify)
