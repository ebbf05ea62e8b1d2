"""Losses in a graph: by name, by class weights, and of one's own; training with them is torch's."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from pyrsistent import pmap
from torch.nn import functional

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError, FpipeError, ParameterError, ShapeError, StateError
from fpipe.core.parameter import REQUIRED
from fpipe.measure.loss import LOSSES, CrossEntropy, MeanSquaredError
from fpipe.train.plan import batch_rows, epoch_order

RNG = np.random.default_rng(3)
ROWS = 50
X = RNG.normal(size=(ROWS, 3)).astype(np.float32)
Y = X @ np.array([1.0, -1.0, 0.5], np.float32) + 0.3 * RNG.normal(size=ROWS).astype(np.float32)
W = RNG.uniform(0.2, 3.0, ROWS)
COLUMNS = {f"x{i}": X[:, i] for i in range(3)}
LABELS = np.where(Y > 0.4, "up", "down")
COLOURS = np.array(["red", "blue", "green"])[np.digitize(Y, [-0.7, 0.7])]
REGRESSION = fp.regression(COLUMNS | {"y": Y}, "y")
BINARY = fp.classification(COLUMNS | {"y": LABELS}, "y")
DOWN = fp.classification(COLUMNS | {"y": LABELS}, "y", positive="down")
MULTI = fp.classification(COLUMNS | {"y": COLOURS}, "y")
KEY = fp.key(8)
FEATURES = torch.from_numpy(X)
NUMBERS = torch.from_numpy(Y)[:, None]
UP = torch.from_numpy(LABELS == "up").long()
CODES = torch.from_numpy(np.array([["blue", "green", "red"].index(c) for c in COLOURS]))


def learner(loss, **parameters):
    chain = nn.ingress_numeric() >> nn.head() >> nn.loss(loss, **parameters)
    return chain >> nn.optimizer("sgd", lr=0.1) >> nn.model(epochs=2, batch_size=16)


def weighted(kind, target):
    return kind(COLUMNS | {"y": target, "w": W}, "y", weight="w")


def trained(graph, task, **more):
    return fp.fit(graph, task, key=KEY, **more).state("model")


def by_hand(graph, task, loss):
    """The weights and the mean of the losses of batches after plain torch training."""
    run, state = fp.prepare(graph, task, key=KEY)
    layer = torch.nn.Linear(3, task.kind.output_size)
    with torch.no_grad():
        layer.weight.copy_(state.weights.params["head.weight"])
        layer.bias.copy_(state.weights.params["head.bias"])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for epoch in (1, 2):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(run.plan.batches):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            optimizer.zero_grad()
            loss(layer(FEATURES[rows]), rows).backward()
            optimizer.step()
    return layer


def agrees(graph, task, loss, **tolerance):
    layer = by_hand(graph, task, loss)
    params = trained(graph, task).state.weights.params
    torch.testing.assert_close(params["head.weight"], layer.weight.detach(), **tolerance)
    torch.testing.assert_close(params["head.bias"], layer.bias.detach(), **tolerance)


def of_two(weight=None, smoothing=0.0):
    """torch.nn.CrossEntropyLoss over [0, z], class codes down 0 and up 1."""
    module = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
    return lambda out, rows: module(torch.cat([torch.zeros_like(out), out], 1), UP[rows])


# By name

EXACT = {"rtol": 0.0, "atol": 0.0}
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


@pytest.mark.parametrize(
    ("name", "parameters", "theirs"),
    [
        ("mse", {}, torch.nn.MSELoss()),
        ("l1", {}, torch.nn.L1Loss()),
        ("huber", {"delta": 0.5}, torch.nn.HuberLoss(delta=0.5)),
        ("quantile", {"q": 0.5}, lambda out, y: torch.nn.L1Loss()(out, y) / 2),
    ],
)
def test_numbers_train_as_in_torch(name, parameters, theirs):
    """The weights after training are those of a plain torch loop."""
    graph = learner(name, **parameters)
    agrees(graph, REGRESSION, lambda out, rows: theirs(out, NUMBERS[rows]), **CLOSE)


@pytest.mark.parametrize("name", ["cross_entropy", "bce"])
def test_two_classes_train_as_in_torch(name):
    """Without class weights it is BCEWithLogitsLoss."""
    theirs = torch.nn.BCEWithLogitsLoss()
    agrees(learner(name), BINARY, lambda out, r: theirs(out, UP[r, None].float()), **EXACT)


@pytest.mark.parametrize("name", ["cross_entropy", "bce"])
@pytest.mark.parametrize(("task", "turn"), [(BINARY, 1.0), (DOWN, -1.0)], ids=["up", "down"])
def test_weights_of_two_classes_train_as_in_torch(name, task, turn):
    """The name decides which class a weight is for, whichever class is the positive one."""
    graph = learner(name, class_weight={"up": 4.0}, label_smoothing=0.1)
    theirs = of_two(torch.tensor([1.0, 4.0]), 0.1)
    agrees(graph, task, lambda out, rows: theirs(turn * out, rows), **CLOSE)


def test_weights_of_more_classes_train_as_in_torch():
    """torch.nn.CrossEntropyLoss with the weights in the order of the classes."""
    graph = learner("cross_entropy", class_weight={"red": 3.0, "blue": 0.5})
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 3.0]))
    assert MULTI.kind.classes == ("blue", "green", "red")
    agrees(graph, MULTI, lambda out, rows: theirs(out, CODES[rows]), **CLOSE)


def test_row_weights_multiply():
    """With a weight role, rows count with weight times class weight."""
    graph = learner("cross_entropy", class_weight={"red": 3.0})
    by_class, w = torch.tensor([1.0, 1.0, 3.0]), torch.from_numpy(W).float()

    def theirs(out, rows):
        each = functional.cross_entropy(out, CODES[rows], by_class, reduction="none") * w[rows]
        return each.sum() / (w[rows] * by_class[CODES[rows]]).sum()

    agrees(graph, weighted(fp.classification, COLOURS), theirs, **CLOSE)


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize("batch_size", [7, 50])
def test_history_is_the_mean_over_all_rows(batch_size, interpreter):
    """With a learning rate of 0, training and validation loss are torch's over the table."""
    graph = learner("cross_entropy", class_weight={"red": 3.0}, label_smoothing=0.2)
    graph = graph.set({"optimizer.lr": 0.0, "model.batch_size": batch_size})
    model = trained(graph, MULTI, validate=MULTI, interpreter=interpreter)
    p = model.weights.params
    outputs = FEATURES @ p["head.weight"].T + p["head.bias"]
    theirs = torch.nn.CrossEntropyLoss(torch.tensor([1.0, 1.0, 3.0]), label_smoothing=0.2)
    expected = pytest.approx(theirs(outputs, CODES).item(), rel=1e-5)
    assert model.history[0]["train.loss"] == expected
    assert model.history[0]["valid.loss"] == expected


def test_losses_are_on_the_transformed_scale():
    """With a scaled target the loss is that of the scaled numbers."""
    graph = ops.scale_target() >> learner("l1").set({"optimizer.lr": 0.0, "model.batch_size": 50})
    model = trained(graph, REGRESSION)
    p = model.weights.params
    outputs = (FEATURES @ p["head.weight"].T + p["head.bias"])[:, 0].numpy()
    scaled = (Y - Y.mean()) / Y.std(ddof=1)
    both = [np.abs(outputs - one).mean() for one in (scaled, (Y - Y.mean()) / Y.std())]
    assert min(abs(model.history[0]["train.loss"] - one) for one in both) < 1e-5


@pytest.mark.parametrize("known", LOSSES, ids=lambda known: known.name)
def test_every_name_gives_its_loss(known):
    """The name means the defaults, and every parameter is addressed behind 'loss.'."""
    graph = nn.loss(known.name)
    assert graph == nn.loss(known)
    assert graph.params() == {f"loss.{name}": x for name, x in known.parameters().items()}
    changed = graph.set({"loss.reduction": "sum"})
    assert changed == nn.loss(known.name, reduction="sum")


def test_parameters_can_be_set():
    """Class weights and smoothing go through set as through the call."""
    graph = nn.loss("cross_entropy").set(
        {"loss.class_weight": {"a": 2}, "loss.label_smoothing": 0.1}
    )
    assert graph == nn.loss("cross_entropy", class_weight={"a": 2.0}, label_smoothing=0.1)
    assert graph.at("loss.class_weight") == pmap({"a": 2.0})
    assert nn.loss(CrossEntropy(), label_smoothing=0.5).at("loss.label_smoothing") == 0.5


def test_check_reads_no_data():
    """Names of classes are checked on the type alone; unset parameters are listed."""
    good = learner("cross_entropy", class_weight={"red": 2.0})
    assert fp.check(good, MULTI.outline()).ok
    assert fp.check(learner(winsorized), REGRESSION.outline()).missing == ("loss.max_loss",)
    with pytest.raises(ParameterError, match="'rad', which is no class") as caught:
        fp.check(learner("cross_entropy", class_weight={"rad": 2.0}), MULTI.outline())
    assert caught.value.at == "loss"
    assert caught.value.fix == "did you mean 'red'?"


# Of one's own


def winsorized(outputs, target, max_loss):
    return ((outputs - target) ** 2).clamp(max=max_loss)


def winsorized_mean(outputs, target, max_loss=2.0):
    return functional.mse_loss(outputs, target).clamp(max=max_loss)


class WinsorizedMSE(torch.nn.Module):
    """The loss of the paper: a mean squared error that is clamped."""

    def __init__(self, max_loss):
        super().__init__()
        self.max_loss = max_loss

    def forward(self, outputs, target):
        return torch.clamp(functional.mse_loss(outputs, target), max=self.max_loss)


class Buffered(torch.nn.Module):
    """Weighs classes by a table held as a buffer, and counts its calls."""

    def __init__(self, table, task):
        super().__init__()
        self.register_buffer("table", torch.tensor(table))
        self.register_buffer("calls", torch.zeros(()))
        self.names = task.kind.classes

    def forward(self, outputs, target):
        self.calls += 1
        assert self.calls.item() == 1, "a call has left something behind"
        assert self.names == ("blue", "green", "red")
        return functional.cross_entropy(outputs, target, reduction="none") * self.table[target]


class Learns(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, outputs, target):
        return self.scale * functional.mse_loss(outputs, target)


def by_task(outputs, target, task, factor=1.0):
    assert task.kind.name == "regression"
    assert task.target == "y"
    return factor * (outputs - target)[:, 0] ** 2


class Noise(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("noise", torch.randn(3))

    def forward(self, outputs, target):
        return functional.mse_loss(outputs, target) + self.noise.sum()


def noisy(outputs, target):
    return ((outputs - target) ** 2 * torch.rand_like(outputs)).mean()


def test_parameters_come_from_the_signature():
    """Unset ones are REQUIRED, others have their defaults; the task is none of them."""
    assert nn.loss(winsorized).params() == {"loss.reduction": "mean", "loss.max_loss": REQUIRED}
    assert nn.loss(WinsorizedMSE).params() == {"loss.reduction": "mean", "loss.max_loss": REQUIRED}
    assert nn.loss(winsorized_mean).at("loss.max_loss") == 2.0
    assert nn.loss(by_task).params() == {"loss.reduction": "mean", "loss.factor": 1.0}
    assert set(nn.loss(torch.nn.SmoothL1Loss).params()) == {
        f"loss.{name}" for name in ("size_average", "reduce", "reduction", "beta")
    }


def test_the_ways_to_name_a_loss_agree():
    """A function, its path and setting later are the same value, and print alike."""
    path = "torch.nn.modules.loss:SmoothL1Loss"
    assert nn.loss(torch.nn.SmoothL1Loss, beta=2.0) == nn.loss(path, beta=2.0)
    assert nn.loss(path).set({"loss.beta": 2.0}) == nn.loss(path, beta=2.0)
    assert hash(nn.loss(path, beta=2.0)) == hash(nn.loss(torch.nn.SmoothL1Loss, beta=2.0))
    assert nn.loss(path, beta=2.0) != nn.loss(path, beta=3.0)
    assert fp.fingerprint(nn.loss(path, beta=2.0)) != fp.fingerprint(nn.loss(path))
    assert "loss(SmoothL1Loss, beta=2.0)" in repr(nn.loss(path, beta=2.0))
    assert "loss(winsorized, max_loss=REQUIRED)" in repr(nn.loss(winsorized))


@pytest.mark.parametrize("loss", [winsorized_mean, WinsorizedMSE], ids=["function", "module"])
@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_the_loss_of_the_paper(loss, interpreter):
    """A mean squared error clamped at a maximum trains as the same loop in torch."""
    graph = learner(loss).set({"loss.max_loss": 0.9})

    def theirs(out, rows):
        return torch.clamp(functional.mse_loss(out, NUMBERS[rows]), max=0.9)

    layer = by_hand(graph, REGRESSION, theirs)
    model = trained(graph, REGRESSION, interpreter=interpreter)
    assert torch.equal(model.state.weights.params["head.weight"], layer.weight.detach())
    assert trained(learner("mse"), REGRESSION).state.weights != model.state.weights


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", ["[rows]", "[rows, 1]"])
def test_one_loss_per_row(reduction, shape):
    """A result per row is reduced, and weighed by the weight role."""

    def squares(outputs, target):
        found = (outputs - target) ** 2
        return found if shape == "[rows, 1]" else found[:, 0]

    task = weighted(fp.regression, Y)
    for data in (REGRESSION, task):
        own = trained(learner(squares, reduction=reduction), data, validate=0.2)
        named = trained(learner("mse", reduction=reduction), data, validate=0.2)
        assert fp.close(own.state.weights, named.state.weights, rtol=1e-4, atol=1e-6)
        assert fp.close(own.history, named.history, rtol=1e-5)


def test_reduction_of_the_code_itself():
    """torch's own reduction is used where there is one: 'none' gives losses of rows."""
    task = weighted(fp.regression, Y)
    own = trained(learner(torch.nn.HuberLoss, reduction="none", delta=0.5), task)
    named = trained(learner("huber", delta=0.5), task)
    assert fp.close(own.history, named.history, rtol=1e-5)
    own = trained(learner(torch.nn.HuberLoss, reduction="sum", delta=0.5), REGRESSION)
    named = trained(learner("huber", reduction="sum", delta=0.5), REGRESSION)
    assert fp.close(own.history, named.history, rtol=1e-5)


def test_the_task_is_given():
    """A parameter called task is the type of the task, in functions and constructors."""
    own = trained(learner(by_task), REGRESSION)
    assert fp.close(own.history, trained(learner("mse"), REGRESSION).history, rtol=1e-5)
    table = (0.5, 1.0, 3.0)
    own = trained(learner(Buffered, table=list(table)), MULTI)
    mine = {"class_weight": {"blue": 0.5, "red": 3.0}, "reduction": "sum"}
    summed = trained(learner(Buffered, table=table, reduction="sum"), MULTI)
    assert fp.close(summed.history, trained(learner("cross_entropy", **mine), MULTI).history)
    assert own.history[0]["train.loss"] < summed.history[0]["train.loss"]


def test_a_module_that_remembers_does_not_here():
    """What a call leaves in a module is gone at the next, so one run is as another."""
    graph = learner(Buffered, table=(1.0, 1.0, 1.0))
    assert fp.same(trained(graph, MULTI).state, trained(graph, MULTI).state)


def test_functions_as_parameters():
    """A function given as a parameter is kept as code and handed over as a function."""

    class Transformed(torch.nn.Module):
        def __init__(self, link):
            super().__init__()
            self.link = link

        def forward(self, outputs, target):
            return functional.mse_loss(self.link(outputs), target)

    graph = learner(Transformed, link=torch.tanh)
    theirs = by_hand(
        graph, REGRESSION, lambda out, rows: functional.mse_loss(torch.tanh(out), NUMBERS[rows])
    )
    assert torch.equal(trained(graph, REGRESSION).weights.params["head.bias"], theirs.bias.detach())


# Errors


def integers(outputs, target):
    return (outputs > target).long()


def detached(outputs, target):
    return functional.mse_loss(outputs.detach(), target)


def pairs(outputs, target):
    return (outputs - target.T) ** 2


def fit(graph, task=REGRESSION):
    return lambda: fp.fit(graph, task, key=KEY)


BAD = [
    ("unknown name", lambda: nn.loss("crossentropy"), ParameterError,
     "no loss 'crossentropy'", "mse, l1", "did you mean 'cross_entropy'?", None),
    ("mae", lambda: nn.loss("mae"), ParameterError,
     "no loss 'mae'", "mse, l1", "did you mean 'l1'?", None),
    ("binary cross entropy", lambda: nn.loss("binary_cross_entropy"), ParameterError,
     "no loss 'binary_cross_entropy'", "bce", "did you mean 'bce'?", None),
    ("weight", lambda: nn.loss("cross_entropy", weight=2.0), ParameterError,
     "no parameter 'weight'", "class_weight", "did you mean 'class_weight'?", None),
    ("tensor", lambda: nn.loss("cross_entropy", class_weight=torch.ones(2)), ParameterError,
     "class_weight cannot be", "a mapping of class names", "{'spam': 2.0}", None),
    ("for numbers", fit(learner("huber"), BINARY), ParameterError,
     "'huber' is not for classification", "cross_entropy, bce", 'nn.loss("cross_entropy")', "loss"),
    ("for classes", fit(learner("bce")), ParameterError,
     "'bce' is not for regression", "mse, l1, huber, quantile", 'nn.loss("mse")', "loss"),
    ("bce of three", fit(learner("bce"), MULTI), ParameterError,
     "'bce' is for two classes", "two classes", 'nn.loss("cross_entropy")', "loss"),
    ("class unknown", fit(learner("cross_entropy", class_weight={"upp": 2.0}), BINARY),
     ParameterError, "'upp', which is no class", "down, up", "did you mean 'up'?", "loss"),
    ("own parameter", lambda: nn.loss(winsorized, max_los=1.0), ParameterError,
     "winsorized has no parameter 'max_los'", "reduction, max_loss", "did you mean 'max_loss'?", None),
    ("own parameter in set", lambda: nn.loss(winsorized).set({"loss.maximum": 1.0}), ParameterError,
     "no parameter 'maximum'", "max_loss", "use one of", None),
    ("class weight of own", lambda: nn.loss(winsorized, class_weight={"a": 1.0}), ParameterError,
     "winsorized has no parameter 'class_weight'", "max_loss", "use one of", None),
    ("own reduction", lambda: nn.loss(winsorized, reduction="none"), ParameterError,
     "reduction cannot be 'none'", "'mean', 'sum'", "give reduction", None),
    ("not set", fit(learner(winsorized)), ParameterError,
     "loss.max_loss", "", "", None),
    ("tensor in own", lambda: nn.loss(torch.nn.BCEWithLogitsLoss, pos_weight=torch.ones(1)),
     ParameterError, "pos_weight cannot be a tensor", "class names", "class_weight=", None),
    ("array in own", lambda: nn.loss(winsorized, max_loss=np.ones(2)), ParameterError,
     "max_loss cannot be a tensor", "numbers", "make the tensor inside", None),
    ("an instance", lambda: nn.loss(torch.nn.MSELoss()), ParameterError,
     "MSELoss cannot be a loss", "a function", "give the class, nn.loss(MSELoss, ...)", None),
    ("a number", lambda: nn.loss(3), ParameterError,
     "int cannot be a loss", "a function", "def my_loss(outputs, target)", None),
    ("another class", lambda: nn.loss(dict), ParameterError,
     "dict cannot be a loss", "torch.nn.Module", "def my_loss(outputs, target)", None),
    ("a class of losses", lambda: nn.loss(MeanSquaredError), ParameterError,
     "MeanSquaredError cannot be a loss", "a function", "call it: MeanSquaredError()", None),
    ("one argument", lambda: nn.loss(lambda outputs: outputs), ParameterError,
     "<lambda> cannot be a loss", "(outputs, target", "def my_loss", None),
    ("a builtin", lambda: nn.loss(torch.dist), ParameterError,
     "dist cannot be a loss", "(outputs, target", "def my_loss", None),
    ("nothing there", lambda: nn.loss("torch.nn:NoLoss"), ParameterError,
     "nothing can be imported from 'torch.nn:NoLoss'", None, "spelling", None),
    ("learns", fit(learner(Learns)), ParameterError,
     "Learns has parameters to learn", "buffers", "nn.module(...)", "model"),
    ("cannot be built", fit(learner(torch.nn.TripletMarginLoss, margin=-1.0)), ParameterError,
     "TripletMarginLoss cannot be built", "that the class takes", "other parameters", "model"),
    ("pairs", fit(learner(pairs)), ShapeError,
     "pairs gives [16, 16] for 16 rows", "[16], [16, 1] or a scalar", "but the first", "model"),
    ("integers", fit(learner(integers)), DataError,
     "integers gives no floating tensor", "floating tensor", "return a tensor", "model"),
    ("a float", fit(learner(lambda outputs, target: 1.0)), DataError,
     "<lambda> gives no floating tensor", "floating tensor", "return a tensor", "model"),
    ("detached", fit(learner(detached)), DataError,
     "detached gives no gradient", "differentiable", "differentiable", "model"),
    ("scalar and rows", fit(learner(winsorized_mean), weighted(fp.regression, Y)), ShapeError,
     "no place for row weights", "one loss per row", "leave out the weight role", "model"),
    ("scalar of torch", fit(learner(torch.nn.HuberLoss), weighted(fp.regression, Y)), ShapeError,
     "no place for row weights", "one loss per row", "reduction='none'", "model"),
    ("torch's entropy", fit(learner(torch.nn.CrossEntropyLoss), BINARY), ParameterError,
     "needs one logit per class", "one logit", 'nn.loss("cross_entropy")', "loss"),
    ("random", fit(learner(noisy)), StateError,
     "noisy draws random numbers", "outputs and target alone", "nn.module(...)", "model"),
    ("twice", fit(nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.loss("l1", id="again")
                  >> nn.optimizer("adam") >> nn.model(epochs=1)),
     ParameterError, "set twice", "one nn.loss", "drop one", "again"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "rule", "expected", "fix", "at"), [
    pytest.param(*case[1:], id=case[0]) for case in BAD
])  # fmt: skip
def test_bad_losses(act, error, rule, expected, fix, at):
    """Each is refused, with what was expected, what to do and where."""
    with pytest.raises(FpipeError) as caught:
        act()
    assert type(caught.value) is error
    assert rule in str(caught.value)
    assert expected is None or expected in str(caught.value.expected)
    assert fix in str(caught.value.fix)
    assert at is None or caught.value.at == at


@pytest.mark.parametrize("loss", [noisy, Noise], ids=["when called", "when built"])
def test_the_global_generator_is_left_alone(loss):
    """A loss that would draw is refused before it has moved anything."""
    before = torch.get_rng_state()
    with pytest.raises(StateError, match="draws random numbers"):
        fp.fit(learner(loss), REGRESSION, key=KEY)
    assert torch.equal(torch.get_rng_state(), before)


def test_predictions_do_not_ask_the_loss():
    """A fitted pipeline with class weights predicts rows without a target."""
    fitted = fp.fit(learner("cross_entropy", class_weight={"red": 2.0}), MULTI, key=KEY)
    frame = MULTI.table.drop("y").head(4)
    assert isinstance(frame, pl.DataFrame)
    assert len(fp.predict(fitted, frame).row_id) == 4


def test_errors_in_a_loss_name_it():
    """An error of the user's own loss says so, and at which node it arose."""

    def crossed(outputs, target):
        return outputs @ target

    with pytest.raises(RuntimeError, match="cannot be multiplied") as caught:
        fp.fit(learner(crossed), REGRESSION, key=KEY)
    assert caught.value.__notes__ == ["in the loss crossed", "at model"]
