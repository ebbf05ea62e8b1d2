"""The block of the FT-Transformer, as a graph of layers."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.parameter import (
    REQUIRED,
    boolean,
    integer,
    number,
    one_of,
    optional,
    parameter,
    real,
)
from fpipe.core.value import descriptor
from fpipe.graph.graph import Graph, identity
from fpipe.graph.op import Macro
from fpipe.graph.operator import operator
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import DESCRIPTOR, OUTPUT
from fpipe.nn.layers import activations
from fpipe.nn.layers.affine import linear
from fpipe.nn.layers.attention import check_heads, multihead_attention
from fpipe.nn.layers.merging import merge_sum
from fpipe.nn.layers.named import ACTIVATION_NAME, GATES, activation
from fpipe.nn.layers.normalization import layer_norm
from fpipe.nn.layers.regularization import dropout
from fpipe.nn.layers.taking import POSITIONS, take

_NORMALIZATIONS = {"layer_norm": layer_norm, "identity": activations.identity}
_NORMALIZATION = one_of(*_NORMALIZATIONS)
_RATE = number(0.0, 1.0)


@descriptor
class FTTransformerBlock(Macro):
    """Attention among tokens, then a feed-forward network: ``[batch, tokens, d]``.

    With pre-normalisation: ``x = x[query] + drop(attention(norm(x)))``, then
    ``x = x + drop(second(drop(activation(first(norm(x))))))``; without, each sum is normalised.
    It is a graph of layers: ``attention_normalization``, ``attention``, ``ffn_normalization``,
    ``linear_first``, ``activation``, ``linear_second`` and so on can be addressed below its id.

    Args:
        attention_n_heads: number of heads; divides the width of the tokens.
        attention_dropout: probability that an attention weight is set to 0 while training.
        attention_initialization: ``"kaiming"`` or ``"xavier"``, for each projection by itself.
        attention_normalization: ``"layer_norm"``, or ``"identity"`` for none.
        attention_bias: whether the projections add a bias.
        ffn_d_hidden: hidden width of the feed-forward network.
        ffn_d_hidden_multiplier: the same as a multiple of the width of the tokens, rounded; 4/3
            where neither is given.
        ffn_dropout: probability of a zero behind the activation.
        ffn_activation: name of an activation; gates (reglu, geglu, glu) get twice the width.
        ffn_normalization: as ``attention_normalization``.
        ffn_bias_first: whether the first linear map adds a bias.
        ffn_bias_second: whether the second one does.
        residual_dropout: probability of a zero on each branch before the addition.
        prenormalization: whether branches are normalised, and not the sums.
        is_first_layer: whether the first normalisation is left out (with pre-normalisation).
        query_idx: positions of the tokens that leave (all by default); -1 for the last one.

    Raises:
        ParameterError: both hidden widths are given, or the heads do not divide the width.
        ShapeError: the input is not ``[batch, tokens, d]``, or a position is out of range.

    Source:
        Gorishniy et al. 2021, *Revisiting Deep Learning Models for Tabular Data*.

    Example:
        >>> from fpipe import nn
        >>> block = nn.ft_transformer_block(attention_n_heads=2, query_idx=-1)
        >>> nn.network(block, x=(None, 5, 8)).shapes({"x": (None, 5, 8)})
        ((None, 1, 8),)
    """

    name = "ft_transformer_block"
    inputs = (DESCRIPTOR,)
    outputs = (OUTPUT,)

    attention_n_heads: int = parameter(default=8, check=integer(1))
    attention_dropout: float = parameter(default=0.2, check=_RATE, convert=real)
    attention_initialization: str = parameter(default="kaiming", check=one_of("kaiming", "xavier"))
    attention_normalization: str = parameter(default="layer_norm", check=_NORMALIZATION)
    attention_bias: bool = parameter(default=True, check=boolean())
    ffn_d_hidden: int | None = parameter(default=None, check=optional(integer(1)))
    ffn_d_hidden_multiplier: float | None = parameter(
        default=None, check=optional(number(0.0, above=True)), convert=real
    )
    ffn_dropout: float = parameter(default=0.1, check=_RATE, convert=real)
    ffn_activation: str = parameter(default="reglu", check=ACTIVATION_NAME)
    ffn_normalization: str = parameter(default="layer_norm", check=_NORMALIZATION)
    ffn_bias_first: bool = parameter(default=True, check=boolean())
    ffn_bias_second: bool = parameter(default=True, check=boolean())
    residual_dropout: float = parameter(default=0.0, check=_RATE, convert=real)
    prenormalization: bool = parameter(default=True, check=boolean())
    is_first_layer: bool = parameter(default=False, check=boolean())
    query_idx: int | tuple[int, ...] | None = parameter(
        default=None,
        check=optional(POSITIONS),
        convert=lambda x: (x,) if isinstance(x, int) else x if x is None else tuple(x),
    )

    def __attrs_post_init__(self) -> None:
        if self.ffn_d_hidden is not None and self.ffn_d_hidden_multiplier is not None:
            raise ParameterError(
                f"{self.name}: the hidden width is given twice.",
                expected="ffn_d_hidden or ffn_d_hidden_multiplier, or neither",
                got=f"{self.ffn_d_hidden} and {self.ffn_d_hidden_multiplier}",
                fix="set one of them to None",
            )

    def expand(self, types: tuple[Any, ...]) -> Graph:
        """Return the two residual steps."""
        shape = types[0].shapes[0]
        if len(shape) == 3 and shape[2] is not None and self.attention_n_heads is not REQUIRED:
            check_heads(self.name, self.attention_n_heads, shape[2], "attention_n_heads")
        return self._residual(
            "attention", self._attention(), not self.is_first_layer, self._queried("skip")
        ) >> self._residual("ffn", self._feedforward(types[0]), True, identity())

    def _residual(self, part: str, body: Graph, normalized: bool, skip: Graph) -> Graph:
        normalization = _NORMALIZATIONS[getattr(self, f"{part}_normalization")]
        norm = normalization(id=f"{part}_normalization")
        before = norm if self.prenormalization and normalized else identity()
        inner = before >> body >> dropout(self.residual_dropout, id=f"{part}_residual_dropout")
        summed = identity() >> (skip & inner) >> merge_sum(id=f"{part}_sum")
        return summed if self.prenormalization else summed >> norm

    def _attention(self) -> Graph:
        mode = "self" if self.query_idx is None else "cross"
        attention = multihead_attention(
            self.attention_n_heads,
            dropout=self.attention_dropout,
            bias=self.attention_bias,
            initialization=self.attention_initialization,
            mode=mode,
            id="attention",
        )
        if mode == "self":
            return attention
        return identity() >> (self._queried("query") & identity()) >> attention

    def _queried(self, name: str) -> Graph:
        return identity() if self.query_idx is None else take(self.query_idx, id=name)

    def _feedforward(self, entering: ModelDescriptor) -> Graph:
        width, hidden = self._widths(entering)
        first = linear(hidden, bias=self.ffn_bias_first, id="linear_first")
        inside = activation(self.ffn_activation, {}, id="activation")
        inside = inside >> dropout(self.ffn_dropout, id="ffn_dropout")
        return first >> inside >> linear(width, bias=self.ffn_bias_second, id="linear_second")

    def _widths(self, entering: ModelDescriptor) -> tuple[Any, Any]:
        """Return the width of a token and of what the first map gives, as far as known."""
        shape = entering.shapes[0]
        width = shape[-1] if shape else None
        if width is None:
            return REQUIRED, REQUIRED
        multiplier = self.ffn_d_hidden_multiplier or 4 / 3
        hidden = self.ffn_d_hidden or max(round(multiplier * width), 1)
        return width, hidden * (2 if self.ffn_activation in GATES else 1)


ft_transformer_block = operator(FTTransformerBlock)
