"""Law 2: fitting and applying a composite is fitting and applying its parts, to the bit."""

from __future__ import annotations

from typing import Any

import torch

from fpipe.core.equality import same
from fpipe.core.key import Key
from fpipe.core.law import Law
from fpipe.graph.branch import Branch
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, identity, node, wrap
from fpipe.graph.interpret import apply_graph, fit_graph
from fpipe.nn.blocks import block
from fpipe.testing.laws.asserting import agree
from fpipe.testing.toys import Affine, Center, Draw, Numbers, Sum

Flow = tuple[Numbers, ...]


def fitting_then(f: Graph, g: Graph, x: Flow, y: Flow, key: Key) -> None:
    """Fitting ``f >> g`` gives the states of f, then of g on what f gave; so does applying."""
    states, out = _fit(f >> g, x, key)
    states_f, middle = _fit(f, x, key)
    states_g, last = _fit(g, middle, key)
    both, kept = dict(states_f) | dict(states_g), (f >> g).ids
    agree(dict(states), {name: both[name] for name in kept}, "the states")
    agree(out, last, "the output")
    between = _apply(f, states_f, y, key)
    agree(_apply(f >> g, states, y, key), _apply(g, states_g, between, key), "what applying gives")


def fitting_beside(f: Graph, g: Graph, x: Flow, y: Flow, key: Key) -> None:
    """Fitting ``f & g`` fits each on its own inputs; so does applying."""
    cut = len(f.ports)
    states, out = _fit(f & g, x, key)
    states_f, out_f = _fit(f, x[:cut], key)
    states_g, out_g = _fit(g, x[cut:], key)
    agree(dict(states), dict(states_f) | dict(states_g), "the states")
    agree(out, out_f + out_g, "the output")
    apart = _apply(f, states_f, y[:cut], key) + _apply(g, states_g, y[cut:], key)
    agree(_apply(f & g, states, y, key), apart, "what applying gives")


def identity_passes(x: Flow, key: Key) -> None:
    """The identity gives what it takes and learns nothing."""
    states, out = _fit(identity(len(x)), x, key)
    assert not states
    agree(out, x, "what the identity gives")


def fit_gives_apply(f: Graph, x: Flow, key: Key) -> None:
    """What leaves while fitting is ``apply`` on the same input; validation rides along."""
    states, out = _fit(f, x, key)
    agree(_apply(f, states, x, key), out, "fit's output and apply's")


def wrapping(f: Graph, x: Flow, y: Flow, key: Key) -> None:
    """A graph wrapped under a name behaves as the graph under ``key.fold_in(name)``."""
    whole = wrap(f, id="body")
    states, out = _fit(whole, x, key)
    inner, inner_out = _fit(f, x, key.fold_in("body"))
    agree(states["body"].states, inner, "the states inside")
    agree(out, inner_out, "the output")
    applied = _apply(f, inner, y, key.fold_in("body"))
    agree(_apply(whole, states, y, key), applied, "what applying gives")


def macros_are_expansions(f: Graph, copies: int, x: Flow, key: Key) -> None:
    """A block or branch behaves as its expansion, wrapped under its id."""
    body = f[0]
    square = body[(0,) * len(body.ports)]
    repeated = block(square, copies, id="m")
    chosen = node(Branch((("other", body[0] >> node(Affine())), ("body", body)), "body", id="m"))
    for macro, expected in (
        (repeated, _copied(square, copies)),
        (chosen, body),
    ):
        states, out = _fit(macro, x, key)
        other, other_out = _fit(wrap(expected, id="m"), x, key)
        agree(states["m"].states, other["m"].states, "the states inside")
        agree(out, other_out, "the output")
        agree(_apply(macro, states, x, key), out, "what applying gives")


def variadic_macros_take_all(x: Flow, key: Key) -> None:
    """A wrapped graph with a variadic input takes as many values as the graph itself."""
    add = node(Sum())
    bare, wrapped = identity(len(x)) >> add, identity(len(x)) >> wrap(add, id="w")
    agree(_fit(wrapped, x, key)[1], _fit(bare, x, key)[1], "the output")
    states, out = _fit(wrapped, x, key)
    agree(_apply(wrapped, states, x, key), out, "what applying gives")


def overrides_reach_copies(value: float, index: int, x: Flow, key: Key) -> None:
    """Setting one copy of a block sets that copy of its expansion and no other."""
    body = node(Affine(2.0, 1.0)) >> node(Draw())
    made = block(body, 3, id="b").set({f"b[{index}].affine.scale": value})
    expected = _copied(body, 3).set({f"[{index}].affine.scale": value})
    _, out = _fit(made, x[:1], key)
    _, other = _fit(wrap(expected, id="b"), x[:1], key)
    agree(out, other, "the output")
    assert made.at(f"b[{index}].affine.scale") == value


def validation_teaches_nothing(f: Graph, x: Flow, rows: Flow, key: Key) -> None:
    """States and outputs do not depend on the validation rows, nor on whether there are any."""
    alone = tuple(one.with_valid(None) for one in x)
    held = tuple(a.with_valid(b) for a, b in zip(alone, rows, strict=True))
    other = tuple(a.with_valid(Numbers(b.x * 3.0 + 1.0)) for a, b in zip(alone, rows, strict=True))
    states, out = _fit(f, alone, key)
    for riding in (held, other):
        again, given = _fit(f, riding, key)
        agree(again, states, "the states")
        agree(tuple(one.with_valid(None) for one in given), out, "the output")


def validation_is_applied(f: Graph, x: Flow, rows: Flow, key: Key) -> None:
    """What rides along at the end is ``apply`` on the validation rows."""
    held = tuple(a.with_valid(b) for a, b in zip(x, rows, strict=True))
    states, out = _fit(f, held, key)
    expected = _apply(f, states, rows, key)
    agree(tuple(one.valid for one in out), expected, "the validation part")


def unwanted_is_not_computed(f: Graph, x: Flow, key: Key) -> None:
    """Asking for no output learns the same states."""
    states, _ = _fit(f, x, key)
    found, nothing = fit_graph(f, x, key=key, context=Context(), wanted=False)
    agree(found, states, "the states")
    assert nothing == ()


def draws_follow_ids(x: Flow, key: Key) -> None:
    """A node draws by its key and id: another id or key draws otherwise, another place does not."""
    alone = _fit(node(Draw(id="d")), x[:1], key)[0]["d"]
    behind = node(Affine()) >> node(Center()) >> node(Draw(id="d"))
    agree(_fit(behind, x[:1], key)[0]["d"], alone, "the draw")
    for other in (_fit(node(Draw(id="e")), x[:1], key)[0]["e"], _other_key(x, key)):
        assert not same(other, alone), "another id or key drew the same"


def _other_key(x: Flow, key: Key) -> Any:
    return _fit(node(Draw(id="d")), x[:1], key.fold_in("other"))[0]["d"]


def _copied(body: Graph, copies: int) -> Graph:
    graph = identity(len(body.ports))
    for i in range(copies):
        graph = graph >> wrap(body, id=f"[{i}]")
    return graph


def _fit(graph: Graph, x: Flow, key: Key) -> tuple[Any, tuple[Any, ...]]:
    return fit_graph(graph, x, key=key, context=Context(), wanted=True)


def _apply(graph: Graph, states: Any, x: Flow, key: Key) -> tuple[Any, ...]:
    return apply_graph(graph, states, x, key=key, context=Context())


def numbers(*x: float) -> Numbers:
    """Return numbers that flow."""
    return Numbers(torch.tensor(x, dtype=torch.float64))


RUNNING = (
    Law("fitting then", "fitting f >> g gives the states of f, then of g", fitting_then),
    Law("fitting beside", "fitting f & g fits each on its own", fitting_beside),
    Law("identity passes", "the identity gives what it takes", identity_passes),
    Law("fit gives apply", "fit's output is apply on the same input", fit_gives_apply),
    Law("wrapping", "a wrapped graph is the graph under key.fold_in(name)", wrapping),
    Law("macros are expansions", "a macro behaves as its expansion", macros_are_expansions),
    Law("variadic macros take all", "a wrapped variadic input takes all", variadic_macros_take_all),
    Law("overrides reach copies", "block[i].path sets one copy", overrides_reach_copies),
    Law("validation teaches nothing", "states ignore validation rows", validation_teaches_nothing),
    Law("validation is applied", "the valid part is apply's", validation_is_applied),
    Law(
        "unwanted is not computed", "states without outputs are the same", unwanted_is_not_computed
    ),
    Law("draws follow ids", "a node draws by key and id alone", draws_follow_ids),
)
