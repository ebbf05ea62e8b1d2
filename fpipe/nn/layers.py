"""The layer operators."""

from __future__ import annotations

from typing import Any

from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ShapeError
from fpipe.core.parameter import REQUIRED, boolean, integer, number, parameter
from fpipe.core.tree import items
from fpipe.core.value import descriptor
from fpipe.graph.graph import Graph, node, operator
from fpipe.net.layer import Layer
from fpipe.net.layers import activation
from fpipe.net.layers import batch_norm as batch_norm_layers
from fpipe.net.layers import dropout as dropout_layers
from fpipe.net.layers import linear as linear_layers
from fpipe.net.layers import merge as merge_layers
from fpipe.net.layers.module import Foreign
from fpipe.net.shape import Shape, check_ndim, known, shown
from fpipe.nn.descriptor import View
from fpipe.nn.layer_op import MANY, LayerOp


@descriptor
class Linear(LayerOp):
    """An affine map of the last dimension: ``[batch, …, in] -> [batch, …, out_features]``.

    Args:
        out_features: size that leaves.
        bias: whether a bias is added.

    Raises:
        ShapeError: the last size that enters is unknown.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.linear(3) >> nn.relu(), x=(None, 5)).count()
        18
    """

    name = "linear"

    out_features: int = parameter(default=REQUIRED, check=integer(1))
    bias: bool = parameter(default=True, check=boolean())

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Resolve the number of features that enter."""
        del subject
        size = known(shapes[0], -1, what=self.name)
        return linear_layers.Linear(size, self.out_features, self.bias)

    def guess(self, shapes: tuple[Shape, ...]) -> Shape:
        """Only the last size changes."""
        out = self.out_features if isinstance(self.out_features, int) else None
        return (*shapes[0][:-1], out)


@descriptor
class Head(LayerOp):
    """The last linear layer, with as many outputs as the task needs.

    One for regression and for two classes (the logit of the positive class), else one per class.

    Args:
        bias: whether a bias is added.

    Raises:
        ShapeError: no task is known, or the input is not ``[batch, features]``.
    """

    name = "head"

    bias: bool = parameter(default=True, check=boolean())

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Resolve both sizes."""
        check_ndim(shapes[0], (2,), what=self.name)
        if subject is None:
            raise ShapeError(
                "head needs a task to know its number of outputs.",
                fix="use nn.linear(n) in a network without a task",
            )
        size = known(shapes[0], -1, what=self.name)
        return linear_layers.Linear(size, subject.kind.output_size, self.bias)


@descriptor
class Dropout(LayerOp):
    """Set numbers to 0 with probability ``p`` while training, and scale the rest by 1/(1-p).

    Args:
        p: probability of a zero.
    """

    name = "dropout"

    p: float = parameter(default=0.5, check=number(0.0, 1.0), convert=float)

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return dropout_layers.Dropout(self.p)


@descriptor
class BatchNorm1d(LayerOp):
    """Batch normalisation of ``[batch, features]`` or ``[batch, features, length]``.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
        affine: whether a weight and a bias per feature are learned.
        track_running_stats: whether running statistics are kept.
    """

    name = "batch_norm1d"

    eps: float = parameter(default=1e-5, check=number(0.0))
    momentum: float = parameter(default=0.1, check=number(0.0, 1.0))
    affine: bool = parameter(default=True, check=boolean())
    track_running_stats: bool = parameter(default=True, check=boolean())

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Resolve the number of features."""
        del subject
        check_ndim(shapes[0], batch_norm_layers.BatchNorm1d.dims, what=self.name)
        size = known(shapes[0], 1, what=self.name)
        return batch_norm_layers.BatchNorm1d(
            size, self.eps, self.momentum, self.affine, self.track_running_stats
        )


@descriptor
class ReLU(LayerOp):
    """``max(x, 0)``."""

    name = "relu"

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return activation.ReLU()


@descriptor
class Tanh(LayerOp):
    """The hyperbolic tangent."""

    name = "tanh"

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return activation.Tanh()


@descriptor
class Sigmoid(LayerOp):
    """``1 / (1 + exp(-x))``."""

    name = "sigmoid"

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return activation.Sigmoid()


@descriptor
class IdentityOp(LayerOp):
    """A layer that does nothing (``fp.identity()`` is a wire without one)."""

    name = "identity"

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return activation.Identity()


@descriptor
class MergeSum(LayerOp):
    """The sum of all inputs; sizes of 1 broadcast, numbers of dimensions must agree."""

    name = "merge_sum"
    inputs = (MANY,)

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return merge_layers.MergeSum()


@descriptor
class MergeCat(LayerOp):
    """All inputs behind each other along one dimension.

    Args:
        dim: the dimension, counted with the batch; the last by default.

    Raises:
        ShapeError: the dimension is the batch, or the other sizes differ.
    """

    name = "merge_cat"
    inputs = (MANY,)

    dim: int = parameter(default=-1, check=integer())

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del subject
        if self.dim in (0, -len(shapes[0])):
            raise ShapeError(
                "merge_cat cannot put rows of different observations behind each other.",
                expected="a dimension other than the batch",
                got=f"dim={self.dim} of {shown(shapes[0])}",
            )
        return merge_layers.MergeCat(self.dim)


@descriptor
class Module(LayerOp):
    """Any ``torch.nn.Module`` class as a layer; its parameters are drawn under the key.

    Args:
        code: the class as a reference.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """

    name = "module"
    inputs = (MANY,)

    code: Ref | Opaque
    args: tuple[Any, ...] = ()
    kwargs: PMap[str, Any] = pmap()

    def layer(self, shapes: tuple[Shape, ...], subject: View | None) -> Layer:
        """Return the layer."""
        del shapes, subject
        return Foreign(self.code, self.args, self.kwargs)

    def parameters(self) -> dict[str, Any]:
        """The module's own keyword arguments."""
        return dict(self.kwargs)

    def written(self) -> tuple[str, ...]:
        """The class and its arguments."""
        named = (f"{k}={v!r}" for k, v in items(self.kwargs))
        return (self.code.name, *map(repr, self.args), *named)

    def with_parameters(self, changes: Any) -> Module:
        """Return the op with some keyword arguments replaced."""
        return Module(self.code, self.args, self.kwargs.update(pmap(dict(changes))), id=self.id)


def module(code: Any, *args: Any, id: str | None = None, **kwargs: Any) -> Graph:
    """Use any ``torch.nn.Module`` class as a layer.

    Args:
        code: the class, ``"package.module:Class"``, or a function that returns a module.
        *args: positional arguments of the class.
        id: the node's id.
        **kwargs: keyword arguments of the class.

    Example:
        >>> import torch
        >>> from fpipe import nn
        >>> nn.network(nn.module(torch.nn.Linear, 10, 100), x=(None, 10)).count()
        1100
    """
    return node(Module(as_code(code), args, pmap(kwargs), id=id))


linear = operator(Linear)
head = operator(Head)
dropout = operator(Dropout)
batch_norm1d = operator(BatchNorm1d)
relu = operator(ReLU)
tanh = operator(Tanh)
sigmoid = operator(Sigmoid)
identity = operator(IdentityOp)
merge_sum = operator(MergeSum)
merge_cat = operator(MergeCat)

__all__ = [
    "batch_norm1d",
    "dropout",
    "head",
    "identity",
    "linear",
    "merge_cat",
    "merge_sum",
    "module",
    "relu",
    "sigmoid",
    "tanh",
]
