"""ROC, precision-recall and calibration: what is drawn, against scikit-learn."""

import numpy as np
import polars as pl
import pytest

import fpipe as fp
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.value import evolve
from fpipe.data.kind import Classification, Regression
from fpipe.data.prediction import Prediction
from fpipe.evaluate.resample import ResampleResult
from fpipe.pictures.calibration import calibration, calibration_points
from fpipe.pictures.lines import MOST_CLASSES
from fpipe.pictures.picture import plot
from fpipe.pictures.receiver import pr, pr_points, roc, roc_points

matplotlib = pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")
from sklearn.calibration import calibration_curve  # noqa: E402

CURVES = ("roc", "pr", "calibration")
THREE = ("ant", "bee", "cat")


def prediction(classes=("no", "yes"), n=80, seed=0, codes=None):
    """Return rows whose probabilities lean towards the truth, rounded so that some are equal."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, len(classes), n) if codes is None else np.asarray(codes)
    raw = random.random((len(truth), len(classes))) + 0.6 * np.eye(len(classes))[truth]
    prob = np.round(raw / raw.sum(axis=1, keepdims=True), 2)
    ids = np.arange(len(truth))
    dtype = pl.Enum(list(classes))
    names = np.array(classes, dtype=object)
    response = pl.Series("response", names[prob.argmax(axis=1)].tolist(), dtype=dtype)
    known = pl.Series("animal", names[truth].tolist(), dtype=dtype)
    kind = Classification(classes, classes[1] if len(classes) == 2 else None)
    return Prediction(kind, ids, ids, response, known, pl.DataFrame(prob, schema=list(classes)))


def folds(count, classes=("no", "yes"), **settings):
    parts = tuple(prediction(classes, seed=seed, **settings) for seed in range(count))
    return ResampleResult(fp.cv(count), (), parts)


def numbers():
    ids, values = np.arange(3), pl.Series("y", [1.0, 2.0, 3.0])
    return Prediction(Regression(), ids, ids, values, values)


def reference(curve, part, name):
    """Return what scikit-learn says of one class: x, y and the figure in the legend."""
    truth = (part.truth == name).to_numpy()
    score = part.prob[name].to_numpy()
    if curve == "roc":
        x, y, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
        return x, y, f"AUC {metrics.roc_auc_score(truth, score):.3f}"
    if curve == "pr":
        y, x, _ = metrics.precision_recall_curve(truth, score)
        return x[::-1], y[::-1], f"AP {metrics.average_precision_score(truth, score):.3f}"
    y, x = calibration_curve(truth, score, n_bins=10)
    return x, y, f"Brier {metrics.brier_score_loss(truth, score):.3f}"


def drawn(figure):
    """Return the lines of a curve, without the dashed one that shows chance or the ideal."""
    lines = figure.axes[0].get_lines()
    return [line for line in lines if line.get_color() != "#333333"]


def assert_drawn(line, curve, part, name):
    x, y, _ = reference(curve, part, name)
    assert line.get_xdata() == pytest.approx(x, abs=1e-12)
    assert line.get_ydata() == pytest.approx(y, abs=1e-12)


@pytest.mark.parametrize("curve", CURVES)
def test_of_a_prediction(curve):
    part = prediction()
    (line,) = drawn(plot(part, curve))
    assert_drawn(line, curve, part, "yes")
    assert line.get_label() == f"test rows  ({reference(curve, part, 'yes')[2]})"


@pytest.mark.parametrize("curve", CURVES)
def test_the_positive_class_is_the_one_drawn(curve):
    part = prediction()
    part = evolve(part, kind=evolve(part.kind, positive="no"))
    figure = plot(part, curve)
    assert_drawn(drawn(figure)[0], curve, part, "no")
    assert "'no'" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("curve", CURVES)
def test_of_a_resampling(curve):
    """One thin line per fold and a thicker one of all rows."""
    result = folds(3)
    *thin, thick = drawn(plot(result, curve))
    for fold, (line, part) in enumerate(zip(thin, result.predictions, strict=True)):
        assert_drawn(line, curve, part, "yes")
        assert line.get_label() == f"fold {fold}  ({reference(curve, part, 'yes')[2]})"
        assert line.get_linewidth() < thick.get_linewidth()
    assert_drawn(thick, curve, result.prediction(), "yes")
    said = reference(curve, result.prediction(), "yes")[2]
    assert thick.get_label() == f"all folds pooled  ({said})"


@pytest.mark.parametrize("curve", CURVES)
def test_of_many_folds(curve):
    """The legend stays short."""
    figure = plot(folds(12), curve)
    assert len(drawn(figure)) == 13
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words[-2] == "each of 12 folds"
    assert words[-1].startswith("all folds pooled  (")
    assert len(words) == 3


@pytest.mark.parametrize("curve", CURVES)
def test_of_three_classes(curve):
    """Each class against the rest, named in the legend, in a colour of its own."""
    part = prediction(THREE)
    figure = plot(part, curve)
    lines = drawn(figure)
    for name, line in zip(THREE, lines, strict=True):
        assert_drawn(line, curve, part, name)
        assert line.get_label() == f"{name}  ({reference(curve, part, name)[2]})"
    assert len({line.get_color() for line in lines}) == 3
    assert "each class against the rest" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("curve", CURVES)
def test_of_three_classes_and_folds(curve):
    result = folds(2, THREE)
    lines = drawn(plot(result, curve))
    thin, thick = lines[:6], lines[6:]
    for place, name in enumerate(THREE):
        for fold in range(2):
            line = thin[2 * place + fold]
            assert_drawn(line, curve, result.predictions[fold], name)
            assert line.get_color() == thick[place].get_color()
        assert_drawn(thick[place], curve, result.prediction(), name)


def test_looks_of_many_classes_differ():
    names = tuple(f"class number {i} with a name that is long" for i in range(MOST_CLASSES))
    lines = drawn(plot(prediction(names, n=600), "roc"))
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in lines}
    assert len(lines) == len(looks) == MOST_CLASSES
    assert all(len(line.get_label()) < 40 for line in lines)


@pytest.mark.parametrize("curve", CURVES)
def test_axes(curve):
    axes = plot(prediction(), curve).axes[0]
    words = {
        "roc": ("false positive rate", "true positive rate"),
        "pr": ("recall", "precision"),
        "calibration": (
            "mean predicted probability of 'yes'",
            "share of rows that are 'yes'",
        ),
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == words[curve]
    assert axes.get_aspect() == 1.0
    assert axes.get_xlim() == axes.get_ylim() == (-0.02, 1.02)


def test_chance():
    part = prediction()
    share = float((part.truth == "yes").mean())
    dashed = pr(part).axes[0].get_lines()[0]
    assert list(dashed.get_ydata()) == [share, share]
    assert dashed.get_label() == f"by chance: {share:.3f}"
    for figure in (roc(part), calibration(part)):
        line = figure.axes[0].get_lines()[0]
        assert list(line.get_xdata()) == list(line.get_ydata()) == [0, 1]


@pytest.mark.parametrize("curve", CURVES)
def test_a_fold_of_one_class_has_no_line(curve):
    """Leaving one row out makes folds without a curve; the pool has one."""
    parts = tuple(prediction(codes=[code], seed=code) for code in (0, 1, 1))
    whole = prediction(codes=[0, 1, 1, 0])
    result = ResampleResult(fp.cv(4), (), (*parts, whole))
    lines = drawn(plot(result, curve))
    assert len(lines) == 2
    assert_drawn(lines[0], curve, whole, "yes")
    assert_drawn(lines[1], curve, result.prediction(), "yes")


def test_a_class_without_rows_has_no_line():
    part = prediction(THREE, codes=[0, 2, 0, 2, 2])
    assert [line.get_label()[:3] for line in drawn(plot(part, "roc"))] == ["ant", "cat"]


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_points_are_those_of_scikit_learn(levels):
    random = np.random.default_rng(levels)
    truth = random.random(200) < 0.4
    score = random.integers(0, levels, 200) / levels
    x, y = roc_points(truth, score)
    other_x, other_y, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
    assert x == pytest.approx(other_x, abs=1e-15)
    assert y == pytest.approx(other_y, abs=1e-15)
    recall, precision = pr_points(truth, score)
    other_precision, other_recall, _ = metrics.precision_recall_curve(truth, score)
    assert recall == pytest.approx(other_recall[::-1], abs=1e-15)
    assert precision == pytest.approx(other_precision[::-1], abs=1e-15)
    mean, share = calibration_points(truth, score)
    other_share, other_mean = calibration_curve(truth, score, n_bins=10)
    assert mean == pytest.approx(other_mean, abs=1e-12)
    assert share == pytest.approx(other_share, abs=1e-12)


def test_probabilities_at_the_ends_and_edges():
    """0 and 1 are in the first and last bin; an edge is in the bin below, as scikit-learn has it."""
    score = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0])
    truth = np.array([False, True, False, True, False, True, True, True])
    other_share, other_mean = calibration_curve(truth, score, n_bins=10)
    mean, share = calibration_points(truth, score)
    assert mean.tolist() == other_mean.tolist()
    assert share.tolist() == other_share.tolist()


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(
    ("value", "error", "words", "expected", "fix"),
    [
        (3.0, ParameterError, "a float holds no prediction", "a Prediction", "fp.predict"),
        (numbers(), ParameterError, "is of numbers", "a classification", '"response"'),
        (evolve(prediction(), prob=None), ParameterError, "without probabilities",
         "probabilities", '"confusion"'),
        (evolve(prediction(), truth=None), DataError, "truth", "rows with their target",
         "its target"),
        (prediction(codes=[1, 1]), DataError, "rows of both classes", "at least 1", "more rows"),
        (prediction(THREE, codes=[1, 1]), DataError, "rows of both classes", "at least 1",
         "more rows"),
        (prediction(tuple(map(str, range(MOST_CLASSES + 1)))), ParameterError,
         "cannot be told apart", f"at most {MOST_CLASSES}", '"confusion"'),
        (evolve(prediction(), prob=prediction().prob * float("nan")), DataError,
         "missing or infinite in 80 of 80", "finite", "find out why"),
    ],
)  # fmt: skip
def test_what_has_no_curve(curve, value, error, words, expected, fix):
    with pytest.raises(error, match=words) as caught:
        plot(value, curve)
    assert expected in caught.value.expected
    assert caught.value.got
    assert fix in caught.value.fix


@pytest.mark.parametrize("curve", CURVES)
def test_title(curve):
    figure = plot(prediction(), curve, title="mine")
    assert figure.axes[0].get_title(loc="left") == "mine"
