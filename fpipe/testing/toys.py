"""Small operators over vectors of numbers, for laws about wiring."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from fpipe.core.key import Key
from fpipe.core.parameter import number, parameter
from fpipe.core.value import descriptor, evolve, value
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.ports import Port


@value
class Numbers:
    """Some numbers that flow, with validation numbers riding along.

    Args:
        x: ``[rows]`` float64.
        valid: the same for validation, or None.
    """

    x: Tensor
    valid: Numbers | None = None

    def outline(self) -> str:
        """Return what is known without the numbers."""
        return "numbers"

    def with_valid(self, valid: Numbers | None) -> Numbers:
        """Return the numbers with others for validation."""
        return evolve(self, valid=valid)


@value
class Total:
    """A sum that flows; it cannot enter where numbers are wanted."""

    x: Tensor


ONE = (Port("x", Numbers),)


@descriptor
class Toy(Op):
    """An operator from numbers to numbers."""

    inputs: ClassVar[Any] = ONE
    outputs: ClassVar[Any] = ONE

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Say that numbers leave."""
        return ("numbers",) * len(self.outputs)


@descriptor
class Affine(Toy):
    """``scale * x + shift``; learns nothing."""

    name = "affine"

    scale: float = parameter(default=2.0, check=number())
    shift: float = parameter(default=1.0, check=number())

    def apply(
        self, state: Any, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Map."""
        return (Numbers(inputs[0].x * self.scale + self.shift),)


@descriptor
class Center(Toy):
    """Subtract the mean seen at fit, times ``factor``."""

    name = "center"

    factor: float = parameter(default=1.0, check=number())

    def fit(self, inputs: tuple[Numbers, ...], *, key: Key, context: Context) -> Tensor:
        """Measure the mean."""
        return inputs[0].x.mean()

    def apply(
        self, state: Tensor, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Subtract it."""
        return (Numbers(inputs[0].x - self.factor * state),)


@descriptor
class Draw(Toy):
    """Add one number drawn at fit and one drawn at apply, both from the node's key."""

    name = "draw"

    width: float = parameter(default=1.0, check=number(0.0))

    def fit(self, inputs: tuple[Numbers, ...], *, key: Key, context: Context) -> Tensor:
        """Draw."""
        return drawn(key.fold_in("fit"))

    def apply(
        self, state: Tensor, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Draw again."""
        return (Numbers(inputs[0].x + self.width * (state + drawn(key.fold_in("apply")))),)


@descriptor
class Split(Toy):
    """The positive and the negative part, as two outputs."""

    name = "split"
    outputs = (Port("positive", Numbers), Port("negative", Numbers))

    def apply(
        self, state: Any, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Part."""
        x = inputs[0].x
        return Numbers(x.clamp(min=0.0)), Numbers(x.clamp(max=0.0))


@descriptor
class Mix(Toy):
    """``left - weight * right``: two inputs that may not be exchanged."""

    name = "mix"
    inputs = (Port("left", Numbers), Port("right", Numbers))

    weight: float = parameter(default=2.0, check=number())

    def apply(
        self, state: Any, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Mix."""
        return (Numbers(inputs[0].x - self.weight * inputs[1].x),)


@descriptor
class Sum(Toy):
    """``1 x_1 + 2 x_2 + …`` of any number of inputs, so that their order counts."""

    name = "sum"
    inputs = (Port("x", Numbers, variadic=True),)

    def apply(
        self, state: Any, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Add."""
        terms = [(i + 1.0) * one.x for i, one in enumerate(inputs)]
        return (Numbers(torch.stack(terms).sum(0)),)


@descriptor
class Tally(Toy):
    """The total of all numbers: another type leaves."""

    name = "tally"
    outputs = (Port("total", Total),)

    def apply(
        self, state: Any, inputs: tuple[Numbers, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Add up."""
        return (Total(inputs[0].x.sum()),)


def drawn(key: Key) -> Tensor:
    """Return one number in ``[0, 1)``, float64, that the key alone decides."""
    return torch.tensor(key.integer(53) * 2.0**-53, dtype=torch.float64)
