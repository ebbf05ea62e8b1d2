"""Networks with several outputs: the loss is given all of them, the first one predicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fpipe as fp
from fpipe import nn
from fpipe.core.errors import DataError, ShapeError
from fpipe.core.value import evolve
from fpipe.train.plan import batch_rows, epoch_order

RNG = np.random.default_rng(9)
X = RNG.normal(size=(32, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -1.0, 2.0], np.float32)).astype(np.float32)
COLUMNS = {f"x{i}": X[:, i] for i in range(3)}
TASK = fp.regression(COLUMNS | {"y": Y}, "y")
WEIGHTED = fp.regression(COLUMNS | {"y": Y, "w": 1.0 + np.arange(32) % 3}, "y", weight="w")
MULTI = fp.classification(COLUMNS | {"y": np.array(list("abc"))[np.digitize(Y, [-1, 1])]}, "y")
KEY = fp.key(2)
TRUNK = nn.ingress_numeric() >> nn.linear(6, id="trunk") >> nn.tanh()
MODEL = nn.model(epochs=1)
HEADS = TRUNK >> (nn.head(id="main") & nn.linear(2, id="auxiliary"))


def both(outputs, target, share=0.5):
    """Squared error of the first output, and of the sum of the second."""
    first, second = outputs
    return ((first - target) ** 2)[:, 0] + share * (second.sum(1) - target[:, 0]).abs()


def two_views(outputs, target):
    """Cross-entropy of the first output, and a penalty on the second."""
    first, second = outputs
    per_row = torch.nn.functional.cross_entropy(first, target, reduction="none")
    return per_row + 0.1 * second.square().mean(1)


def of_one_dtype(outputs, target):
    """The loss of `both`, which holds its arguments to one dtype."""
    assert {x.dtype for x in outputs} == {target.dtype}
    return both(outputs, target)


def first_only(outputs, target):
    return (outputs - target) ** 2


def graph(body=HEADS, loss=both, **model):
    settings = {"epochs": 3, "batch_size": 8} | model
    return body >> nn.loss(loss) >> nn.optimizer("adam", lr=0.05) >> nn.model(**settings)


def plain_training(run, state):
    """Train the network of HEADS with torch alone; return its parameters and its first output."""
    params = {n: t.clone().requires_grad_() for n, t in state.weights.params.items()}
    optimizer = torch.optim.Adam(params.values(), lr=0.05, foreach=False)
    linear = torch.nn.functional.linear

    def forward(x):
        hidden = linear(x, params["trunk.weight"], params["trunk.bias"]).tanh()
        return tuple(
            linear(hidden, params[f"{n}.weight"], params[f"{n}.bias"])
            for n in ("main", "auxiliary")
        )

    x, y = torch.from_numpy(X), torch.from_numpy(Y)[:, None]
    for epoch in range(1, run.plan.epochs + 1):
        order = epoch_order(run.plan, state.key, epoch)
        for index in range(run.plan.batches):
            rows = torch.from_numpy(batch_rows(run.plan, order, index))
            first, second = forward(x[rows])
            loss = ((first - y[rows]) ** 2)[:, 0] + 0.5 * (second.sum(1) - y[rows][:, 0]).abs()
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
    with torch.no_grad():
        return {n: t.detach() for n, t in params.items()}, forward(x)


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_training_is_torchs(interpreter):
    """Weights are those of a plain loop, to the bit, and the first output is the prediction."""
    run, start = fp.prepare(graph(), TASK, key=KEY, interpreter=interpreter)
    end = fp.fold(run, start, fp.events(run.plan))
    params, (first, second) = plain_training(run, start)
    assert set(params) == set(end.weights.params)
    assert all(torch.equal(end.weights.params[name], t) for name, t in params.items())
    fitted = fp.fit(graph(), TASK, key=KEY, interpreter=interpreter)
    response = fp.predict(fitted, TASK).response.to_numpy()
    assert np.array_equal(response, first[:, 0].double().numpy())
    assert not np.allclose(response, second.sum(1).numpy(), atol=1e-3)


def test_validation_and_scores():
    """Validation rows have the loss of all outputs, and scores of the first."""
    chain = graph(measures=("rmse",), measures_train=("rmse",), epochs=2)
    fitted = fp.fit(chain, TASK, key=KEY, validate=TASK)
    row = fitted.state("model").history[-1]
    prediction = fp.predict(fitted, TASK)
    assert row["valid.rmse"] == pytest.approx(prediction.score("rmse"), rel=1e-6)
    assert row["valid.loss"] > row["valid.rmse"] ** 2  # the second output adds to it
    assert {"train.rmse", "train.loss"} <= set(row)


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"measures_train": ("rmse",)}])
def test_cuts_are_exact(options, interpreter):
    """Cutting the fold anywhere moves no bit."""
    run, start = fp.prepare(graph(**options), WEIGHTED, key=KEY, interpreter=interpreter)
    every = list(fp.events(run.plan))
    end = fp.fold(run, start, every)
    for cut in range(0, len(every), 2):
        assert fp.same(fp.fold(run, fp.fold(run, start, every[:cut]), every[cut:]), end)


@pytest.mark.parametrize("precision", ["float64", "bfloat16", "float16"])
def test_precisions(precision):
    """All outputs reach the loss in the dtype of the parameters."""
    states = [
        fp.fit(graph(loss=of_one_dtype), TASK, key=KEY, precision=precision, interpreter=one)
        for one in ("fast", "reference")
    ]
    fast, slow = (f.state("model").state for f in states)
    assert fp.same(fast, evolve(slow, numerics=fast.numerics))


def test_classes():
    """Several outputs for several classes; row weights where the loss is per row."""
    body = TRUNK >> (nn.head(id="main") & nn.linear(4, id="auxiliary"))
    prediction = fp.predict(fp.fit(graph(body, two_views, epochs=20), MULTI, key=KEY), MULTI)
    assert prediction.score("accuracy") > 0.6
    weighted = fp.fit(graph(), WEIGHTED, key=KEY).state("model").weights
    assert not fp.close(weighted, fp.fit(graph(), TASK, key=KEY).state("model").weights)


class Two(torch.nn.Module):
    """A module with two outputs."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(3, 1)
        self.second = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.first(x), self.second(x)


def test_outputs_of_a_module():
    """A module that returns two tensors is a network with two outputs."""
    chain = graph(nn.ingress_numeric() >> nn.module(Two))
    fitted = fp.fit(chain, TASK, key=KEY)
    params = fitted.state("model").weights.params
    expected = torch.nn.functional.linear(
        torch.from_numpy(X), params["module.first.weight"], params["module.first.bias"]
    )
    found = fp.predict(fitted, TASK).response.to_numpy()
    assert np.array_equal(found, expected[:, 0].double().numpy())


class Penalised(Two):
    """A module whose second output is one number for the batch."""

    def forward(self, x):
        return self.first(x), self.second(x).square().mean()


def test_outputs_merge_again():
    """What takes any number of tensors takes the outputs of a module together."""
    body = nn.ingress_numeric() >> nn.module(Two) >> nn.merge_cat() >> nn.head()
    params = fp.fit(graph(body, "mse"), TASK, key=KEY).state("model").weights.params
    assert params["head.weight"].shape == (1, 3)


REFUSED = {
    "layer behind several outputs": (
        lambda: HEADS >> nn.loss(both) >> nn.linear(3) >> nn.optimizer("adam") >> MODEL,
        "linear takes one tensor and the network gives 2",
        "nn.merge_cat()",
        "linear",
    ),
    "output without rows": (
        lambda: graph(nn.ingress_numeric() >> nn.module(Penalised)),
        "output 2 of the network does not keep the rows",
        "one value per row",
        "model",
    ),
    "built-in loss": (
        lambda: graph(loss="mse"),
        "the loss mse takes one output and the network has 2",
        "def my_loss(outputs, target)",
        "model",
    ),
    "outputs of a module": (
        lambda: graph(nn.ingress_numeric() >> nn.module(Two), "huber"),
        "the loss huber takes one output and the network has 2",
        "def my_loss(outputs, target)",
        "model",
    ),
    "first of the wrong size": (
        lambda: graph(TRUNK >> (nn.linear(2) & nn.head())),
        "the network's first output is (?, 2) for a regression",
        "nn.head()",
        "model",
    ),
    "first of the wrong rank": (
        lambda: graph(nn.ingress_numeric() >> nn.tokenizer_numeric(4)),
        "the network gives (?, 3, 4) for a regression",
        "nn.head()",
        "model",
    ),
}


@pytest.mark.parametrize(("make", "rule", "fix", "at"), REFUSED.values(), ids=REFUSED)
def test_refused(make, rule, fix, at, refused):
    """What does not go together is refused by check already, and by fit."""
    refused(lambda: fp.check(make(), TASK), ShapeError, rule, at, fix)
    refused(lambda: fp.fit(make(), TASK, key=KEY), ShapeError, rule, at, fix)


def test_a_loss_that_takes_one():
    """A loss that computes with the tuple is told what it is given."""
    with pytest.raises(TypeError) as caught:
        fp.fit(graph(loss=first_only), TASK, key=KEY)
    notes = " ".join(caught.value.__notes__)
    assert "a tuple of the network's 2 outputs" in notes
    assert "in the loss first_only" in notes


def test_a_loss_that_forgets_its_outputs(refused):
    """No gradient at all is an error, whatever the number of outputs."""
    refused(
        lambda: fp.fit(graph(loss=constant), TASK, key=KEY),
        DataError,
        "gives no gradient",
        "model",
        "differentiable",
    )


def constant(outputs, target):
    return (target - outputs[0].detach()).square()


def test_unused_outputs_learn_nothing():
    """An output that the loss leaves alone keeps its weights to the bit."""
    chain = graph(loss=main_only)
    run, start = fp.prepare(chain, TASK, key=KEY)
    end = fp.fold(run, start, fp.events(run.plan)).weights.params
    assert torch.equal(end["auxiliary.weight"], start.weights.params["auxiliary.weight"])
    assert not torch.equal(end["main.weight"], start.weights.params["main.weight"])


def main_only(outputs, target):
    return (outputs[0] - target).square()
