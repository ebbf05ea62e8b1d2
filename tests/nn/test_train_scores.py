"""Scores of the training rows: of what the network gave when they were learned from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import ParameterError
from fpipe.core.value import evolve
from fpipe.net.network import execute, make_draws, planned_draws, program
from fpipe.train.plan import Batch, EpochEnd, batch_rows, epoch_order

RNG = np.random.default_rng(7)
X = RNG.normal(size=(30, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -1.0, 2.0], np.float32) + 7.0).astype(np.float32)
COLUMNS = {f"x{i}": X[:, i] for i in range(3)}
REGRESSION = fp.regression(COLUMNS | {"y": Y}, "y")
LABELS = np.array(list("abc"))[np.digitize(Y, [6, 8])]
MULTI = fp.classification(COLUMNS | {"y": LABELS}, "y")
BINARY = fp.classification(COLUMNS | {"y": np.where(Y > 7, "up", "down")}, "y")
KEY = fp.key(3)
BODY = nn.ingress_numeric() >> nn.linear(8) >> nn.relu() >> nn.dropout(0.5) >> nn.head()


def graph(*measures, loss="mse", body=BODY, **model):
    chain = body >> nn.loss(loss) >> nn.optimizer("adam", lr=0.05)
    return chain >> nn.model(**{"epochs": 4, "batch_size": 8, "measures_train": measures} | model)


def seen_by_hand(run, start):
    """Return rows and outputs of every epoch, each made before the step on its batch."""
    found, state = {}, start
    for after, event in fp.scan(run, start, fp.events(run.plan)):
        if isinstance(event, Batch):
            rows = batch_rows(run.plan, epoch_order(run.plan, start.key, event.epoch), event.index)
            batch = run.train.take(rows)
            plan = planned_draws(run.network, batch.shapes)
            outputs, _ = execute(
                program(run.network, state.weights.params, state.weights.buffers),
                run.network.outputs,
                dict(state.weights.params),
                dict(state.weights.buffers),
                batch.inputs,
                make_draws(plan, run.keys, state.cursor.step),
                training=True,
            )
            found.setdefault(event.epoch, []).append((rows, outputs[0]))
        state = after
    return {
        epoch: (np.concatenate([r for r, _ in parts]), torch.cat([o for _, o in parts]))
        for epoch, parts in found.items()
    }


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
@pytest.mark.parametrize("drop_last", [False, True])
def test_scores_are_of_the_outputs_while_training(interpreter, drop_last):
    """With dropout on and the weights before each step; rows that are left out do not count."""
    chain = graph("rmse", "mae", drop_last=drop_last)
    run, start = fp.prepare(chain, REGRESSION, key=KEY, interpreter=interpreter)
    history = fp.fold(run, start, fp.events(run.plan)).history
    by_hand = seen_by_hand(run, start)
    assert len(by_hand[1][0]) == (24 if drop_last else 30)
    for row in history:
        rows, outputs = by_hand[int(row["epoch"])]
        truth, found = Y[rows].astype(float), outputs[:, 0].numpy().astype(float)
        assert row["train.rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, found))
        assert row["train.mae"] == pytest.approx(metrics.mean_absolute_error(truth, found))
        # The loss is of the same outputs.
        assert row["train.rmse"] ** 2 == pytest.approx(row["train.loss"], rel=1e-4)


def test_scores_of_classes():
    """Accuracy and log loss by scikit-learn."""
    chain = graph("accuracy", "log_loss", loss="cross_entropy")
    run, start = fp.prepare(chain, MULTI, key=KEY)
    history, by_hand = fp.fold(run, start, fp.events(run.plan)).history, seen_by_hand(run, start)
    for row in history:
        rows, outputs = by_hand[int(row["epoch"])]
        prob = torch.softmax(outputs.double(), 1).numpy()
        found = np.array(list("abc"))[prob.argmax(1)]
        assert row["train.accuracy"] == pytest.approx(metrics.accuracy_score(LABELS[rows], found))
        expected = metrics.log_loss(LABELS[rows], prob, labels=list("abc"))
        assert row["train.log_loss"] == pytest.approx(expected)


def test_scores_are_in_the_units_of_the_user():
    """A scaled target is scaled back."""
    plain = ops.scale_target() >> graph("rmse", body=nn.ingress_numeric() >> nn.head())
    history = fp.fit(plain, REGRESSION, key=KEY).state("model").history
    deviation = float(np.std(Y, ddof=0))
    for row in history:
        expected = math.sqrt(row["train.loss"]) * deviation
        assert row["train.rmse"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_only_in_evaluated_epochs(interpreter):
    """Every third epoch and the last, as validation; nothing waits in the state between."""
    chain = graph("rmse", epochs=7, eval_every=3, measures=("mae",))
    run, state = fp.prepare(chain, REGRESSION, key=KEY, validate=0.3, interpreter=interpreter)
    for event in fp.events(run.plan):
        state = fp.fold(run, state, [event])
        if isinstance(event, Batch):
            assert len(state.seen) == (event.index + 1 if event.epoch in (3, 6, 7) else 0)
        if isinstance(event, EpochEnd):
            assert len(state.seen) == 0
    assert [int(r["epoch"]) for r in state.history if "train.rmse" in r] == [3, 6, 7]
    assert [int(r["epoch"]) for r in state.history if "valid.mae" in r] == [3, 6, 7]
    names = {"epoch", "train.loss", "train.rmse", "valid.loss", "valid.mae"}
    assert set(state.history[-1]) == names


@pytest.mark.parametrize("interpreter", ["fast", "reference"])
def test_cuts_are_exact(interpreter):
    """A cut in the middle of an epoch loses no score."""
    chain = graph("rmse", epochs=2)
    run, start = fp.prepare(chain, REGRESSION, key=KEY, interpreter=interpreter)
    every = list(fp.events(run.plan))
    end = fp.fold(run, start, every)
    for cut in range(len(every)):
        middle = fp.fold(run, start, every[:cut])
        assert fp.same(fp.fold(run, middle, every[cut:]), end)


def test_interpreters_agree():
    """Both give the same state after every event."""
    run, start = fp.prepare(graph("rmse"), REGRESSION, key=KEY, interpreter="reference")
    quick = evolve(start, numerics=evolve(start.numerics, interpreter="fast"))
    every = list(fp.events(run.plan))
    for done, (state, _) in enumerate(fp.scan(run, start, every), 1):
        other = fp.fold(run, quick, every[:done])
        assert fp.same(evolve(other, numerics=state.numerics), state)


def test_without_validation_rows():
    """Training rows are scored without any; nothing else changes."""
    with_scores = fp.fit(graph("rmse", "r2"), REGRESSION, key=KEY).state("model")
    without = fp.fit(graph(), REGRESSION, key=KEY).state("model")
    assert fp.same(with_scores.weights, without.weights)
    for row, bare in zip(with_scores.history, without.history, strict=True):
        assert set(row) - set(bare) == {"train.rmse", "train.r2"}


class Never(torch.nn.Module):
    """A network whose logit is below 0 for every row."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 1)

    def forward(self, x):
        return -self.linear(x).abs() - 1.0


def test_undefined_scores_are_nan():
    """A score that is not defined ends no training, on training or on validation rows."""
    only_up = BINARY.take(np.flatnonzero(Y > 7))
    chain = graph(loss="cross_entropy", measures=("roc_auc",), epochs=2, batch_size=30)
    fitted = fp.fit(chain, BINARY, key=KEY, validate=only_up).state("model")
    assert all(math.isnan(row["valid.roc_auc"]) for row in fitted.history)
    assert fitted.state.best is None or not math.isnan(fitted.state.best.score)
    assert len(fitted.history) == 2
    never_up = graph(
        "precision", "accuracy", body=nn.ingress_numeric() >> nn.module(Never), loss="cross_entropy"
    )
    for row in fp.fit(never_up, BINARY, key=KEY).state("model").history:
        assert math.isnan(row["train.precision"])
        assert row["train.accuracy"] == pytest.approx(np.mean(Y <= 7))


def test_diverging_training_says_so():
    """Outputs that are not finite are reported as a loss that is not, scores or none."""
    chain = graph("rmse", "r2", epochs=3, measures=("rmse",)).set({"optimizer.lr": 1e30})
    with pytest.raises(fp.FpipeError, match="the training loss is") as caught:
        fp.fit(chain, REGRESSION, key=KEY, validate=0.3)
    assert "learning rate" in caught.value.fix


def test_picture_of_learning_curves():
    """The picture shows training scores beside those of validation."""
    chain = graph("rmse", measures=("rmse",), eval_every=2)
    fitted = fp.fit(chain, REGRESSION, key=KEY, validate=0.3)
    figure = fp.plot(fitted)
    labels = {t for axes in figure.axes for t in axes.get_legend_handles_labels()[1]}
    lines = sum(len(axes.lines) for axes in figure.axes)
    assert lines >= 2, (labels, lines)


@pytest.mark.parametrize(
    ("task", "given", "rule", "fix"),
    [
        (REGRESSION, "rmes", "rmes", "rmse"),
        (REGRESSION, "accuracy", "accuracy", "rmse"),
        (MULTI, "rmse", "rmse", "accuracy"),
    ],
)
def test_refused(task, given, rule, fix, refused):
    """An unknown measure, or one for the other kind of task, is refused, by check already."""
    loss = "cross_entropy" if task is MULTI else "mse"
    body = nn.ingress_numeric() >> nn.head()
    for act in (
        lambda: fp.check(graph(given, loss=loss, body=body), task),
        lambda: fp.fit(graph(given, loss=loss, body=body), task, key=KEY),
    ):
        refused(act, ParameterError, rule, "model", fix)


def test_one_name_will_do():
    """One measure may be given by itself."""
    assert nn.model(epochs=1, measures_train="rmse").at("model.measures_train") == ("rmse",)
