"""Means over folds, worked with numbers that are made by hand."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn import metrics

import fpipe as fp
from fpipe import learners, nn
from fpipe.core.errors import DataError, ParameterError
from fpipe.data.prediction import predicted_classes, predicted_numbers
from fpipe.evaluate.resample import ResampleResult
from fpipe.evaluate.resampling import Split, cv
from fpipe.measure.score import UndefinedError, measure


def result_of(parts, places=None):
    """A result whose folds have the given truths and responses."""
    truth = [float(t) for part in parts for t, _ in part]
    task = fp.regression({"x": np.zeros(len(truth)), "y": truth}, "y")
    predictions, splits, start = [], [], 0
    for i, part in enumerate(parts):
        rows = np.arange(start, start + len(part))
        start += len(part)
        predictions.append(
            predicted_numbers(task.take(rows), np.array([float(r) for _, r in part]))
        )
        rest = np.setdiff1d(np.arange(len(truth)), rows)
        splits.append(Split(rest, rows, places[i] if places else ()))
    return ResampleResult(cv(len(parts)), tuple(splits), tuple(predictions))


# Errors 3 and 4 in a fold of two rows; errors 0, 0, 0, 0, 0, 5 in one of six.
UNEVEN = result_of([[(0, 3), (0, 4)], [(i, i) for i in range(5)] + [(5, 10)]])


@pytest.mark.parametrize(
    ("name", "macro", "micro", "weighted"),
    [
        ("mae", (3.5 + 5 / 6) / 2, 12 / 8, (2 * 3.5 + 5) / 8),
        ("mse", (12.5 + 25 / 6) / 2, 50 / 8, (2 * 12.5 + 25) / 8),
        (
            "rmse",
            (math.sqrt(12.5) + math.sqrt(25 / 6)) / 2,
            math.sqrt(50 / 8),
            (2 * math.sqrt(12.5) + 6 * math.sqrt(25 / 6)) / 8,
        ),
        ("max_error", 4.5, 5.0, (2 * 4 + 6 * 5) / 8),
        ("sse", 25.0, 50.0, 25.0),
    ],
)
def test_three_means(name, macro, micro, weighted):
    """Mean of folds, all rows at once, and mean of folds by their rows."""
    assert UNEVEN.aggregate(name) == pytest.approx(macro)
    assert UNEVEN.aggregate(name, average="macro") == pytest.approx(macro)
    assert UNEVEN.aggregate(name, average="micro") == pytest.approx(micro)
    assert UNEVEN.aggregate(name, average="weighted") == pytest.approx(weighted)
    assert UNEVEN.aggregate(measure(name), average="micro") == pytest.approx(micro)


def test_standard_error_by_hand():
    """Scores 3.5 and 5/6: deviation over the root of two."""
    gap = 3.5 - 5 / 6
    assert UNEVEN.standard_error("mae") == pytest.approx(gap / math.sqrt(2) / math.sqrt(2))


# The second fold has a constant truth: no r2 there.
HOLES = result_of([[(0, 0), (2, 1)], [(3, 3), (3, 4)], [(1, 1), (3, 3)]])


def test_an_undefined_fold_is_an_error():
    """The error names the fold, for scores, means and tables."""
    for act in (
        lambda: HOLES.score("r2"),
        lambda: HOLES.aggregate("r2"),
        lambda: HOLES.aggregate("r2", average="weighted"),
        lambda: HOLES.standard_error("r2"),
        lambda: HOLES.table("r2"),
    ):
        with pytest.raises(UndefinedError, match="all 2 truths are 3") as caught:
            act()
        assert caught.value.at == "fold 1"


def test_an_undefined_fold_may_be_nan():
    """NaN in its place, and NaN as the mean; all rows together are defined."""
    scores = HOLES.score("r2", undefined="nan")
    assert scores[::2] == (pytest.approx(1 - 1 / 2), 1.0)
    assert math.isnan(scores[1])
    assert math.isnan(HOLES.aggregate("r2", undefined="nan"))
    assert math.isnan(HOLES.aggregate("r2", average="weighted", undefined="nan"))
    assert math.isnan(HOLES.standard_error("r2", undefined="nan"))
    assert HOLES.table("mae", "r2", undefined="nan")["r2"].is_nan().to_list() == [
        False,
        True,
        False,
    ]
    truth = np.array([0, 2, 3, 3, 1, 3.0])
    spread = ((truth - truth.mean()) ** 2).sum()
    assert HOLES.aggregate("r2", average="micro") == pytest.approx(1 - 2 / spread)


def test_other_errors_stay_errors():
    """NaN stands for what is undefined only, not for a wrong measure or bad numbers."""
    with pytest.raises(ParameterError, match="a measure for classification") as caught:
        HOLES.score("accuracy", undefined="nan")
    assert caught.value.at == "fold 0"
    broken = result_of([[(0, math.inf), (1, 1)], [(0, 0), (1, 1)]])
    with pytest.raises(DataError, match="not a finite number"):
        broken.score("mae", undefined="nan")


def test_the_place_of_a_repeat():
    """Repeat and fold are both named."""
    places = [(("repeat", 0), ("fold", 0)), (("repeat", 0), ("fold", 1))]
    parts = [[(0, 0), (2, 1)], [(3, 3), (3, 4)]]
    with pytest.raises(UndefinedError) as caught:
        result_of(parts, places).score("r2")
    assert caught.value.at == "repeat 0, fold 1"


def test_micro_pools_classes():
    """Folds of one class have no area; together they have."""
    task = fp.classification({"x": range(4), "y": ["n", "n", "p", "p"]}, "y")
    prob = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8]])
    rows = [np.array([0, 1]), np.array([2, 3])]
    made = tuple(predicted_classes(task.take(r), prob[r]) for r in rows)
    splits = (Split(rows[1], rows[0]), Split(rows[0], rows[1]))
    result = ResampleResult(cv(2), splits, made)
    with pytest.raises(UndefinedError, match="roc_auc"):
        result.aggregate("roc_auc")
    assert math.isnan(result.aggregate("roc_auc", undefined="nan"))
    assert result.aggregate("roc_auc", average="micro") == 0.75
    assert result.aggregate("tpr", average="micro") == 0.5
    alone = ResampleResult(cv(2), splits[:1], made[:1])
    assert math.isnan(alone.aggregate("tpr", average="micro", undefined="nan"))
    with pytest.raises(UndefinedError, match="tpr"):
        alone.aggregate("tpr", average="micro")


@pytest.mark.parametrize(
    ("act", "rule", "fix"),
    [
        (lambda: UNEVEN.aggregate("mae", average="micor"), "average cannot be 'micor'", "'micro'"),
        (lambda: UNEVEN.aggregate("mae", average=None), "average cannot be None", "use one of"),
        (lambda: UNEVEN.score("mae", undefined="NaN"), "undefined cannot be 'NaN'", "'nan'"),
        (lambda: UNEVEN.aggregate("mae", average="micro", undefined=0), "undefined cannot", "use"),
        (lambda: UNEVEN.table("mae", undefined="skip"), "undefined cannot be 'skip'", "use one of"),
    ],
)
def test_refusals(act, rule, fix):
    """Means and treatments that do not exist."""
    with pytest.raises(ParameterError) as caught:
        act()
    assert rule in caught.value.rule
    assert fix in caught.value.fix
    assert caught.value.expected


# Measures while training

NET = (
    nn.ingress_numeric()
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("sgd", lr=0.1)
    >> nn.model(epochs=4, batch_size=8)
)
LINE = fp.regression({"x": np.arange(24) / 24, "y": np.arange(24) / 12}, "y")


def trained(**parameters):
    graph = NET.set({f"model.{name}": value for name, value in parameters.items()})
    return fp.fit(graph, LINE, key=fp.key(0), validate=LINE).state("model")


def test_a_measure_without_direction_is_recorded():
    """A bias is in the history; what has a direction is watched."""
    alone = trained(measures=("bias",), patience=2)
    assert alone.state == trained(measures=("bias",), patience=2, monitor="loss").state
    both = trained(measures=("bias", "pinball(alpha=0.9)"), patience=2)
    assert {"valid.bias", "valid.pinball(alpha=0.9)"} <= set(both.history[-1])
    watched = trained(
        measures=("bias", "pinball(alpha=0.9)"), patience=2, monitor="pinball(alpha=0.9)"
    )
    assert both.state == watched.state
    with pytest.raises(ParameterError, match="bias: neither small nor large scores"):
        trained(measures=("bias",), patience=2, monitor="bias")


def test_a_measure_without_its_parameter_is_refused_before_training():
    """Costs that are not given are found before the first epoch."""
    task = fp.classification({"x": [0.0, 1.0], "y": ["a", "b"]}, "y")
    net = (
        nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("sgd", lr=0.1)
        >> nn.model(epochs=1, measures=("costs",))
    )
    with pytest.raises(ParameterError, match="costs: costs is not set"):
        fp.check(net, task)


def test_confusion_of_all_folds():
    """The rows of all folds are counted once, as scikit-learn counts them."""
    truth, said = ["a", "b", "b", "a", "c", "b"], [0, 1, 0, 0, 1, 1]
    task = fp.classification({"x": np.zeros(6), "y": truth}, "y")
    prob = np.eye(3)[said]
    predictions = tuple(
        predicted_classes(task.take(rows), prob[rows]) for rows in (np.arange(2), np.arange(2, 6))
    )
    splits = (Split(np.arange(2, 6), np.arange(2)), Split(np.arange(2), np.arange(2, 6)))
    result = ResampleResult(cv(2), splits, predictions)
    known = metrics.confusion_matrix(truth, np.array(["a", "b", "c"])[said])
    assert np.array_equal(result.confusion().drop("truth").to_numpy(), known)
    expected = metrics.f1_score(truth, np.array(["a", "b", "c"])[said], average="macro")
    assert result.aggregate("f1_macro", average="micro") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("act", "rule", "fix"),
    [
        (lambda: UNEVEN.table(["rmse", "mae"]), "a score is by a measure", "'rmse', 'mae'"),
        (lambda: UNEVEN.score(max), "a score is by a measure", "call it yourself"),
        (lambda: UNEVEN.predictions[0].scores(["rmse"]), "a score is by a measure", "'rmse'"),
        (lambda: UNEVEN.score("rmsee"), "there is no measure", "did you mean 'rmse'?"),
        (lambda: fit(sinks=[print]), "'print' is no sink", "emit"),
        (lambda: fit(sinks=print), "sinks cannot be print", "emit"),
        (lambda: fit(sinks=Emits()), "sinks cannot be Emits", "give a list"),
        (lambda: resample(sinks=[print]), "'print' is no sink", "emit"),
        (lambda: resample(executor=2), "'int' does not run folds", "ThreadPoolExecutor(2)"),
        (
            lambda: resample(executor=ThreadPoolExecutor),
            "'ThreadPoolExecutor' does not run folds",
            "ThreadPoolExecutor(2)",
        ),
    ],
)
def test_what_is_no_measure_sink_or_executor(act, rule, fix):
    """What was given is named, before anything is fitted."""
    with pytest.raises(ParameterError, match=rule) as caught:
        act()
    assert fix in caught.value.fix
    assert caught.value.expected


class Emits:
    """A sink."""

    def emit(self, event):
        """Take an event."""


TASK = fp.regression({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0, 5.0]}, "y")


def fit(**settings):
    return fp.fit(learners.featureless(), TASK, key=fp.key(0), **settings)


def resample(**settings):
    return fp.resample(learners.featureless(), TASK, cv(2), key=fp.key(0), **settings)


def test_sinks_and_executors_are_taken():
    """What fits is let through."""
    assert fit(sinks=[Emits()]) == fit()
    with ThreadPoolExecutor(2) as pool:
        assert resample(executor=pool, sinks=(Emits(),)) == resample()
