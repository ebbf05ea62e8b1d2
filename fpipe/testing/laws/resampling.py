"""Law 9 over tasks: splits are disjoint and cover, and part no group and no origin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from fpipe.core.errors import DataError
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.data.kind import Classification
from fpipe.data.task import Task
from fpipe.evaluate.fitting import run
from fpipe.evaluate.partition import partition
from fpipe.evaluate.resampling import bootstrap, cv, holdout, loo, repeated_cv, subsampling
from fpipe.evaluate.validation import with_validation
from fpipe.graph.graph import Graph
from fpipe.testing.laws.asserting import agree


def partition_parts(task: Task, ratio: float, key: Key) -> None:
    """Both parts cover the task, share no row, group or origin, and keep proportions."""
    try:
        parts = partition(task, ratio, key=key)
    except DataError:
        assert _may_refuse(task, ratio), "a task that can be split was refused"
        return
    _is_partition(task, parts)
    agree(partition(task, ratio, key=key), parts, "the same split again")
    if _rows_are_units(task):
        share = _counts(task, task) * ratio
        assert (abs(_counts(task, parts[0]) - share) < 1).all(), "a stratum lost its share"


def folds_part(task: Task, folds: int, key: Key) -> None:
    """Test sets are disjoint and cover; training sets are their complements; units stay whole."""
    try:
        splits = cv(folds).splits(task, key)
    except DataError:
        assert _units(task).n_unique() < folds, "a task that can be split was refused"
        return
    tests = [task.take(split.test) for split in splits]
    assert len(tests) == folds
    _is_partition(task, tests)
    for split, test in zip(splits, tests, strict=True):
        _is_partition(task, (task.take(split.train), test))
    if _rows_are_units(task):
        counts = np.array([_counts(task, test) for test in tests])
        assert (np.ptp(counts, axis=0) <= 1).all(), "a stratum is dealt unevenly"
        assert np.ptp([test.n_rows for test in tests]) <= 1
    agree(cv(folds).splits(task, key), splits, "the same splits again")


def holdout_parts(task: Task, ratio: float, key: Key) -> None:
    """A holdout and validation rows split off at the entry part no unit either."""
    try:
        (split,) = holdout(ratio).splits(task, key)
        _is_partition(task, (task.take(split.train), task.take(split.test)))
        held = with_validation(task, 1.0 - ratio, key)
    except DataError:
        assert _may_refuse(task, ratio), "a task that can be split was refused"
        return
    assert held.valid is not None
    _is_partition(task, (held.with_valid(None), held.valid))


def resamplings_part_no_unit(task: Task, key: Key) -> None:
    """No row, group or origin that is trained on is tested on, whatever the resampling."""
    for resampling in (repeated_cv(2, 2), subsampling(2), bootstrap(3), loo(), cv(2), holdout()):
        try:
            splits = resampling.splits(task, key)
        except DataError:
            continue
        for train, test in ((split.train, split.test) for split in splits):
            assert len(set(test.tolist())) == len(test), f"{resampling!r} tests a row twice"
            assert not set(train) & set(test), f"{resampling!r} tests a row that it trains on"
            for what, of in (("origin", task.origin), ("group", task.role("group"))):
                known = [] if of is None else list(of)
                both = {known[i] for i in train if known} & {known[i] for i in test if known}
                assert not both, f"{resampling!r} parts the {what} {min(both)!r}"
        agree(resampling.splits(task, key), splits, "the same splits again")


def repeats_keep_origins(task: Task, positions: Sequence[int]) -> None:
    """Repeated rows have new ids, the same content and the origin of what they repeat."""
    again = task.repeat(positions)
    assert len(set(again.row_id.tolist())) == len(positions)
    assert again.origin.tolist() == task.origin[np.array(positions, np.int64)].tolist()
    agree(again.table, task.table[list(positions)], "the rows")
    seen: set[int] = set()
    for row_id, place in zip(again.row_id.tolist(), positions, strict=True):
        if place not in seen:
            assert row_id == task.row_id[place], "the first use of a row lost its id"
        else:
            assert row_id not in task.row_id, "a repeated row has the id of another"
        seen.add(place)


def origins_are_kept(graph: Graph, task: Task, key: Key) -> None:
    """Rows that leave an operator have ids of their own, and a row of the task as origin."""
    out = run(graph, task, key=key)[1]
    assert len(set(out.row_id.tolist())) == out.n_rows, "two rows have one id"
    assert set(out.origin.tolist()) <= set(task.origin.tolist()), "an origin is no row of the task"
    known = dict(zip(task.row_id.tolist(), task.origin.tolist(), strict=True))
    for row_id, origin in zip(out.row_id.tolist(), out.origin.tolist(), strict=True):
        assert known.get(row_id, origin) == origin, "a row changed its origin"
    groups = task.role("group")
    if groups is not None:
        of = dict(zip(task.origin.tolist(), groups.to_list(), strict=True))
        given = out.role("group").to_list()
        assert given == [of[o] for o in out.origin.tolist()], "a row changed its group"


def _is_partition(task: Task, parts: Sequence[Task]) -> None:
    ids = np.concatenate([part.row_id for part in parts])
    assert sorted(ids.tolist()) == sorted(task.row_id.tolist()), "rows are lost or doubled"
    assert all(part.n_rows for part in parts), "a part is empty"
    for what in ("origin", "group"):
        found = [set(_values(part, what)) for part in parts]
        for i, first in enumerate(found):
            for second in found[i + 1 :]:
                assert not first & second, f"one {what} is on both sides"
    for part in parts:
        places = [task.row_id.tolist().index(i) for i in part.row_id]
        agree(part.table, task.table[places], "the rows of a part")


def _values(task: Task, what: str) -> list[object]:
    if what == "origin":
        return list(task.origin)
    column = task.role("group")
    return [] if column is None else list(column)


def _rows_are_units(task: Task) -> bool:
    return task.role("group") is None and len(set(task.origin.tolist())) == task.n_rows


def _units(task: Task) -> pl.Series:
    """Return a bound on what may be split: groups where there are any, else origins."""
    group = task.role("group")
    return pl.Series(task.origin) if group is None else group


def _may_refuse(task: Task, ratio: float) -> bool:
    edges = (0, task.n_rows)
    return any(round(task.n_rows * r) in edges for r in (ratio, 1.0 - ratio)) or not (
        _rows_are_units(task)
    )


def _counts(task: Task, part: Task) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Count each stratum of a task in one of its parts."""
    names = task.roles.get("stratum", ())
    if not names and isinstance(task.kind, Classification):
        names = task.roles["target"]
    if not names:
        return np.array([part.n_rows])
    levels = task.table[names[0]].unique(maintain_order=True).to_list()
    found = part.table[names[0]].to_list()
    return np.array([sum(cell == level for cell in found) for level in levels])


RESAMPLING = (
    Law("partition parts", "two parts share no row, group or origin", partition_parts),
    Law("folds part", "test sets are disjoint and cover; units stay whole", folds_part),
    Law("holdout parts", "holdout and validation rows part no unit", holdout_parts),
    Law("resamplings part nothing", "no resampling parts a unit", resamplings_part_no_unit),
    Law("repeats keep origins", "repeated rows keep their origin", repeats_keep_origins),
    Law("origins are kept", "operators keep row ids, origins and groups", origins_are_kept),
)
