"""Confusion matrices, thresholds and parts of predictions, worked by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

import fpipe as fp
from fpipe import learners
from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.core.value import evolve
from fpipe.data.prediction import predicted_classes, predicted_numbers
from fpipe.measure.score import UndefinedError, measure

RNG = np.random.default_rng(5)
NAMES = ["b", "a", "truth"]
TRUTH = RNG.choice(NAMES, 60)
PROB = RNG.dirichlet(np.ones(3), 60)
THREE = predicted_classes(fp.classification({"x": np.zeros(60), "y": TRUTH}, "y"), PROB)
BINARY_TASK = fp.classification({"x": range(4), "y": ["n", "p", "p", "n"]}, "y", positive="p")
BINARY = predicted_classes(BINARY_TASK, np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.3, 0.7]]))
NUMBERS = predicted_numbers(fp.regression({"x": [1, 2, 3], "y": [1, 2, 4]}, "y"), np.ones(3))
UNKNOWN = evolve(BINARY, truth=None)


def test_confusion_is_sklearns():
    """Rows are true classes, columns predicted ones; a class called truth is no clash."""
    table = THREE.confusion()
    classes = list(THREE.kind.classes)
    expected = confusion_matrix(TRUTH, THREE.response.to_list(), labels=classes)
    assert table.columns == ["truth_", *classes]
    assert table["truth_"].to_list() == classes
    assert (table.select(classes).to_numpy() == expected).all()
    assert table.dtypes[1:] == [pl.Int64] * 3


def test_confusion_by_hand():
    """The positive class does not move: the order is that of the classes."""
    table = BINARY.confusion()
    assert table.rows() == [("n", 1, 1), ("p", 1, 1)]
    assert BINARY.filter([2]).confusion().rows() == [("n", 0, 0), ("p", 0, 1)]


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (0.5, "nnpp"),
        (0.3, "nppp"),
        (0.31, "nnpp"),
        (0.8, "nnpn"),
        (0, "pppp"),
        (1, "nnnn"),
        ({"n": 0.5, "p": 0.5}, "nnpp"),
        ({"n": 0.9, "p": 0.1}, "nppp"),
        ({"p": 0.0, "n": 1.0}, "pppp"),
        ({"p": 0.0, "n": 0.0}, "nnpp"),
    ],
)
def test_thresholds_of_two_classes(threshold, expected):
    """Probabilities of p are 0.1, 0.3, 0.8 and 0.7; at the threshold p is predicted."""
    made = BINARY.with_threshold(threshold)
    assert "".join(made.response) == expected
    assert made.response.dtype == BINARY.response.dtype
    assert made.prob.equals(BINARY.prob)
    assert "".join(BINARY.response) == "nnpp"


def test_a_threshold_of_half_is_the_response():
    """Equal thresholds give the most probable class."""
    same = THREE.with_threshold(dict.fromkeys(THREE.kind.classes, 1 / 4))
    assert same == THREE


def test_thresholds_of_many_classes():
    """Probability over threshold decides, worked by a loop."""
    classes = THREE.kind.classes
    thresholds = {"a": 0.2, "b": 0.5, "truth": 0.9}
    seen = THREE.with_threshold(dict(reversed(thresholds.items()))).response.to_list()
    ratio = [{c: row[i] / thresholds[c] for i, c in enumerate(classes)} for row in PROB]
    assert seen == [max(each, key=each.get) for each in ratio]
    assert THREE.with_threshold({"a": 1, "b": 0, "truth": 1}).response.unique().to_list() == ["b"]


def test_scores_follow_the_threshold():
    """One prediction, three thresholds: sensitivity falls as the threshold grows."""
    seen = [BINARY.with_threshold(t).score("sensitivity") for t in (0.3, 0.5, 0.9)]
    assert seen == [1.0, 0.5, 0.0]
    assert BINARY.with_threshold(0.9).score("brier") == BINARY.score("brier")


@pytest.mark.parametrize(
    ("act", "error", "rule", "fix"),
    [
        (lambda: THREE.with_threshold(0.5), ParameterError, "between 3 classes", "'a': 0.5"),
        (lambda: BINARY.with_threshold(-0.1), ParameterError, "cannot be -0.1", "0.5"),
        (lambda: BINARY.with_threshold(1.5), ParameterError, "cannot be 1.5", "0.5"),
        (lambda: BINARY.with_threshold(True), ParameterError, "cannot be True", "0.5"),
        (lambda: BINARY.with_threshold("0.5"), ParameterError, "cannot be '0.5'", "0.5"),
        (lambda: BINARY.with_threshold(float("nan")), ParameterError, "cannot be nan", "0.5"),
        (
            lambda: BINARY.with_threshold({"n": 0.5, "p": -1}),
            ParameterError,
            "threshold of 'p' cannot be -1",
            "0.5",
        ),
        (
            lambda: THREE.with_threshold({"a": 0.5, "b": 0.5, "truht": 0.5}),
            ParameterError,
            "'truht' is none of the classes",
            "did you mean 'truth'?",
        ),
        (lambda: BINARY.with_threshold({"n": 0.5}), ParameterError, "no threshold for", "'p': 0.5"),
        (lambda: NUMBERS.with_threshold(0.5), SchemaError, "needs classes", "classification"),
        (lambda: NUMBERS.confusion(), SchemaError, "needs classes", "classification"),
        (lambda: UNKNOWN.confusion(), DataError, "needs the truth", "has its target"),
        (lambda: UNKNOWN.score("accuracy"), DataError, "needs the truth", "has its target"),
        (lambda: NUMBERS.filter([0, 7]), DataError, "for the row id 7", "row ids"),
    ],
)
def test_refusals(act, error, rule, fix):
    """What has no threshold, no confusion or no such row says so."""
    with pytest.raises(error) as caught:
        act()
    assert rule in caught.value.rule
    assert fix in caught.value.fix
    assert caught.value.expected
    assert caught.value.got


def test_a_threshold_needs_probabilities():
    """Classes without probabilities have no threshold."""
    with pytest.raises(SchemaError, match="needs probabilities"):
        evolve(BINARY, prob=None).with_threshold(0.5)


def test_filter_keeps_order_and_columns():
    """The rows with these ids, in the order of the prediction, with truth and probabilities."""
    part = THREE.filter([5, 2, 40])
    assert part.row_id.tolist() == [2, 5, 40]
    assert part.table().equals(THREE.table()[[2, 5, 40]])
    assert part.origin.tolist() == [2, 5, 40]
    assert THREE.filter(THREE.row_id) == THREE
    with pytest.raises(UndefinedError, match="zero rows"):
        THREE.filter([]).score("accuracy")


def test_scores_by_measures_with_parameters():
    """Measures, their names and the columns they make."""
    two = measure("fbeta", beta=2.0)
    assert BINARY.scores("accuracy", two, "fbeta(beta=2)") == {
        "accuracy": 0.5,
        "fbeta(beta=2)": pytest.approx(0.5),
    }
    assert BINARY.score(two) == BINARY.score("fbeta(beta=2)")


def test_a_truth_that_is_missing_in_some_rows():
    """It is kept where it is known; what needs it of every row says which row has none."""
    fitted = fp.fit(learners.featureless(), BINARY_TASK, key=fp.key(0))
    made = fp.predict(fitted, {"x": [1, 2, 3], "y": ["n", None, "p"]})
    assert made.truth.to_list() == ["n", None, "p"]
    for act in (lambda: made.score("accuracy"), made.confusion):
        with pytest.raises(DataError, match="missing in 1 of 3 rows") as caught:
            act()
        assert caught.value.expected == "a truth for every row"
        assert caught.value.got == "the first missing one in row 1"
        assert "filter" in caught.value.fix
    known = made.filter(made.row_id[made.truth.is_not_null().to_numpy()])
    assert known.score("accuracy") == accuracy_score(["n", "p"], known.response.to_list())
    assert fp.predict(fitted, {"x": [1], "y": [None]}).truth is None


def test_confusion_of_a_class_unseen_at_fit():
    """A true class that was not there at fit has no row of its own."""
    fitted = fp.fit(learners.featureless(), BINARY_TASK, key=fp.key(0))
    made = fp.predict(fitted, {"x": [1, 2, 3], "y": ["n", "RR", "p"]})
    for act in (made.confusion, lambda: fp.plot(made, "confusion")):
        with pytest.raises(DataError, match="truth in row 1 is 'RR'") as caught:
            act()
        assert caught.value.expected == "one of 'n', 'p'"
        assert caught.value.got == "'RR' in row 1; 1 such rows"
        assert "'RR'" in caught.value.fix
