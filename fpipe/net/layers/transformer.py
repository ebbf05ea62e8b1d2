"""The encoder layer of the transformer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Draw, Dtypes, Given, Keep, Layer, Tensors, uniform
from fpipe.net.layers.attention import (
    agreed,
    attend,
    attention_draws,
    check_tokens,
    dropping,
    initial_projections,
    project,
)
from fpipe.net.shape import Shape, check_ndim, shown

ACTIVATIONS = {"relu": torch.relu, "gelu": F.gelu}


@descriptor
class TransformerEncoderLayer(Layer):
    """Self-attention and a feed-forward network, each with a residual: ``[batch, tokens, width]``.

    Args:
        d_model: width of the tokens.
        nhead: number of heads; divides ``d_model``.
        dim_feedforward: hidden width of the feed-forward network.
        dropout: probability of a zero, at attention weights, hidden numbers and both branches.
        activation: ``"relu"`` or ``"gelu"``.
        layer_norm_eps: added to the variance by the normalisations.
        norm_first: whether branches are normalised before, and not after the addition.
        bias: whether projections, linear maps and normalisations have a bias.
        is_causal: whether a token attends only to itself and those before it.
        src_mask: whether a mask of attention, ``[tokens, tokens]`` or
            ``[batch * heads, tokens, tokens]``, enters as well.
        src_key_padding_mask: whether a mask of tokens, ``[batch, tokens]``, enters as well.

    Source:
        Vaswani et al. 2017, *Attention Is All You Need*; names of parameters and numbers as
        torch.nn.TransformerEncoderLayer with ``batch_first=True``.
    """

    name = "transformer_encoder_layer"

    d_model: int
    nhead: int
    dim_feedforward: int = 2048
    dropout: float = 0.1
    activation: str = "relu"
    layer_norm_eps: float = 1e-5
    norm_first: bool = False
    bias: bool = True
    is_causal: bool = False
    src_mask: bool = False
    src_key_padding_mask: bool = False

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Keep the shape."""
        source, masks = inputs[0], list(inputs[1:])
        check_tokens(source, self.d_model, what=self.name)
        batch, tokens = source[0], source[1]
        if self.src_mask:
            mask = masks.pop(0)
            check_ndim(mask, (2, 3), what=f"{self.name} (src_mask)")
            tokens = agreed((tokens, *mask[-2:]), inputs, "tokens and mask", self.name)
            self._check_stack(mask, batch)
        if self.src_key_padding_mask:
            check_ndim(masks[0], (2,), what=f"{self.name} (src_key_padding_mask)")
            batch = agreed((batch, masks[0][0]), inputs, "batch sizes", self.name)
            tokens = agreed((tokens, masks[0][1]), inputs, "tokens and mask", self.name)
        return ((batch, tokens, self.d_model),)

    def _check_stack(self, mask: Shape, batch: int | None) -> None:
        if len(mask) == 3 and None not in (batch, mask[0]) and mask[0] != (batch or 0) * self.nhead:
            raise ShapeError(
                f"{self.name}: a mask for every row and head has another number of them.",
                expected=f"({batch} * {self.nhead}, tokens, tokens)",
                got=shown(mask),
            )

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """The dtype of the tokens."""
        del shapes
        return inputs[:1]

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw the weights; normalisations are the identity."""
        d = self.d_model
        attention = initial_projections(key.fold_in("self_attn"), d, d, d, self.bias, "torch")
        params = {f"self_attn.{name}": tensor for name, tensor in attention.items()}
        for name, size, into in (
            ("linear1", d, self.dim_feedforward),
            ("linear2", self.dim_feedforward, d),
        ):
            bound = 1.0 / math.sqrt(size)
            shapes = {"weight": (into, size)} | ({"bias": (into,)} if self.bias else {})
            for part, shape in shapes.items():
                full = f"{name}.{part}"
                params[full] = uniform(key.fold_in(full), shape, bound)
        for name in ("norm1", "norm2"):
            params[f"{name}.weight"] = torch.ones(d)
            if self.bias:
                params[f"{name}.bias"] = torch.zeros(d)
        return params, {}

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """A mask of attention weights, of hidden numbers, and of each branch."""
        if self.dropout == 0.0:
            return {}
        batch, tokens = (n or 0 for n in inputs[0][:2])
        keep = 1.0 - self.dropout
        branch = Keep((batch, tokens, self.d_model), keep)
        return {
            **attention_draws(inputs[0], tokens, self.nhead, self.dropout),
            "hidden": Keep((batch, tokens, self.dim_feedforward), keep),
            "dropout1": branch,
            "dropout2": branch,
        }

    def forward(self, given: Given, x: Tensor, *masks: Tensor) -> Tensor:
        """Attend, then feed forward."""
        mask = self._mask(x, list(masks))
        if self.norm_first:
            x = x + self._attention(given, self._norm(given, "norm1", x), mask)
            return x + self._feedforward(given, self._norm(given, "norm2", x))
        x = self._norm(given, "norm1", x + self._attention(given, x, mask))
        return self._norm(given, "norm2", x + self._feedforward(given, x))

    def _attention(self, given: Given, x: Tensor, mask: Tensor | None) -> Tensor:
        params = given.params
        q, k, v = project(params, x, x, x, "self_attn.")
        out, _ = attend(q, k, v, self.nhead, dropping(given, "attention", self.dropout), mask)
        out = F.linear(
            out, params["self_attn.out_proj.weight"], params.get("self_attn.out_proj.bias")
        )
        return dropping(given, "dropout1", self.dropout)(out)

    def _feedforward(self, given: Given, x: Tensor) -> Tensor:
        params = given.params
        hidden = F.linear(x, params["linear1.weight"], params.get("linear1.bias"))
        hidden = dropping(given, "hidden", self.dropout)(ACTIVATIONS[self.activation](hidden))
        out = F.linear(hidden, params["linear2.weight"], params.get("linear2.bias"))
        return dropping(given, "dropout2", self.dropout)(out)

    def _norm(self, given: Given, name: str, x: Tensor) -> Tensor:
        weight, bias = given.params[f"{name}.weight"], given.params.get(f"{name}.bias")
        return F.layer_norm(x, (self.d_model,), weight, bias, self.layer_norm_eps)

    def _mask(self, x: Tensor, masks: list[Tensor]) -> Tensor | None:
        """Return what is added to the scores, broadcast to ``[batch, heads, tokens, tokens]``."""
        parts: list[Tensor] = []
        if self.src_mask:
            mask = masks.pop(0)
            stacked = mask.reshape(-1, self.nhead, *mask.shape[-2:]) if mask.ndim == 3 else mask
            parts.append(stacked)
        if self.src_key_padding_mask:
            parts.append(masks.pop(0)[:, None, None, :])
        if self.is_causal:
            size = x.shape[1]
            parts.append(torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1))
        scores = [_as_scores(part, x.dtype) for part in parts]
        return sum(scores[1:], scores[0]) if scores else None


def _as_scores(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask as numbers to be added: True means "do not attend", numbers stay."""
    if mask.is_floating_point():
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
        mask.to(torch.bool), -math.inf
    )
