"""Transformer layers: torch's encoder layer, and the block of the FT-Transformer."""

from __future__ import annotations

from typing import Any

import torch

from fpipe.core.errors import ParameterError, ShapeError
from fpipe.core.parameter import REQUIRED, boolean, integer, number, one_of, parameter, real
from fpipe.core.value import descriptor
from fpipe.graph.operator import operator
from fpipe.graph.ports import Port
from fpipe.net.layer import Layer
from fpipe.net.layers import transformer as layers
from fpipe.net.shape import Shape, check_ndim, known
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import DESCRIPTOR, LayerOp
from fpipe.nn.layers.attention import check_heads, without

_MASKS = ("src_mask", "src_key_padding_mask")


@descriptor
class TransformerEncoderLayer(LayerOp):
    """Self-attention and a feed-forward network, each with a residual: ``[batch, tokens, width]``.

    Args:
        nhead: number of heads; divides the width.
        dim_feedforward: hidden width of the feed-forward network.
        dropout: probability of a zero, at attention weights, hidden numbers and both branches.
        activation: ``"relu"`` or ``"gelu"``.
        layer_norm_eps: added to the variance by the normalisations.
        norm_first: whether branches are normalised before, and not after the addition.
        bias: whether projections, linear maps and normalisations have a bias.
        is_causal: whether a token attends only to itself and those before it.
        src_mask: whether a mask of attention, ``[tokens, tokens]`` or
            ``[batch * heads, tokens, tokens]``, enters as a further input; fixed once the
            operator is made. True stands for "do not attend"; numbers are added to the scores.
        src_key_padding_mask: whether a mask of tokens to be ignored, ``[batch, tokens]``, enters
            as a further input; fixed once the operator is made.

    Raises:
        ShapeError: the input is not ``[batch, tokens, width]``, or the width is unknown.
        ParameterError: ``nhead`` does not divide the width, or ``is_causal`` meets ``src_mask``.

    Source:
        Vaswani et al. 2017, *Attention Is All You Need*; parameters as in
        torch.nn.TransformerEncoderLayer.

    Example:
        >>> from fpipe import nn
        >>> layer = nn.transformer_encoder_layer(2, dim_feedforward=16)
        >>> nn.network(layer, x=(None, 5, 8)).shapes({"x": (None, 5, 8)})
        ((None, 5, 8),)
    """

    name = "transformer_encoder_layer"
    takes_codes = True

    nhead: int = parameter(default=REQUIRED, check=integer(1))
    dim_feedforward: int = parameter(default=2048, check=integer(1))
    dropout: float = parameter(default=0.1, check=number(0.0, 1.0), convert=real)
    activation: str = parameter(default="relu", check=one_of(*layers.ACTIVATIONS))
    layer_norm_eps: float = parameter(default=1e-5, check=number(0.0), convert=real)
    norm_first: bool = parameter(default=False, check=boolean())
    bias: bool = parameter(default=True, check=boolean())
    is_causal: bool = parameter(default=False, check=boolean())
    src_mask: bool = parameter(default=False, check=boolean())
    src_key_padding_mask: bool = parameter(default=False, check=boolean())

    def __attrs_post_init__(self) -> None:
        if self.is_causal is True and self.src_mask is True:
            raise ParameterError(
                f"{self.name} makes the causal mask by itself.",
                expected="is_causal, or a src_mask that enters",
                got="is_causal=True, src_mask=True",
                fix="drop one of the two",
            )

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The tokens, and the masks that enter."""
        names = [name for name in _MASKS if getattr(self, name)]
        return (DESCRIPTOR, *(Port(name, ModelDescriptor) for name in names))

    def parameters(self) -> dict[str, Any]:
        """All that does not change the ports."""
        return without(super().parameters(), _MASKS)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Resolve the width."""
        check_ndim(md.shapes[0], (3,), what=self.name)
        self._check_dtypes(md)
        width = known(md.shapes[0], 2, what=self.name)
        check_heads(self.name, self.nhead, width, "nhead")
        masks = {name: getattr(self, name) for name in _MASKS}
        return layers.TransformerEncoderLayer(width, **self.parameters(), **masks)

    def guess(self, md: ModelDescriptor) -> Shape:
        """The same shape."""
        return md.shapes[0]

    def _check_dtypes(self, md: ModelDescriptor) -> None:
        for port, pointer in zip(self.inputs, md.pointers, strict=True):
            floating = pointer.dtype.is_floating_point
            masks = port is not DESCRIPTOR and pointer.dtype == torch.bool
            if not floating and not masks:
                words = "a floating dtype" if port is DESCRIPTOR else "truth values, or numbers"
                raise ShapeError(
                    f"{self.name}: {pointer.dtype} cannot enter as {port.name}.",
                    expected=words,
                    got=f"{pointer.dtype} from '{pointer.wire.source}'",
                    fix="embed codes first, e.g. with nn.tokenizer_categorical(8)",
                )


transformer_encoder_layer = operator(TransformerEncoderLayer)
