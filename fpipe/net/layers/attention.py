"""Multi-head attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fpipe.core.errors import ShapeError
from fpipe.core.key import Key
from fpipe.core.value import descriptor
from fpipe.net.layer import Draw, Dtypes, Given, Keep, Layer, Tensors, promoted, uniform
from fpipe.net.layers.tokens import normal
from fpipe.net.shape import Shape, check_ndim, shown

MODES: Mapping[str, tuple[str, ...]] = {
    "self": ("input",),
    "cross": ("query", "key_value"),
    "general": ("query", "key", "value"),
}
"""What enters, by mode."""

_T = TypeVar("_T")

INITIALIZATIONS = ("torch", "kaiming", "xavier")


@descriptor
class MultiheadAttention(Layer):
    """Attention of queries to keys and values, all ``[batch, tokens, width]``.

    Args:
        embed_dim: width of the queries and of the output.
        num_heads: number of heads; divides ``embed_dim``.
        kdim: width of the keys.
        vdim: width of the values.
        dropout: probability that an attention weight is set to 0 while training.
        bias: whether the projections add a bias.
        add_bias_kv: whether a learned token is put behind keys and values.
        add_zero_attn: whether a token of zeros is put behind them.
        avg_weights: whether the weights that leave are the mean over heads.
        mode: ``"self"`` (one input), ``"cross"`` (query; key and value) or ``"general"``
            (query; key; value).
        need_weights: whether the attention weights leave as a second output.
        initialization: ``"torch"`` for that of torch.nn.MultiheadAttention; ``"kaiming"``
            (``a = sqrt(5)``) or ``"xavier"`` (gain ``1/sqrt(2)``) for each projection by itself.

    Source:
        Vaswani et al. 2017, *Attention Is All You Need*; names of parameters and numbers as
        torch.nn.MultiheadAttention with ``batch_first=True``.
    """

    name = "multihead_attention"

    embed_dim: int
    num_heads: int
    kdim: int
    vdim: int
    dropout: float = 0.0
    bias: bool = True
    add_bias_kv: bool = False
    add_zero_attn: bool = False
    avg_weights: bool = True
    mode: str = "self"
    need_weights: bool = False
    initialization: str = "torch"

    _in: ClassVar[tuple[str, ...]] = ("q_proj_weight", "k_proj_weight", "v_proj_weight")

    @property
    def packed(self) -> bool:
        """Whether the three projections of what enters are one matrix."""
        return self.kdim == self.vdim == self.embed_dim

    def shapes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """The shape of the queries; the weights are ``[batch, (heads,) queries, keys]``."""
        widths = {"self": (self.embed_dim,), "cross": (self.embed_dim, self.kdim)}
        wanted = widths.get(self.mode, (self.embed_dim, self.kdim, self.vdim))
        for port, shape, width in zip(MODES[self.mode], inputs, wanted, strict=True):
            check_tokens(shape, width, what=f"{self.name} ({port})")
        query, key, value = _roles(self.mode, inputs)
        batch = agreed((query[0], key[0], value[0]), inputs, "batch sizes", self.name)
        keys = agreed((key[1], value[1]), (key, value), "numbers of keys and values", self.name)
        out = (batch, query[1], self.embed_dim)
        if not self.need_weights:
            return (out,)
        seen = None if keys is None else keys + self.add_bias_kv + self.add_zero_attn
        heads = () if self.avg_weights else (self.num_heads,)
        return out, (batch, *heads, query[1], seen)

    def dtypes(self, inputs: Dtypes, shapes: tuple[Shape, ...]) -> Dtypes:
        """The common dtype, once per output."""
        del shapes
        return (promoted(inputs),) * (2 if self.need_weights else 1)

    def init(self, key: Key) -> tuple[Tensors, Tensors]:
        """Draw the projections; biases are 0."""
        params = initial_projections(
            key, self.embed_dim, self.kdim, self.vdim, self.bias, self.initialization
        )
        if self.add_bias_kv:
            deviation = 1.0 / math.sqrt(self.embed_dim)
            for name in ("bias_k", "bias_v"):
                params[name] = normal(key.fold_in(name), (1, 1, self.embed_dim), deviation)
        return params, {}

    def draws(self, inputs: tuple[Shape, ...]) -> Mapping[str, Draw]:
        """One mask of attention weights, ``[batch, heads, queries, keys]``."""
        query, key, _ = _roles(self.mode, inputs)
        seen = (key[1] or 0) + self.add_bias_kv + self.add_zero_attn
        return attention_draws(query, seen, self.num_heads, self.dropout)

    def forward(self, given: Given, *inputs: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Project, attend, and project what was attended to."""
        params, (query, key, value) = given.params, _roles(self.mode, inputs)
        q, k, v = self._projected(params, query, key, value)
        if self.add_bias_kv:
            rows = (k.shape[0], 1, self.embed_dim)
            k = torch.cat((k, params["bias_k"].expand(rows)), dim=1)
            v = torch.cat((v, params["bias_v"].expand(rows)), dim=1)
        if self.add_zero_attn:
            k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
        drop = dropping(given, "attention", self.dropout)
        out, weights = attend(q, k, v, self.num_heads, drop)
        out = F.linear(out, params["out_proj.weight"], params.get("out_proj.bias"))
        if not self.need_weights:
            return out
        return out, weights.mean(dim=1) if self.avg_weights else weights

    def _projected(
        self, params: Tensors, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        if self.packed:
            return project(params, query, key, value)
        biases = params["in_proj_bias"].chunk(3) if self.bias else (None,) * 3
        triples = zip((query, key, value), self._in, biases, strict=True)
        q, k, v = (F.linear(x, params[name], bias) for x, name, bias in triples)
        return q, k, v


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    drop: Callable[[Tensor], Tensor],
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what scaled dot-product attention gives, and its weights.

    Args:
        query: ``[batch, queries, width]``, projected.
        key: ``[batch, keys, width]``, projected.
        value: ``[batch, keys, width]``, projected.
        heads: number of heads.
        drop: what is done to the weights, ``[batch, heads, queries, keys]``, once they are made.
        mask: added to the scores, broadcast to ``[batch, heads, queries, keys]``, or None.

    Returns:
        ``[batch, queries, width]``, and the weights ``[batch, heads, queries, keys]``.
    """
    q, k, v = (_by_head(x, heads) for x in (query, key, value))
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = drop(torch.softmax(scores if mask is None else scores + mask, dim=-1))
    out = (weights @ v).transpose(1, 2)
    return out.reshape(query.shape), weights


def project(
    params: Tensors, query: Tensor, key: Tensor, value: Tensor, prefix: str = ""
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values projected by one packed matrix.

    Args:
        params: with ``in_proj_weight``, ``[3 * width, width]``, and perhaps ``in_proj_bias``.
        query: ``[batch, queries, width]``.
        key: ``[batch, keys, width]``.
        value: ``[batch, keys, width]``.
        prefix: put before the names.
    """
    weight, bias = params[f"{prefix}in_proj_weight"], params.get(f"{prefix}in_proj_bias")
    if query is key and key is value:
        q, k, v = F.linear(query, weight, bias).chunk(3, dim=-1)
        return q, k, v
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    q, k, v = map(F.linear, (query, key, value), weight.chunk(3), biases)
    return q, k, v


def initial_projections(
    key: Key, width: int, kdim: int, vdim: int, bias: bool, how: str
) -> dict[str, Tensor]:
    """Return the initial projections of an attention, by torch's names; biases are 0."""
    params = _incoming(key, width, kdim, vdim, how)
    bound = 1.0 / math.sqrt(width)
    params["out_proj.weight"] = uniform(key.fold_in("out_proj.weight"), (width, width), bound)
    if bias:
        params |= {"in_proj_bias": torch.zeros(3 * width), "out_proj.bias": torch.zeros(width)}
    return params


def attention_draws(
    query: Shape, keys: int, heads: int, dropout: float, name: str = "attention"
) -> Mapping[str, Draw]:
    """Return the draw of a mask of attention weights, ``[batch, heads, queries, keys]``."""
    if dropout == 0.0:
        return {}
    return {name: Keep((query[0] or 0, heads, query[1] or 0, keys), 1.0 - dropout)}


def dropping(given: Given, name: str, p: float) -> Callable[[Tensor], Tensor]:
    """Return the function that sets numbers to 0 by a declared mask, and scales the rest.

    Args:
        given: what the layer was given.
        name: name of the draw.
        p: probability of a zero.
    """
    if not given.training or p == 0.0:
        return lambda x: x
    mask, scale = given.draws[name], 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return lambda x: x * mask.to(x.device, x.dtype).mul(scale)


def check_tokens(shape: Shape, width: int, *, what: str) -> None:
    """Raise ShapeError where a shape is not ``[batch, tokens, width]``."""
    check_ndim(shape, (3,), what=what)
    if shape[2] not in (None, width):
        raise ShapeError(
            f"{what} was made for tokens of width {width}.",
            expected=f"a last dimension of {width}",
            got=shown(shape),
        )


def agreed(
    sizes: tuple[int | None, ...], shapes: tuple[Shape, ...], words: str, what: str
) -> int | None:
    """Return the one known size among some, or None; raise ShapeError where they differ."""
    found = {n for n in sizes if n is not None}
    if len(found) > 1:
        raise ShapeError(
            f"{what}: {words} do not go together.",
            expected="equal sizes",
            got=" and ".join(map(shown, shapes)),
        )
    return next(iter(found), None)


def _incoming(key: Key, width: int, kdim: int, vdim: int, how: str) -> dict[str, Tensor]:
    """Return the projections of queries, keys and values, one matrix where they are as wide."""
    names, widths = MultiheadAttention._in, (width, kdim, vdim)  # noqa: SLF001
    packed = kdim == vdim == width
    if packed and how == "torch":
        shape = (3 * width, width)
        return {"in_proj_weight": uniform(key.fold_in("in_proj_weight"), shape, _bound(shape, how))}
    drawn = {
        name: uniform(key.fold_in(name), (width, n), _bound((width, n), how))
        for name, n in zip(names, widths, strict=True)
    }
    return {"in_proj_weight": torch.cat(tuple(drawn.values()))} if packed else drawn


def _bound(shape: tuple[int, int], how: str) -> float:
    """Return the bound of a uniform initialisation of a matrix ``[out, in]``."""
    fan_out, fan_in = shape
    if how == "kaiming":
        return 1.0 / math.sqrt(fan_in)
    gain = 1.0 / math.sqrt(2.0) if how == "xavier" else 1.0
    return gain * math.sqrt(6.0 / (fan_in + fan_out))


def _by_head(x: Tensor, heads: int) -> Tensor:
    """Return ``[batch, tokens, width]`` as ``[batch, heads, tokens, width / heads]``."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


def _roles(mode: str, inputs: tuple[_T, ...]) -> tuple[_T, _T, _T]:
    """Return query, key and value among the inputs of a mode."""
    first, last = inputs[0], inputs[-1]
    return first, inputs[1] if mode != "self" else first, last
