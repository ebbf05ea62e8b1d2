"""Law 4: lazy tensors are what they would be if they had been read at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.data.lazy.maps import Map
from fpipe.data.lazy.reading import materialize, read_together
from fpipe.data.lazy.source import Values, agrees
from fpipe.data.lazy.tensor import LazyTensor, concatenated
from fpipe.testing.laws.asserting import agree
from fpipe.train.loading import ahead


def rows_of(values: Values) -> list[Tensor]:
    """Return what was read as one tensor per row."""
    return [row.contiguous() for row in values]


def maps_compose(lazy: LazyTensor, maps: tuple[Map, Map], key: Key) -> None:
    """``lt.map(f).map(g)`` is ``lt.map(f >> g)``, and gives the same rows."""
    f, g = maps
    one, two = lazy.map(f).map(g), lazy.map(f >> g)
    agree(one, two, "the chain")
    agree(rows_of(materialize(one, key=key)), rows_of(materialize(two, key=key)), "what is read")


def taking_commutes(lazy: LazyTensor, positions: Sequence[int], key: Key) -> None:
    """Some rows, read, are those rows of all that is read."""
    whole = rows_of(materialize(lazy, key=key))
    part = rows_of(materialize(lazy.take(list(positions)), key=key))
    agree(part, [whole[p] for p in positions], "some of the rows")


def mapping_commutes(lazy: LazyTensor, one: Map, positions: Sequence[int], key: Key) -> None:
    """Taking rows and appending a map may change places."""
    rows = list(positions)
    agree(lazy.map(one).take(rows), lazy.take(rows).map(one), "the column")
    both = [lazy.take(rows).map(one), lazy.map(one).take(rows)]
    first, second = (rows_of(materialize(each, key=key)) for each in both)
    agree(first, second, "what is read")


def grouping_is_unread(lazy: LazyTensor, batch: int, workers: int, key: Key) -> None:
    """Rows read a few at a time, in threads and in any order, are the rows read at once."""
    whole = rows_of(materialize(lazy, key=key, epoch=3))
    agree(rows_of(materialize(lazy, key=key, epoch=3, batch=batch)), whole, "the rows")
    order = key.fold_in("order").permutation(len(lazy))
    groups = [order[i : i + batch] for i in range(0, len(order), batch)]
    jobs = [_job(lazy, group, key) for group in groups]
    for group, values in zip(groups, ahead(jobs, workers), strict=True):
        agree(rows_of(values), [whole[int(p)] for p in group], "rows of a group")


def _job(lazy: LazyTensor, group: np.ndarray, key: Key) -> Any:
    return lambda: materialize(lazy.take(group), key=key, epoch=3)


def concatenating_commutes(lazy: LazyTensor, cut: int, key: Key) -> None:
    """Two parts below each other are the whole."""
    rows = np.arange(len(lazy), dtype=np.int64)
    agree(concatenated(lazy.take(rows[:cut]), lazy.take(rows[cut:])), lazy, "the column")
    parts = [rows_of(materialize(lazy.take(p), key=key)) for p in (rows[:cut], rows[cut:])]
    agree([*parts[0], *parts[1]], rows_of(materialize(lazy, key=key)), "the rows")


def types_are_foreseen(lazy: LazyTensor, key: Key) -> None:
    """What is read has the shape and dtype that were foreseen, as far as they were."""
    for row in rows_of(materialize(lazy, key=key)):
        assert agrees(tuple(row.shape), lazy.shape), f"{lazy} gave {tuple(row.shape)}"
        assert row.dtype == lazy.dtype, f"{lazy} gave {row.dtype}"


def sharing_is_unseen(lazy: LazyTensor, maps: tuple[Map, Map], key: Key) -> None:
    """Columns that share their reads hold what each would hold alone."""
    columns = [lazy.map(maps[0]), lazy.map(maps[1]), lazy]
    alone = [rows_of(materialize(one, key=key)) for one in columns]
    together = read_together(columns, key=key)
    for mine, ours in zip(alone, together, strict=True):
        agree(rows_of(ours), mine, "a column")


def reading_is_pure(lazy: LazyTensor, key: Key) -> None:
    """Reading twice gives the same; nothing global moves, and no source is written into."""
    before = torch.get_rng_state()
    first = rows_of(materialize(lazy, key=key))
    kept = [row.clone() for row in first]
    for row in first:
        row.zero_()
    agree(rows_of(materialize(lazy, key=key)), kept, "what is read again")
    agree(torch.get_rng_state(), before, "torch's generator")


LAZY = (
    Law("maps compose", "lt.map(f).map(g) is lt.map(f >> g)", maps_compose),
    Law("taking commutes", "select and materialize commute", taking_commutes),
    Law("mapping commutes", "taking rows and mapping commute", mapping_commutes),
    Law("grouping is unread", "groups, order and threads change no row", grouping_is_unread),
    Law("concatenating commutes", "parts below each other are the whole", concatenating_commutes),
    Law("types are foreseen", "shape and dtype are as foreseen", types_are_foreseen),
    Law("sharing is unseen", "columns that share reads hold what each holds", sharing_is_unseen),
    Law("reading is pure", "reading changes nothing and repeats itself", reading_is_pure),
)
"""Laws of lazy tensors."""
