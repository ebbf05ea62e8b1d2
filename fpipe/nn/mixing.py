"""Mixing rows of a batch, as an operator of networks."""

from __future__ import annotations

from typing import Any, ClassVar

from fpipe.core.errors import GraphError, ShapeError
from fpipe.core.key import Key
from fpipe.core.parameter import number, parameter, real
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.graph.context import Context
from fpipe.graph.op import Op
from fpipe.graph.operator import operator
from fpipe.net.shape import shown
from fpipe.nn.descriptor import ModelDescriptor, join
from fpipe.nn.layer_op import DESCRIPTOR, OUTPUT
from fpipe.train.mixing import Cutmix, Mixing, Mixup


@descriptor
class MixingOp(Op):
    """Mixes the rows of training batches before they enter the network.

    Args:
        alpha: of the Beta(alpha, alpha) distribution of the share that a row keeps of itself.
        p: the probability that a batch is mixed.
    """

    inputs = (DESCRIPTOR,)
    outputs = (OUTPUT,)

    made: ClassVar[type[Mixing]]

    alpha: float = parameter(default=1.0, check=number(0.0, above=True), convert=real)
    p: float = parameter(default=1.0, check=number(0.0, 1.0), convert=real, kw_only=True)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        """Add the mixing behind those that are there."""
        del state
        into: ModelDescriptor = join(*inputs)
        self._check(into)
        mixing = self.made(self.alpha, p=self.p)
        return (
            evolve(
                into,
                mixing=(*into.mixing, (context.place, mixing)),
                keys=into.keys.set(context.place, key),
            ),
        )

    def infer(self, types: tuple[Any, ...], *, key: Key, context: Context) -> tuple[Any, ...]:
        """Add the mixing."""
        return self.apply(None, types, key=key, context=context)

    def _check(self, into: ModelDescriptor) -> None:
        for name, ingress in items(into.ingress):
            if not ingress.input.dtype.is_floating_point:
                raise GraphError(
                    f"{self.name} mixes numbers, and '{name}' takes codes of levels.",
                    expected="inputs that are numbers",
                    got=f"'{name}': {ingress.input.dtype}",
                    fix="encode levels as numbers first, with ops.one_hot() and "
                    "nn.ingress_numeric()",
                )
            if self.made.images and len(ingress.input.shape) != 4:
                raise ShapeError(
                    f"{self.name} cuts boxes out of images.",
                    expected="inputs of (?, channels, height, width)",
                    got=f"'{name}': {shown(ingress.input.shape)}",
                    fix="use nn.mixup()",
                )


@descriptor
class MixupOp(MixingOp):
    """Train on weighted means of pairs of rows; predictions and validation see rows as they are.

    Targets become means, too: of classes the probabilities, of numbers the numbers. All inputs of
    the network are mixed alike, wherever this stands behind the ingress. Draws depend on the key
    and the step.

    Args:
        alpha: of the Beta(alpha, alpha) distribution of the share that a row keeps of itself.
        p: the probability that a batch is mixed.

    Raises:
        GraphError: an input takes codes of levels.

    Example:
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> graph = nn.ingress_numeric() >> nn.mixup(0.2) >> nn.head() >> nn.loss("mse")
        >>> graph = graph >> nn.optimizer("sgd", lr=0.01) >> nn.model(epochs=2)
        >>> len(fp.fit(graph, task, key=fp.key(0)).state("model").history)
        2

    Source:
        Zhang et al. 2018, *mixup: Beyond empirical risk minimization*.
    """

    name = "mixup"
    made = Mixup


@descriptor
class CutmixOp(MixingOp):
    """Train on images with a box of another image; predictions and validation see whole ones.

    Targets are mixed by area. Where there are several inputs, all have a box at the same place.

    Args:
        alpha: of the Beta(alpha, alpha) distribution of the share of its area that an image keeps.
        p: the probability that a batch is mixed.

    Raises:
        ShapeError: an input holds no images.

    Source:
        Yun et al. 2019, *CutMix: Regularization strategy to train strong classifiers*.
    """

    name = "cutmix"
    made = Cutmix


mixup = operator(MixupOp)
cutmix = operator(CutmixOp)
