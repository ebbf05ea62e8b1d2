"""The network vocabulary: descriptors, joins, paths that meet, blocks, settings."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import FpipeError, GraphError
from fpipe.core.tree import sorted_keys
from fpipe.measure.loss import MeanSquaredError
from fpipe.nn.descriptor import join
from fpipe.optim.adam import AdamW

RNG = np.random.default_rng(4)
X = RNG.normal(size=(40, 3)).astype(np.float32)
TASK = fp.regression({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": X.sum(1)}, "y")
MIXED = fp.regression({"a": X[:, 0], "k": ["u", "v"] * 20, "y": X.sum(1)}, "y")
END = (
    nn.head() >> nn.loss("mse") >> nn.optimizer("adam", lr=0.01) >> nn.model(epochs=2, batch_size=8)
)
KEY = fp.key(2)


def descriptor(graph, task=TASK):
    return fp.transform(graph, task, key=KEY)


def test_ingress():
    """The ingress takes all features in the task's order, and keeps no feature in the subject."""
    md = descriptor(nn.ingress_numeric())
    (name,) = md.ingress
    assert name == "ingress_numeric"
    assert md.ingress[name].columns == ("a", "b", "c")
    assert md.pointers[0].shape == (None, 3)
    assert md.subject.features == ()
    assert md.subject.column("y").equals(TASK.column("y"))


def test_truth_values_enter():
    """Truth values are numbers 0 and 1 at the ingress."""
    task = fp.regression({"t": [True, False, True], "y": [1.0, 2.0, 3.0]}, "y")
    fitted = fp.fit(nn.ingress_numeric() >> END, task, key=KEY)
    w, b = (fitted.state("model").weights.params[f"head.{n}"] for n in ("weight", "bias"))
    expected = (torch.tensor([[1.0], [0.0], [1.0]]) @ w.T + b)[:, 0]
    np.testing.assert_allclose(fp.predict(fitted, task).response, expected, rtol=1e-5)


def test_layers_have_their_paths():
    """Layers are named by where they stand, wired as the graph is."""
    md = descriptor(
        nn.ingress_numeric() >> nn.block(nn.linear(4) >> nn.relu(), 2, id="body") >> nn.head()
    )
    assert list(sorted_keys(md.layers)) == [
        "body[0].linear",
        "body[0].relu",
        "body[1].linear",
        "body[1].relu",
        "head",
    ]
    assert [w.source for w in md.wires["body[1].linear"]] == ["body[0].relu"]


def test_residual_connection():
    """A path and a wire beside it meet in a sum: x + f(x)."""
    graph = nn.ingress_numeric() >> (nn.linear(3) & fp.identity()) >> nn.merge_sum() >> END
    fitted = fp.fit(graph, TASK, key=KEY)
    p = fitted.state("model").weights.params
    x = torch.from_numpy(X)
    hidden = x + x @ p["linear.weight"].T + p["linear.bias"]
    expected = (hidden @ p["head.weight"].T + p["head.bias"])[:, 0]
    np.testing.assert_allclose(fp.predict(fitted, TASK).response, expected, rtol=1e-4, atol=1e-5)


def test_two_views_of_one_task():
    """Each ingress keeps its own view; columns of both meet in a concatenation."""
    left = ops.select(["a"]) >> ops.scale() >> nn.ingress_numeric(id="left")
    right = ops.select(["b", "c"]) >> nn.ingress_numeric(id="right")
    graph = fp.identity() >> (left & right) >> nn.merge_cat() >> END
    fitted = fp.fit(graph, TASK, key=KEY)
    p = fitted.state("model").weights.params
    a = (X[:, :1] - X[:, :1].mean()) / X[:, :1].std()
    x = torch.from_numpy(np.concatenate([a, X[:, 1:]], 1))
    expected = (x @ p["head.weight"].T + p["head.bias"])[:, 0]
    np.testing.assert_allclose(fp.predict(fitted, TASK).response, expected, rtol=1e-4, atol=1e-5)
    assert fp.check(graph, TASK).params == 4


@pytest.mark.parametrize("chosen", [("a", "b"), ("a", "a"), ("b", "c")])
def test_paths_that_select_may_meet_with_validation(chosen):
    """Paths over different features meet, while fitting, validating and predicting."""
    paths = [
        ops.select([c]) >> ops.scale() >> nn.ingress_numeric(id=f"in{i}")
        for i, c in enumerate(chosen)
    ]
    graph = fp.identity() >> (paths[0], paths[1]) >> nn.merge_cat() >> END
    fitted = fp.fit(graph, TASK, key=KEY, validate=0.25)
    assert len(fp.predict(fitted, TASK.table.drop("y")).row_id) == 40


def test_a_shared_prefix_is_one():
    """What fans out is one layer with one set of weights; written twice it is two."""
    shared = (
        nn.ingress_numeric() >> nn.linear(4) >> (nn.relu() & nn.tanh()) >> nn.merge_cat() >> END
    )
    assert fp.check(shared, TASK).params == 3 * 4 + 4 + 8 + 1
    twice = (
        nn.ingress_numeric()
        >> ((nn.linear(4) >> nn.relu()) & (nn.linear(4) >> nn.tanh()))
        >> nn.merge_cat()
        >> END
    )
    assert fp.check(twice, TASK).params == 2 * (3 * 4 + 4) + 8 + 1


def test_join_is_a_union():
    """Joining is idempotent and associative on the network part; pointers line up."""
    a, b = descriptor(nn.ingress_numeric() >> (nn.linear(2) & nn.linear(3)))
    c = descriptor(nn.ingress_numeric() >> nn.relu())
    assert fp.same(join(a, a).layers, a.layers)
    assert fp.same(join(join(a, b), c), join(a, join(b, c)))
    assert [p.shape for p in join(a, b, c).pointers] == [(None, 2), (None, 3), (None, 3)]
    assert fp.same(join(a, b).layers, join(b, a).layers)


def test_join_refuses_other_rows():
    """Paths over different rows cannot meet."""
    a = descriptor(nn.ingress_numeric())
    b = descriptor(nn.ingress_numeric(id="other"), TASK.take(range(20)))
    with pytest.raises(GraphError, match="disagree about the rows or the target"):
        join(a, b)


def test_join_refuses_one_id_for_two_things():
    """An id that means two layers is an error that names it."""
    a = descriptor(nn.ingress_numeric() >> nn.linear(2))
    b = descriptor(nn.ingress_numeric() >> nn.linear(3))
    with pytest.raises(GraphError, match="different layer 'linear'") as caught:
        join(a, b)
    assert caught.value.fix == "give one of them another id, e.g. id='linear_b'"


def test_loss_and_optimizer_set_their_part():
    """Names and values mean the same; parameters go to the part; paths reach them."""
    md = descriptor(
        nn.ingress_numeric() >> nn.loss("mse") >> nn.optimizer("adamw", lr=0.5, betas=[0.5, 0.6])
    )
    assert md.loss == MeanSquaredError()
    assert md.optimizer == AdamW(lr=0.5, betas=(0.5, 0.6))
    assert nn.loss(MeanSquaredError(), reduction="sum") == nn.loss("mse", reduction="sum")
    assert nn.optimizer("adam").set({"optimizer.lr": 0.25}).at("optimizer.lr") == 0.25


def test_branch_selects_a_layer():
    """The chosen option is in the network, the others are not; both paths can be set."""
    graph = nn.ingress_numeric() >> nn.branch(wide=nn.linear(9), narrow=nn.linear(2)) >> END
    assert fp.check(graph, TASK).params == 3 * 9 + 9 + 9 + 1
    narrow = graph.set({"branch.selection": "narrow", "branch.narrow.linear.out_features": 5})
    assert fp.check(narrow, TASK).params == 3 * 5 + 5 + 5 + 1
    assert set(fp.fit(narrow, TASK, key=KEY).state("model").network.layers) == {
        "branch.linear",
        "head",
    }


def test_block_settings_reach_the_layers():
    """A size set for one copy shows in the weights."""
    graph = nn.ingress_numeric() >> nn.block(nn.linear(4) >> nn.relu(), 3) >> END
    changed = graph.set({"block.linear.out_features": 6, "block[1].linear.out_features": 2})
    p = fp.fit(changed, TASK, key=KEY).state("model").weights.params
    assert [tuple(p[f"block[{i}].linear.weight"].shape) for i in range(3)] == [
        (6, 3),
        (2, 6),
        (6, 2),
    ]


def test_copies_of_a_block_are_drawn_apart():
    """Copies have weights of their own, and adding one leaves the others as they are."""

    def weights(n):
        graph = nn.ingress_numeric() >> nn.block(nn.linear(3), n) >> END
        return fp.prepare(graph, TASK, key=KEY)[1].weights.params

    two, three = weights(2), weights(3)
    assert not torch.equal(two["block[0].linear.weight"], two["block[1].linear.weight"])
    assert torch.equal(two["block[1].linear.weight"], three["block[1].linear.weight"])


def test_wrapping_changes_draws():
    """A wrapped layer stands elsewhere, so it is drawn from another key."""
    plain = fp.prepare(nn.ingress_numeric() >> nn.linear(3) >> END, TASK, key=KEY)[1]
    wrapped = fp.prepare(
        nn.ingress_numeric() >> fp.wrap(nn.linear(3), id="w") >> END, TASK, key=KEY
    )[1]
    assert torch.equal(plain.weights.params["head.weight"], wrapped.weights.params["head.weight"])
    assert not torch.equal(
        plain.weights.params["linear.weight"], wrapped.weights.params["w.linear.weight"]
    )


def test_applying_gives_the_fitted_network():
    """The descriptor over new data has the layers and wires of the one at fit."""
    body = nn.ingress_numeric() >> nn.linear(4) >> nn.batch_norm1d() >> nn.head()
    fitted, at_fit = fp.run(body, TASK, key=KEY)
    later = fp.apply(fitted, TASK.take(range(5)))
    assert fp.same(
        (later.layers, later.wires, later.keys), (at_fit.layers, at_fit.wires, at_fit.keys)
    )
    assert later.ingress["ingress_numeric"].view.n_rows == 5


def test_validation_rides_along():
    """The descriptor carries a descriptor over the validation rows, joined where paths meet."""
    graph = nn.ingress_numeric() >> (nn.linear(3) & fp.identity()) >> nn.merge_sum()
    md = fp.transform(graph, TASK, key=KEY, validate=0.25)
    assert md.subject.n_rows == 30
    assert md.valid.subject.n_rows == 10
    assert fp.same(md.layers, md.valid.layers)
    assert not set(md.subject.row_id) & set(md.valid.subject.row_id)


def test_foreign_module_learns():
    """A module of torch is trained like a built-in layer of the same weights."""
    graph = nn.ingress_numeric() >> nn.module(torch.nn.Linear, 3, 4) >> nn.relu() >> END
    run, state = fp.prepare(graph, TASK, key=KEY)
    end = fp.fold(run, state, fp.events(run.plan))
    assert not torch.equal(
        end.weights.params["module.weight"], state.weights.params["module.weight"]
    )
    built = nn.ingress_numeric() >> nn.linear(4, id="module") >> nn.relu() >> END
    run2, state2 = fp.prepare(built, TASK, key=KEY)
    state2 = attrs.evolve(state2, weights=state.weights)
    end2 = fp.fold(run2, state2, fp.events(run2.plan))
    assert fp.same(end.weights, end2.weights)


def test_one_hot_into_a_network():
    """Text goes through one-hot columns into the network."""
    fitted = fp.fit(ops.one_hot() >> nn.ingress_numeric() >> END, MIXED, key=KEY)
    p = fitted.state("model").weights.params
    assert p["head.weight"].shape == (1, 3)
    codes = np.array([["u", "v"].index(k) for k in MIXED.column("k")])
    x = torch.from_numpy(np.stack([X[:, 0], codes == 0, codes == 1], 1).astype(np.float32))
    np.testing.assert_allclose(
        fp.predict(fitted, MIXED).response,
        (x @ p["head.weight"].T + p["head.bias"])[:, 0],
        rtol=1e-4,
        atol=1e-5,
    )


NET = nn.network(nn.linear(2), x=(None, 3))
WHOLE = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("adam")
BAD = {
    "an ingress": (lambda: nn.network(nn.ingress_numeric() >> nn.linear(3), x=(None, 3)),
                   "from layers only", "a ModelDescriptor", "leave out ingress", None),
    "a table operator": (lambda: nn.network(ops.scale(), x=(None, 3)),
                         "from layers only", "a ModelDescriptor", "table operators", None),
    "a number for a shape": (lambda: nn.network(nn.linear(3), x=3),
                             "3 is no shape", "a tuple of sizes", "x=(None, 3)", None),
    "a negative size": (lambda: nn.network(nn.linear(3), x=(None, -3)),
                        "is no shape", "a tuple of sizes", "x=(None, 10)", None),
    "a number for a key": (lambda: NET.bind(7), "drawn from a key", "a key", "fp.key(7)", None),
    "an array": (lambda: NET.bind(KEY)(np.ones((2, 3))),
                 "is no tensor", "torch.float32", "torch.as_tensor(x, dtype=torch.float32)", "x"),
    "double precision": (lambda: NET.bind(KEY)(torch.ones(2, 3, dtype=torch.float64)),
                         "another dtype", "torch.float32", "x.to(torch.float32)", "x"),
    "an optimizer of torch": (lambda: nn.optimizer(torch.optim.AdamW, lr=0.1),
                              "AdamW is no optimizer", "adam, adamax, adamw", '"adamw"', None),
    "another one": (lambda: nn.optimizer(torch.optim.Rprop),
                    "Rprop is no optimizer", "rmsprop, rprop, sgd", '"rprop"', None),
    "a monitor, at check": (lambda: fp.check(WHOLE >> nn.model(epochs=1, monitor="mae"), TASK),
                            "'mae' is not measured", "loss", "measures=('mae',)", "model"),
}  # fmt: skip


@pytest.mark.parametrize(("act", "rule", "expected", "fix", "at"), BAD.values(), ids=BAD)
def test_bad_input(act, rule, expected, fix, at):
    """Each is refused, with what was expected, what came, what to do and where."""
    with pytest.raises(FpipeError) as caught:
        act()
    error = caught.value
    assert rule in error.rule
    assert expected in str(error.expected)
    assert error.got is not None
    assert fix in str(error.fix)
    assert error.at == at


def test_a_network_without_weights_takes_any_precision():
    """Nothing in it has a precision of its own."""
    relu = nn.network(nn.relu(), x=(None, 2)).bind(KEY)
    assert relu(torch.ones(1, 2, dtype=torch.float64)).dtype == torch.float64
