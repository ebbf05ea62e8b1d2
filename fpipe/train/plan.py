"""The plan of a run and its events: a pure function of plan and key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError
from fpipe.core.key import Key
from fpipe.core.value import descriptor


@descriptor
class Plan:
    """How training goes through the rows.

    Args:
        rows: number of training rows.
        epochs: how often it goes through them.
        batch_size: rows per step.
        shuffle: whether each epoch has an order of its own.
        drop_last: whether a last batch with fewer rows is left out.
        eval_every: evaluate after every so many epochs, and after the last.
        validates: whether there are validation rows.
    """

    rows: int
    epochs: int
    batch_size: int
    shuffle: bool = True
    drop_last: bool = False
    eval_every: int = 1
    validates: bool = False

    def __attrs_post_init__(self) -> None:
        if self.epochs and not self.batches:
            raise ParameterError(
                f"an epoch of {self.rows} rows has no batch of {self.batch_size}.",
                expected="at least one batch",
                got=f"rows={self.rows}, batch_size={self.batch_size}, drop_last={self.drop_last}",
                fix="use a smaller batch_size, or drop_last=False",
            )

    @property
    def batches(self) -> int:
        """Batches per epoch."""
        whole, rest = divmod(self.rows, self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def evaluates(self, epoch: int) -> bool:
        """Tell whether an epoch (counted from 1) is evaluated."""
        return epoch % self.eval_every == 0 or epoch == self.epochs


@descriptor
class Begin:
    """Training starts."""


@descriptor
class EpochBegin:
    """An epoch starts; epochs count from 1."""

    epoch: int


@descriptor
class Batch:
    """One step on batch ``index`` (from 0) of an epoch."""

    epoch: int
    index: int


@descriptor
class EpochEnd:
    """All batches of an epoch are done."""

    epoch: int


@descriptor
class Validate:
    """The state is judged on the validation rows."""

    epoch: int


@descriptor
class End:
    """Training is over: the result is chosen."""


Event: TypeAlias = Begin | EpochBegin | Batch | EpochEnd | Validate | End


def events(plan: Plan) -> Iterator[Event]:
    """Yield all events of a run: ``Begin (EpochBegin Batch* EpochEnd Validate?)* End``.

    Example:
        >>> [type(e).__name__ for e in events(Plan(rows=4, epochs=1, batch_size=2))]
        ['Begin', 'EpochBegin', 'Batch', 'Batch', 'EpochEnd', 'End']
    """
    yield Begin()
    for epoch in range(1, plan.epochs + 1):
        yield EpochBegin(epoch)
        for index in range(plan.batches):
            yield Batch(epoch, index)
        yield EpochEnd(epoch)
        if plan.validates and plan.evaluates(epoch):
            yield Validate(epoch)
    yield End()


def epoch_order(plan: Plan, key: Key, epoch: int) -> NDArray[np.int64]:
    """Return the order of the rows in one epoch, ``[rows]`` int64."""
    if not plan.shuffle:
        return np.arange(plan.rows, dtype=np.int64)
    return key.fold_in("shuffle").fold_in(epoch).permutation(plan.rows)


def batch_rows(plan: Plan, order: NDArray[np.int64], index: int) -> NDArray[np.int64]:
    """Return the rows of one batch, given the epoch's order."""
    return order[index * plan.batch_size : (index + 1) * plan.batch_size]
