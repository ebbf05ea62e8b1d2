"""Strategies for networks: random graphs of layers over ``[batch, features]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn
from fpipe.core.key import Key
from fpipe.graph.graph import Graph, identity, wrap
from fpipe.net.layer import Draw, Normal, Uniform
from fpipe.net.network import Network

Stage = tuple[Graph, int]
"""A graph of layers, and the size that leaves it."""


def layer_graphs(
    width: int | None, *, out: int | None = None, max_layers: int = 4
) -> SearchStrategy[Graph]:
    """Graphs of layers from ``[batch, width]`` to ``[batch, out]``.

    Args:
        width: size that enters; None begins with a linear layer that takes any.
        out: size that leaves, by a last linear layer; what comes by default.
        max_layers: most stages.
    """
    return _layer_graphs(width, out, max_layers)


def networks(
    *, width: int = 3, out: int | None = None, max_layers: int = 4
) -> SearchStrategy[Network]:
    """Networks with one input ``x`` of shape ``[batch, width]``; see `layer_graphs`."""
    bodies = layer_graphs(width, out=out, max_layers=max_layers)
    return bodies.map(lambda graph: nn.network(graph, x=(None, width)))


@st.composite
def _layer_graphs(draw: DrawFn, width: int | None, out: int | None, max_layers: int) -> Graph:
    graph, size = identity(), width
    if size is None:
        size = draw(st.integers(1, 4))
        graph = graph >> nn.linear(size)
    for _ in range(draw(st.integers(0, max_layers))):
        stage, size = draw(_FORM)(draw, size)
        graph = graph >> stage
    return graph if out is None else graph >> nn.linear(out)


# ------------------------------------------------------------------ layers of the user's own


def shaken(
    params: Mapping[str, torch.Tensor], x: torch.Tensor, *, draws: Any, width: float = 0.5
) -> torch.Tensor:
    """Scale by a learned gain; add noise of two kinds while training."""
    noise = 0.0 if draws is None else draws["flat"] * width + 0.1 * draws["bell"]
    return params["gain"] * x + noise


def gains(key: Key, shape: tuple[int | None, ...]) -> dict[str, torch.Tensor]:
    """Return gains near 1."""
    return {"gain": 1.0 + 0.1 * torch.randn(shape[-1] or 1, generator=key.generator())}


def noises(shape: tuple[int, ...]) -> dict[str, Draw]:
    """Declare one number from an interval and one from a bell for each input."""
    return {"flat": Uniform(shape, -1.0, 1.0), "bell": Normal(shape)}


def unchanged(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Return the shape that enters."""
    return shape


def bent(x: torch.Tensor, *, power: float) -> torch.Tensor:
    """Return what is near ``x`` for small and near ``|x|**power`` for large numbers."""
    return x * (1.0 + x**2) ** ((power - 1.0) / 2.0)


def every_other(i: int) -> dict[str, Any]:
    """Return what copy ``i`` of a block changes."""
    return {"last.bias": i % 2 == 0}


own = nn.operator(shaken, init=gains, draws=noises, shapes=unchanged)

# ------------------------------------------------------------------ single layers

ACTIVATIONS = (
    "celu",
    "elu",
    "gelu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "identity",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
)
"""Layers without weights or draws that need no settings."""


_YES = st.booleans()
_FEW = st.integers(0, 2)
_SIZES = st.integers(1, 4)
_ACTIVATION = st.sampled_from([getattr(nn, name) for name in ACTIVATIONS])
_SLOPE = st.sampled_from(["prelu", "prelu of each", "rrelu", "threshold"])
_SHARES = st.sampled_from([0.0, 0.3, 0.5, 0.9])
_MOMENTUM = st.sampled_from([0.1, 0.5])
_WIDTH = st.sampled_from([0.5, 0.1])
_GATE = st.sampled_from([nn.glu, nn.reglu, nn.geglu])


def _linear(draw: DrawFn, size: int) -> Stage:
    del size
    out = draw(_SIZES)
    return nn.linear(out, bias=draw(_YES)), out


def _activation(draw: DrawFn, size: int) -> Stage:
    return draw(_ACTIVATION)(), size


def _slope(draw: DrawFn, size: int) -> Stage:
    kind = draw(_SLOPE)
    if kind == "rrelu":
        return nn.rrelu(), size
    if kind == "threshold":
        return nn.threshold(0.0, -1.0), size
    return nn.prelu(1 if kind == "prelu" else size), size


def _dropout(draw: DrawFn, size: int) -> Stage:
    return nn.dropout(draw(_SHARES)), size


def _norm(draw: DrawFn, size: int) -> Stage:
    if draw(_FEW) == 2:
        return nn.layer_norm(), size
    return nn.batch_norm1d(momentum=draw(_MOMENTUM)), size


def _function(draw: DrawFn, size: int) -> Stage:
    if draw(_FEW) == 2:
        return nn.fn(bent, shapes=unchanged, power=1.5), size
    return own(width=draw(_WIDTH)), size


def _gate(draw: DrawFn, size: int) -> Stage:
    del size
    out = draw(st.integers(1, 2))
    return nn.linear(2 * out) >> draw(_GATE)(), out


def _attention(draw: DrawFn, size: int) -> Stage:
    del size
    heads, p = 1 + draw(_YES), 0.5 * draw(_YES)
    tokens = nn.linear(2) >> nn.tokenizer_numeric(2) >> nn.multihead_attention(heads, dropout=p)
    if draw(_YES):
        return tokens >> nn.cls_token() >> nn.take(-1), 2
    return tokens >> nn.flatten(), 4


_LAYERS: tuple[Callable[[DrawFn, int], Stage], ...] = (
    _linear,
    _activation,
    _dropout,
    _norm,
    _slope,
    _function,
    _gate,
)
_LAYER = st.sampled_from(_LAYERS)

# ------------------------------------------------------------------ forms


def _layer(draw: DrawFn, size: int) -> Stage:
    return draw(_LAYER)(draw, size)


def _keeping(draw: DrawFn, size: int) -> Graph:
    return _layer(draw, size)[0] >> nn.linear(size, id="last")


def _residual(draw: DrawFn, size: int) -> Stage:
    if draw(_YES):
        inner, leaving = _layer(draw, size)
        return nn.residual(inner, shortcut=nn.linear(leaving)), leaving
    return nn.residual(_keeping(draw, size)), size


def _merged(draw: DrawFn, size: int) -> Stage:
    merge = draw(_MERGE)
    if merge is nn.merge_cat:
        inner, leaving = _layer(draw, size)
        return (identity() & inner) >> nn.merge_cat(), size + leaving
    return (identity() & wrap(_keeping(draw, size))) >> merge(), size


def _block(draw: DrawFn, size: int) -> Stage:
    each = every_other if draw(_YES) else None
    return nn.block(_keeping(draw, size), draw(_FEW), each), size


def _branch(draw: DrawFn, size: int) -> Stage:
    net = _keeping(draw, size)
    return nn.branch(selection=draw(_SELECTION), net=net, act=nn.relu(), wire=identity()), size


def _wrap(draw: DrawFn, size: int) -> Stage:
    inner, leaving = _layer(draw, size)
    return wrap(inner >> nn.tanh()), leaving


_MERGE = st.sampled_from([nn.merge_cat, nn.merge_sum, nn.merge_prod])
_SELECTION = st.sampled_from(["net", "act", "wire"])
_FORM = st.sampled_from([*_LAYERS, _residual, _merged, _block, _branch, _wrap, _attention])
