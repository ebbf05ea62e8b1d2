"""Law 1: ``>>`` and ``&`` are associative, have units, interchange, and refuse the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import CodecError, GraphError
from fpipe.core.law import Law
from fpipe.graph.graph import Graph, empty, identity, node
from fpipe.graph.ports import Node, Source
from fpipe.graph.wiring import normal_form
from fpipe.testing import toys
from fpipe.testing.laws.asserting import agree, refused


def then_is_associative(f: Graph, g: Graph, h: Graph) -> None:
    """``(f >> g) >> h == f >> (g >> h)``."""
    _alike((f >> g) >> h, f >> (g >> h))


def identity_is_unit(f: Graph) -> None:
    """``identity >> f == f == f >> identity``, and the identity has no node."""
    for n in (len(f.ports), len(f.outputs)):
        assert identity(n).nodes == ()
    _alike(identity(len(f.ports)) >> f, f)
    _alike(f >> identity(len(f.outputs)), f)


def beside_is_associative(f: Graph, g: Graph, h: Graph) -> None:
    """``(f & g) & h == f & (g & h)``, with the empty graph as unit."""
    _alike((f & g) & h, f & (g & h))
    _alike((f, g, h) >> identity(len((f & g & h).outputs)), f & g & h)
    _alike(f & empty, f)
    _alike(empty & f, f)


def identities_add(m: int, n: int) -> None:
    """``identity(m) & identity(n) == identity(m + n)``."""
    _alike(identity(m) & identity(n), identity(m + n))


def interchange(f: Graph, g: Graph, h: Graph, k: Graph) -> None:
    """``(f & g) >> (h & k) == (f >> h) & (g >> k)`` where arities match."""
    _alike((f & g) >> (h & k), (f >> h) & (g >> k))


def swapping(f: Graph, g: Graph) -> None:
    """Exchanging inputs, then ``g & f``, is ``f & g``, then exchanging outputs."""
    m, n = len(f.ports), len(g.ports)
    left = identity(m + n)[(*range(m, m + n), *range(m))] >> (g & f)
    a, b = len(f.outputs), len(g.outputs)
    _alike(left, (f & g)[(*range(a, a + b), *range(a))])


def then_is_defined(f: Graph, g: Graph) -> None:
    """``f >> g`` exists where arities match, and else raises, naming both ends."""
    gives, takes = len(f.outputs), len(g.ports)
    many = takes == 1 and g.ports[0].variadic
    if gives == takes or many or (gives == 1 and takes > 1):
        joined = f >> g
        assert len(joined.ports) == len(f.ports)
        assert len(joined.outputs) == len(g.outputs)
        return
    error = refused(GraphError, lambda: f >> g)
    assert f"{gives} output" in str(error)
    assert f"{takes} input" in str(error)
    _names_both_ends(error, f, g)


def types_must_meet(f: Graph, g: Graph) -> None:
    """A total cannot enter where numbers are wanted: an error that names both ends."""
    left = f[0] >> node(toys.Tally(id="left_end"))
    right = node(toys.Affine(id="right_end")) >> g
    error = refused(GraphError, lambda: left >> right)
    _names_both_ends(error, left, right)
    assert "Total" in str(error)
    assert "Numbers" in str(error)


def given_ids_are_unique(f: Graph, g: Graph) -> None:
    """A given id that occurs on both sides is an error that names it, for ``>>`` and ``&``."""
    left = f[0] >> node(toys.Affine(id="twice"))
    right = node(toys.Center(id="twice")) >> g
    for error in (
        refused(GraphError, lambda: left >> right),
        refused(GraphError, lambda: left & right),
    ):
        assert "'twice'" in str(error)


def form_is_canonical(f: Graph, order: Sequence[float]) -> None:
    """Nodes listed in another order, with some that nobody reads, make the same graph."""
    nodes, outputs = _shuffled(f, order)
    other = Graph(*normal_form(len(f.ports), nodes, outputs))
    _alike(other, f)
    _alike(_grown(f), f)
    agree(other.ids, f.ids, "the automatic ids")


def ordinals_count(f: Graph) -> None:
    """Ids are unique, given ones stay, automatic ones count up in node order."""
    ids = f.ids
    assert len(set(ids)) == len(ids)
    given = {one.op.id for one in f.nodes if one.op.id is not None}
    counts: Counter[str] = Counter()
    for shown, one in zip(ids, f.nodes, strict=True):
        if one.op.id is not None:
            assert shown == one.op.id
            continue
        counts[one.op.name] += 1
        while _ordinal(one.op.name, counts) in given:
            counts[one.op.name] += 1
        assert shown == _ordinal(one.op.name, counts)
    for position, one in enumerate(f.nodes):
        assert all(source.is_input or source.node < position for source in one.sources)


def labels_are_nothing(f: Graph) -> None:
    """A label is no part of equality and fingerprint."""
    _alike(f.named("label"), f)


def _alike(left: Graph, right: Graph) -> None:
    agree(left, right, "the graph")
    assert left == right
    assert hash(left) == hash(right)
    try:
        assert fingerprint(left) == fingerprint(right)
    except CodecError:
        # Code of a script, or a lambda, has no fingerprint; the graphs are equal all the same.
        return


def _names_both_ends(error: GraphError, f: Graph, g: Graph) -> None:
    last = {f.ids[s.node] for s in f.outputs if not s.is_input} or {"input", "empty"}
    reads = (any(s.is_input for s in one.sources) for one in g.nodes)
    first = {name for name, reading in zip(g.ids, reads, strict=True) if reading} or {"empty"}
    assert any(name in str(error) for name in last), (last, str(error))
    assert any(name in str(error) for name in first), (first, str(error))


def _ordinal(name: str, counts: Counter[str]) -> str:
    return name if counts[name] == 1 else f"{name}_{counts[name]}"


def _shuffled(f: Graph, order: Sequence[float]) -> tuple[tuple[Node, ...], tuple[Source, ...]]:
    """List the nodes in another order in which each comes after those it reads."""
    left, done = list(range(len(f.nodes))), list[int]()
    for number in (*order, *([0.0] * len(left))):
        ready = [i for i in left if all(s.is_input or s.node in done for s in f.nodes[i].sources)]
        if ready:
            chosen = ready[int(number * len(ready)) % len(ready)]
            left.remove(chosen)
            done.append(chosen)
    place = {old: new + 1 for new, old in enumerate(done)}

    def moved(source: Source) -> Source:
        return source if source.is_input else Source(place[source.node], source.port)

    unread = Node(toys.Affine(id="unread"), (Source(-1, 0),))
    nodes = tuple(Node(f.nodes[i].op, tuple(map(moved, f.nodes[i].sources))) for i in done)
    return (unread, *nodes), tuple(map(moved, f.outputs))


def _grown(f: Graph) -> Graph:
    """Put a graph together node by node, all wires carried along."""
    graph, place = identity(len(f.ports)), {(-1, i): i for i in range(len(f.ports))}
    for position, one in enumerate(f.nodes):
        if any(port.variadic for port in one.op.inputs) and len(one.sources) != 1:
            return f
        width = len(graph.outputs)
        read = tuple(place[s.node, s.port] for s in one.sources)
        graph = graph[(*range(width), *read)] >> (identity(width) & node(one.op))
        place |= {(position, port): width + port for port in range(len(one.op.outputs))}
    return graph[tuple(place[s.node, s.port] for s in f.outputs)]


COMPOSITION = (
    Law("then is associative", "(f >> g) >> h == f >> (g >> h)", then_is_associative),
    Law("identity is unit", "identity >> f == f == f >> identity", identity_is_unit),
    Law(
        "beside is associative", "(f & g) & h == f & (g & h), empty its unit", beside_is_associative
    ),
    Law("identities add", "identity(m) & identity(n) == identity(m + n)", identities_add),
    Law("interchange", "(f & g) >> (h & k) == (f >> h) & (g >> k)", interchange),
    Law("swapping", "swap >> (g & f) == (f & g) >> swap", swapping),
    Law("then is defined", "f >> g exists or raises, naming both ends", then_is_defined),
    Law(
        "types must meet", "types that do not go together raise, naming both ends", types_must_meet
    ),
    Law("given ids are unique", "an id given twice raises, for >> and &", given_ids_are_unique),
    Law("form is canonical", "graphs wired alike are equal however built", form_is_canonical),
    Law("ordinals count", "automatic ids count in topological order", ordinals_count),
    Law("labels are nothing", "a label is no part of equality and fingerprint", labels_are_nothing),
)
