"""Operators on images in a choice or an order that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

from fpipe.core.errors import SchemaError
from fpipe.core.parameter import REQUIRED, Check, parameter
from fpipe.core.tree import within
from fpipe.core.value import descriptor
from fpipe.data.lazy.source import TensorShape
from fpipe.graph.operator import operator
from fpipe.ops.images.chain import as_step, is_step
from fpipe.ops.images.drawing import below, shuffled
from fpipe.ops.images.tensor_op import Draws, TensorOp, one_shape
from fpipe.ops.lazy_op import Augmentation, LazyOp

_T = TypeVar("_T", bound=Hashable)


def _steps(given: Any) -> Any:
    return tuple(map(as_step, given)) if isinstance(given, list | tuple) else given


def _is_step(x: Any) -> bool:
    return is_step(x) and not any(part is REQUIRED for part in within(x))


_STEPS = Check(
    "operators on lazy tensors, or chains of them, all set, with no columns, stages or stream",
    lambda x: isinstance(x, tuple) and bool(x) and all(map(_is_step, x)),
)


@descriptor
class RandomChoice(TensorOp, Augmentation):
    """Let one of several operators work on every row, all equally likely.

    Args:
        transforms: the operators; a chain of them, ``a >> b``, counts as one.

    Raises:
        SchemaError: some of them change the dtype and others do not.
        ShapeError: a row has a shape that one of them cannot work on.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import ops
        >>> task = fp.regression({"image": fp.lazy([[[[1, 2]]]] * 5), "y": range(5)}, "y")
        >>> graph = ops.augment_random_choice([ops.augment_hflip(), ops.trafo_nop()])
        >>> mirrored = fp.transform(graph, task, key=fp.key(3)).tensor("image")
        >>> [row.flatten().tolist() for row in fp.materialize(mirrored)]
        [[1, 2], [1, 2], [2, 1], [1, 2], [2, 1]]

    Source:
        torchvision's RandomChoice.
    """

    name = "augment_random_choice"

    transforms: tuple[LazyOp, ...] = parameter(check=_STEPS, convert=_steps)

    @property
    def draws(self) -> int:
        """Which one; and as many as the one that draws most needs."""
        return 1 + max(op.draws for op in self.transforms)

    def shaped(self, shape: TensorShape) -> TensorShape:
        """What the shapes that they give have in common."""
        return one_shape({op.shaped(shape) for op in self.transforms})

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """The dtype that all of them give."""
        return one_dtype(self.name, {op.typed_as(dtype) for op in self.transforms})

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Do what was chosen."""
        op = self.transforms[below(draws[0], len(self.transforms))]
        return op.row(x, draws[1 : 1 + op.draws])


@descriptor
class RandomOrder(TensorOp, Augmentation):
    """Let several operators work on every row, one after the other, all orders equally likely.

    Args:
        transforms: the operators; a chain of them, ``a >> b``, stays together.

    Raises:
        SchemaError: the dtype depends on their order.
        ShapeError: a row has a shape that one of them cannot work on, in some order.

    Source:
        torchvision's RandomOrder.
    """

    name = "augment_random_order"

    transforms: tuple[LazyOp, ...] = parameter(check=_STEPS, convert=_steps)

    @property
    def draws(self) -> int:
        """The order, and what each of them needs."""
        return len(self.transforms) + sum(op.draws for op in self.transforms)

    def shaped(self, shape: TensorShape) -> TensorShape:
        """What the shapes that they give in all orders have in common."""
        return one_shape(_in_any_order(shape, [op.shaped for op in self.transforms]))

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """The dtype that they give in all orders."""
        found = _in_any_order(dtype, [op.typed_as for op in self.transforms])
        return one_dtype(self.name, found)

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Do all, each with numbers of its own, whatever the order."""
        count = len(self.transforms)
        starts = [count]
        for op in self.transforms:
            starts.append(starts[-1] + op.draws)
        for which in shuffled(draws[:count]):
            x = self.transforms[which].row(x, draws[starts[which] : starts[which + 1]])
        return x


def one_dtype(what: str, dtypes: Iterable[torch.dtype]) -> torch.dtype:
    """Return the dtype that all outcomes have.

    Raises:
        SchemaError: they have several.
    """
    found = sorted(str(dtype).removeprefix("torch.") for dtype in dtypes)
    if len(found) > 1:
        raise SchemaError(
            f"{what} would give rows of different dtypes.",
            expected="one dtype, whatever is drawn",
            got=", ".join(found),
            fix="put ops.trafo_to_float() before it or behind it",
        )
    kept: torch.dtype = getattr(torch, found[0])
    return kept


def _in_any_order(start: _T, steps: list[Callable[[_T], _T]]) -> set[_T]:
    """Return what a few functions, each called once, can make of something."""
    # From sets of those that were called to the outcomes: many orders lead to one set.
    reached: dict[frozenset[int], set[_T]] = {frozenset(): {start}}
    for _ in steps:
        following: dict[frozenset[int], set[_T]] = {}
        for called, outcomes in reached.items():
            for i in set(range(len(steps))) - called:
                made = {steps[i](outcome) for outcome in outcomes}
                following.setdefault(called | {i}, set()).update(made)
        reached = following
    (outcomes,) = reached.values()
    return outcomes


augment_random_choice = operator(RandomChoice)
augment_random_order = operator(RandomOrder)
