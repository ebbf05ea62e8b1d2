"""Scores equal scikit-learn's, and every refusal says why."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn import metrics

from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.measure.score import MEASURES, Measure, measure, score

CLASSES = ("no", "yes", "maybe")
RNG = np.random.default_rng(0)
TRUTH = np.array(CLASSES)[RNG.integers(0, 3, 60)]
RESPONSE = np.array(CLASSES)[RNG.integers(0, 3, 60)]
PROB = RNG.dirichlet(np.ones(3), 60)


def of_classes(name, truth=TRUTH, response=RESPONSE, prob=PROB, classes=CLASSES, positive=None):
    return score(measure(name), truth, response, prob, classes=classes, positive=positive)


def of_numbers(name, truth, response):
    return score(measure(name), truth, response, None, classes=None, positive=None)


def test_the_standard_names():
    """The names, their direction and what they need."""
    rows = {m.name: (m.minimize, m.needs, m.kind, m.binary_only) for m in MEASURES}
    assert rows == {
        "accuracy": (False, "response", "classification", False),
        "log_loss": (True, "prob", "classification", False),
        "roc_auc": (False, "prob", "classification", False),
        "rmse": (True, "response", "regression", False),
        "mse": (True, "response", "regression", False),
        "mae": (True, "response", "regression", False),
        "r2": (False, "response", "regression", False),
    }


def test_measures_are_values():
    """Equal measures are equal, hash alike and check their fields."""
    made = Measure("rmse", minimize=True, needs="response", kind="regression")
    assert made == measure("rmse")
    assert len({made, measure("rmse")}) == 1
    with pytest.raises(ParameterError, match="needs cannot be 'label'"):
        Measure("x", minimize=True, needs="label", kind="regression")


def test_unknown_name_gets_the_nearest():
    """A misspelt name is answered with the right one."""
    with pytest.raises(ParameterError) as error:
        measure("acuracy")
    assert str(error.value) == (
        "ParameterError: there is no measure 'acuracy'.\n"
        "  expected  accuracy, log_loss, roc_auc, rmse, mse, mae, r2\n"
        "  got       'acuracy'\n"
        "  fix       did you mean 'accuracy'?"
    )


def test_regression_by_hand():
    """Errors 0, 1, -2 and 3 about a truth of variance 1.25."""
    truth, response = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 5.0, 1.0])
    assert of_numbers("mse", truth, response) == 3.5
    assert of_numbers("rmse", truth, response) == pytest.approx(3.5**0.5)
    assert of_numbers("mae", truth, response) == 1.5
    assert of_numbers("r2", truth, response) == pytest.approx(1 - 14 / 5)


def test_classification_equals_sklearn():
    """Three classes whose order is not the alphabet's."""
    codes = np.array([CLASSES.index(label) for label in TRUTH])
    onehot = np.eye(3)[codes]
    assert of_classes("accuracy") == metrics.accuracy_score(TRUTH, RESPONSE)
    assert of_classes("log_loss") == metrics.log_loss(onehot, PROB)
    by_class = [metrics.roc_auc_score(onehot[:, k], PROB[:, k]) for k in range(3)]
    assert of_classes("roc_auc") == pytest.approx(np.mean(by_class), abs=1e-15)
    alphabet = np.argsort(CLASSES)
    assert of_classes("log_loss") == pytest.approx(metrics.log_loss(TRUTH, PROB[:, alphabet]))


@pytest.mark.parametrize("positive", ["a", "b"])
def test_binary_auc_ranks_by_the_positive_class(positive):
    """The column of the positive class is the one that ranks."""
    truth = np.array(["a", "a", "b", "b", "b"])
    of_b = np.array([0.1, 0.7, 0.2, 0.6, 0.9])
    prob = np.stack([1 - of_b, of_b], axis=1)
    seen = of_classes("roc_auc", truth, None, prob, ("a", "b"), positive)
    assert seen == pytest.approx(4 / 6)
    ranked = of_b if positive == "b" else 1 - of_b
    assert seen == metrics.roc_auc_score(truth == positive, ranked)


def test_a_class_may_be_absent_from_log_loss():
    """One class in the truth is enough for log_loss."""
    truth, prob = np.array(["no", "no"]), np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    assert of_classes("log_loss", truth, None, prob) == pytest.approx(np.log([2, 4]).mean())


@pytest.mark.filterwarnings("error")
def test_rounded_probabilities_are_rescaled():
    """Rows that miss 1 by single precision raise no warning; exact rows keep their bits."""
    single = PROB.astype(np.float32).astype(np.float64)
    assert of_classes("log_loss", prob=single) == pytest.approx(of_classes("log_loss"), rel=1e-6)
    assert of_classes("roc_auc", prob=single) == of_classes("roc_auc")


def test_nothing_is_changed():
    """Read-only arrays are fine, and object arrays of labels as well."""
    frozen = PROB.astype(np.float32).astype(np.float64)
    frozen.setflags(write=False)
    of_classes("log_loss", prob=frozen)
    assert of_classes("accuracy", TRUTH.astype(object)) == of_classes("accuracy")


def test_other_kind():
    """A measure for regression meets classes, and the other way round."""
    with pytest.raises(ParameterError, match="rmse: a measure for regression meets") as error:
        of_classes("rmse")
    assert error.value.fix == "use one of 'accuracy', 'log_loss', 'roc_auc'"
    with pytest.raises(ParameterError) as error:
        of_numbers("accuracy", np.ones(2), np.ones(2))
    assert error.value.fix == "use one of 'rmse', 'mse', 'mae', 'r2'"


def test_what_the_measure_needs_is_missing():
    """No probabilities for log_loss; no response for accuracy."""
    with pytest.raises(ParameterError) as error:
        of_classes("log_loss", prob=None)
    assert str(error.value) == (
        "ParameterError: log_loss: the measure needs probabilities, and the prediction has none.\n"
        "  expected  prob, an array\n"
        "  got       prob = None\n"
        "  fix       predict probabilities, or use 'accuracy'"
    )
    with pytest.raises(ParameterError, match="accuracy: the measure needs the response"):
        of_classes("accuracy", response=None)


def test_two_classes_only():
    """A measure for two classes refuses three; a name without a rule is refused too."""
    two = Measure("roc_auc", minimize=False, needs="prob", kind="classification", binary_only=True)
    with pytest.raises(ParameterError, match="a measure for 2 classes meets 3 classes"):
        score(two, TRUTH, None, PROB, classes=CLASSES, positive="no")
    other = Measure("f1", minimize=False, needs="response", kind="classification")
    with pytest.raises(ParameterError, match="there is no rule to score 'f1'"):
        score(other, TRUTH, RESPONSE, None, classes=CLASSES, positive=None)


def test_positive_must_be_a_class():
    """A binary AUC without a positive class is not defined."""
    truth, prob = np.array(["a", "b"]), np.full((2, 2), 0.5)
    with pytest.raises(ParameterError, match="the positive class None is none") as error:
        of_classes("roc_auc", truth, None, prob, ("a", "b"), None)
    assert error.value.fix == "positive='b'"


def test_zero_rows():
    """No rows have no score."""
    with pytest.raises(DataError, match="rmse: zero rows have no score"):
        of_numbers("rmse", np.empty(0), np.empty(0))


@pytest.mark.parametrize("hole", [None, float("nan")])
def test_missing_class(hole):
    """A missing label says where it is."""
    truth = np.array(["no", hole, "yes"], dtype=object)
    with pytest.raises(DataError) as error:
        of_classes("accuracy", truth, np.array(["no", "no", "no"]))
    assert error.value.rule == "accuracy: the truth has a missing value."
    assert error.value.at == "truth, row 1"


def test_unknown_class():
    """A label that is no class is named with the classes."""
    with pytest.raises(DataError) as error:
        of_classes("accuracy", np.array(["no", "perhaps"]), np.array(["no", "no"]))
    assert str(error.value) == (
        "DataError: accuracy: the truth has a value that is not one of 'no', 'yes', 'maybe'.\n"
        "  expected  one of 'no', 'yes', 'maybe'\n"
        "  got       'perhaps'; 1 such value\n"
        "  at        truth, row 1\n"
        "  fix       remove these rows, or give them a value, before scoring"
    )


def test_missing_and_infinite_numbers():
    """NaN and infinity have a place in the error."""
    with pytest.raises(DataError, match="mae: the truth has a missing value") as error:
        of_numbers("mae", np.array([1.0, np.nan, np.nan]), np.ones(3))
    assert (error.value.at, error.value.got) == ("truth, row 1", "nan; 2 such values")
    with pytest.raises(DataError, match="the response has a value that is not a finite number"):
        of_numbers("mae", np.ones(2), np.array([1.0, np.inf]))
    with pytest.raises(DataError, match="the truth does not hold numbers"):
        of_numbers("mae", np.array(["a"]), np.ones(1))
    with pytest.raises(DataError, match="the truth has a missing value"):
        of_numbers("mae", np.array([1.0, None], dtype=object), np.ones(2))


def test_what_is_no_probability():
    """Logits and rows that do not add up to 1 are refused."""
    bad = PROB.copy()
    bad[4] *= 0.5
    with pytest.raises(DataError, match="add up to 0.5, not to 1") as error:
        of_classes("log_loss", prob=bad)
    assert error.value.at == "prob, row 4"
    bad[4] = [1.5, -0.5, 0.0]
    with pytest.raises(DataError, match="not a probability") as error:
        of_classes("log_loss", prob=bad)
    assert error.value.at == "prob, row 4, column 0"


def test_one_class_has_no_auc():
    """The classes that are there and those that are not are named."""
    truth, prob = np.array(["a", "a"]), np.full((2, 2), 0.5)
    with pytest.raises(DataError) as error:
        of_classes("roc_auc", truth, None, prob, ("a", "b"), "b")
    assert str(error.value) == (
        "DataError: roc_auc: the truth has only 'a', and no row of 'b'.\n"
        "  expected  at least 1 row of every class\n"
        "  got       2 rows: 'a'\n"
        "  fix       split with strata (give the target the role 'stratum'), or use 'log_loss'"
    )


def test_r2_needs_two_rows():
    """One row has no variance."""
    with pytest.raises(DataError, match="r2: the variance of 1 row is not defined"):
        of_numbers("r2", np.ones(1), np.ones(1))


def test_shapes():
    """Rows and columns must agree."""
    with pytest.raises(ShapeError) as error:
        of_classes("log_loss", prob=PROB[:, :2])
    assert (error.value.expected, error.value.got) == ([60, 3], [60, 2])
    with pytest.raises(ShapeError):
        of_numbers("rmse", np.ones(3), np.ones((3, 1)))
    with pytest.raises(ShapeError, match="the truth has 2 dimensions"):
        of_numbers("rmse", np.ones((3, 1)), np.ones(3))


def test_without_sklearn(monkeypatch):
    """The extra that is missing is named."""
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ParameterError) as error:
        of_numbers("rmse", np.ones(2), np.ones(2))
    assert error.value.fix == "pip install fpipe[sklearn]"
