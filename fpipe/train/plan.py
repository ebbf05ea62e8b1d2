"""The plan of a run and its events: a pure function of plan and key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import ParameterError, StateError
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
        accumulate: batches whose gradients make one update; the last update of an epoch takes
            those that are left.
        sampling: ``"all"`` where each epoch goes through every row once, ``"classes"`` or
            ``"weights"`` where it draws as many rows with replacement, by chances of their own.
    """

    rows: int
    epochs: int
    batch_size: int
    shuffle: bool = True
    drop_last: bool = False
    eval_every: int = 1
    validates: bool = False
    accumulate: int = 1
    sampling: str = "all"

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

    @property
    def updates(self) -> int:
        """Updates of the parameters per epoch."""
        return -(-self.batches // self.accumulate)

    def is_update(self, index: int) -> bool:
        """Tell whether the parameters are updated after batch ``index`` (from 0)."""
        return (index + 1) % self.accumulate == 0 or index + 1 == self.batches

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


@descriptor
class Cursor:
    """Where training stands.

    Args:
        epoch: the present epoch, from 1; 0 before the first.
        batch: batches done in it.
        step: batches done in all.
        last: the last event: ``""`` for none, else ``"begin"``, ``"epoch_begin"``, ``"batch"``,
            ``"epoch_end"``, ``"validate"`` or ``"end"``.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    last: str = ""

    @property
    def ended(self) -> bool:
        """Whether the last event was End."""
        return self.last == "end"


def events(plan: Plan, after: Cursor = Cursor()) -> Iterator[Event]:  # noqa: B008 - frozen
    """Yield the events of a run: ``Begin (EpochBegin Batch* EpochEnd Validate?)* End``.

    Args:
        plan: how training goes through the rows.
        after: where training stands; what lies before it is left out. After End there is
            nothing left, unless the plan has more epochs than were done.

    Raises:
        StateError: training stands at a place that the plan does not have.

    Example:
        >>> [type(e).__name__ for e in events(Plan(rows=4, epochs=1, batch_size=2))]
        ['Begin', 'EpochBegin', 'Batch', 'Batch', 'EpochEnd', 'End']
        >>> [type(e).__name__ for e in events(Plan(4, 1, 2), Cursor(1, 1, 1, "batch"))]
        ['Batch', 'EpochEnd', 'End']
    """
    _check_place(plan, after)
    if after.ended and after.epoch == plan.epochs:
        return
    if not after.last:
        yield Begin()
    if after.last in _WITHIN:
        yield from _rest_of_epoch(plan, after.epoch, after.batch, after.last)
    for epoch in range(after.epoch + 1, plan.epochs + 1):
        yield EpochBegin(epoch)
        yield from _rest_of_epoch(plan, epoch, 0, "epoch_begin")
    yield End()


_WITHIN = ("epoch_begin", "batch", "epoch_end")


def _rest_of_epoch(plan: Plan, epoch: int, done: int, last: str) -> Iterator[Event]:
    """Yield the events of an epoch behind its beginning and so many batches."""
    if last != "epoch_end":
        yield from (Batch(epoch, index) for index in range(done, plan.batches))
        yield EpochEnd(epoch)
    if plan.validates and plan.evaluates(epoch):
        yield Validate(epoch)


def _check_place(plan: Plan, after: Cursor) -> None:
    if after.epoch > plan.epochs or after.batch > plan.batches:
        raise StateError(
            "training stands behind the end of its plan.",
            expected=f"at most {plan.epochs} epochs of {plan.batches} batches",
            got=f"epoch {after.epoch}, batch {after.batch}",
            fix="give the plan that the state was trained with, or one with more epochs",
        )


def epoch_order(
    plan: Plan, key: Key, epoch: int, chances: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return the rows of one epoch in order, ``[rows]`` int64.

    Args:
        plan: how training goes through the rows.
        key: where the order comes from.
        epoch: the epoch.
        chances: of each row to be drawn, with a sum of 1; None where every row comes once.
    """
    if chances is not None:
        random = key.fold_in("sampling").fold_in(epoch).numpy()
        return random.choice(plan.rows, plan.rows, p=chances)
    if not plan.shuffle:
        return np.arange(plan.rows, dtype=np.int64)
    return key.fold_in("shuffle").fold_in(epoch).permutation(plan.rows)


def batch_rows(plan: Plan, order: NDArray[np.int64], index: int) -> NDArray[np.int64]:
    """Return the rows of one batch, given the epoch's order."""
    return order[index * plan.batch_size : (index + 1) * plan.batch_size]
