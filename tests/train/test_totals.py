"""The training loss in history, and what happens after an early stop."""

import numpy as np
import pytest

import fpipe as fp
from fpipe import nn
from fpipe.train.fold import fold_to
from fpipe.train.plan import EpochEnd

X = np.linspace(-1.0, 1.0, 40)


def graph(batch_size, reduction="mean", **model):
    return (
        nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("mse", reduction=reduction)
        >> nn.optimizer("sgd", lr=0.0)
        >> nn.model(epochs=1, batch_size=batch_size, **model)
    )


@pytest.mark.parametrize("batch_size", [1, 7, 16, 40])
def test_weighted_loss_does_not_depend_on_batches(batch_size):
    """With a learning rate of 0 the weighted loss is that of the whole table."""
    weights = 1.0 + np.arange(40) % 5
    task = fp.regression({"x": X, "y": X**3, "w": weights}, "y", weight="w")
    fitted = fp.fit(graph(batch_size), task, key=fp.key(0))
    error = (fp.predict(fitted, task).response.to_numpy() - X**3) ** 2
    expected = float((weights * error).sum() / weights.sum())
    assert fitted.state("model").history[0]["train.loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [7, 40])
def test_sums_add_up(batch_size):
    """A summed loss is summed over the epoch, as over the validation rows."""
    task = fp.regression({"x": X, "y": X**3}, "y")
    fitted = fp.fit(graph(batch_size, "sum"), task, key=fp.key(0), validate=task)
    row = fitted.state("model").history[0]
    assert row["train.loss"] == pytest.approx(row["valid.loss"], rel=1e-5)


def test_nothing_runs_after_an_early_stop():
    """The epochs after a stop are skipped, and the state is what the plain fold gives."""
    task = fp.regression({"x": X, "y": X**3}, "y")
    chain = graph(40, patience=1).set({"model.epochs": 500})
    run, start = fp.prepare(chain, task, key=fp.key(0), validate=0.5)
    every = fp.events(run.plan)
    seen = list(fold_to(run, start, every, lambda event: isinstance(event, EpochEnd)))
    assert len(seen) < 6
    assert fp.same(seen[-1][0], fp.fold(run, start, fp.events(run.plan)))
