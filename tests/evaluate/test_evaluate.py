"""Splitting, fitting, resampling and checking, against scikit-learn and worked by hand."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import mean_squared_error

import fpipe as fp
from fpipe import nn, ops
from fpipe.core.errors import DataError
from fpipe.measure.score import measure

RNG = np.random.default_rng(3)
X = RNG.normal(size=(90, 2))
Y = X @ [2.0, -1.0] + 0.1 * RNG.normal(size=90)
COLUMNS = {"a": X[:, 0], "b": X[:, 1]}
TASK = fp.regression(COLUMNS | {"y": Y}, "y")
CLASSES = fp.classification(
    COLUMNS | {"c": np.where(X[:, 0] > 0, "p", "q"), "y": np.where(Y > 0.7, "yes", "no")}, "y"
)
GROUPS = fp.regression(COLUMNS | {"g": np.repeat(np.arange(18), 5), "y": Y}, "y", group="g")
NET = (
    ops.scale()
    >> nn.ingress_numeric()
    >> nn.linear(8)
    >> nn.relu()
    >> nn.dropout(0.2)
    >> nn.head()
    >> nn.loss("mse")
    >> nn.optimizer("adam", lr=0.01)
    >> nn.model(epochs=3, batch_size=16)
)
KEY = fp.key(8)


# Splitting


@pytest.mark.parametrize(("ratio", "first"), [(0.8, 72), (0.5, 45), (2 / 3, 60), (0.01, 1)])
def test_partition_counts(ratio, first):
    """The first part has its share of the rows; both together are all rows, once."""
    one, two = fp.partition(TASK, ratio, key=KEY)
    assert (one.n_rows, two.n_rows) == (first, 90 - first)
    assert sorted([*one.row_id, *two.row_id]) == list(range(90))


def test_partition_keeps_classes_in_proportion():
    """Each class gives its share, within one row; without stratification it need not."""
    counts = dict(CLASSES.table["y"].value_counts().iter_rows())
    one, _ = fp.partition(CLASSES, 0.7, key=KEY)
    for name, count in counts.items():
        assert abs((one.column("y") == name).sum() - 0.7 * count) < 1
    free = {
        int(
            (
                fp.partition(CLASSES, 0.7, key=fp.key(i), stratify=False)[0].column("y") == "yes"
            ).sum()
        )
        for i in range(20)
    }
    assert len(free) > 1


def test_partition_by_a_stratum():
    """A stratum is kept in proportion instead of the classes."""
    task = fp.classification(CLASSES.table, "y", stratum="c")
    one, _ = fp.partition(task, 0.5, key=KEY)
    for name in ("p", "q"):
        assert abs((one.column("c") == name).sum() - 0.5 * (task.column("c") == name).sum()) < 1


@pytest.mark.parametrize(
    ("stratum", "even"),
    [(None, ["y"]), ("z", ["z"]), (["z", "y"], ["z", "y"])],
    ids=["classes", "stratum", "both"],
)
def test_what_is_dealt_evenly(stratum, even):
    """Named strata take the place of the classes; the target among them keeps those as well."""
    rng = np.random.default_rng(3)
    columns = {"x": range(120), "z": rng.permutation(["a", "b"] * 60), "y": ["p"] * 30 + ["q"] * 90}
    task = fp.classification(columns, "y", stratum=stratum, features=["x"])
    counts = [
        task.take(split.test).table.group_by(even).len().sort(even)["len"].to_list()
        for split in fp.cv(4).splits(task, KEY)
    ]
    assert np.ptp(np.array(counts), axis=0).max() <= 1


def test_partition_keeps_groups_and_repeats():
    """No group and no repeated row is parted."""
    one, two = fp.partition(GROUPS, 0.6, key=KEY)
    assert not set(one.column("g")) & set(two.column("g"))
    task = TASK.repeat(np.repeat(np.arange(30), 3))
    one, two = fp.partition(task, 0.6, key=KEY)
    assert not set(one.origin) & set(two.origin)
    assert one.n_rows % 3 == 0


def test_the_key_decides():
    """The same key splits alike, another one otherwise; integers and names are other keys."""
    ids = [
        tuple(fp.partition(TASK, key=k)[0].row_id)
        for k in (KEY, fp.key(8), fp.key(9), KEY.fold_in(0), KEY.fold_in("0"))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_cv_covers_every_row_once():
    """Test sets are disjoint and cover all rows; sizes differ by at most one."""
    splits = fp.cv(7).splits(TASK, KEY)
    tests = [split.test for split in splits]
    assert sorted(np.concatenate(tests)) == list(range(90))
    assert {len(t) for t in tests} <= {12, 13}
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(90))


def test_cv_with_groups():
    """Whole groups are dealt to the folds."""
    for split in fp.cv(4).splits(GROUPS, KEY):
        groups = GROUPS.column("g").to_numpy()
        assert not set(groups[split.train]) & set(groups[split.test])


def test_cv_stratifies():
    """Every fold has its share of each class, within one row."""
    y = CLASSES.column("y").to_list()
    for name in ("yes", "no"):
        counts = [sum(y[i] == name for i in split.test) for split in fp.cv(5).splits(CLASSES, KEY)]
        assert max(counts) - min(counts) <= 1


# Fitting


def test_the_same_key_gives_the_same_fit():
    """Two fits under one key are one value, with one fingerprint; another key gives another."""
    one, two, other = (fp.fit(NET, TASK, key=k) for k in (KEY, fp.key(8), fp.key(9)))
    assert one == two
    assert fp.fingerprint(one) == fp.fingerprint(two)
    assert fp.fingerprint(one) != fp.fingerprint(other)
    assert fp.predict(one, TASK) == fp.predict(two, TASK)
    assert fp.predict(one, TASK) != fp.predict(other, TASK)


def test_run_is_fit_and_transform():
    """run gives both parts; what fit gives is applied by apply."""
    chain = ops.scale() >> ops.one_hot()
    fitted, out = fp.run(chain, CLASSES, key=KEY)
    assert fitted == fp.fit(chain, CLASSES, key=KEY)
    assert out == fp.transform(chain, CLASSES, key=KEY)
    assert out == fp.apply(fitted, CLASSES)


def test_two_inputs_and_two_outputs():
    """A graph of two tasks takes a tuple and gives one."""
    graph = ops.scale(id="left") & ops.scale(id="right")
    fitted, (one, two) = fp.run(graph, (TASK, CLASSES), key=KEY)
    assert one == fp.transform(ops.scale(id="left"), TASK, key=KEY)
    assert two == fp.apply(fitted, (TASK, CLASSES))[1]


def test_validation_share_is_held_out():
    """A share is split off: what is learned does not know of it."""
    fitted, out = fp.run(ops.scale(), TASK, key=KEY, validate=0.2)
    assert (out.n_rows, out.valid.n_rows) == (72, 18)
    alone = fp.fit(ops.scale(), TASK.take([int(i) for i in out.row_id]), key=KEY)
    assert fp.same(fitted.states, alone.states)


def test_validation_keeps_groups():
    """A share for validation parts no group."""
    out = fp.transform(ops.scale(), GROUPS, key=KEY, validate=0.3)
    assert not set(out.column("g")) & set(out.valid.column("g"))


def test_fitted_goes_through_pickle():
    """A fitted graph sent elsewhere predicts the same."""
    fitted = fp.fit(NET, TASK, key=KEY)
    sent = pickle.loads(pickle.dumps(fitted))
    assert sent == fitted
    assert fp.predict(sent, TASK) == fp.predict(fitted, TASK)


def test_global_state_stays():
    """Fitting leaves the global generators, grad mode and threads as they are."""
    before = (
        torch.get_rng_state(),
        np.random.get_state()[1].copy(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )
    fp.fit(NET, TASK, key=KEY, validate=0.2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before[2:]


def test_predict_on_new_data():
    """Columns in any order, and further ones, change nothing."""
    fitted = fp.fit(NET, TASK, key=KEY)
    frame = TASK.table.select("b", pl.lit(1).alias("extra"), "a")
    assert fp.predict(fitted, frame).response.equals(fp.predict(fitted, TASK).response)


# Resampling


def test_resample_by_hand():
    """Every fold is fit on its training rows under its own key, and scored on the rest."""
    result = fp.resample(NET, TASK, fp.cv(3), key=KEY, keep_fitted=True)
    for split, prediction, fitted in zip(
        result.splits, result.predictions, result.fitted, strict=True
    ):
        assert prediction.row_id.tolist() == split.test.tolist()
        assert prediction == fp.predict(fitted, TASK.take(split.test))
        truth, response = Y[split.test], prediction.response.to_numpy()
        assert prediction.score("mse") == pytest.approx(mean_squared_error(truth, response))
    scores = result.score("rmse")
    assert result.aggregate("rmse") == pytest.approx(sum(scores) / 3)
    assert result.standard_error("rmse") == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    assert result.aggregate(measure("rmse")) == result.aggregate("rmse")
    whole = result.prediction()
    assert sorted(whole.row_id) == list(range(90))
    table = result.table("rmse", "mae")
    assert table.columns == ["fold", "train_rows", "test_rows", "rmse", "mae"]
    assert table["test_rows"].to_list() == [30, 30, 30]
    assert table["rmse"].to_list() == list(scores)


def test_folds_differ_in_their_keys():
    """Two folds on the same rows would draw differently: their keys differ."""
    result = fp.resample(NET, TASK, fp.cv(2), key=KEY, keep_fitted=True)
    assert len({fitted.key for fitted in result.fitted}) == 2


def test_fitted_graphs_are_kept_on_demand():
    """Without keep_fitted only predictions are kept."""
    assert fp.resample(NET, TASK, fp.holdout(), key=KEY).fitted == ()
    assert len(fp.resample(NET, TASK, fp.holdout(), key=KEY, keep_fitted=True).fitted) == 1


def test_holdout():
    """A holdout is one split of the share asked for; one score has no standard error."""
    result = fp.resample(NET, TASK, fp.holdout(0.8), key=KEY)
    assert [len(s.train) for s in result.splits] == [72]
    assert np.isnan(result.standard_error("rmse"))


@pytest.mark.parametrize(
    "validate", [0.25, "test", TASK.take(range(10))], ids=["share", "test", "task"]
)
def test_resample_with_validation(validate):
    """Validation rows are a share of each training set, the test rows, or a task of their own."""
    graph = NET.set({"model.measures": ("rmse",), "model.weights": "last"})
    result = fp.resample(graph, TASK, fp.cv(3), key=KEY, validate=validate, keep_fitted=True)
    for fitted, prediction in zip(result.fitted, result.predictions, strict=True):
        last = fitted.state("model").history[-1]
        same_rows = isinstance(validate, str)
        assert (
            last["valid.rmse"] == pytest.approx(prediction.score("rmse"), rel=1e-6)
        ) == same_rows


def test_an_executor_changes_nothing():
    """Threads give the result of the plain loop, to the bit."""
    graph = NET.set({"model.patience": 1})
    loop = fp.resample(graph, TASK, fp.cv(4), key=KEY, validate=0.2, keep_fitted=True)
    with ThreadPoolExecutor(4) as executor:
        threads = fp.resample(
            graph, TASK, fp.cv(4), key=KEY, validate=0.2, keep_fitted=True, executor=executor
        )
    assert threads == loop
    assert fp.fingerprint(threads) == fp.fingerprint(loop)


def test_resample_again():
    """The same key gives the same result, another one another."""
    one, two, other = (fp.resample(NET, TASK, fp.cv(2), key=k) for k in (KEY, fp.key(8), fp.key(9)))
    assert fp.fingerprint(one) == fp.fingerprint(two) != fp.fingerprint(other)


def test_an_undefined_score_names_the_fold():
    """A measure that a fold cannot have is an error with the fold's number."""
    graph = (
        ops.select(ops.numeric())
        >> nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam")
        >> nn.model(epochs=1)
    )
    rows = [*np.flatnonzero(Y > 0.7)[:3], *np.flatnonzero(Y <= 0.7)[:3]]
    result = fp.resample(graph, CLASSES.take(rows), fp.cv(6), key=KEY)
    with pytest.raises(DataError, match="roc_auc") as caught:
        result.score("roc_auc")
    assert caught.value.at == "fold 0"


# Checking


def test_check_report():
    """Paths, outputs and numbers of parameters are inferred without reading data."""
    graph = (
        ops.one_hot()
        >> nn.ingress_numeric()
        >> nn.block(nn.linear(7) >> nn.relu(), 2)
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam")
        >> nn.model(epochs=1)
    )
    report = fp.check(graph, CLASSES)
    found = {row.path: (row.gives, row.params) for row in report.rows}
    assert found == {
        "one_hot": ("4 features", 0),
        "ingress_numeric": ("(?, 4)", 0),
        "block[0].linear": ("(?, 7)", 4 * 7 + 7),
        "block[0].relu": ("(?, 7)", 0),
        "block[1].linear": ("(?, 7)", 7 * 7 + 7),
        "block[1].relu": ("(?, 7)", 0),
        "head": ("(?, 1)", 8),
        "loss": ("(?, 1)", 0),
        "optimizer": ("(?, 1)", 0),
        "model": ("Prediction", 0),
    }
    assert report.params == 35 + 56 + 8
    assert report.ok


def test_check_lists_what_is_missing():
    """Unset parameters are listed by path, and sizes behind them are shown as unknown."""
    graph = (
        nn.ingress_numeric()
        >> nn.linear(id="wide")
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("sgd")
        >> nn.model()
    )
    report = fp.check(graph, TASK)
    assert report.missing == ("wide.out_features", "optimizer.lr", "model.epochs")
    assert not report.ok
    assert report.params is None
    assert repr(report).splitlines()[1].split() == ["wide", "(?,", "?)", "?"]
    assert "not set: wide.out_features" in repr(report)


def test_check_text():
    """The report prints as a table."""
    report = fp.check(nn.ingress_numeric() >> nn.linear(3) >> nn.head(), TASK)
    assert [line.split() for line in repr(report).splitlines()] == [
        ["ingress_numeric", "(?,", "2)"],
        ["linear", "(?,", "3)", "9"],
        ["head", "(?,", "1)", "4"],
        ["parameters", "13"],
    ]


def test_check_foresees_real_sizes():
    """The number of parameters is that of the network that is trained."""
    trained = fp.fit(NET, TASK, key=KEY).state("model")
    assert fp.check(NET, TASK).params == trained.network.count() == 2 * 8 + 8 + 8 + 1


def test_check_reads_no_data():
    """A task whose values cannot be learned from passes: only types are looked at."""
    holes = fp.regression({"a": [None, 1.0], "y": [1.0, 2.0]}, "y")
    assert fp.check(nn.ingress_numeric() >> nn.head(), holes).params == 2
    assert fp.check(nn.ingress_numeric() >> nn.head(), holes.outline()).params == 2
