"""Strategies for networks: random graphs of layers over ``[batch, features]``."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn
from fpipe.graph.graph import Graph, identity, wrap
from fpipe.net.network import Network


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
        stage, size = _stage(draw, draw(st.sampled_from(_STAGES)), size)
        graph = graph >> stage
    return graph if out is None else graph >> nn.linear(out)


_PLAIN = ("linear", "relu", "tanh", "sigmoid", "dropout", "batch_norm1d", "identity")
_STAGES = (*_PLAIN, "residual", "cat", "block", "branch", "wrap")


def _stage(draw: DrawFn, kind: str, size: int) -> tuple[Graph, int]:
    """Return a stage for this size and the size that leaves it."""
    if kind in _PLAIN:
        return _plain(draw, kind, size)
    inner, leaving = _plain(draw, draw(st.sampled_from(_PLAIN)), size)
    if kind == "cat":
        return (identity() & inner) >> nn.merge_cat(), size + leaving
    if kind == "wrap":
        return wrap(inner >> nn.tanh()), leaving
    keeping = inner >> nn.linear(size)
    if kind == "residual":
        return (identity() & keeping) >> nn.merge_sum(), size
    if kind == "block":
        return nn.block(keeping, draw(st.integers(0, 2))), size
    selection = draw(st.sampled_from(["net", "act", "wire"]))
    return nn.branch(selection=selection, net=keeping, act=nn.relu(), wire=identity()), size


def _plain(draw: DrawFn, kind: str, size: int) -> tuple[Graph, int]:
    if kind == "linear":
        out = draw(st.integers(1, 4))
        return nn.linear(out, bias=draw(st.booleans())), out
    if kind == "dropout":
        return nn.dropout(draw(st.sampled_from([0.0, 0.3, 0.5, 0.9]))), size
    if kind == "batch_norm1d":
        return nn.batch_norm1d(momentum=draw(st.sampled_from([0.1, 0.5]))), size
    made: Graph = getattr(nn, kind)()
    return made, size
