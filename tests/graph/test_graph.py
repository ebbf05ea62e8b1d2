"""Graphs: normal form, ids, fan-out, settings, text; fitting and applying with toy operators."""

from __future__ import annotations

import time
from typing import Any

import pytest

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError, GraphError, ParameterError
from fpipe.core.key import Key, key
from fpipe.core.parameter import REQUIRED, integer, parameter
from fpipe.core.value import descriptor
from fpipe.graph.context import Context
from fpipe.graph.graph import Graph, empty, identity, wrap
from fpipe.graph.interpret import apply_graph, fit_graph
from fpipe.graph.op import MacroState, Op
from fpipe.graph.operator import operator
from fpipe.graph.ports import Node, Port, Source
from fpipe.graph.text import describe
from fpipe.graph.wiring import normal_form, walk_back

NUMBER = (Port("x", float),)


@descriptor
class Plus(Op):
    """Learns what enters and adds it, and ``by``."""

    name = "plus"
    inputs = NUMBER
    outputs = (Port("y", float),)

    by: float = parameter(default=0.0)

    def fit(self, inputs: tuple[Any, ...], *, key: Key, context: Context) -> float:
        return inputs[0]

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return (inputs[0] + state + self.by,)


@descriptor
class Times(Op):
    """Multiplies by a number that must be set."""

    name = "times"
    inputs = NUMBER
    outputs = (Port("y", float),)

    factor: int = parameter(default=REQUIRED, check=integer())

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return (inputs[0] * self.factor,)


@descriptor
class Halves(Op):
    """Gives a number's whole half and the rest."""

    name = "halves"
    inputs = NUMBER
    outputs = (Port("half", float), Port("rest", float))

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return inputs[0] // 2, inputs[0] % 2


@descriptor
class Total(Op):
    """Adds up any number of numbers."""

    name = "total"
    inputs = (Port("xs", float, variadic=True),)
    outputs = (Port("y", float),)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return (sum(inputs, 0.0),)


@descriptor
class Minus(Op):
    """Subtracts its second input from its first."""

    name = "minus"
    inputs = (Port("a", float), Port("b", float))
    outputs = (Port("y", float),)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return (inputs[0] - inputs[1],)


@descriptor
class Broken(Op):
    """Fails with an error that is not ours."""

    name = "broken"
    inputs = NUMBER
    outputs = (Port("y", float),)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        raise ZeroDivisionError("by nought")


@descriptor
class Refuses(Op):
    """Fails with an error that is ours."""

    name = "refuses"
    inputs = NUMBER
    outputs = (Port("y", float),)

    at: str | None = parameter(default=None)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        raise DataError("no such number.", at=self.at)


@descriptor
class Names(Op):
    """Gives the path and the key that it runs with."""

    name = "names"
    inputs = NUMBER
    outputs = (Port("y", object),)

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Key, context: Context
    ) -> tuple[Any, ...]:
        return ((context.place, key.path),)


plus, times, halves, total, minus = map(operator, (Plus, Times, Halves, Total, Minus))
broken, refuses, names = map(operator, (Broken, Refuses, Names))


def run(graph: Graph, *xs: float) -> tuple[Any, ...]:
    """Fit on some numbers and return the states and what leaves."""
    states, out = fit_graph(graph, xs, key=key(0), context=Context(), wanted=True)
    return dict(states), out


# Normal form


def test_order_follows_the_outputs():
    """Nodes stand in the order of a walk back from the outputs, however they were listed."""
    a, b, c = Plus(1.0), Plus(2.0), Minus()
    one = normal_form(
        1,
        (
            Node(a, (Source(-1, 0),)),
            Node(b, (Source(-1, 0),)),
            Node(c, (Source(0, 0), Source(1, 0))),
        ),
        (Source(2, 0),),
    )
    other = normal_form(
        1,
        (
            Node(c, (Source(2, 0), Source(1, 0))),
            Node(b, (Source(-1, 0),)),
            Node(a, (Source(-1, 0),)),
        ),
        (Source(0, 0),),
    )
    assert one == other
    assert [n.op for n in one[1]] == [a, b, c]


def test_unread_nodes_are_dropped():
    """A node that no output needs is no part of the graph."""
    both = plus() & times(3)
    assert both[0].ids == ("plus",)
    assert both[0] != plus()
    assert len(both[0].ports) == 2


def test_shared_nodes_stand_once():
    """A prefix that fans out is one node; written twice it is two."""
    shared = plus() >> (times(2) & times(3)) >> minus()
    twice = identity() >> ((plus() >> times(2)) & (plus() >> times(3))) >> minus()
    assert shared.ids == ("plus", "times", "times_2", "minus")
    assert twice.ids == ("plus", "times", "plus_2", "times_2", "minus")
    assert shared != twice


def test_walk_back_of_a_diamond():
    """Each node comes after those it reads, and once."""
    nodes = (
        Node(Plus(), (Source(-1, 0),)),
        Node(Plus(), (Source(0, 0),)),
        Node(Plus(), (Source(0, 0),)),
        Node(Minus(), (Source(1, 0), Source(2, 0))),
    )
    assert walk_back(nodes, (Source(3, 0),)) == [0, 1, 2, 3]


def test_equal_graphs_by_other_ways():
    """Association, tuples and units leave the same value, with the same fingerprint and hash."""
    f, g, h = plus(1.0), times(2), plus(3.0)
    ways = [(f >> g) >> h, f >> (g >> h), identity() >> f >> g >> h >> identity()]
    assert ways[0] == ways[1] == ways[2]
    assert len({fp.fingerprint(way) for way in ways}) == 1
    assert len(set(ways)) == 1
    assert (f & g) & h == f & (g & h) == empty & f & g & h & empty
    assert as_tuple((f, g), minus()) == (f & g) >> minus()


def as_tuple(pair: tuple[Graph, Graph], then: Graph) -> Graph:
    """Let a tuple meet ``>>`` from the left."""
    return pair >> then


def test_nested_tuples_on_the_right():
    """A tuple behind ``>>`` is its members side by side; tuples may nest."""
    assert plus() >> (times(2), (times(3), plus())) == plus() >> (times(2) & times(3) & plus())


# Ids


def test_ordinals():
    """Repeated names count up in topological order, inputs first by port."""
    assert (plus() >> plus() >> times(2) >> plus()).ids == ("plus", "plus_2", "times", "plus_3")
    crossed = (plus(1.0) & plus(2.0))[1, 0] >> minus()
    assert [n.op for n in crossed.nodes][:2] == [Plus(2.0), Plus(1.0)]


def test_given_ids_are_skipped():
    """An ordinal that somebody has given to another node is not given again."""
    graph = plus() >> times(2, id="plus_2") >> plus() >> plus(id="plus_4") >> plus()
    assert graph.ids == ("plus", "plus_2", "plus_3", "plus_4", "plus_5")
    assert (plus() >> times(1, id="plus")).ids == ("plus_2", "plus")


def test_given_ids_must_differ():
    """The same given id twice is refused by every way of joining."""
    for join in (lambda a, b: a >> b, lambda a, b: a & b):
        with pytest.raises(GraphError, match="given to 2 nodes"):
            join(plus(id="a"), times(2, id="a"))


def test_label_is_no_part_of_a_graph():
    """A name to show changes neither equality nor fingerprint."""
    graph = plus() >> times(2)
    assert graph.named("mine") == graph
    assert fp.fingerprint(graph.named("mine")) == fp.fingerprint(graph)
    assert repr(graph.named("mine")).startswith("Graph 'mine'")


# Wires


def test_fan_out():
    """One output feeds all inputs."""
    assert run(plus() >> minus(), 4.0)[1] == (0.0,)
    assert run(plus() >> (times(2) & times(3) & times(4)), 1.0)[1] == (4.0, 6.0, 8.0)


def test_variadic():
    """A sole variadic input takes all outputs, also those that come through wires."""
    assert run((times(2) & times(3) & times(5)) >> total(), 1.0, 10.0, 100.0)[1] == (532.0,)
    assert run(identity(3) >> total(), 1.0, 2.0, 3.0)[1] == (6.0,)
    assert run(times(2) >> total(), 3.0)[1] == (6.0,)


def test_empty_into_variadic():
    """Nothing at all may enter a variadic input."""
    assert run(empty >> total())[1] == (0,)


def test_pick():
    """Outputs are picked by name, number, or several at once in any order."""
    graph = halves()
    assert run(graph["rest"], 7.0)[1] == (1.0,)
    assert run(graph[0], 7.0)[1] == (3.0,)
    assert run(graph[-1], 7.0)[1] == (1.0,)
    assert run(graph["rest", "half"], 7.0)[1] == (1.0, 3.0)
    assert run(graph["rest", "half"] >> minus(), 7.0)[1] == (-2.0,)
    assert run(graph[0, 0] >> minus(), 7.0)[1] == (0.0,)


def test_crossed_wires():
    """A graph of wires alone can cross, copy and drop."""
    cross = identity(2)[1, 0]
    assert run(cross >> minus(), 5.0, 3.0)[1] == (-2.0,)
    assert run(cross >> cross, 5.0, 3.0)[1] == (5.0, 3.0)
    assert cross >> cross == identity(2)


def test_input_takes_the_narrower_type():
    """An input that nodes of two types read has the narrower one; unrelated ones are refused."""
    graph = identity() >> (names() & plus())
    assert [port.type for port in graph.ports] == [float]
    with pytest.raises(GraphError, match="different types"):
        identity() >> (nn.relu() & ops.scale())


def test_error_names_both_ends():
    """What does not fit says so at once, with both ends and both lists of ports."""
    with pytest.raises(GraphError) as caught:
        (plus() & halves()) >> (minus() & plus() & plus())
    error = caught.value
    assert error.at == "plus & halves >> minus & plus & plus_2"
    assert (
        error.got
        == "left outputs  (y: float, half: float, rest: float)\nright inputs  (a: float, b: float, x: float, x: float)"
    )
    with pytest.raises(GraphError) as caught:
        nn.ingress_numeric() >> ops.scale()
    assert caught.value.at == "ingress_numeric >> scale"


# Settings


def test_params_and_at():
    """Every parameter has a path; a path leads to a parameter, an operator or a graph."""
    body = plus(1.0) >> times(2)
    graph = wrap(body, id="body") >> nn_branch() >> times()
    assert graph.params() == {
        "body.plus.by": 1.0,
        "body.times.factor": 2,
        "branch.selection": "a",
        "branch.a.plus.by": 5.0,
        "branch.b.times.factor": 7,
        "times.factor": REQUIRED,
    }
    assert graph.at("body.plus.by") == 1.0
    assert graph.at("body.plus") == Plus(1.0)
    assert graph.at("branch.b") == times(7)
    assert graph.at("branch.b.times") == Times(7)


def nn_branch() -> Graph:
    """A branch between two toy operators."""
    return nn.branch(a=plus(5.0), b=times(7))


def test_set_then_get():
    """What is set is read, all else stays; the graph that was set stays too."""
    graph = plus(1.0) >> times(2) >> nn_branch()
    print_before = fp.fingerprint(graph)
    changed = graph.set({"plus.by": 3.0, "branch.selection": "b", "branch.b.times.factor": 11})
    assert changed.params() == graph.params() | {
        "plus.by": 3.0,
        "branch.selection": "b",
        "branch.b.times.factor": 11,
    }
    assert fp.fingerprint(graph) == print_before
    assert graph.set(graph.params()) == graph
    assert graph.set({}) == graph


def test_patterns_address_many():
    """A star stands for any part of a path; brackets are meant as they stand."""
    graph = plus() >> plus() >> wrap(plus() >> times(2), id="w")
    changed = graph.set({"*plus*.by": 4.0})
    assert [changed.at(p) for p in ("plus.by", "plus_2.by", "w.plus.by")] == [4.0] * 3
    assert graph.set({"*.factor": 9}).at("w.times.factor") == 9


def test_branch():
    """Only the chosen option is fitted and applied; the first is the default."""
    graph = nn_branch()
    states, out = run(graph, 1.0)
    assert out == (7.0,)
    assert dict(states["branch"].states) == {"plus": 1.0}
    states, out = run(graph.set({"branch.selection": "b"}), 1.0)
    assert out == (7.0,)
    assert dict(states["branch"].states) == {"times": None}


def test_branch_with_nothing():
    """A wire is an option, typed by the others."""
    graph = nn.branch(skip=identity(), more=plus(2.0))
    assert run(graph, 3.0)[1] == (3.0,)
    assert run(graph.set({"branch.selection": "more"}), 3.0)[1] == (8.0,)
    assert graph.ports[0].type is float


def test_block_overrides():
    """A path sets all copies, a number in brackets one; later settings win for that copy."""
    graph = nn.block(times(2), 3)
    assert run(graph, 1.0)[1] == (8.0,)
    assert run(graph.set({"block.times.factor": 3}), 1.0)[1] == (27.0,)
    one = graph.set({"block[1].times.factor": 10})
    assert run(one, 1.0)[1] == (40.0,)
    assert run(one.set({"block.times.factor": 3}), 1.0)[1] == (90.0,)
    assert one.params()["block[1].times.factor"] == 10
    assert run(graph.set({"block.n_blocks": 0}), 1.0)[1] == (1.0,)
    assert run(graph.set({"block.n_blocks": 2, "block[1].times.factor": 5}), 1.0)[1] == (10.0,)


def test_block_in_a_block():
    """Numbers in brackets reach through levels."""
    graph = nn.block(nn.block(times(2), 2, id="inner"), 2)
    assert run(graph, 1.0)[1] == (16.0,)
    assert run(graph.set({"block.inner[0].times.factor": 3}), 1.0)[1] == (36.0,)
    assert run(graph.set({"block[1].inner[0].times.factor": 3}), 1.0)[1] == (24.0,)


def test_override_on_a_wrapped_block():
    """A wrap passes overrides on to what is inside."""
    graph = wrap(nn.block(times(2), 2), id="w").set({"w.block[0].times.factor": 5})
    assert run(graph, 1.0)[1] == (10.0,)


def test_n_blocks_is_required():
    """How often a block is repeated must be said, by argument or by path."""
    graph = nn.block(times(2))
    assert graph.params()["block.n_blocks"] is REQUIRED
    assert run(graph.set({"block.n_blocks": 4}), 1.0)[1] == (16.0,)


# Running


def test_states_and_values_by_hand():
    """A chain is fitted from left to right, each on what the former gave."""
    states, out = run(plus(1.0) >> plus(1.0), 2.0)
    assert states == {"plus": 2.0, "plus_2": 5.0}
    assert out == (11.0,)
    graph = plus(1.0) >> plus(1.0)
    fitted, _ = fit_graph(graph, (2.0,), key=key(0), context=Context(), wanted=False)
    assert apply_graph(graph, fitted, (10.0,), key=key(0), context=Context()) == (19.0,)


def test_wrap_keeps_values():
    """A wrapped graph gives the same, with its states one level down."""
    states, out = run(wrap(plus() >> times(3), id="w"), 2.0)
    assert out == (12.0,)
    assert isinstance(states["w"], MacroState)
    assert dict(states["w"].states) == {"plus": 2.0, "times": None}


def test_paths_and_keys():
    """A node's key is the graph's key folded with its id, level by level."""
    graph = wrap(nn.block(names(), 1), id="w") & names(id="n")
    _, out = run(graph, 0.0, 0.0)
    assert out == (("w.block[0].names", ("w", "block", "[0]", "names")), ("n", ("n",)))


def test_the_place_is_added_once():
    """The innermost place stays; an error that knows its place keeps it."""
    with pytest.raises(DataError) as caught:
        run(wrap(wrap(refuses(), id="in"), id="out"), 1.0)
    assert caught.value.at == "out.in.refuses"
    with pytest.raises(DataError) as caught:
        run(refuses("row 3"), 1.0)
    assert caught.value.at == "row 3"


def test_foreign_errors_get_one_note():
    """An error of another library stays what it is, and says once where it arose."""
    with pytest.raises(ZeroDivisionError) as caught:
        run(wrap(nn.block(broken(), 1), id="w"), 1.0)
    assert caught.value.__notes__ == ["at w.block[0].broken"]


def test_unset_parameters_are_named_while_fitting():
    """An operator with a parameter that is not set does not run."""
    with pytest.raises(ParameterError, match="'factor' has not been set") as caught:
        run(plus() >> times(), 1.0)
    assert caught.value.at == "times"


def test_what_nobody_reads_is_not_computed():
    """Fitting alone does not apply the last operator; one that is read is applied."""
    states, _ = fit_graph(plus() >> broken(), (1.0,), key=key(0), context=Context(), wanted=False)
    assert dict(states) == {"plus": 1.0, "broken": None}
    with pytest.raises(ZeroDivisionError):
        fit_graph(broken() >> plus(), (1.0,), key=key(0), context=Context(), wanted=False)
    inside = wrap(plus() >> broken(), id="w")
    fit_graph(inside, (1.0,), key=key(0), context=Context(), wanted=False)


def test_long_chains():
    """1,500 nodes behind each other are joined, named, shown, fitted and applied."""
    n = 1500
    nodes = tuple(Node(Times(1), (Source(i - 1, 0) if i else Source(-1, 0),)) for i in range(n))
    graph = Graph(*normal_form(1, nodes, (Source(n - 1, 0),)))
    start = time.perf_counter()
    assert graph.ids[-1] == "times_1500"
    states, out = run(graph, 2.0)
    assert out == (2.0,)
    assert len(states) == n
    assert (graph >> plus()).ids[-1] == "plus"
    assert len(graph.params()) == n
    assert graph.set({"*": 2}).at("times_9.factor") == 2
    assert len(graph.mermaid().splitlines()) == 2 * n + 4
    assert describe(graph).count("\n") == n
    assert graph == Graph(*normal_form(1, nodes, (Source(n - 1, 0),)))
    assert fp.fingerprint(graph) == fp.fingerprint(graph >> identity())
    assert time.perf_counter() - start < 20


def test_deep_nesting():
    """Fifty levels of wraps still print, set and run."""
    graph = times(2)
    for _ in range(50):
        graph = wrap(graph, id="w")
    assert run(graph.set({"w." * 50 + "times.factor": 3}), 2.0)[1] == (6.0,)


# Text


def test_mermaid():
    """The flowchart text is exact."""
    graph = plus() >> (times(2) & identity()) >> minus(id="diff")
    assert graph.mermaid() == "\n".join(
        [
            "flowchart LR",
            '  in0(["x"])',
            '  n0["plus"]',
            '  n1["times"]',
            '  n2["diff"]',
            '  out0(["y"])',
            "  in0 --> n0",
            "  n0 --> n1",
            "  n1 --> n2",
            "  n0 --> n2",
            "  n2 --> out0",
        ]
    )


def test_print():
    """A graph prints one line per node, as it would be written, and where it reads."""
    graph = plus(1.5) >> (times(2) & identity()) >> minus(id="diff")
    assert repr(graph).splitlines() == [
        "Graph (x: float) -> (y: float)",
        "  plus(by=1.5)",
        "  times(factor=2)",
        "  minus(id='diff')  <- times, plus",
    ]
    assert (
        repr(halves()["rest", "half"] >> minus()).splitlines()[2]
        == "  minus()  <- halves[1], halves"
    )


def test_print_of_macros():
    """Macros show what they hold, a branch by the names of its options."""
    assert repr(nn.block(times(2) >> plus(), 2) >> nn_branch()).splitlines() == [
        "Graph (x: float) -> (y: float)",
        "  block(n_blocks=2)",
        "    times(factor=2)",
        "    plus()",
        "  branch(selection='a')",
        "    a:",
        "      plus(by=5.0)",
        "    b:",
        "      times(factor=7)",
    ]


def test_print_of_overrides():
    """What is set below a macro and is no parameter of it is shown with it."""
    lines = repr(nn.block(times(2), 2).set({"block[1].times.factor": 10})).splitlines()
    assert lines[1:] == [
        "  block(n_blocks=2)",
        "    times(factor=2)",
        "    set [1].times.factor = 10",
    ]


@pytest.mark.parametrize(("path", "what", "fix"), [
    ("plus", "the node 'plus'", "'plus.by'"),
    ("branch.a", "a graph", "'a.plus.by'"),
    ("block.plus", "the node 'plus'", "'plus.by'"),
])  # fmt: skip
def test_graphs_are_no_parameters(path, what, fix):
    """A value set where a node or graph stands is told to be misplaced."""
    graph = plus() >> nn_branch() >> nn.block(plus(), 1)
    with pytest.raises(ParameterError) as caught:
        graph.set({path: times(3)})
    error = caught.value
    assert f"leads to {what}, and only parameters can be set" in error.rule
    assert error.got == path.rpartition(".")[2]
    assert fix in error.fix
    assert fix.strip("'") in error.expected


@pytest.mark.parametrize(
    ("thing", "rule", "fix"),
    [
        ("relu", "a string cannot be joined", "relu(...) without quotes"),
        ("a b", "a string cannot be joined", "relu(...) without quotes"),
        (ops.scale, "the function 'scale' cannot be joined", "call it: scale(...)"),
        (nn.relu, "the function 'relu' cannot be joined", "call it: relu(...)"),
        (Total, "the class 'Total' cannot be joined", "make one of it: Total(...)"),
        (lambda x: x, "the function '<lambda>' cannot be joined", "nn.fn(function)"),
        (fp.tasks.iris(), "Task cannot be joined", "the graph comes before the task"),
        (None, "None cannot be joined", "such as nn.relu()"),
        ([ops.scale()], "a list cannot be joined", ">> or &"),
    ],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_what_cannot_be_joined(thing, rule, fix):
    """The fix names what was given, in ``>>`` and where a graph is asked for."""
    for act in (
        lambda: ops.scale() >> thing,
        lambda: thing >> ops.scale(),
        lambda: fp.fit(thing, fp.tasks.iris(), key=fp.key(0)),
    ):
        with pytest.raises(GraphError) as caught:
            act()
        assert rule in caught.value.rule
        assert fix in caught.value.fix
        assert len(caught.value.got) <= 60


def test_set_takes_a_mapping():
    """Pairs are refused."""
    with pytest.raises(ParameterError, match="a mapping of paths"):
        ops.scale().set([("scale.center", False)])
