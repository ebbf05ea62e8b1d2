"""Pictures: what is drawn of which value, what it says, and that nothing outside moves."""

import subprocess
import sys

import numpy as np
import pytest

import fpipe as fp
from fpipe import learners, nn, ops
from fpipe.core.errors import DataError, ParameterError
from fpipe.core.value import evolve
from fpipe.pictures.classes import confusion, confusion_counts
from fpipe.pictures.curve import learning_curve, states_of
from fpipe.pictures.picture import plot

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")

KEY = fp.key(0)


def columns(n=60):
    x = np.linspace(-2.0, 2.0, n)
    return {"x": x, "z": np.cos(3 * x)}


def two_classes():
    data = columns()
    label = np.where(data["x"] + data["z"] > 0, "yes", "no")
    return fp.classification(data | {"y": label}, "y", positive="yes")


def three_classes():
    data = columns()
    label = np.array(["a", "b", "c"])[np.arange(60) % 3]
    return fp.classification(data | {"y": label}, "y")


def numbers():
    data = columns()
    return fp.regression(data | {"y": 2 * data["x"]}, "y")


def graph(loss, **model):
    settings = {"epochs": 3, "batch_size": 16} | model
    return (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.linear(4)
        >> nn.relu()
        >> nn.head()
        >> nn.loss(loss)
        >> nn.optimizer("adam", lr=0.05)
        >> nn.model(**settings)
    )


@pytest.fixture(scope="module")
def resampled():
    learner = graph("cross_entropy", measures="accuracy")
    return fp.resample(learner, two_classes(), fp.cv(3), validate=0.3, keep_fitted=True, key=KEY)


@pytest.fixture(scope="module")
def predicted():
    def of(task, loss):
        return fp.predict(fp.fit(graph(loss), task, key=KEY), task)

    return {
        2: of(two_classes(), "cross_entropy"),
        3: of(three_classes(), "cross_entropy"),
        "numbers": of(numbers(), "mse"),
    }


def legend_of(figure, panel=0):
    return [text.get_text() for text in figure.axes[panel].get_legend().get_texts()]


def test_learning_curve_of_one_training(resampled):
    figure = plot(resampled.fitted[0])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    history = resampled.fitted[0].state("model").history
    assert lines["training rows"].get_ydata().tolist() == [row["train.loss"] for row in history]
    assert lines["validation rows"].get_ydata().tolist() == [row["valid.loss"] for row in history]
    assert lines["training rows"].get_xdata().tolist() == [1.0, 2.0, 3.0]
    best = resampled.fitted[0].state("model").state.best.epoch
    assert f"best, epoch {best}" in lines


def test_learning_curve_of_many(resampled):
    figure = learning_curve(resampled)
    losses = figure.axes[0]
    assert legend_of(figure) == ["training rows, mean", "validation rows, mean"]
    assert len(losses.get_lines()) == 2 * (3 + 1)
    assert losses.get_title(loc="left") == "loss by epoch, 3 trainings"


def test_many_measures_stand_in_two_columns():
    measures = ("accuracy", "log_loss", "roc_auc")
    learner = graph("cross_entropy", measures=measures)
    figure = plot(fp.fit(learner, two_classes(), validate=0.3, key=KEY))
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", *measures]
    figure.draw_without_rendering()
    left = [round(axes.get_position().x0, 1) for axes in figure.axes]
    assert left[0] == left[2] < left[1] == left[3]


def test_one_epoch_is_a_dot():
    axes = plot(fp.fit(graph("mse", epochs=1), numbers(), key=KEY)).axes[0]
    assert axes.get_lines()[0].get_marker() == "o"
    assert axes.get_xlim() == (0.0, 2.0)


def test_learning_curve_without_validation():
    fitted = fp.fit(graph("mse"), numbers(), key=KEY)
    assert legend_of(learning_curve(fitted)) == ["training rows"]
    trained = fitted.state("model")
    for value in (trained, trained.state, fp.fit(fp.wrap(graph("mse")), numbers(), key=KEY)):
        assert len(states_of(value)) == 1


def test_a_model_inside_a_wrapped_graph_is_found():
    fitted = fp.fit(fp.wrap(fp.wrap(graph("mse"), id="a"), id="b"), numbers(), key=KEY)
    assert [len(state.history) for state in states_of(fitted)] == [3]


def test_roc_of_a_resampling(resampled):
    words = legend_of(plot(resampled))
    areas = [f"fold {i}  (AUC {x:.3f})" for i, x in enumerate(resampled.score("roc_auc"))]
    pooled = resampled.prediction().score("roc_auc")
    assert words == ["by chance", *areas, f"all folds pooled  (AUC {pooled:.3f})"]


def test_roc_of_a_prediction(predicted):
    area = predicted[2].score("roc_auc")
    assert legend_of(plot(predicted[2])) == ["by chance", f"test rows  (AUC {area:.3f})"]


def test_confusion(predicted):
    figure = plot(predicted[3])
    counts = confusion_counts(predicted[3])
    truth, found = predicted[3].truth.to_list(), predicted[3].response.to_list()
    assert counts.tolist() == metrics.confusion_matrix(truth, found).tolist()
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    shown = {text.get_position()[::-1]: int(text.get_text()) for text in axes.texts}
    assert shown == {(i, j): int(n) for (i, j), n in np.ndenumerate(counts) if n}


def test_titles(predicted):
    for value, kind in ((predicted[2], "roc"), (predicted[3], None), (predicted["numbers"], None)):
        assert plot(value, kind, title="mine").axes[0].get_title(loc="left") == "mine"


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_figures_are_written(predicted, tmp_path, name):
    plot(predicted[2]).savefig(tmp_path / name)
    assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("value", "kind", "error", "words"),
    [
        (3.0, None, ParameterError, "nothing is drawn of a float"),
        (3, "roc", ParameterError, "a int holds no prediction"),
        ("x", "learning_curve", ParameterError, "keeps no history"),
        (2, "rok", ParameterError, "there is no picture 'rok'"),
        (2, ["roc"], ParameterError, "there is no picture"),
        (2, "learning_curve", ParameterError, "a int keeps no history"),
    ],
)
def test_what_cannot_be_drawn(value, kind, error, words):
    with pytest.raises(error, match=words) as caught:
        plot(value, kind)
    assert caught.value.expected
    assert caught.value.fix


def test_pictures_that_do_not_suit(predicted, resampled):
    with pytest.raises(ParameterError, match="of numbers"):
        confusion(predicted["numbers"])
    with pytest.raises(DataError, match="truth"):
        plot(evolve(predicted[2], truth=None))
    with pytest.raises(ParameterError, match="probabilities"):
        plot(evolve(predicted[2], prob=None))
    with pytest.raises(DataError, match="kept") as caught:
        learning_curve(evolve(resampled, fitted=()))
    assert "keep_fitted=True" in caught.value.fix
    with pytest.raises(DataError, match="no finished epoch"):
        plot(fp.fit(graph("mse", epochs=0), numbers(), key=KEY))
    with pytest.raises(DataError, match="no learning curve") as caught:
        plot(fp.fit(learners.featureless(), numbers(), key=KEY))
    assert caught.value.fix == "draw what it predicts: fp.plot(fp.predict(fitted, task))"


def test_without_matplotlib(predicted, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ParameterError) as caught:
        plot(predicted[2])
    assert caught.value.fix == "pip install fpipe[plot]"


def test_nothing_outside_moves():
    """In a process of its own: no backend is chosen, no setting changed, pyplot not loaded."""
    code = """
import sys, io
import numpy as np, polars as pl, matplotlib
def outside():  # asking rcParams for "backend" would itself choose one
    settings = {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
    return settings, matplotlib.get_backend(auto_select=False)
before = outside()
from fpipe.data.kind import Classification, Regression
from fpipe.data.prediction import Prediction
from fpipe.pictures.picture import plot
ids = np.arange(4)
names = pl.Series("y", ["a", "b", "a", "b"], dtype=pl.Enum(["a", "b"]))
prob = pl.DataFrame({"a": [0.9, 0.2, 0.4, 0.6], "b": [0.1, 0.8, 0.6, 0.4]})
of_classes = Prediction(Classification(("a", "b"), "b"), ids, ids, names, names, prob)
real = pl.Series("y", [1.0, 2.0, 3.0, 4.0])
of_numbers = Prediction(Regression(), ids, ids, real, real)
for value, kinds in ((of_classes, ("roc", "pr", "calibration", "confusion")),
                     (of_numbers, ("response", "residuals"))):
    for kind in kinds:
        plot(value, kind).savefig(io.BytesIO())
assert before == outside()
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
