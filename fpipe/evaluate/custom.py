"""Splits that the user gives: as positions, or as a column of the task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED, parameter, text
from fpipe.core.value import descriptor
from fpipe.data.task import Task
from fpipe.evaluate.resampling import Resampling, Split

Positions = Sequence[int] | NDArray[np.int64]


@descriptor
class Custom(Resampling):
    """Splits given as positions; see `custom`."""

    train_sets: tuple[tuple[int, ...], ...]
    test_sets: tuple[tuple[int, ...], ...]

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Return the given splits, after checking them; nothing is drawn from the key."""
        made, sides = [], _sides(task)
        pairs = zip(self.train_sets, self.test_sets, strict=True)
        for i, (train, test) in enumerate(pairs):
            _check_inside(task, i, (*train, *test))
            split = Split(np.array(train, np.int64), np.array(test, np.int64))
            _check_apart(
                sides, split, f"split {i}", "use fp.insample() to test what was trained on"
            )
            made.append(split)
        return tuple(made)

    def __repr__(self) -> str:
        return f"Custom ({len(self.test_sets)} splits)"


@descriptor
class CustomCrossValidation(Resampling):
    """Each level of a column is tested once; see `custom_cv`."""

    column: str = parameter(check=text())

    def splits(self, task: Task, key: Key) -> tuple[Split, ...]:
        """Return one split per level; nothing is drawn from the key."""
        column = _levels_of(task, self.column)
        made, sides = [], _sides(task)
        for i, level in enumerate(column.drop_nulls().unique().sort().to_list()):
            inside = (column == level).fill_null(False).to_numpy()
            place = (("fold", i), ("level", str(level)))
            split = Split(np.flatnonzero(~inside), np.flatnonzero(inside), place)
            _check_apart(
                sides, split, f"level {level!r} of '{self.column}'", "give each of them one level"
            )
            made.append(split)
        if not made or not len(made[0].train):
            raise DataError(
                f"the column '{self.column}' has {len(made)} level, which leaves nothing to train "
                "on."
                if made
                else f"the column '{self.column}' has no level to test on.",
                expected="at least 2 levels",
                got=f"{column.n_unique()} different values in {task.n_rows} rows",
                fix="fp.cv(5)",
            )
        return tuple(made)


def custom(train_sets: Iterable[Positions], test_sets: Iterable[Positions] = REQUIRED) -> Custom:
    """Splits given by the positions of their rows, counted from 0.

    Test sets may overlap one another. A row (or a repeat of it, or a row of its group) on both
    sides of one split is an error when a task is split.

    Args:
        train_sets: positions to train on, one set per split; a position that occurs twice is
            trained on twice.
        test_sets: positions to test on, as many sets.

    Raises:
        ParameterError: the sets are not as many, or one is empty or holds no positions.

    Example:
        >>> custom([[0, 1, 2], [2, 3]], [[3], [0, 1]])
        Custom (2 splits)
    """
    if test_sets is REQUIRED:
        raise ParameterError(
            "fp.custom takes the training sets and the test sets apart, not in pairs.",
            expected="custom(train_sets, test_sets)",
            got="train_sets alone",
            fix="fp.custom([train for train, _ in pairs], [test for _, test in pairs])",
        )
    trains, tests = (
        tuple(_positions(what, i, one) for i, one in enumerate(_sets(what, given)))
        for what, given in (("train", train_sets), ("test", test_sets))
    )
    if len(trains) != len(tests) or not tests:
        raise ParameterError(
            f"{len(trains)} training sets and {len(tests)} test sets make no splits.",
            expected="one training set and one test set per split, at least 1",
            got=f"{len(trains)} and {len(tests)}",
            fix="fp.custom([[0, 1], [2, 3]], [[2, 3], [0, 1]])",
        )
    for i, test in enumerate(tests):
        if len(set(test)) < len(test):
            twice = next(row for row in test if test.count(row) > 1)
            raise ParameterError(
                f"position {twice} is twice in test set {i}.",
                expected="distinct positions: a row is predicted once",
                got=f"{len(test)} positions, {len(set(test))} of them distinct",
                fix="give each position once",
            )
    return Custom(trains, tests)


def custom_cv(column: str) -> CustomCrossValidation:
    """Cross-validation whose test sets are the levels of a column, such as a site or a year.

    Rows where the column is missing are in no test set and in every training set; to leave them
    out, filter the task first. Folds are in the order of the levels. The column may have any role,
    or none; a feature stays a feature.

    Args:
        column: a column of the task: strings, categories, integers, booleans or dates.

    Raises:
        ParameterError: the column is no name.

    Example:
        >>> custom_cv("site")
        CustomCrossValidation(column='site')
    """
    return CustomCrossValidation(column)


def _levels_of(task: Task, name: str) -> pl.Series:
    column = task.column(name)
    if column.dtype.is_float() or column.dtype.is_nested():
        raise DataError(
            f"the column '{name}' has no levels: it is {column.dtype}.",
            expected="strings, categories, integers, booleans or dates",
            got=str(column.dtype),
            fix=f"cast '{name}' to strings or integers when the task is made",
        )
    return column


def _sets(what: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ParameterError(
            f"{what}_sets is {type(given).__name__}, and no sequence of sets.",
            expected="one sequence of positions per split",
            got=repr(given)[:80],
            fix=f"{what}_sets=[[0, 1, 2]]",
        )
    return tuple(given)


def _positions(what: str, index: int, given: Any) -> tuple[int, ...]:
    found = np.asarray(given)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu" or found.min() < 0:
        raise ParameterError(
            f"{what} set {index} holds no positions of rows.",
            expected="integers of at least 0, one or more",
            got=repr(given)[:80],
            fix="give positions counted from 0; for a mask np.flatnonzero(mask)",
        )
    return tuple(found.tolist())


def _check_inside(task: Task, index: int, positions: tuple[int, ...]) -> None:
    if max(positions) >= task.n_rows:
        raise DataError(
            f"split {index}: there is no row at position {max(positions)}.",
            expected=f"positions from 0 to {task.n_rows - 1}",
            got=f"position {max(positions)} in a task of {task.n_rows} rows",
            fix="count positions from 0; row ids are something else",
        )


def _sides(task: Task) -> dict[str, tuple[NDArray[np.int64], list[Any]]]:
    """Return what may not be parted: origins, and groups, as codes and as shown, ``[rows]``."""
    sides = {"row": (task.origin, task.origin.tolist())}
    group = task.role("group")
    if group is not None:
        codes = group.cast(pl.String).rank("dense").fill_null(0).to_numpy().astype(np.int64)
        sides["group"] = (codes, group.to_list())
    return sides


def _check_apart(
    sides: dict[str, tuple[NDArray[np.int64], list[Any]]], split: Split, where: str, fix: str
) -> None:
    """Raise where an origin or a group is on both sides of a split."""
    for what, (codes, names) in sides.items():
        both = np.intersect1d(codes[split.train], codes[split.test])
        if len(both):
            name = names[int(np.flatnonzero(codes == both[0])[0])]
            raise DataError(
                f"{where}: the {what} {'missing' if name is None else repr(name)} is in the "
                "training set and in the test set.",
                expected=f"every {what} on one side",
                got=f"{len(both)} on both sides",
                fix=fix,
            )
