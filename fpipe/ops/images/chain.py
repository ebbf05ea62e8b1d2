"""Operators on images that are chosen, or put into an order, together."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate
from operator import rshift
from typing import Any

import torch
from torch import Tensor

from fpipe.core.value import descriptor, evolve
from fpipe.data.lazy.source import TensorShape
from fpipe.graph.graph import Graph, node
from fpipe.ops.images.tensor_op import Draws, TensorOp
from fpipe.ops.lazy_op import Augmentation, LazyOp


@descriptor
class OpChain(TensorOp, Augmentation):
    """Several operators, one after the other, as one.

    Args:
        steps: the operators.
    """

    name = "chain"

    steps: tuple[LazyOp, ...]

    @property
    def draws(self) -> int:
        """What all of them need."""
        return sum(op.draws for op in self.steps)

    def shaped(self, shape: TensorShape) -> TensorShape:
        """The shape behind the last."""
        return reduce(lambda known, op: op.shaped(known), self.steps, shape)

    def typed_as(self, dtype: torch.dtype) -> torch.dtype:
        """The dtype behind the last."""
        return reduce(lambda known, op: op.typed_as(known), self.steps, dtype)

    def alone(self, x: Tensor, draws: Draws) -> Tensor:
        """Do one after the other, each with numbers of its own."""
        ends = accumulate(op.draws for op in self.steps)
        for op, end in zip(self.steps, ends, strict=True):
            x = op.row(x, draws[end - op.draws : end])
        return x


def as_step(given: Any) -> Any:
    """Return a graph of operators on lazy tensors in a row as one; anything else as it is.

    The operators need no ids where they stand now.
    """
    steps = tuple(each.op for each in given.nodes) if isinstance(given, Graph) else (given,)
    if not steps or not all(isinstance(op, LazyOp) for op in steps):
        return given
    if isinstance(given, Graph) and given != reduce(rshift, map(node, steps)):
        return given  # they do not stand in a row
    bare = tuple(evolve(op, id=None) for op in steps)
    return bare[0] if len(bare) == 1 else OpChain(bare)


def is_step(x: Any) -> bool:
    """Tell whether this works on rows alone: without columns, stages or a stream of its own."""
    if isinstance(x, OpChain):
        return all(map(is_step, x.steps))
    return isinstance(x, LazyOp) and x == x.bare()
