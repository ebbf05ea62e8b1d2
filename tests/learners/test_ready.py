"""The perceptron and the baseline: architecture, defaults, and every type of feature."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.core.errors import ParameterError, SchemaError

KEY = fp.key(2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)).astype(np.float32)
TABLE = {f"x{i}": X[:, i] for i in range(4)}
LINE = fp.regression({**TABLE, "y": X.sum(1)}, "y")
THREE = fp.classification({**TABLE, "y": ["u", "v", "w"] * 10}, "y")
TWO = fp.classification({**TABLE, "y": ["u", "v"] * 15}, "y")


def weights(graph, task, **kwargs):
    fitted = fp.fit(graph, task, key=KEY, **kwargs)
    return fitted, dict(fitted.state("mlp").states["model"].weights.params)


@pytest.mark.parametrize(
    ("task", "out"), [(LINE, 1), (TWO, 1), (THREE, 3)], ids=["numbers", "two", "three"]
)
def test_mlp_architecture(task, out):
    """Linear, activation, dropout per width, then the head: sizes, and numbers worked by torch."""
    fitted, p = weights(learners.mlp(neurons=(5, 3), epochs=1), task)
    assert [tuple(w.shape) for n, w in sorted(p.items()) if n.endswith("weight")] == [
        (out, 3),
        (5, 4),
        (3, 5),
    ]
    hidden = torch.from_numpy(X)
    for layer in ("linear", "linear_2"):
        hidden = torch.relu(hidden @ p[f"mlp.{layer}.weight"].T + p[f"mlp.{layer}.bias"])
    logits = hidden @ p["mlp.head.weight"].T + p["mlp.head.bias"]
    prediction = fp.predict(fitted, task)
    if task is LINE:
        np.testing.assert_allclose(prediction.response, logits[:, 0], rtol=1e-4, atol=1e-5)
    elif task is THREE:
        prob = prediction.prob.to_numpy()
        np.testing.assert_allclose(prob, torch.softmax(logits, 1), rtol=1e-4, atol=1e-5)
    else:
        found = prediction.prob["v"].to_numpy()
        np.testing.assert_allclose(found, torch.sigmoid(logits[:, 0]), rtol=1e-4, atol=1e-5)


def test_mlp_of_the_paper():
    """784 inputs, widths 100 and 200, 10 classes: 100,710 parameters; vectors in one column."""
    digits = {
        "x": RNG.normal(size=(20, 784)).astype(np.float32),
        "y": [str(i % 10) for i in range(20)],
    }
    graph = learners.mlp(neurons=(100, 200), epochs=1)
    task = fp.classification(digits, "y")
    assert fp.check(graph, task).params == 100_710
    fitted, p = weights(graph, task)
    assert sum(w.numel() for w in p.values()) == 100_710
    assert len(fp.predict(fitted, task).row_id) == 20


def test_mlp_defaults():
    """The documented defaults; none but epochs is required."""
    found = learners.mlp().params()
    assert {n: x for n, x in found.items() if n != "mlp.epochs"} == {
        "mlp.neurons": (),
        "mlp.activation": "relu",
        "mlp.dropout": 0.1,
        "mlp.optimizer": "adamw",
        "mlp.lr": None,
        "mlp.batch_size": 32,
        "mlp.patience": 0,
        "mlp.loss": None,
        "mlp.activation_args": {},
        "mlp.n_layers": None,
    }
    assert fp.check(learners.mlp(), LINE).missing == ("mlp.epochs",)
    assert fp.check(learners.mlp(epochs=1), LINE).params == 5


def test_mlp_repeats_one_width():
    """``n_layers`` repeats the single width."""
    graph = learners.mlp(neurons=(6,), n_layers=3, epochs=1)
    same = learners.mlp(neurons=(6, 6, 6), epochs=1)
    assert fp.same(weights(graph, LINE)[1], weights(same, LINE)[1])
    assert graph.set({"mlp.n_layers": 1}).at("mlp.n_layers") == 1


@pytest.mark.parametrize(
    ("name", "args", "function"),
    [
        ("leaky_relu", {"negative_slope": 0.3}, lambda x: torch.nn.functional.leaky_relu(x, 0.3)),
        ("elu", {"alpha": 2.0}, lambda x: torch.nn.functional.elu(x, 2.0)),
        ("gelu", {}, torch.nn.functional.gelu),
        ("sigmoid", {}, torch.sigmoid),
        ("glu", {}, torch.nn.functional.glu),
    ],
)
def test_mlp_takes_any_activation(name, args, function):
    """Any activation by name, with arguments."""
    graph = learners.mlp(neurons=(6,), epochs=1, activation=name, activation_args=args)
    fitted, p = weights(graph, LINE)
    hidden = function(torch.from_numpy(X) @ p["mlp.linear.weight"].T + p["mlp.linear.bias"])
    expected = hidden @ p["mlp.head.weight"].T + p["mlp.head.bias"]
    np.testing.assert_allclose(
        fp.predict(fitted, LINE).response, expected[:, 0], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("make", "words", "fix"),
    [
        (lambda: learners.mlp(activation="rleu"), "activation cannot be 'rleu'", "relu"),
        (lambda: learners.mlp(neurons=(3, 4), n_layers=2), "n_layers repeats one width", "(3,)"),
        (lambda: learners.mlp(n_layers=2), "n_layers repeats one width", "neurons=(100,)"),
        (lambda: learners.mlp(neurons=(0,)), "neurons cannot be (0,)", "neurons"),
        (lambda: learners.mlp(activation_args=3), "activation_args cannot be 3", "mapping"),
        (lambda: learners.mlp(neuron=(3,)), "no parameter 'neuron'", "did you mean 'neurons'?"),
        (lambda: learners.mlp(optimizer=3), "optimizer cannot be 3", "optimizer"),
        (lambda: learners.mlp(loss=3), "loss cannot be 3", "loss"),
        (lambda: learners.mlp(optimizer="adamm"), "no optimizer 'adamm'", "'adam'"),
        (lambda: learners.mlp(loss="mae"), "no loss 'mae'", "'l1'"),
        (
            lambda: learners.mlp(activation="elu", activation_args={"alfa": 1.0}),
            "elu has no parameter 'alfa'",
            "did you mean 'alpha'?",
        ),
        (
            lambda: learners.mlp().set({"mlp.optimizer.lrr": 0.1}),
            "'optimizer' has no parameter 'lrr'",
            "did you mean 'lr'?",
        ),
        (
            lambda: learners.mlp().set({"mlp.model.epochs": "ten"}),
            "epochs cannot be 'ten'",
            "an integer",
        ),
        (
            lambda: learners.mlp().at("mlp.optimizer.lr"),
            "nothing stands at 'mlp.optimizer.lr' before a task is known",
            "graph.set({'mlp.optimizer.lr': ...})",
        ),
        (
            lambda: ops.robustify().at("robustify.collapse_levels.share"),
            "nothing stands at 'robustify.collapse_levels.share' before a task is known",
            "graph.set({'robustify.collapse_levels.share': ...})",
        ),
    ],
)
def test_mlp_refuses(make, words, fix):
    """Wrong parameters are refused at once, with what is accepted."""
    with pytest.raises(ParameterError) as caught:
        make()
    assert words in caught.value.rule
    assert caught.value.expected
    assert fix in caught.value.fix


def test_mlp_refuses_a_task():
    """Levels, and tensors that are no vectors, are told by place."""
    levels = fp.regression({"k": ["u", "v", "u"], "y": [1.0, 2.0, 3.0]}, "y")
    with pytest.raises(SchemaError, match="'k' is Enum") as caught:
        fp.fit(learners.mlp(epochs=1), levels, key=KEY)
    assert caught.value.at == "mlp.ingress_numeric"
    images = fp.regression({"x": np.zeros((3, 2, 2)), "y": [1.0, 2.0, 3.0]}, "y")
    with pytest.raises(SchemaError, match="holds tensors of shape") as caught:
        fp.fit(learners.mlp(epochs=1), images, key=KEY)
    assert "nn.flatten()" in caught.value.fix


DAYS = [datetime.date(2020, 1, day) for day in range(1, 7)]
EVERYTHING = pl.DataFrame(
    {
        "number": [1.0, None, 3.0, None, 5.0, 6.0],
        "whole": [1, 2, None, 4, 5, 6],
        "text": ["a", None, "b", "a", "b", None],
        "truth": [True, None, False, True, False, True],
        "day": [*DAYS[:5], None],
        "tensor": pl.Series([[1.0, 2.0]] * 6, dtype=pl.Array(pl.Float32, 2)),
        "empty": pl.Series([None] * 6, dtype=pl.Float64),
        "y": [1.0, 2.0, 2.0, 4.0, 5.0, 10.0],
        "z": ["u", "u", "v", "u", "w", "u"],
    }
)


def test_featureless_works_with_every_feature_type_and_missing_values():
    """Numbers, text, truth values, dates, tensors and columns without values; mean and shares."""
    numbers = fp.regression(EVERYTHING.drop("z"), "y")
    fitted = fp.fit(learners.featureless(), numbers, key=KEY, validate=numbers)
    assert fp.predict(fitted, EVERYTHING.drop("y", "z")).response.to_list() == [4.0] * 6
    classes = fp.classification(EVERYTHING.drop("y"), "z")
    fitted = fp.fit(learners.featureless(), classes, key=KEY)
    prediction = fp.predict(fitted, EVERYTHING.drop("y", "z"))
    assert prediction.prob.row(0) == pytest.approx((4 / 6, 1 / 6, 1 / 6))
    assert set(prediction.response.to_list()) == {"u"}
    assert fp.check(learners.featureless(), classes).ok


def test_featureless_needs_no_feature():
    """Without any feature left it predicts the same."""
    task = fp.regression({"k": ["a", "b"], "y": [1.0, 3.0]}, "y")
    graph = ops.select(ops.numeric()) >> learners.featureless()
    assert fp.predict(fp.fit(graph, task, key=KEY), task).response.to_list() == [2.0, 2.0]


def test_mlp_takes_what_nn_gives():
    """A loss and an optimizer with parameters are given as the operators that set them."""
    loss = nn.loss("cross_entropy", class_weight={"v": 3.0})
    ready = learners.mlp(epochs=3, dropout=0.0, loss=loss, optimizer=nn.optimizer("sgd", lr=0.3))
    end = loss >> nn.optimizer("sgd", lr=0.3) >> nn.model(epochs=3)
    by_hand = fp.wrap(nn.ingress_numeric() >> nn.head() >> end, id="mlp")
    assert fp.same(weights(ready, THREE)[1], weights(by_hand, THREE)[1])
    other = weights(ready.set({"mlp.lr": 0.1}), THREE)[1]
    slower = learners.mlp(epochs=3, dropout=0.0, loss=loss, optimizer="sgd", lr=0.1)
    assert fp.same(other, weights(slower, THREE)[1])


def test_a_name_of_an_optimizer_has_the_usual_rate():
    """Without a rate a name means 0.001, and an optimizer with its own rate keeps that."""
    named = learners.mlp(epochs=2, optimizer="sgd")
    assert fp.same(weights(named, LINE)[1], weights(named.set({"mlp.lr": 1e-3}), LINE)[1])


@pytest.mark.parametrize(("name", "given", "fix"), [
    ("loss", nn.optimizer("adam"), "nn.loss(...)"),
    ("optimizer", nn.loss("mse"), "nn.optimizer(...)"),
    ("loss", nn.loss("mse") >> nn.optimizer("adam"), "nn.loss(...)"),
])  # fmt: skip
def test_mlp_refuses_other_graphs(name, given, fix):
    """Only the one operator that sets the part is taken."""
    with pytest.raises(ParameterError) as caught:
        learners.mlp(**{name: given})
    assert f"{name} cannot be" in caught.value.rule
    assert fix in caught.value.expected
    assert fix in caught.value.fix
    assert "Graph" in caught.value.got


def test_what_is_set_below_comes_last():
    """A rate set at the node inside wins over the learner's own, whatever came first."""
    inside, own = {"mlp.optimizer.lr": 0.2}, {"mlp.lr": 0.05}
    start = learners.mlp(epochs=2)
    expected = weights(start.set({"mlp.lr": 0.2}), LINE)[1]
    for graph in (start.set(inside).set(own), start.set(own).set(inside)):
        assert fp.same(weights(graph, LINE)[1], expected)
        assert graph.at("mlp.optimizer.lr") == 0.2
        assert "set optimizer.lr = 0.2" in repr(graph)
