"""Training worked by hand and against torch: stopping, history, weights, heads, validation."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import StateError
from fpipe.core.value import evolve
from fpipe.train.plan import (
    Batch,
    Begin,
    End,
    EpochBegin,
    EpochEnd,
    Plan,
    Validate,
    batch_rows,
    epoch_order,
    events,
)
from fpipe.train.run import Stopping
from fpipe.train.state import Best
from fpipe.train.step import consider

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = X @ np.array([1.0, -1.0, 0.5], np.float32) + 0.1 * RNG.normal(size=60).astype(np.float32)
COLUMNS = {f"x{i}": X[:, i] for i in range(3)}
TASK = fp.regression(COLUMNS | {"y": Y}, "y")
BINARY = fp.classification(COLUMNS | {"y": np.where(Y > 0, "up", "down")}, "y")
MULTI = fp.classification(
    COLUMNS | {"y": np.array(["c", "a", "b"])[np.digitize(Y, [-0.7, 0.7])]}, "y"
)
BODY = nn.ingress_numeric() >> nn.linear(5) >> nn.relu() >> nn.head()
KEY = fp.key(11)


def learner(loss: str = "mse", *, optimizer: str = "adam", lr: float = 0.01, **model) -> fp.Graph:
    return BODY >> nn.loss(loss) >> nn.optimizer(optimizer, lr=lr) >> nn.model(**model)


def model(graph: fp.Graph, task: fp.Task = TASK, **more):
    return fp.fit(graph, task, key=KEY, **more).state("model")


def forward(params, x: np.ndarray) -> torch.Tensor:
    """The network of BODY, written with torch alone."""
    hidden = torch.relu(torch.from_numpy(x) @ params["linear.weight"].T + params["linear.bias"])
    return hidden @ params["head.weight"].T + params["head.bias"]


def squared_errors(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return ((out - target) ** 2)[:, 0]


def binary_entropies(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.nn.BCEWithLogitsLoss(reduction="none")(out, target)[:, 0]


# Events


def test_events():
    """Two epochs of two batches, evaluated after the second, spelt out."""
    plan = Plan(rows=5, epochs=2, batch_size=3, eval_every=2, validates=True)
    assert list(events(plan)) == [
        Begin(),
        EpochBegin(1),
        Batch(1, 0),
        Batch(1, 1),
        EpochEnd(1),
        EpochBegin(2),
        Batch(2, 0),
        Batch(2, 1),
        EpochEnd(2),
        Validate(2),
        End(),
    ]


@pytest.mark.parametrize(
    ("rows", "size", "drop", "batches"),
    [(10, 3, False, 4), (10, 3, True, 3), (9, 3, True, 3), (2, 3, False, 1)],
)
def test_batches_per_epoch(rows, size, drop, batches):
    """A rest makes a batch of its own, unless it is dropped."""
    assert Plan(rows, 1, size, drop_last=drop).batches == batches


def test_no_epochs():
    """Zero epochs leave the weights as they were drawn, and still predict."""
    run, state = fp.prepare(learner(epochs=0), TASK, key=KEY)
    end = fp.fold(run, state, events(run.plan))
    assert fp.same(end.result, state.weights)
    assert end.history == ()
    assert len(fp.predict(fp.fit(learner(epochs=0), TASK, key=KEY), TASK).row_id) == 60


# Early stopping


@pytest.mark.parametrize(
    ("eval_every", "patience", "epochs", "stops", "best"),
    [(3, 2, 50, 9, 3), (4, 10, 100, 44, 4), (1, 1, 50, 2, 1), (5, 3, 12, 12, 5), (7, 1, 6, 6, 6)],
)
@pytest.mark.parametrize("interpreter", ["reference", "fast"])
def test_patience_counts_evaluations(eval_every, patience, epochs, stops, best, interpreter):
    """With an endless min_delta the first evaluation stays best; patience counts evaluations."""
    graph = learner(
        epochs=epochs, batch_size=30, patience=patience, min_delta=math.inf, eval_every=eval_every
    )
    trained = model(graph, validate=0.25, interpreter=interpreter)
    assert len(trained.history) == trained.state.cursor.epoch == stops
    assert trained.state.best.epoch == best
    assert trained.state.stopped == (stops < epochs)
    evaluated = [int(row["epoch"]) for row in trained.history if "valid.loss" in row]
    assert evaluated == [e for e in range(1, stops + 1) if e % eval_every == 0 or e == epochs]


def judged(scores, **stopping):
    """Feed scores to the stopping rule and return (best epoch, stagnation, stopped) after each."""
    run, state = fp.prepare(learner(epochs=1), TASK, key=KEY)
    run = evolve(run, stopping=Stopping(**stopping))
    seen = []
    for epoch, score in enumerate(scores, 1):
        state = consider(run, state, epoch, score, state.weights)
        seen.append((state.best.epoch if state.best else None, state.stagnation, state.stopped))
    return seen


INTERPRETERS = ("fast", "reference")
BURST = BODY >> nn.loss("mse") >> nn.optimizer("sgd", lr=3e38) >> nn.model(epochs=1, batch_size=60)


@pytest.mark.parametrize("validate", [None, 0.25])
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_the_last_update_is_looked_at(interpreter, validate):
    """Where the last update leaves the range of numbers, the first such parameter is named."""
    run, state = fp.prepare(BURST, TASK, key=KEY, validate=validate, interpreter=interpreter)
    leaves = {n: p.clone().requires_grad_() for n, p in state.weights.params.items()}
    squared_errors(
        forward(leaves, run.train.inputs["ingress_numeric"].numpy()), run.train.target
    ).mean().backward()
    after = {n: p.detach() - 3e38 * p.grad for n, p in sorted(leaves.items())}
    first = next(n for n, p in after.items() if not p.isfinite().all())
    count = int((~after[first].isfinite()).sum())
    with pytest.raises(StateError) as caught:
        fp.fit(BURST, TASK, key=KEY, validate=validate, interpreter=interpreter)
    error = caught.value
    assert f"the parameter '{first}' is not finite after epoch 1" in error.rule
    assert error.at == "model"
    assert error.expected == "finite numbers"
    assert f"inf in {count} of {after[first].numel()}" in error.got
    assert "lower the learning rate" in error.fix
    with pytest.raises(StateError, match="is not finite after epoch 1"):
        fp.fold(run, state, events(run.plan))


class Masked(torch.nn.Module):
    """A module with infinite numbers that are not learned."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tensor([0.0, -math.inf, 0.0]))

    def forward(self, x):
        return torch.softmax(x + self.mask, 1)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_buffers_may_be_infinite(interpreter):
    """What is not learned may be infinite, as masks are."""
    chain = nn.ingress_numeric() >> nn.module(Masked) >> nn.head() >> nn.loss("mse")
    chain = chain >> nn.optimizer("sgd", lr=0.1) >> nn.model(epochs=1)
    buffers = model(chain, interpreter=interpreter, validate=0.25).weights.buffers
    assert buffers["module.mask"][1] == -math.inf


def test_nan_is_no_best():
    """A first NaN is no best; a later one neither improves nor stagnates."""
    nan = math.nan
    assert judged([nan, 3.0, nan, 2.0], patience=1) == [
        (None, 0, False),
        (2, 0, False),
        (2, 0, False),
        (4, 0, False),
    ]
    assert judged([nan, nan, nan], patience=1) == [(None, 0, False)] * 3


def test_improvement_is_over_the_best():
    """Small steps below min_delta do not move the best; together they may pass it."""
    scores = [1.0, 0.95, 0.91, 0.89, 0.85]
    assert judged(scores, patience=9, min_delta=0.1) == [
        (1, 0, False),
        (1, 1, False),
        (1, 2, False),
        (4, 0, False),
        (4, 1, False),
    ]


def test_equal_is_no_improvement():
    """An improvement of exactly min_delta (also 0) stagnates."""
    assert judged([1.0, 1.0, 1.0], patience=2)[-1] == (1, 2, True)
    assert judged([1.0, 0.5], patience=1, min_delta=0.5)[-1] == (1, 1, True)


def test_larger_may_be_better():
    """Where larger is better the sign turns."""
    assert judged([0.5, 0.6, 0.4], patience=1, minimize=False) == [
        (1, 0, False),
        (2, 0, False),
        (2, 1, True),
    ]


def test_no_patience_never_stops():
    """Patience 0 counts and never stops."""
    assert judged([1.0, 2.0, 3.0, 4.0])[-1] == (1, 3, False)


def test_infinite_scores():
    """From infinity to a number is an improvement; from infinity to infinity is none."""
    scores = [math.inf, math.inf, 5.0]
    assert judged(scores, patience=5) == [(1, 0, False), (1, 1, False), (3, 0, False)]


def test_a_stopped_state_is_fixed():
    """After stopping only End changes the state, in either interpreter."""
    graph = learner(epochs=20, batch_size=30, patience=1, min_delta=1e9)
    run, state = fp.prepare(graph, TASK, key=KEY, validate=0.25)
    stopped = fp.fold(run, state, list(events(run.plan))[:-1])
    assert stopped.stopped
    for event in [Begin(), EpochBegin(3), Batch(3, 0), EpochEnd(3), Validate(3)]:
        assert fp.same(fp.fold(run, stopped, [event]), stopped)
    ended = fp.fold(run, stopped, [End()])
    assert ended.cursor.ended
    assert fp.same(ended.weights, stopped.weights)


def test_monitor_is_the_first_measure():
    """The first measure drives stopping where no monitor is named, in its own direction."""
    graph = learner(
        "cross_entropy", epochs=6, batch_size=10, measures=("accuracy", "log_loss"), patience=3
    )
    trained = model(graph, BINARY, validate=0.3)
    scores = [row["valid.accuracy"] for row in trained.history]
    assert trained.state.best.score == max(scores)
    assert trained.state.best.epoch == scores.index(max(scores)) + 1
    watched = model(graph.set({"model.monitor": "loss"}), BINARY, validate=0.3)
    losses = [row["valid.loss"] for row in watched.history]
    assert watched.state.best.score == min(losses)


# History


@pytest.mark.parametrize("interpreter", ["reference", "fast"])
def test_history_figures(interpreter):
    """Each epoch has its number and training loss, an evaluated one its scores as well."""
    graph = learner(epochs=5, batch_size=20, eval_every=2, measures="mae")
    trained = model(graph, validate=0.25, interpreter=interpreter)
    keys = [sorted(row) for row in trained.history]
    short, full = ["epoch", "train.loss"], ["epoch", "train.loss", "valid.loss", "valid.mae"]
    assert keys == [short, full, short, full, full]
    assert [row["epoch"] for row in trained.history] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_training_loss_is_the_mean_over_rows():
    """With a learning rate of 0 the training loss is that of the drawn weights."""
    run, state = fp.prepare(learner(optimizer="sgd", lr=0.0, epochs=2, batch_size=7), TASK, key=KEY)
    end = fp.fold(run, state, events(run.plan))
    out = forward(state.weights.params, X)[:, 0].numpy()
    expected = float(np.mean((out - Y) ** 2))
    assert [row["train.loss"] for row in end.history] == pytest.approx([expected] * 2, rel=1e-5)


def test_validation_loss_and_measure_by_hand():
    """The loss on the validation rows is that of the weights after the epoch."""
    held = TASK.take(range(40, 60))
    trained = model(
        learner(epochs=3, batch_size=8, measures=("rmse", "r2")),
        TASK.take(range(40)),
        validate=held,
    )
    out = forward(trained.state.weights.params, X[40:])[:, 0].numpy().astype(np.float64)
    truth = Y[40:].astype(np.float64)
    last = trained.history[-1]
    assert last["valid.loss"] == pytest.approx(np.mean((out - truth) ** 2), rel=1e-5)
    assert last["valid.rmse"] == pytest.approx(np.sqrt(np.mean((out - truth) ** 2)), rel=1e-5)
    assert last["valid.r2"] == pytest.approx(
        1 - np.sum((out - truth) ** 2) / np.sum((truth - truth.mean()) ** 2), rel=1e-5
    )


def test_measures_are_in_the_users_unit():
    """With a scaled target the loss is on the scaled one, measures are in the user's unit."""
    big = fp.regression(COLUMNS | {"y": 1000 * Y + 5000}, "y")
    graph = ops.scale_target() >> learner(epochs=3, batch_size=8, measures="rmse")
    fitted = fp.fit(graph, big.take(range(40)), key=KEY, validate=big.take(range(40, 60)))
    trained, affine = fitted.state("model"), fitted.state("scale_target")
    out = forward(trained.state.weights.params, X[40:])[:, 0].numpy().astype(np.float64)
    truth = big.column("y").to_numpy()[40:]
    assert trained.history[-1]["valid.rmse"] == pytest.approx(
        np.sqrt(np.mean((out * affine.scale + affine.shift - truth) ** 2)), rel=1e-5
    )
    assert trained.history[-1]["valid.loss"] == pytest.approx(
        np.mean((out - (truth - affine.shift) / affine.scale) ** 2), rel=1e-5
    )
    prediction = fp.predict(fitted, big.take(range(40, 60)))
    assert prediction.score("rmse") == pytest.approx(trained.history[-1]["valid.rmse"], rel=1e-9)


# Which weights


def states_by_epoch(graph, **more):
    run, state = fp.prepare(graph, TASK, key=KEY, **more)
    found = {}
    for reached, event in fp.scan(run, state, events(run.plan)):
        if isinstance(event, Validate) and not reached.cursor.ended:
            found[event.epoch] = reached
    return run, state, found, reached


def test_best_weights_are_restored():
    """ "best" predicts with the weights of the best evaluation, "last" with the last."""
    graph = learner(epochs=12, batch_size=6, lr=1.0, weights="best")
    _, _, found, end = states_by_epoch(graph, validate=0.25)
    losses = {epoch: s.history[-1]["valid.loss"] for epoch, s in found.items()}
    best = min(losses, key=losses.get)
    assert best < 12
    assert end.best.epoch == best
    assert fp.same(end.result, found[best].weights)
    assert fp.same(end.weights, found[12].weights)
    trained = model(graph, validate=0.25)
    assert fp.same(trained.weights, found[best].weights)
    last = model(graph.set({"model.weights": "last"}), validate=0.25)
    assert fp.same(last.weights, found[12].weights)


def test_auto_weights():
    """ "auto" is best where patience is set, and last otherwise."""
    graph = learner(epochs=12, batch_size=6, lr=0.3)
    with_patience = model(graph.set({"model.patience": 12}), validate=0.25)
    assert fp.same(with_patience.weights, with_patience.state.best.weights)
    without = model(graph, validate=0.25)
    assert fp.same(without.weights, without.state.weights)
    assert without.state.best.weights is None


def test_buffers_belong_to_the_best_weights():
    """Running statistics go back with the weights."""
    graph = (
        nn.ingress_numeric()
        >> nn.batch_norm1d()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd", lr=0.1)
        >> nn.model(epochs=8, batch_size=10, weights="best")
    )
    _, _, found, end = states_by_epoch(graph, validate=0.25)
    best = end.best.epoch
    assert fp.same(end.result.buffers, found[best].weights.buffers)
    assert isinstance(end.best, Best)


# Rows


def test_drop_last():
    """With drop_last a rest is left out of every epoch, another one each time."""
    run, state = fp.prepare(learner(epochs=3, batch_size=13, drop_last=True), TASK, key=KEY)
    end = fp.fold(run, state, events(run.plan))
    assert end.cursor.step == 3 * (60 // 13)
    assert end.totals.share == 52


def test_every_row_once_per_epoch():
    """Each epoch goes through all rows once, in an order of its own unless told not to."""
    plan = Plan(rows=17, epochs=3, batch_size=5)
    orders = [epoch_order(plan, KEY, e) for e in (1, 2, 3)]
    for order in orders:
        assert sorted(np.concatenate([batch_rows(plan, order, i) for i in range(4)])) == list(
            range(17)
        )
    assert all((a != b).any() for a, b in pairwise(orders))
    still = evolve(plan, shuffle=False)
    assert (epoch_order(still, KEY, 2) == np.arange(17)).all()


@pytest.mark.parametrize("interpreter", ["reference", "fast"])
@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_row_weights(kind, interpreter):
    """Training with row weights is training on the weighted mean of torch's losses."""
    weights = RNG.uniform(0.0, 3.0, 60)
    weights[:5] = 0.0
    columns = COLUMNS | {"w": weights}
    if kind == "regression":
        task, loss = fp.regression(columns | {"y": Y}, "y", weight="w"), "mse"
        target = torch.from_numpy(Y).reshape(-1, 1)
        rows = squared_errors
    elif kind == "binary":
        task, loss = (
            fp.classification(columns | {"y": BINARY.column("y")}, "y", weight="w"),
            "cross_entropy",
        )
        target = torch.from_numpy((Y > 0).astype(np.float32)).reshape(-1, 1)
        rows = binary_entropies
    else:
        task, loss = (
            fp.classification(columns | {"y": MULTI.column("y")}, "y", weight="w"),
            "cross_entropy",
        )
        target = torch.tensor(["abc".index(c) for c in MULTI.column("y")])
        rows = torch.nn.CrossEntropyLoss(reduction="none")
    w = torch.from_numpy(weights.astype(np.float32))
    graph = learner(loss, optimizer="sgd", lr=0.1, epochs=4, batch_size=16, shuffle=False)
    run, state = fp.prepare(graph, task, key=KEY, interpreter=interpreter)
    params = {n: p.clone().requires_grad_() for n, p in state.weights.params.items()}
    for _ in range(4):
        for start in range(0, 60, 16):
            part = slice(start, start + 16)
            out = forward(params, X[part])
            value = (w[part] * rows(out, target[part])).sum() / w[part].sum()
            grads = torch.autograd.grad(value, list(params.values()))
            params = {
                n: (p - 0.1 * g).detach().requires_grad_()
                for (n, p), g in zip(params.items(), grads, strict=True)
            }
    end = fp.fold(run, state, events(run.plan))
    for name, p in params.items():
        assert torch.allclose(end.weights.params[name], p, rtol=1e-4, atol=1e-6), name


def test_weights_of_one_are_none():
    """Weights that are all 1 train as no weights do, closely."""
    weighted = fp.regression(COLUMNS | {"y": Y, "w": np.ones(60)}, "y", weight="w")
    one, none = (model(learner(epochs=3, batch_size=8), t) for t in (weighted, TASK))
    assert fp.close(one.weights, none.weights, 1e-5, 1e-6)


# Heads


def logits(fitted: fp.Fitted) -> np.ndarray:
    return forward(fitted.state("model").weights.params, X).double().numpy()


@pytest.mark.parametrize("positive", ["up", "down"])
def test_binary_probabilities(positive):
    """The logit is that of the positive class, whichever it is; columns follow the classes."""
    task = fp.classification(BINARY.table, "y", positive=positive)
    fitted = fp.fit(learner("cross_entropy", epochs=20, batch_size=10), task, key=KEY)
    prediction = fp.predict(fitted, task)
    z = logits(fitted)[:, 0]
    assert task.classes == ("down", "up")
    other = {"up": "down", "down": "up"}[positive]
    np.testing.assert_allclose(
        prediction.prob[positive], torch.sigmoid(torch.from_numpy(z)), rtol=1e-5
    )
    np.testing.assert_allclose(
        prediction.prob[other], torch.sigmoid(torch.from_numpy(-z)), rtol=1e-5
    )
    assert prediction.prob.columns == ["down", "up"]
    assert prediction.response.to_list() == [positive if v >= 0 else other for v in z]
    assert prediction.score("accuracy") > 0.7
    assert prediction.score("roc_auc") > 0.7


def test_multiclass_probabilities():
    """Columns follow the sorted classes; the response is the largest logit."""
    fitted = fp.fit(learner("cross_entropy", epochs=30, batch_size=10), MULTI, key=KEY)
    prediction = fp.predict(fitted, MULTI)
    z = torch.from_numpy(logits(fitted))
    np.testing.assert_allclose(
        prediction.prob.to_numpy(), torch.softmax(z, 1), rtol=1e-4, atol=1e-7
    )
    assert prediction.prob.columns == ["a", "b", "c"]
    assert prediction.response.to_list() == ["abc"[i] for i in z.argmax(1)]
    assert prediction.score("accuracy") > 0.6


def test_regression_response():
    """The response is the network's one output."""
    fitted = fp.fit(learner(epochs=3), TASK, key=KEY)
    np.testing.assert_allclose(
        fp.predict(fitted, TASK).response, logits(fitted)[:, 0], rtol=1e-5, atol=1e-6
    )
    assert fp.predict(fitted, TASK).prob is None


def test_predictions_in_small_batches():
    """The number of rows at a time changes predictions by rounding only."""
    one = fp.fit(learner(epochs=2, predict_batch=7), TASK, key=KEY)
    other = fp.fit(learner(epochs=2, predict_batch=60), TASK, key=KEY)
    np.testing.assert_allclose(
        fp.predict(one, TASK).response, fp.predict(other, TASK).response, rtol=1e-5, atol=1e-7
    )


def test_dropout_and_batch_norm_evaluate_at_prediction():
    """Predicting draws nothing and uses running statistics; twice is the same."""
    graph = (
        nn.ingress_numeric()
        >> nn.batch_norm1d()
        >> nn.linear(8)
        >> nn.dropout(0.5)
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam")
        >> nn.model(epochs=2, batch_size=10)
    )
    fitted = fp.fit(graph, TASK, key=KEY)
    assert fp.same(fp.predict(fitted, TASK), fp.predict(fitted, TASK))
    one = fp.predict(fitted, TASK.take([3])).response[0]
    assert one == pytest.approx(fp.predict(fitted, TASK).response[3], rel=1e-5)


def test_fit_is_the_fold():
    """fp.fit is prepare and fold, in both interpreters, to the bit."""
    graph = (
        BODY
        >> nn.dropout(0.3)
        >> nn.loss("mse")
        >> nn.optimizer("adam")
        >> nn.model(epochs=3, batch_size=8, patience=2)
    )
    kept = []
    for interpreter in ("reference", "fast"):
        run, state = fp.prepare(graph, TASK, key=KEY, validate=0.2, interpreter=interpreter)
        fitted = model(graph, validate=0.2, interpreter=interpreter).state
        assert fp.same(fp.fold(run, state, events(run.plan)), fitted)
        kept.append(fitted)
    assert fp.same(kept[0].weights, kept[1].weights)
    assert kept[0].history == kept[1].history


def test_prediction_of_rows_without_target():
    """New data needs no target; its rows are numbered from 0."""
    fitted = fp.fit(learner(epochs=1), TASK, key=KEY)
    prediction = fp.predict(fitted, pl.DataFrame(COLUMNS))
    assert prediction.truth is None
    assert prediction.row_id.tolist() == list(range(60))
    assert fp.same(prediction.response, fp.predict(fitted, TASK).response)
