"""Strategies of changes: places in values with what to put there, paths in graphs likewise."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe import nn
from fpipe.core.tree import leaves as leaves_of
from fpipe.graph.graph import Graph, wrap
from fpipe.testing.networks import layer_graphs
from fpipe.testing.values import Held, leaves, reals, values


@st.composite
def places(draw: DrawFn, count: int, news: int) -> tuple[Any, ...]:
    """A value, places of leaves in it (all different), and new leaves."""
    inner = draw(st.lists(values(), min_size=count, max_size=count + 1))
    value = Held(tuple(inner), (draw(leaves()), draw(leaves())))
    paths = [path for path, _ in leaves_of(value)]
    chosen = draw(st.permutations(range(len(paths))).map(lambda order: order[:count]))
    return value, *(paths[i] for i in chosen), *(draw(leaves()) for _ in range(news))


@st.composite
def one_place(draw: DrawFn, news: int) -> tuple[Any, ...]:
    """A value, the path of a part of it, and new leaves."""
    value, path, *new = draw(places(1, news))
    return value, path[: draw(st.integers(1, len(path)))], *new


@st.composite
def changes(draw: DrawFn) -> tuple[Any, ...]:
    """A value, a place in it, and another leaf to put there; floats may change their sign only."""
    last = draw(st.sampled_from([leaves(), reals()]))
    value = Held((draw(values()), draw(leaves())), draw(last))
    path, old = draw(st.sampled_from(leaves_of(value)))
    news = st.one_of(leaves(), st.just(old))
    if isinstance(old, float):  # one of two, however many kinds of leaves there are
        news = draw(st.sampled_from([news, st.sampled_from([-old, 0.0, -0.0])]))
    return value, path, draw(news)


SETTINGS: dict[str, SearchStrategy[Any]] = {
    "out_features": st.integers(1, 9),
    "bias": st.booleans(),
    "p": st.sampled_from([0.0, 0.25, 1.0]),
    "power": st.sampled_from([1.0, 2.0]),
    "width": st.sampled_from([0.0, 2.0]),
    "negative_slope": st.sampled_from([0.0, 0.1]),
    "momentum": st.sampled_from([0.1, 0.9]),
    "eps": st.sampled_from([1e-5, 1e-3]),
    "affine": st.booleans(),
    "track_running_stats": st.booleans(),
    "dim": st.sampled_from([1, -1]),
    "n_blocks": st.integers(3, 4),
    "each": st.none(),
    "selection": st.sampled_from(["a", "b"]),
}
"""Values that parameters of the layer graphs below accept; no copy of a block is lost by them."""


@st.composite
def settable(draw: DrawFn) -> tuple[Graph, list[str]]:
    """A graph with blocks, branches and wraps, and the paths that can be set in it."""
    body = nn.linear(2) >> draw(layer_graphs(2, max_layers=1))
    either = nn.branch(a=nn.linear(2) >> nn.dropout(), b=nn.batch_norm1d())
    n_blocks = draw(st.integers(1, 3))
    block = nn.block(either >> nn.linear(3), n_blocks, id="block")
    graph = body >> block >> wrap(nn.linear(4) >> nn.block(nn.linear(2), 2), id="w")
    graph = graph >> nn.block(nn.block(nn.linear(5), 2), 2, id="outer")
    known = [
        p
        for p in graph.params()
        if p.rpartition(".")[2] in SETTINGS
        and (not p.endswith(".selection") or p.startswith("block."))
    ]
    index = draw(st.integers(0, n_blocks - 1))
    low = min(index, 1)
    copies = (
        [
            f"block[{index}].{p[6:]}"
            for p in known
            if p.startswith("block.") and p[6:] not in {"n_blocks", "each"}
        ]
        + [f"w.block[{low}].linear.out_features"]
        + [f"outer[{low}].block[1].linear.bias", f"outer.block[{low}].linear.bias"]
    )
    return graph, [p for p in (*known, *copies) if not p.startswith("branch")]


def _setting(path: str) -> SearchStrategy[Any]:
    return SETTINGS[path.rpartition(".")[2]]


@st.composite
def sets(draw: DrawFn, count: int) -> tuple[Any, ...]:
    """A graph, paths that can be set in it (all different), and a value for each."""
    graph, paths = draw(settable())
    chosen = draw(st.lists(st.sampled_from(paths), min_size=count, max_size=count, unique=True))
    return graph, *chosen, *(draw(_setting(path)) for path in chosen)


@st.composite
def twice(draw: DrawFn) -> tuple[Any, ...]:
    """A graph, one path, and two values for it."""
    graph, path, first = draw(sets(1))
    return graph, path, first, draw(_setting(path))


@st.composite
def patterns(draw: DrawFn) -> tuple[Any, ...]:
    """A graph, the last name of some paths in it, and a value for them."""
    suffix = draw(st.sampled_from(["bias", "out_features", "p", "n_blocks", "eps"]))
    return draw(settable())[0], suffix, draw(SETTINGS[suffix])
