"""Law 8: reading and replacing one place obeys the lens laws, in values and in graphs."""

from __future__ import annotations

from typing import Any

from fpipe.core.errors import ParameterError
from fpipe.core.law import Law
from fpipe.core.lens import Path, get, over, put
from fpipe.graph.graph import Graph
from fpipe.testing.laws.asserting import agree, refused


def put_get(value: Any, path: Path, new: Any) -> None:
    """``get(put(v, p, a), p) == a``."""
    agree(get(put(value, path, new), path), new, "what was put")


def get_put(value: Any, path: Path) -> None:
    """``put(v, p, get(v, p)) == v``."""
    agree(put(value, path, get(value, path)), value, "the value")
    agree(over(value, path, lambda part: part), value, "the value")


def put_put(value: Any, path: Path, first: Any, second: Any) -> None:
    """``put(put(v, p, a), p, b) == put(v, p, b)``."""
    agree(put(put(value, path, first), path, second), put(value, path, second), "the value")


def puts_commute(value: Any, left: Path, right: Path, a: Any, b: Any) -> None:
    """Puts at different leaves commute."""
    one, two = put(put(value, left, a), right, b), put(put(value, right, b), left, a)
    agree(one, two, "the value")
    agree(get(one, left), a, "what was put first")
    agree(get(one, right), b, "what was put second")


def set_get(graph: Graph, path: str, value: Any) -> None:
    """``g.set({p: a}).at(p) == a``, and no other parameter changes."""
    changed = graph.set({path: value})
    agree(changed.at(path), value, "what was set")
    agree(changed.params()[path], value, "what was set")
    agree(changed.params(), graph.params() | {path: value}, "the parameters")
    agree(changed.ids, graph.ids, "the ids")
    agree(changed.outputs, graph.outputs, "the wires")


def get_set(graph: Graph) -> None:
    """``g.set({p: g.at(p)}) == g`` for every parameter, one by one and all at once."""
    for path, value in graph.params().items():
        agree(graph.at(path), value, f"what stands at {path}")
        agree(graph.set({path: value}), graph, f"the graph after setting {path}")
    agree(graph.set(graph.params()), graph, "the graph")
    agree(graph.set({}), graph, "the graph")


def set_set(graph: Graph, path: str, first: Any, second: Any) -> None:
    """``g.set({p: a}).set({p: b}) == g.set({p: b})``."""
    agree(graph.set({path: first}).set({path: second}), graph.set({path: second}), "the graph")


def sets_commute(graph: Graph, left: str, right: str, a: Any, b: Any) -> None:
    """Sets of two paths commute, and a dict is applied as a whole."""
    one = graph.set({left: a}).set({right: b})
    agree(one, graph.set({right: b}).set({left: a}), "the graph")
    agree(one, graph.set({left: a, right: b}), "the graph set at once")
    agree(one, graph.set({right: b, left: a}), "the graph set at once")
    agree((one.at(left), one.at(right)), (a, b), "what was set")


def patterns_address_many(graph: Graph, suffix: str, value: Any) -> None:
    """``*.name`` sets every parameter of that name and no other; no hit is an error."""
    hits = [path for path in graph.params() if path.endswith(f".{suffix}")]
    if not hits:
        refused(ParameterError, lambda: graph.set({f"*.{suffix}": value}))
        return
    changed = graph.set({f"*.{suffix}": value})
    agree(changed, graph.set(dict.fromkeys(hits, value)), "the graph")


def wrong_paths_are_refused(graph: Graph, path: str) -> None:
    """A path that leads nowhere raises from ``set`` and ``at``, and names itself."""
    wrong = f"{path}_wrong"
    for error in (
        refused(ParameterError, lambda: graph.set({wrong: 1})),
        refused(ParameterError, lambda: graph.at(wrong)),
    ):
        assert "_wrong" in str(error)


LENSES = (
    Law("put get", "get(put(v, p, a), p) == a", put_get),
    Law("get put", "put(v, p, get(v, p)) == v", get_put),
    Law("put put", "put(put(v, p, a), p, b) == put(v, p, b)", put_put),
    Law("puts commute", "puts at different leaves commute", puts_commute),
    Law("set get", "g.set({p: a}).at(p) == a", set_get),
    Law("get set", "g.set({p: g.at(p)}) == g", get_set),
    Law("set set", "g.set({p: a}).set({p: b}) == g.set({p: b})", set_set),
    Law("sets commute", "sets of two paths commute", sets_commute),
    Law("patterns address many", "*.name sets all of that name", patterns_address_many),
    Law("wrong paths are refused", "a path that leads nowhere raises", wrong_paths_are_refused),
)
