"""Multi-head attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED, boolean, integer, number, one_of, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.net.layer import Layer
from fpipe.net.layers import attention as layers
from fpipe.net.shape import Shape, check_ndim, known
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import OUTPUT, LayerOp


@descriptor
class MultiheadAttention(LayerOp):
    """Attention of queries to keys and values, all ``[batch, tokens, width]``.

    The output is as wide as the queries; widths of keys and values are found from what enters.
    With ``need_weights`` the attention weights leave as a second output,
    ``[batch, queries, keys]``, or ``[batch, heads, queries, keys]`` where they are not averaged;
    while training they are those after dropout, as in torch.

    Args:
        num_heads: number of heads; divides the width of the queries.
        dropout: probability that an attention weight is set to 0 while training.
        bias: whether the projections add a bias.
        add_bias_kv: whether a learned token is put behind keys and values.
        add_zero_attn: whether a token of zeros is put behind them.
        avg_weights: whether the weights that leave are the mean over heads.
        mode: ``"self"`` (one input), ``"cross"`` (``query``, ``key_value``) or ``"general"``
            (``query``, ``key``, ``value``); fixed once the operator is made.
        need_weights: whether the weights leave as well; fixed once the operator is made.
        initialization: ``"torch"`` as torch.nn.MultiheadAttention; ``"kaiming"`` or ``"xavier"``
            (gain ``1/sqrt(2)``) draw each projection by itself.

    Raises:
        ShapeError: an input is not ``[batch, tokens, width]``, or a width is unknown.
        ParameterError: the number of heads does not divide the width.

    Source:
        Vaswani et al. 2017, *Attention Is All You Need*; parameters as in
        torch.nn.MultiheadAttention.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.multihead_attention(2), x=(None, 5, 8)).shapes({"x": (None, 5, 8)})
        ((None, 5, 8),)
    """

    name = "multihead_attention"

    num_heads: int = parameter(default=REQUIRED, check=integer(1))
    dropout: float = parameter(default=0.0, check=number(0.0, 1.0), convert=real)
    bias: bool = parameter(default=True, check=boolean())
    add_bias_kv: bool = parameter(default=False, check=boolean())
    add_zero_attn: bool = parameter(default=False, check=boolean())
    avg_weights: bool = parameter(default=True, check=boolean())
    mode: str = parameter(default="self", check=one_of(*layers.MODES))
    need_weights: bool = parameter(default=False, check=boolean())
    initialization: str = parameter(default="torch", check=one_of(*layers.INITIALIZATIONS))

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs of the mode."""
        return tuple(Port(name, ModelDescriptor) for name in layers.MODES[self.mode])

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The value, and the weights where they are wanted."""
        return (OUTPUT, Port("weights", ModelDescriptor))[: 1 + self.need_weights]

    def parameters(self) -> dict[str, Any]:
        """All that does not change the ports."""
        return without(super().parameters(), ("mode", "need_weights"))

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the widths."""
        widths = []
        for port, shape in zip(self.inputs, md.shapes, strict=True):
            what = f"{self.name} ({port.name})"
            check_ndim(shape, (3,), what=what)
            widths.append(known(shape, 2, what=what))
        width, kdim, vdim = widths[0], widths[min(1, len(widths) - 1)], widths[-1]
        check_heads(self.name, self.num_heads, width)
        return layers.MultiheadAttention(
            embed_dim=width,
            kdim=kdim,
            vdim=vdim,
            mode=self.mode,
            need_weights=self.need_weights,
            **self.parameters(),
        )

    def guesses(self, md: ModelDescriptor) -> tuple[Shape, ...]:
        """The shape of the queries, and the batch of the weights."""
        heads = () if self.avg_weights else (None,)
        weights = (md.shapes[0][0], *heads, None, None)
        return (md.shapes[0], weights)[: 1 + self.need_weights]


def check_heads(name: str, heads: int, width: int, what: str = "num_heads") -> None:
    """Raise ParameterError where the number of heads does not divide the width."""
    if width % heads:
        fitting = [n for n in range(1, width + 1) if width % n == 0]
        raise ParameterError(
            f"{name}: a width of {width} cannot be shared among {heads} heads.",
            expected=f"a number of heads that divides {width}",
            got=heads,
            fix=f"{what}={max([n for n in fitting if n <= heads], default=1)}",
        )


def without(found: Mapping[str, Any], hidden: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters but those that are fixed once an operator is made."""
    return {name: value for name, value in found.items() if name not in hidden}


multihead_attention = operator(MultiheadAttention)
