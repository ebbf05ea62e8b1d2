"""Blocks and residual paths: copies, changes per copy, nesting, addressing, shapes that meet."""

from __future__ import annotations

import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import FpipeError, GraphError, ParameterError, ShapeError
from fpipe.core.key import key


def net(graph, *inner):
    return nn.network(graph, x=(None, *(inner or (3,))))


def sizes(network):
    """The shape of every weight, by path."""
    params, _ = network.init(key(0))
    return {n: tuple(params[n].shape) for n in sorted(params) if n.endswith("weight")}


def growing(i):
    return {"linear.out_features": 4 * (i + 1)}


def test_no_copies_let_everything_pass():
    """A block of no copies is a wire, also inside a graph."""
    x = torch.randn(2, 3)
    assert torch.equal(net(nn.block(nn.linear(3), 0)).bind(key(0))(x), x)
    graph = nn.relu() >> nn.block(nn.linear(9), 0) >> nn.tanh()
    assert set(net(graph).layers) == {"relu", "tanh"}


def test_each_copy_may_change():
    """``each`` says what a copy changes, by its number."""
    network = net(nn.block(nn.linear(1) >> nn.relu(), 3, growing))
    assert sizes(network) == {
        "block[0].linear.weight": (4, 3),
        "block[1].linear.weight": (8, 4),
        "block[2].linear.weight": (12, 8),
    }


def test_what_is_set_for_one_copy_comes_last():
    """A path of one copy outdoes ``each``, which outdoes the path of all copies."""
    graph = nn.block(nn.linear(1), 3, growing)
    graph = graph.set({"block.linear.out_features": 7, "block[1].linear.out_features": 5})
    assert list(sizes(net(graph)).values()) == [(4, 3), (5, 4), (12, 5)]


def test_each_is_a_parameter():
    """``each`` is set by path, held as a reference, and part of what the block is."""
    graph = nn.block(nn.linear(1), 2)
    assert graph.params()["block.each"] is None
    changed = graph.set({"block.each": growing})
    assert changed == nn.block(nn.linear(1), 2, growing)
    assert changed != graph
    assert changed.set({"block.each": None}) == graph
    assert list(sizes(net(changed)).values()) == [(4, 3), (8, 4)]


def test_blocks_nest():
    """Blocks inside blocks have copies of copies, each addressed alone."""
    graph = nn.block(nn.block(nn.linear(3), 2) >> nn.relu(), 2, id="outer")
    graph = graph.set({"outer[1].block[0].linear.out_features": 6})
    assert sizes(net(graph)) == {
        "outer[0].block[0].linear.weight": (3, 3),
        "outer[0].block[1].linear.weight": (3, 3),
        "outer[1].block[0].linear.weight": (6, 3),
        "outer[1].block[1].linear.weight": (3, 6),
    }
    deeper = nn.block(nn.block(nn.linear(3), 1), 2, lambda i: {"block.n_blocks": i + 1})
    assert len(sizes(net(deeper))) == 3


def test_branch_inside_a_block():
    """A branch is chosen for all copies, for one, or by the copy's number."""
    choice = nn.branch(relu=nn.relu(), tanh=nn.tanh())
    graph = nn.block(nn.linear(3) >> choice, 2)
    assert {"block[0].branch.relu", "block[1].branch.relu"} <= set(net(graph).layers)
    every = graph.set({"block.branch.selection": "tanh"})
    assert {"block[0].branch.tanh", "block[1].branch.tanh"} <= set(net(every).layers)
    one = graph.set({"block[1].branch.selection": "tanh"})
    assert {"block[0].branch.relu", "block[1].branch.tanh"} <= set(net(one).layers)
    turns = graph.set({"block.each": lambda i: {"branch.selection": ("relu", "tanh")[i % 2]}})
    assert set(net(turns).layers) == set(net(one).layers)


def test_block_of_several_paths():
    """A block may have several inputs and outputs; a copy's outputs are the next one's inputs."""
    graph = nn.block(nn.linear(2, id="left") & nn.linear(2, id="right"), 2) >> nn.merge_sum()
    network = nn.network(graph, a=(None, 3), b=(None, 4))
    assert sizes(network) == {
        "block[0].left.weight": (2, 3),
        "block[0].right.weight": (2, 4),
        "block[1].left.weight": (2, 2),
        "block[1].right.weight": (2, 2),
    }


# Residual paths


def test_residual_adds_the_input():
    """``x + body(x)``, with the body's weights under the residual's own path."""
    model = net(nn.residual(nn.linear(3) >> nn.tanh())).bind(key(0))
    x = torch.randn(5, 3)
    p = model.params
    body = torch.tanh(x @ p["residual.linear.weight"].T + p["residual.linear.bias"])
    torch.testing.assert_close(model(x), x + body)
    assert set(p) == {"residual.linear.weight", "residual.linear.bias"}


def test_residual_with_a_shortcut():
    """A shortcut brings the input to the body's shape; it has a path of its own."""
    graph = nn.residual(nn.linear(6) >> nn.relu() >> nn.linear(4), shortcut=nn.linear(4))
    assert sizes(net(graph)) == {
        "residual.linear.weight": (6, 3),
        "residual.linear_2.weight": (4, 6),
        "residual.shortcut.linear.weight": (4, 3),
    }
    changes = {"residual.shortcut.linear.bias": False, "residual.linear_2.bias": False}
    changed = graph.set(changes)
    assert {n: changed.params()[n] for n in changes} == changes
    assert net(graph).count() - net(changed).count() == 8
    model = net(graph).bind(key(1))
    p, x = model.params, torch.randn(2, 3)
    hidden = torch.relu(x @ p["residual.linear.weight"].T + p["residual.linear.bias"])
    body = hidden @ p["residual.linear_2.weight"].T + p["residual.linear_2.bias"]
    beside = x @ p["residual.shortcut.linear.weight"].T + p["residual.shortcut.linear.bias"]
    torch.testing.assert_close(model(x), beside + body)


def test_residual_paths_nest():
    """Residual paths in blocks and in each other keep their paths; a body may merge, too."""
    graph = nn.block(nn.residual(nn.residual(nn.linear(3), id="inner") >> nn.relu()), 2)
    assert list(sizes(net(graph))) == [
        "block[0].residual.inner.linear.weight",
        "block[1].residual.inner.linear.weight",
    ]
    merging = nn.residual(fp.identity() >> (nn.relu() & nn.tanh()) >> nn.merge_sum())
    x = torch.randn(2, 3)
    assert torch.equal(net(merging).bind(key(0))(x), x + (x.relu() + x.tanh()))
    wire = nn.residual(fp.identity())
    assert torch.equal(net(wire).bind(key(0))(x), x + x)


def test_residual_learns():
    """Fitting and predicting through a residual path work on a task."""
    task = fp.regression({"a": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}, "y")
    graph = (
        nn.ingress_numeric()
        >> nn.residual(nn.linear(4) >> nn.tanh() >> nn.linear(1))
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=0.05)
        >> nn.model(epochs=150, batch_size=4)
    )
    fitted = fp.fit(graph, task, key=fp.key(0))
    assert fp.predict(fitted, task).score("rmse") < 0.5


CASES = [
    (
        "a number of copies that is not set",
        lambda: nn.network(nn.block(nn.linear(3)), x=(None, 3)),
        ParameterError,
        "block: the parameter 'n_blocks' has not been set.",
        "block",
        "give it, or graph.set({'…n_blocks': value})",
    ),
    (
        "a shortcut by position",
        lambda: nn.residual(nn.linear(3), nn.linear(3)),
        ParameterError,
        "residual takes 1 positional parameter but got 2.",
        None,
        "give the shortcut by name: nn.residual(body, shortcut=...)",
    ),
    (
        "shapes that do not meet",
        lambda: net(nn.residual(nn.linear(5))),
        ShapeError,
        "cannot be added",
        "residual.merge_sum",
        "bring both to one shape, e.g. with shortcut=nn.linear(5)",
    ),
    (
        "sizes of 1 do not broadcast",
        lambda: net(nn.residual(nn.linear(1))),
        ShapeError,
        "cannot be added",
        "residual.merge_sum",
        "bring both to one shape, e.g. with shortcut=nn.linear(1)",
    ),
    (
        "another number of dimensions",
        lambda: net(nn.residual(nn.flatten()), 2, 2),
        ShapeError,
        "cannot be added",
        "residual.merge_sum",
        "bring both to one shape, e.g. with shortcut=nn.linear(4)",
    ),
    (
        "a body of two outputs",
        lambda: nn.residual(fp.identity() >> (nn.relu() & nn.tanh())),
        GraphError,
        "one input and one output",
        None,
        "merge the outputs, e.g. with nn.merge_sum()",
    ),
    (
        "a shortcut of two inputs",
        lambda: nn.residual(nn.relu(), shortcut=nn.relu() & nn.tanh()),
        GraphError,
        "one input and one output",
        None,
        "merge the outputs, e.g. with nn.merge_sum()",
    ),
    (
        "a body that hides the shortcut",
        lambda: nn.residual(nn.relu(id="shortcut")),
        GraphError,
        "cannot be called 'shortcut'",
        None,
        "give it another id, e.g. id='shortcut_layer'",
    ),
    (
        "a node that hides a parameter",
        lambda: nn.block(nn.relu(id="each"), 2),
        GraphError,
        "cannot be called 'each'",
        None,
        "give it another id, e.g. id='each_layer'",
    ),
    (
        "each gives no changes",
        lambda: net(nn.block(nn.linear(3), 2, lambda i: i)),
        ParameterError,
        "does not give the changes of copy 0",
        "block",
        'each=lambda i: {"linear.out_features": 8 * (i + 1)}',
    ),
    (
        "each changes what is not there",
        lambda: net(nn.block(nn.linear(3), 2, lambda i: {"linear.out": 1})),
        ParameterError,
        "has no parameter 'out'",
        "block",
        "did you mean 'out_features'?",
    ),
    (
        "each is no function",
        lambda: nn.block(nn.linear(3), 2, 5),
        ParameterError,
        "each cannot be 5",
        None,
        "give each as a function from a copy's number to its changes, or None",
    ),
    (
        "a path that leads nowhere",
        lambda: nn.residual(nn.linear(3)).set({"residual.linear.out_feature": 2}),
        ParameterError,
        "has no parameter 'out_feature'",
        "residual",
        "did you mean 'out_features'?",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[name for name, *_ in CASES])
def test_errors(case):
    """Every mistake says what is wrong, where, and what to do."""
    _, act, kind, rule, at, fix = case
    with pytest.raises(FpipeError) as caught:
        act()
    error = caught.value
    assert type(error) is kind
    assert rule in str(error)
    assert (error.at, error.fix) == (at, fix)
    assert error.expected is not None
    assert error.got is not None


def test_errors_in_each_name_the_copy():
    """An error of the user's own ``each`` says in which copy and at which node it arose."""

    def sizes(i):
        return {"linear.out_features": (3, 3)[i]}

    with pytest.raises(IndexError) as caught:
        net(nn.block(nn.linear(3), 3, sizes))
    assert caught.value.__notes__ == ["in each=sizes of a block, for copy 2", "at block"]


def test_at_reads_the_copies_as_the_network_has_them():
    """``each`` and what is set for one copy count; a copy that is not there is an error."""
    graph = nn.block(nn.linear(8), 3, lambda i: {"linear.out_features": 4 * (i + 1)})
    path = "block[2].linear.out_features"
    assert graph.at(path) == 12 == net(graph).layers["block[2].linear"].out_features
    assert graph.set({path: 5}).at(path) == 5
    assert graph.set({path: 5}).at("block[1]").at("linear.out_features") == 8
    nested = nn.block(graph, 2).set({"block[1].block[0].linear.bias": False})
    assert nested.at("block[1].block[0].linear.bias") is False
    assert nested.at("block[0].block[0].linear.out_features") == 4


@pytest.mark.parametrize("act", [
    lambda graph: graph.at("block[9].linear.bias"),
    lambda graph: graph.at("block[-1].linear.bias"),
    lambda graph: graph.set({"block[3].linear.bias": False}),
])  # fmt: skip
def test_copies_that_are_not_there(act):
    """A copy beyond the last is neither read nor set."""
    with pytest.raises(ParameterError, match="has no copy") as caught:
        act(nn.block(nn.linear(8), 3))
    error = caught.value
    assert error.expected == "[0] to [2]"
    assert error.got in ("[9]", "[-1]", "[3]")
    assert "raise n_blocks" in error.fix
    assert error.at.startswith("block")


OPEN = [
    ("the same size", nn.block(nn.linear(3)), "(?, 3)"),
    ("another size", nn.block(nn.linear(4)), "(?, ?)"),
    ("each", nn.block(nn.linear(3), each=lambda i: {"linear.out_features": 3 + i}), "(?, ?)"),
    ("growing", nn.block(nn.linear(3), each=growing), "(?, ?)"),
    ("no size", nn.block(nn.linear()), "(?, ?)"),
    ("more dimensions", nn.block(nn.unsqueeze(1)), "(?, ?, ?)"),
    ("one set", nn.block(nn.linear(3)).set({"block[1].linear.out_features": 4}), "(?, ?)"),
    ("one set alike", nn.block(nn.linear(3)).set({"block[1].linear.out_features": 3}), "(?, 3)"),
    ("first alike", nn.block(nn.linear(4)).set({"block[0].linear.out_features": 3}), "(?, ?)"),
    ("a block in a block", nn.block(nn.block(nn.linear(3), id="inner")), "(?, 3)"),
]


@pytest.mark.parametrize(("graph", "gives"), [o[1:] for o in OPEN], ids=[o[0] for o in OPEN])
def test_check_without_a_number_of_copies(graph, gives):
    """What any number of copies would give is known; the number is listed as not set."""
    task = fp.regression({"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [1.0, 1.5], "y": [1, 2]}, "y")
    report = fp.check(nn.ingress_numeric() >> graph >> nn.relu(), task)
    assert "block.n_blocks" in report.missing
    assert not report.ok
    assert report.params is None
    found = {row.path: row.gives for row in report.rows}
    assert found["block.n_blocks"] == gives
    counted = fp.check(nn.ingress_numeric() >> nn.block(nn.linear(3), 2), task)
    assert counted.params == 2 * (3 * 3 + 3)
    assert "block.n_blocks" not in {row.path for row in counted.rows}


def test_check_of_several_paths_without_a_number_of_copies():
    """Every path keeps the size that any number of copies would give it."""
    task = fp.regression({"a": [1.0, 2.0], "b": [2.0, 1.0], "y": [1, 2]}, "y")
    paths = nn.linear(3) & nn.linear(4)
    graph = nn.ingress_numeric() >> paths >> nn.block(nn.linear(3) & nn.linear(5)) >> nn.merge_cat()
    found = {row.path: row.gives for row in fp.check(graph, task).rows}
    assert found["block.n_blocks"] == "(?, 3), (?, ?)"
    assert found["merge_cat"] == "(?, ?)"
