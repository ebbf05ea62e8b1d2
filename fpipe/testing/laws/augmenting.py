"""Rows that are judged are as they are: no augmentation, no balancing, no group on both sides."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fpipe import ops
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.data.lazy.reading import materialize
from fpipe.data.task import Task
from fpipe.evaluate.fitting import apply, run, transform
from fpipe.evaluate.resampling import cv
from fpipe.testing.laws.asserting import agree

MARK = 255
"""A pixel that no image of the cases has."""


def marked(x: Tensor) -> Tensor:
    """Return an image that can be told from all others."""
    return torch.full_like(x, MARK)


def later_rows_are_as_they_are(task: Task, share: float, key: Key) -> None:
    """Validation rows and new data see no augmentation and no balancing; all others do."""
    graph = ops.balance() >> ops.trafo_map(marked, stages="train")
    fitted, out = run(graph, task, key=key, validate=share)
    assert bool((torch.as_tensor(np.stack(_images(out))) == MARK).all()), "a row was left out"
    judged = out.valid
    assert judged is not None
    ids = judged.row_id.tolist()
    assert len(set(ids)) == len(ids), "a row that is judged is there twice"
    assert not set(judged.origin.tolist()) & set(out.origin.tolist()), "a row is on both sides"
    places = np.flatnonzero(np.isin(task.row_id, judged.row_id))
    assert len(places) == len(ids), "a row that is judged is no row of the task"
    whole = dict(zip(task.row_id.tolist(), _images(task), strict=True))
    agree(_images(judged), [whole[number] for number in ids], "images that are judged")
    agree(_images(apply(fitted, task)), _images(task), "images of new data")
    agree(apply(fitted, task).row_id, task.row_id, "new rows")


def balanced_groups_stay_together(task: Task, count: int, key: Key) -> None:
    """A grouped cross-validation parts no group and no origin, also of rows that were balanced."""
    balanced = transform(ops.balance(reference="major"), task, key=key)  # no group is left out
    for split in cv(count).splits(balanced, key):
        sides = [balanced.take(rows) for rows in (split.train, split.test)]
        for of in (_groups, _origins):
            shared = of(sides[0]) & of(sides[1])
            assert not shared, f"{shared} on both sides"
        assert len(split.train) + len(split.test) == balanced.n_rows


def _images(task: Task) -> list[np.ndarray]:
    return [row.numpy() for row in materialize(task.tensor("image"))]


def _groups(task: Task) -> set[object]:
    column = task.role("group")
    return set() if column is None else set(column.to_list())


def _origins(task: Task) -> set[object]:
    return set(task.origin.tolist())


AUGMENTING = (
    Law(
        "later rows are as they are",
        "validation rows and new data see no augmentation and no balancing",
        later_rows_are_as_they_are,
    ),
    Law(
        "balanced groups stay together",
        "folds part neither groups nor origins of balanced rows",
        balanced_groups_stay_together,
    ),
)
"""Laws of tasks with images of which some are repeated and changed."""
