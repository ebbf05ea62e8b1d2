"""Rows drawn by class or by weight."""

import numpy as np
import pytest

import fpipe as fp
from fpipe import nn
from fpipe.core.value import evolve
from fpipe.nn.sampling import chances
from fpipe.train.plan import Plan, epoch_order

RARE = fp.classification(
    {"x": range(100), "w": [0.0] * 50 + [1.0] * 50, "y": ["a"] * 90 + ["b"] * 10}, "y", weight="w"
)


def graph(**more):
    return (
        nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("sgd", lr=1e-4)
        >> nn.model(**({"epochs": 2, "batch_size": 16} | more))
    )


def test_classes_are_equally_likely():
    of_rows = chances(RARE, "classes")
    assert of_rows.sum() == pytest.approx(1.0)
    assert of_rows[90:].sum() == pytest.approx(0.5)
    orders = [
        epoch_order(Plan(100, 9, 10, sampling="classes"), fp.key(1), e, of_rows) for e in range(30)
    ]
    assert 0.45 < np.mean(np.concatenate(orders) >= 90) < 0.55
    assert all(len(order) == 100 for order in orders)
    assert not np.array_equal(orders[0], orders[1])


def test_weights_are_chances():
    order = epoch_order(Plan(100, 1, 10), fp.key(1), 1, chances(RARE, "weights"))
    assert order.min() >= 50


def test_weights_that_draw_do_not_weigh_as_well():
    run, _ = fp.prepare(graph(sampling="weights"), RARE, key=fp.key(1))
    assert run.train.weights is None
    run, _ = fp.prepare(graph(sampling="classes"), RARE, key=fp.key(1))
    assert run.train.weights is not None


@pytest.mark.parametrize("sampling", ["classes", "weights"])
def test_fold_and_interpreters(sampling):
    run, start = fp.prepare(graph(sampling=sampling), RARE, key=fp.key(1))
    events = list(fp.events(run.plan))
    end = fp.fold(run, start, events)
    assert fp.fold(run, fp.fold(run, start, events[:5]), events[5:]) == end
    slow = fp.fit(graph(sampling=sampling), RARE, key=fp.key(1), interpreter="reference")
    assert fp.same(
        slow.state("model").state, evolve(end, numerics=slow.state("model").state.numerics)
    )


def test_mistakes():
    numbers = fp.regression({"x": [1, 2], "y": [1.0, 2.0]}, "y")
    before = nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.1)
    for sampling, words in (("classes", "is for classification"), ("weights", "needs weights")):
        with pytest.raises(fp.FpipeError, match=words) as caught:
            fp.fit(before >> nn.model(epochs=1, sampling=sampling), numbers, key=fp.key(1))
        assert caught.value.fix
