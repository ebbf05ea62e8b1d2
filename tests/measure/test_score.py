"""Scores equal scikit-learn's, and every refusal says why."""

from __future__ import annotations

import math
import statistics
import sys
import warnings
from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from fpipe.codec.fingerprint import fingerprint
from fpipe.core.errors import DataError, ParameterError, ShapeError
from fpipe.measure.score import (
    MEASURES,
    Measure,
    UndefinedError,
    about,
    as_measure,
    measure,
    parameters_of,
    score,
)

CLASSES = ("no", "yes", "maybe")
RNG = np.random.default_rng(0)
TRUTH = np.array(CLASSES)[RNG.integers(0, 3, 60)]
RESPONSE = np.array(CLASSES)[RNG.integers(0, 3, 60)]
PROB = RNG.dirichlet(np.ones(3), 60)


def of_classes(name, truth=TRUTH, response=RESPONSE, prob=PROB, classes=CLASSES, positive=None):
    return score(measure(name), truth, response, prob, classes=classes, positive=positive)


def of_numbers(name, truth, response):
    return score(measure(name), truth, response, None, classes=None, positive=None)


def test_unknown_name_gets_the_nearest():
    """A misspelt name is answered with the right one."""
    with pytest.raises(ParameterError) as error:
        measure("acuracy")
    assert str(error.value) == (
        "there is no measure 'acuracy'.\n"
        "  expected  accuracy, error_rate, balanced_accuracy, precision_macro, recall_macro, "
        "f1_macro, precision_weighted, …\n"
        "  got       'acuracy'\n"
        "  fix       did you mean 'accuracy'?"
    )


@pytest.mark.parametrize(
    ("name", "kind", "fix"),
    [
        ("auc", "classification", "did you mean 'roc_auc'?"),
        ("f1_scor", "classification", "did you mean 'f1'?"),
        ("precision_weighed", "classification", "did you mean 'precision_weighted'?"),
        ("rmsd", "regression", "did you mean 'rmse'?"),
        ("l1", "regression", "did you mean 'mae'?"),
        (["accuracy", "f1"], "classification", "one by one: 'accuracy', 'f1'"),
        (metrics.accuracy_score, "classification", "call it yourself"),
        (3, "regression", "give the name of a measure"),
    ],
    ids=["auc", "f1_scor", "weighed", "rmsd", "l1", "list", "function", "number"],
)
def test_what_is_no_measure(name, kind, fix):
    """The nearest name of the kind is offered, and names of the other kind are not listed."""
    with pytest.raises(ParameterError) as error:
        as_measure(name, kind)
    assert fix in error.value.fix
    other = {"classification": "rmse", "regression": "accuracy"}[kind]
    assert other not in error.value.expected


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_where_classes_are_missing(average):
    """As in scikit-learn, a class that is only true or only predicted counts with 0."""
    truth = np.array(["a", "a", "b", "c", "c", "c"])
    said = np.array(["a", "b", "b", "b", "a", "d"])
    for word in ("precision", "recall", "f1"):
        if f"{word}_{average}" in NUMBERS:
            known = getattr(metrics, f"{word}_score")(truth, said, average=average, zero_division=0)
            seen = of_classes(f"{word}_{average}", truth, said, None, ("a", "b", "c", "d", "e"))
            assert seen == pytest.approx(known, rel=1e-12)
    assert 0 < known < 1


def test_every_measure_is_tested():
    """Each name occurs once, has a test of its numbers, and a line that says what it is."""
    names = [each.name for each in MEASURES]
    assert len(set(names)) == len(names)
    assert set(names) == set(NUMBERS)
    for each in MEASURES:
        assert 10 < len(about(each)) < 100
        assert each.range[0] < each.range[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", (False, "response", "classification", False, (0.0, 1.0))),
        ("log_loss", (True, "prob", "classification", False, (0.0, math.inf))),
        ("roc_auc", (False, "prob", "classification", False, (0.0, 1.0))),
        ("brier", (True, "prob", "classification", False, (0.0, 2.0))),
        ("mcc", (False, "response", "classification", False, (-1.0, 1.0))),
        ("pr_auc", (False, "prob", "classification", True, (0.0, 1.0))),
        ("fpr", (True, "response", "classification", True, (0.0, 1.0))),
        ("dor", (False, "response", "classification", True, (0.0, math.inf))),
        ("rmse", (True, "response", "regression", False, (0.0, math.inf))),
        ("r2", (False, "response", "regression", False, (-math.inf, 1.0))),
        ("spearman", (False, "response", "regression", False, (-1.0, 1.0))),
        ("bias", (None, "response", "regression", False, (-math.inf, math.inf))),
    ],
)
def test_what_is_known_of_a_measure(name, expected):
    """Direction, needs, kind and range."""
    m = measure(name)
    assert (m.minimize, m.needs, m.kind, m.binary_only, m.range) == expected


# The numbers of every measure, against scikit-learn, scipy or plain arithmetic

TWO = ("neg", "pos")


class Data:
    """Rows of one draw: two classes, three classes, and numbers."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.truth2 = np.array(TWO)[rng.integers(0, 2, 50)]
        wrong = rng.random(50) < 0.3
        self.response2 = np.where(wrong ^ (self.truth2 == "pos"), "pos", "neg")
        of_pos = rng.random(50).round(1)
        self.prob2 = np.stack([1 - of_pos, of_pos], axis=1)
        self.truth3 = np.array(CLASSES)[rng.integers(0, 3, 70)]
        self.response3 = np.where(rng.random(70) < 0.5, self.truth3, rng.choice(CLASSES, 70))
        self.prob3 = rng.dirichlet(np.ones(3), 70)
        self.codes3 = np.array([CLASSES.index(label) for label in self.truth3])
        self.t = rng.normal(2.0, 3.0, 40).round(1) + 0.05
        self.r = self.t + rng.normal(0.2, 1.0, 40).round(1)
        table = metrics.confusion_matrix(self.truth2, self.response2, labels=TWO)
        self.tn, self.fp, self.fn, self.tp = (int(count) for count in table.ravel())

    def two(self, m):
        return score(m, self.truth2, self.response2, self.prob2, classes=TWO, positive="pos")

    def three(self, m):
        return score(m, self.truth3, self.response3, self.prob3, classes=CLASSES, positive=None)

    def numbers(self, m):
        t, r = (self.t, self.r) if m.rule not in ("msle", "rmsle") else (abs(self.t), abs(self.r))
        return score(m, t, r, None, classes=None, positive=None)

    def seen(self, m):
        if m.kind == "regression":
            return self.numbers(m)
        return self.two(m) if m.binary_only else self.three(m)


def pairs_mean(d, auc, weighted):
    """The mean over pairs of classes of an area, each weighted by the rows of its pair or not."""
    areas, sizes = [], []
    for i in range(3):
        for j in range(i):
            rows = np.isin(d.codes3, (i, j))
            areas.append(auc(d.codes3[rows] == i, d.prob3[rows, i], d.prob3[rows, j]))
            sizes.append(rows.sum())
    return np.average(areas, weights=sizes if weighted else None)


def concordance(is_i, of_i, of_j):
    """The share of pairs that the difference of probabilities ranks right, ties half."""
    gap = of_i - of_j
    wins = [(a > b) + 0.5 * (a == b) for a in gap[is_i] for b in gap[~is_i]]
    return np.mean(wins)


def ovr(d, average):
    return metrics.roc_auc_score(d.codes3, d.prob3, multi_class="ovr", average=average)


def ovo(d, average):
    return metrics.roc_auc_score(d.codes3, d.prob3, multi_class="ovo", average=average)


def quantile_r2(d):
    naive = np.full_like(d.t, np.quantile(d.t, 0.5))
    return 1 - metrics.mean_pinball_loss(d.t, d.r) / metrics.mean_pinball_loss(d.t, naive)


def top_two(d):
    return metrics.top_k_accuracy_score(d.codes3, d.prob3, k=2)


COSTS = {
    "no": {"yes": 1.0, "maybe": 2.0},
    "yes": {"no": 5.0, "maybe": 0.5},
    "maybe": {"no": 3.0, "yes": 4.0, "maybe": -1.0},
}


def mean_cost(d):
    paid = [COSTS[t].get(r, 0.0) for t, r in zip(d.truth3, d.response3, strict=True)]
    return sum(paid) / len(paid)


SKEWED = partial(metrics.precision_recall_fscore_support, pos_label="pos", average="binary")

NUMBERS = {
    "accuracy": lambda d: metrics.accuracy_score(d.truth3, d.response3),
    "error_rate": lambda d: np.mean(d.truth3 != d.response3),
    "balanced_accuracy": lambda d: metrics.balanced_accuracy_score(d.truth3, d.response3),
    "precision_macro": lambda d: metrics.precision_score(d.truth3, d.response3, average="macro"),
    "recall_macro": lambda d: metrics.recall_score(d.truth3, d.response3, average="macro"),
    "f1_macro": lambda d: metrics.f1_score(d.truth3, d.response3, average="macro"),
    "f1_weighted": lambda d: metrics.f1_score(d.truth3, d.response3, average="weighted"),
    "f1_micro": lambda d: metrics.f1_score(d.truth3, d.response3, average="micro"),
    "precision_weighted": lambda d: metrics.precision_score(
        d.truth3, d.response3, average="weighted"
    ),
    "precision_micro": lambda d: metrics.precision_score(d.truth3, d.response3, average="micro"),
    "recall_weighted": lambda d: metrics.recall_score(d.truth3, d.response3, average="weighted"),
    "recall_micro": lambda d: metrics.recall_score(d.truth3, d.response3, average="micro"),
    "mcc": lambda d: metrics.matthews_corrcoef(d.truth3, d.response3),
    "cohen_kappa": lambda d: metrics.cohen_kappa_score(d.truth3, d.response3),
    "costs": mean_cost,
    "log_loss": lambda d: -np.log(d.prob3[np.arange(70), d.codes3]).mean(),
    "brier": lambda d: metrics.brier_score_loss(d.codes3, d.prob3, scale_by_half=False),
    "brier_binary": lambda d: metrics.brier_score_loss(d.truth2, d.prob2[:, 1], pos_label="pos"),
    "top_k_accuracy": top_two,
    "roc_auc": lambda d: ovr(d, "macro"),
    "roc_auc_ovr": lambda d: ovr(d, "macro"),
    "roc_auc_ovr_weighted": lambda d: ovr(d, "weighted"),
    "roc_auc_ovo": lambda d: ovo(d, "macro"),
    "roc_auc_ovo_weighted": lambda d: ovo(d, "weighted"),
    "roc_auc_mu": lambda d: pairs_mean(d, concordance, False),
    "pr_auc": lambda d: metrics.average_precision_score(d.truth2, d.prob2[:, 1], pos_label="pos"),
    "precision": lambda d: metrics.precision_score(d.truth2, d.response2, pos_label="pos"),
    "recall": lambda d: metrics.recall_score(d.truth2, d.response2, pos_label="pos"),
    "f1": lambda d: metrics.f1_score(d.truth2, d.response2, pos_label="pos"),
    "fbeta": lambda d: SKEWED(d.truth2, d.response2, beta=1.0)[2],
    "sensitivity": lambda d: metrics.recall_score(d.truth2, d.response2, pos_label="pos"),
    "specificity": lambda d: metrics.recall_score(d.truth2, d.response2, pos_label="neg"),
    "tpr": lambda d: metrics.recall_score(d.truth2, d.response2, pos_label="pos"),
    "tnr": lambda d: metrics.recall_score(d.truth2, d.response2, pos_label="neg"),
    "fpr": lambda d: 1 - metrics.recall_score(d.truth2, d.response2, pos_label="neg"),
    "fnr": lambda d: 1 - metrics.recall_score(d.truth2, d.response2, pos_label="pos"),
    "ppv": lambda d: metrics.precision_score(d.truth2, d.response2, pos_label="pos"),
    "npv": lambda d: metrics.precision_score(d.truth2, d.response2, pos_label="neg"),
    "fdr": lambda d: 1 - metrics.precision_score(d.truth2, d.response2, pos_label="pos"),
    "fomr": lambda d: 1 - metrics.precision_score(d.truth2, d.response2, pos_label="neg"),
    "dor": lambda d: (d.tp / d.fp) / (d.fn / d.tn),
    "tp": lambda d: d.tp,
    "tn": lambda d: d.tn,
    "fp": lambda d: d.fp,
    "fn": lambda d: d.fn,
    "rmse": lambda d: metrics.root_mean_squared_error(d.t, d.r),
    "mse": lambda d: metrics.mean_squared_error(d.t, d.r),
    "mae": lambda d: metrics.mean_absolute_error(d.t, d.r),
    "r2": lambda d: metrics.r2_score(d.t, d.r),
    "max_error": lambda d: metrics.max_error(d.t, d.r),
    "median_absolute_error": lambda d: metrics.median_absolute_error(d.t, d.r),
    "median_squared_error": lambda d: statistics.median(
        (d.t - d.r).tolist()[i] ** 2 for i in range(40)
    ),
    "sse": lambda d: metrics.mean_squared_error(d.t, d.r) * 40,
    "sae": lambda d: metrics.mean_absolute_error(d.t, d.r) * 40,
    "bias": lambda d: statistics.fmean(d.r) - statistics.fmean(d.t),
    "pbias": lambda d: statistics.fmean((r - t) / abs(t) for t, r in zip(d.t, d.r, strict=True)),
    "mape": lambda d: metrics.mean_absolute_percentage_error(d.t, d.r),
    "smape": lambda d: statistics.fmean(
        abs(t - r) / ((abs(t) + abs(r)) / 2) for t, r in zip(d.t, d.r, strict=True)
    ),
    "msle": lambda d: metrics.mean_squared_log_error(abs(d.t), abs(d.r)),
    "rmsle": lambda d: metrics.root_mean_squared_log_error(abs(d.t), abs(d.r)),
    "rse": lambda d: 1 - metrics.r2_score(d.t, d.r),
    "rrse": lambda d: np.sqrt(1 - metrics.r2_score(d.t, d.r)),
    "rae": lambda d: metrics.mean_absolute_error(d.t, d.r) / abs(d.t - d.t.mean()).mean(),
    "pinball": lambda d: metrics.mean_pinball_loss(d.t, d.r),
    "rqr": quantile_r2,
    "kendall_tau": lambda d: stats.kendalltau(d.t, d.r).statistic,
    "spearman": lambda d: np.corrcoef(stats.rankdata(d.t), stats.rankdata(d.r))[0, 1],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [each.name for each in MEASURES])
def test_numbers(name):
    """Three draws of data give the numbers of another source, inside the range."""
    m = measure(name, costs=COSTS) if name == "costs" else measure(name)
    for seed in range(3):
        d = Data(seed)
        seen = d.seen(m)
        assert seen == pytest.approx(NUMBERS[name](d), rel=1e-12, abs=1e-14)
        assert m.range[0] <= seen <= m.range[1]


@pytest.mark.parametrize(
    "name",
    [
        m.name
        for m in MEASURES
        if m.kind == "classification" and not m.binary_only and m.name != "costs"
    ],
)
def test_two_classes_are_many(name):
    """What is for any number of classes takes two, with the numbers of scikit-learn."""
    d = Data(4)
    m = measure(name, k=1) if name == "top_k_accuracy" else measure(name)
    area = metrics.roc_auc_score(d.truth2 == "pos", d.prob2[:, 1])
    is_pos = d.truth2 == "pos"
    expected = {
        "accuracy": metrics.accuracy_score(d.truth2, d.response2),
        "error_rate": metrics.zero_one_loss(d.truth2, d.response2),
        "balanced_accuracy": metrics.balanced_accuracy_score(d.truth2, d.response2),
        "precision_macro": metrics.precision_score(d.truth2, d.response2, average="macro"),
        "recall_macro": metrics.recall_score(d.truth2, d.response2, average="macro"),
        "f1_macro": metrics.f1_score(d.truth2, d.response2, average="macro"),
        "f1_weighted": metrics.f1_score(d.truth2, d.response2, average="weighted"),
        "f1_micro": metrics.f1_score(d.truth2, d.response2, average="micro"),
        "precision_weighted": metrics.precision_score(d.truth2, d.response2, average="weighted"),
        "precision_micro": metrics.precision_score(d.truth2, d.response2, average="micro"),
        "recall_weighted": metrics.recall_score(d.truth2, d.response2, average="weighted"),
        "recall_micro": metrics.recall_score(d.truth2, d.response2, average="micro"),
        "mcc": metrics.matthews_corrcoef(d.truth2, d.response2),
        "cohen_kappa": metrics.cohen_kappa_score(d.truth2, d.response2),
        "log_loss": metrics.log_loss(is_pos, d.prob2[:, 1]),
        "brier": 2 * metrics.brier_score_loss(is_pos, d.prob2[:, 1]),
        "top_k_accuracy": np.mean(is_pos == (d.prob2[:, 1] > 0.5)),
    }
    assert d.two(m) == pytest.approx(expected.get(name, area), rel=1e-12)


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (("fbeta", {"beta": 2.0}), lambda d: SKEWED(d.truth2, d.response2, beta=2.0)[2]),
        (("fbeta", {"beta": 0.5}), lambda d: SKEWED(d.truth2, d.response2, beta=0.5)[2]),
        (("fbeta", {"beta": 0}), lambda d: d.tp / (d.tp + d.fp)),
        (("top_k_accuracy", {"k": 1}), lambda d: np.mean(d.prob3.argmax(axis=1) == d.codes3)),
        (("pinball", {"alpha": 0.9}), lambda d: metrics.mean_pinball_loss(d.t, d.r, alpha=0.9)),
        (("pinball", {"alpha": 0}), lambda d: np.maximum(d.r - d.t, 0).mean()),
        (("costs", {"costs": COSTS, "normalize": False}), lambda d: 70 * mean_cost(d)),
    ],
    ids=["fbeta2", "fbeta.5", "fbeta0", "top1", "pinball.9", "pinball0", "costs"],
)
def test_parameters_change_the_number(m, expected):
    """A measure with parameters computes with them."""
    name, given = m
    d = Data(7)
    assert d.seen(measure(name, **given)) == pytest.approx(expected(d), rel=1e-12)


def test_quantile_r2_by_hand():
    """The 0.25-quantile of 1, 2, 4, 9 is 1.75; losses 0.1875 + 0.0625 + 0.5625 + 1.8125 there."""
    truth, response = np.array([1.0, 2.0, 4.0, 9.0]), np.array([2.0, 2.0, 2.0, 2.0])
    naive = (0.75 * 0.75 + 0.25 * (0.25 + 2.25 + 7.25)) / 4
    seen = score(measure("rqr", alpha=0.25), truth, response, None, classes=None, positive=None)
    assert seen == pytest.approx(1 - (0.75 * 1 + 0.25 * (0 + 2 + 7)) / 4 / naive)


def test_auc_mu_by_hand():
    """Of the pairs ab, ac, bc the difference ranks 1, 1/2 and 1 right."""
    truth = np.array(["a", "b", "c"])
    prob = np.array([[0.5, 0.1, 0.4], [0.3, 0.4, 0.3], [0.5, 0.1, 0.4]])
    tied = score(measure("roc_auc_mu"), truth, None, prob, classes=("a", "b", "c"), positive=None)
    assert tied == pytest.approx((1 + 0.5 + 1) / 3)


def test_bias_is_response_less_truth():
    """Predictions of 3 and 5 for 2 and 4 are 1 too high, by 0.5 and 0.25 of the truth."""
    truth, response = np.array([2.0, -4.0]), np.array([3.0, -3.0])
    assert of_numbers("bias", truth, response) == 1.0
    assert of_numbers("pbias", truth, response) == pytest.approx((0.5 + 0.25) / 2)
    assert of_numbers("bias", response, truth) == -1.0


def test_equals_for_the_top():
    """Of equal probabilities the first classes count as the most probable, as predictions do."""
    prob = np.full((3, 3), 1 / 3)
    truth = np.array(CLASSES)
    top = score(measure("top_k_accuracy", k=2), truth, None, prob, classes=CLASSES, positive=None)
    assert top == pytest.approx(2 / 3)


def test_classes_that_do_not_occur():
    """balanced_accuracy and the weighted area leave an absent class out."""
    truth = np.array(["no", "no", "yes", "yes"])
    response = np.array(["no", "maybe", "yes", "yes"])
    assert of_classes("balanced_accuracy", truth, response) == (0.5 + 1.0) / 2
    prob = np.array([[0.6, 0.2, 0.2], [0.3, 0.4, 0.3], [0.4, 0.5, 0.1], [0.1, 0.9, 0.0]])
    expected = np.mean(
        [metrics.roc_auc_score(truth == c, prob[:, i]) for i, c in enumerate(("no", "yes"))]
    )
    assert of_classes("roc_auc_ovr_weighted", truth, None, prob) == pytest.approx(expected)


# Measures as values


def test_measures_are_values():
    """Equal measures are equal, hash alike and check their fields."""
    assert measure("fbeta", beta=2) == measure("fbeta", beta=2.0) == measure("fbeta(beta=2)")
    assert measure("fbeta", beta=1.0) == measure("fbeta") != measure("fbeta", beta=2.0)
    assert len({measure("rmse"), measure("rmse"), measure("fbeta", beta=2)}) == 2
    assert hash(measure("costs", costs=COSTS)) == hash(measure("costs", costs=COSTS))
    assert fingerprint(measure("fbeta")) != fingerprint(measure("fbeta", beta=2.0))
    assert parameters_of(measure("costs", costs=COSTS))["normalize"] is True
    with pytest.raises(ParameterError, match="Measure: needs cannot be 'label'"):
        Measure("x", minimize=True, needs="label", kind="regression")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: measure("rmse"), "rmse"),
        (lambda: measure("fbeta", beta=2.0), "fbeta(beta=2)"),
        (lambda: measure("fbeta", beta=0.5), "fbeta(beta=0.5)"),
        (lambda: measure("top_k_accuracy", k=3), "top_k_accuracy(k=3)"),
        (lambda: measure("pinball", alpha=0.1), "pinball(alpha=0.1)"),
        (
            lambda: measure("costs", normalize=False, costs={"b": {"a": 2}, "a": {"b": 0.5}}),
            "costs(costs={'a': {'b': 0.5}, 'b': {'a': 2}}, normalize=False)",
        ),
    ],
)
def test_names_hold_the_parameters(made, name):
    """A name shows what is not the default, and leads back to the measure."""
    assert made().name == name
    assert repr(made()) == f"measure({name!r})"
    assert measure(name) == made()


@pytest.mark.parametrize(
    ("act", "rule", "fix"),
    [
        (lambda: measure("fbeta", bta=2), "fbeta has no parameter 'bta'", "did you mean 'beta'?"),
        (
            lambda: measure("rmse", beta=2),
            "rmse has no parameter 'beta'",
            "'rmse' without brackets",
        ),
        (lambda: measure("fbeta", beta=-1), "beta cannot be -1", "a number of at least 0"),
        (lambda: measure("fbeta", beta="2"), "beta cannot be '2'", "a number of at least 0"),
        (lambda: measure("fbeta", beta=True), "beta cannot be True", "a number of at least 0"),
        (lambda: measure("fbeta(beta=-1)"), "beta cannot be -1", "a number of at least 0"),
        (lambda: measure("fbeta(2)"), "cannot be read", '"fbeta(beta=2)"'),
        (lambda: measure("fbeta(beta=x)"), "cannot be read", '"fbeta(beta=2)"'),
        (lambda: measure("fbeta(beta=2"), "cannot be read", '"fbeta(beta=2)"'),
        (lambda: measure("fbta(beta=2)"), "no measure 'fbta'", "did you mean 'fbeta'?"),
        (lambda: measure(3), "no measure 3", "use one of"),
        (lambda: measure("top_k_accuracy", k=0), "k cannot be 0", "an integer of at least 1"),
        (lambda: measure("pinball", alpha=1.5), "alpha cannot be 1.5", "from 0 to 1"),
        (lambda: measure("rqr", alpha=1.0), "alpha cannot be 1.0", "above 0 and below 1"),
        (lambda: measure("costs", costs=3), "costs cannot be 3", "a mapping of true class"),
        (lambda: measure("costs", costs={}), "costs cannot be {}", "a mapping of true class"),
        (
            lambda: measure("costs", costs={"a": {"b": math.nan}}),
            "costs cannot be",
            "a mapping of true class",
        ),
        (lambda: measure("costs", costs=COSTS, normalize=1), "normalize cannot be 1", "True or"),
    ],
)
def test_bad_parameters(act, rule, fix):
    """Unknown names and values that are not accepted are refused where they are given."""
    with pytest.raises(ParameterError) as error:
        act()
    assert rule in error.value.rule
    assert fix in error.value.fix
    assert error.value.expected
    assert error.value.got


@pytest.mark.parametrize(
    ("given", "rule", "fix"),
    [
        ({}, "costs is not set", '"costs(costs=…)"'),
        ({"costs": {"no": {"yess": 1.0}}}, "'yess' is none of the classes", "did you mean 'yes'?"),
        ({"costs": {"perhaps": {"yes": 1.0}}}, "'perhaps' is none of the classes", "use one of"),
        (
            {
                "costs": {
                    t: {r: x for r, x in row.items() if r != "maybe"} for t, row in COSTS.items()
                }
            },
            "no cost of predicting 'maybe' where 'no' is true",
            "'maybe': 1.0",
        ),
    ],
)
def test_costs_must_fit_the_classes(given, rule, fix):
    """Every two classes need a cost, by their names."""
    with pytest.raises(ParameterError) as error:
        score(measure("costs", **given), TRUTH, RESPONSE, None, classes=CLASSES, positive=None)
    assert rule in error.value.rule
    assert fix in error.value.fix


def test_top_of_all_classes():
    """Every row is right if all classes count."""
    with pytest.raises(ParameterError, match="with k = 3 every row") as error:
        score(measure("top_k_accuracy", k=3), TRUTH, None, PROB, classes=CLASSES, positive=None)
    assert (error.value.expected, error.value.fix) == ("1 <= k < 3", "k=2")


def test_no_direction():
    """A bias is best at 0, so nothing can be minimized."""
    assert measure("rmse").smaller_is_better()
    assert not measure("r2").smaller_is_better()
    with pytest.raises(ParameterError, match="neither small nor large") as error:
        measure("pbias").smaller_is_better()
    assert error.value.got == "pbias, which is best at 0"


# What is not defined

P, N = "pos", "neg"
ONES, LINE = np.ones(3), np.arange(3.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("names", "truth", "response", "why"),
    [
        ("tpr recall sensitivity fnr", [N, N], [N, P], "no positive row"),
        ("tnr specificity fpr", [P, P], [N, P], "no negative row"),
        ("ppv precision fdr", [P, N], [N, N], "no row is predicted positive"),
        ("npv fomr", [P, N], [P, P], "no row is predicted negative"),
        ("f1 fbeta", [P, N], [N, P], "no positive row is predicted positive"),
        ("dor", [P, N, N], [P, N, P], "no false positive or no false negative"),
        ("cohen_kappa", [P, P], [P, P], "one and the same class"),
        ("r2 rse rrse rae rqr kendall_tau spearman", ONES, LINE, "all 3 truths are 1"),
        ("kendall_tau spearman", LINE, ONES, "all 3 responses are 1"),
        ("r2 rse rrse rae rqr kendall_tau spearman", LINE[:1], LINE[:1], "of 1 row is not defined"),
        ("mape pbias", LINE, ONES, "the truth is 0"),
        ("smape", LINE, LINE, "|truth| + |response| is 0"),
        ("msle rmsle", LINE - 1.0, ONES, "the truth is -1"),
        ("msle rmsle", ONES, -LINE, "the response is -1"),
        ("mse sse", ONES * 1e300, -ONES * 1e300, None),
        ("rqr(alpha=0.01) rse", LINE * 1e-200, ONES, "so the score is not defined"),
    ],
)
def test_undefined_scores(names, truth, response, why):
    """What cannot be divided is an error that says so, and no warning is given."""
    for name in names.split():
        m = measure(name)
        labels = m.kind == "classification"
        given = (np.array(truth), np.array(response), None)
        more = {"classes": TWO if labels else None, "positive": P if labels else None}
        if why is None:
            assert score(m, *given, **more) == math.inf
            continue
        with pytest.raises(UndefinedError) as error:
            score(m, *given, **more)
        assert isinstance(error.value, DataError)
        assert error.value.rule.startswith(name)
        assert why in error.value.rule
        assert error.value.expected
        assert error.value.got
        assert error.value.fix


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["roc_auc", "roc_auc_ovr", "roc_auc_ovo", "roc_auc_mu"])
def test_areas_need_every_class(name):
    """A class without rows has no area; the weighted mean needs two classes."""
    truth = np.array(["no", "yes"])
    with pytest.raises(UndefinedError, match="no row of 'maybe'"):
        of_classes(name, truth, None, PROB[:2])
    with pytest.raises(UndefinedError, match="no row of 'yes', 'maybe'"):
        of_classes("roc_auc_ovr_weighted", truth[:1], None, PROB[:1])


@pytest.mark.filterwarnings("error")
def test_defined_at_the_edge():
    """Constant responses have an mcc of 0; two rows have rank correlations; 0 of some is 0."""
    both, one = np.array([P, N]), np.array([P, P])
    more = {"classes": TWO, "positive": P}
    assert score(measure("mcc"), both, one, None, **more) == 0.0
    assert score(measure("cohen_kappa"), both, one, None, **more) == 0.0
    assert score(measure("tpr"), both, np.array([N, N]), None, **more) == 0.0
    assert of_numbers("kendall_tau", LINE[:2], -LINE[:2]) == -1.0
    assert of_numbers("spearman", LINE[:2], LINE[:2]) == pytest.approx(1.0)
    assert of_numbers("pinball", LINE[:1], LINE[:1]) == 0.0


def test_zero_rows_are_undefined():
    """No rows, no score."""
    with pytest.raises(UndefinedError, match="mae: zero rows have no score"):
        of_numbers("mae", np.ones(0), np.ones(0))


@pytest.mark.parametrize("name", [m.name for m in MEASURES if m.binary_only])
def test_two_classes_need_a_positive_one(name):
    """Measures of two classes refuse three, and two without a positive one."""
    d = Data(0)
    with pytest.raises(ParameterError, match="a measure for 2 classes meets 3 classes"):
        d.three(measure(name))
    with pytest.raises(ParameterError, match="the positive class None is none"):
        score(measure(name), d.truth2, d.response2, d.prob2, classes=TWO, positive=None)


def test_scoring_changes_no_warning_filter():
    """Filters of the process stay as they are, also where a score is undefined."""
    before = list(warnings.filters)
    d = Data(0)
    for m in MEASURES:
        d.seen(measure("costs", costs=COSTS) if m.name == "costs" else m)
    assert warnings.filters == before


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
        "log_loss: the measure needs probabilities, and the prediction has none.\n"
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
    other = Measure("f1_score", minimize=False, needs="response", kind="classification")
    with pytest.raises(ParameterError, match="3 classes") as error:
        of_classes("f1")
    assert "'f1_macro'" in error.value.fix
    with pytest.raises(ParameterError, match="there is no rule to score 'f1_score'"):
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
        "accuracy: the truth has a value that is not one of 'no', 'yes', 'maybe'.\n"
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
        "roc_auc: the truth has only 'a', and no row of 'b'.\n"
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
