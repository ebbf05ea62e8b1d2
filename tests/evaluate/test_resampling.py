"""Every resampling: what is trained on and tested on, groups, repeats, strata and keys."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import DataError, ParameterError, SchemaError
from fpipe.evaluate.custom import custom, custom_cv
from fpipe.evaluate.resampling import (
    Split,
    bootstrap,
    cv,
    holdout,
    insample,
    loo,
    repeated_cv,
    subsampling,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=40)
TASK = fp.regression({"x": X, "y": 2 * X}, "y")
CLASSES = fp.classification({"x": X, "y": np.where(np.arange(40) < 12, "rare", "often")}, "y")
GROUPS = fp.regression({"x": X, "g": np.arange(40) // 5, "y": X}, "y", group="g")
REPEATED = TASK.take(range(10)).repeat(np.repeat(np.arange(10), 3))
KEY = fp.key(3)
DRAWN = {
    "cv": cv(4),
    "repeated_cv": repeated_cv(4, 2),
    "holdout": holdout(0.7),
    "subsampling": subsampling(3, 0.7),
    "bootstrap": bootstrap(3),
}
APART = DRAWN | {"loo": loo()}


def all_tests(splits):
    return np.sort(np.concatenate([split.test for split in splits])).tolist()


def test_repeated_cv():
    """Every repeat covers every row once and deals anew; places say repeat and fold."""
    splits = repeated_cv(5, 3).splits(TASK, KEY)
    assert [dict(s.place) for s in splits] == [
        {"repeat": r, "fold": f} for r in range(3) for f in range(5)
    ]
    repeats = [splits[5 * r : 5 * r + 5] for r in range(3)]
    for repeat in repeats:
        assert all_tests(repeat) == list(range(40))
        for split in repeat:
            assert sorted([*split.train, *split.test]) == list(range(40))
    assert len({tuple(repeat[0].test.tolist()) for repeat in repeats}) == 3


def test_subsampling():
    """Each split has its share and is drawn on its own."""
    splits = subsampling(6, 0.75).splits(TASK, KEY)
    assert [(len(s.train), len(s.test)) for s in splits] == [(30, 10)] * 6
    assert len({tuple(s.test.tolist()) for s in splits}) == 6


def test_bootstrap():
    """As many draws as rows, with repeats; what was not drawn is tested once."""
    for split in bootstrap(5).splits(TASK, KEY):
        assert len(split.train) == 40
        assert len(np.unique(split.train)) < 40
        assert split.test.tolist() == sorted(set(range(40)) - set(split.train.tolist()))
    assert [len(s.train) for s in bootstrap(2, 0.5).splits(TASK, KEY)] == [20, 20]


def test_loo():
    """One fold per row; per group; per row that was repeated. Nothing is drawn."""
    assert [s.test.tolist() for s in loo().splits(TASK, KEY)] == [[i] for i in range(40)]
    assert [s.test.tolist() for s in loo().splits(GROUPS, KEY)] == [
        list(range(5 * g, 5 * g + 5)) for g in range(8)
    ]
    assert [len(s.test) for s in loo().splits(REPEATED, KEY)] == [3] * 10
    assert loo().splits(TASK, KEY) == loo().splits(TASK, fp.key(4))


def test_insample():
    """One split of all rows on both sides."""
    (split,) = insample().splits(GROUPS, KEY)
    assert split.train.tolist() == split.test.tolist() == list(range(40))


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("task", [GROUPS, REPEATED], ids=["groups", "repeats"])
def test_units_stay_together(name, task):
    """No group and no repeat of a row is on both sides."""
    units = task.origin if task is REPEATED else task.column("g").to_numpy()
    for split in APART[name].splits(task, KEY):
        assert len(split.test)
        assert not set(units[split.train].tolist()) & set(units[split.test].tolist())


@pytest.mark.parametrize("name", DRAWN)
def test_strata_keep_their_share(name):
    """Each class has its share of the training rows, within one row; not if told otherwise."""
    y = CLASSES.column("y").to_numpy() == "rare"
    share = {"cv": 0.75, "repeated_cv": 0.75, "bootstrap": 1.0}.get(name, 0.7)
    for split in DRAWN[name].splits(CLASSES, KEY):
        assert abs(y[split.train].sum() - 12 * share) < 1 + 1e-9
        assert abs((~y[split.train]).sum() - 28 * share) < 1 + 1e-9


@pytest.mark.parametrize(
    "make",
    [
        lambda: cv(4, stratify=False),
        lambda: repeated_cv(4, 2, stratify=False),
        lambda: subsampling(3, stratify=False),
        lambda: bootstrap(3, stratify=False),
    ],
)
def test_strata_may_be_left_alone(make):
    """Without stratification the counts of a class differ over keys."""
    y = CLASSES.column("y").to_numpy() == "rare"
    counts = {int(y[s.train].sum()) for i in range(5) for s in make().splits(CLASSES, fp.key(i))}
    assert len(counts) > 2


@pytest.mark.parametrize("name", DRAWN)
def test_the_key_decides(name):
    """The same key gives the same splits, another one others."""
    one, two, other = (DRAWN[name].splits(TASK, k) for k in (KEY, fp.key(3), fp.key(4)))
    assert one == two != other


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(APART)),
    st.integers(4, 25),
    st.lists(st.integers(0, 6), min_size=25, max_size=25),
    st.integers(0, 999),
)
def test_sides_never_meet(name, n, groups, seed):
    """For random groups over rows that are repeated, too: both sides are apart and in range."""
    data = {"x": np.arange(n), "g": groups[:n], "y": np.arange(n)}
    task = fp.regression(data, "y", group="g")
    task = task.repeat(np.concatenate([np.arange(n), [0, 1]]))
    try:
        splits = APART[name].splits(task, fp.key(seed))
    except DataError:
        assert len(set(groups[:n])) < 5 or name == "bootstrap"
        return
    codes = task.column("g").to_numpy()
    for split in splits:
        assert len(split.train)
        assert len(np.unique(split.test)) == len(split.test) > 0
        assert max(split.train.max(), split.test.max()) < task.n_rows
        assert not set(codes[split.train]) & set(codes[split.test])
        assert not set(task.origin[split.train]) & set(task.origin[split.test])


def test_resamplings_are_values():
    """Equal ones are equal and hash alike; tables and prints name their parameters."""
    for make in (lambda: repeated_cv(3, 2), lambda: bootstrap(4, 1), loo, insample):
        assert make() == make()
        assert len({make(), make()}) == 1
        assert fp.fingerprint(make()) == fp.fingerprint(make())
    assert repeated_cv(3, 2) != repeated_cv(2, 3)
    assert custom([[0]], [[1]]) == custom(np.array([[0]]), [np.array([1])])
    assert repr(subsampling(2, 0.5)) == "Subsampling(repeats=2, ratio=0.5, stratify=True)"


# Given splits


def test_custom():
    """The given positions, also where test sets overlap and rows are trained on twice."""
    one, two = custom([[0, 1, 1], [4, 3]], [[2, 3], [2]]).splits(TASK, KEY)
    assert (one.train.tolist(), one.test.tolist()) == ([0, 1, 1], [2, 3])
    assert (two.train.tolist(), two.test.tolist()) == ([4, 3], [2])


def test_custom_cv():
    """One fold per level, in their order; rows without a level are always trained on."""
    site = ["b", "a", None, "b", "c", "a"]
    task = fp.regression({"x": range(6), "site": site, "y": range(6)}, "y")
    splits = custom_cv("site").splits(task, KEY)
    assert [s.test.tolist() for s in splits] == [[1, 5], [0, 3], [4]]
    assert [s.train.tolist() for s in splits] == [[0, 2, 3, 4], [1, 2, 4, 5], [0, 1, 2, 3, 5]]
    assert splits[1].place == (("fold", 1), ("level", "b"))


@pytest.mark.parametrize(
    "column",
    [
        [3, 1, 3, 2],
        [True, False, True, False],
        [datetime.date(2020, 1, d) for d in (3, 1, 3, 2)],
    ],
    ids=["integers", "booleans", "dates"],
)
def test_levels_of_other_types(column):
    """Levels are in their own order."""
    task = fp.regression({"x": range(4), "y": range(4), "year": column}, "y")
    splits = custom_cv("year").splits(task, KEY)
    assert [dict(s.place)["level"] for s in splits] == [str(v) for v in sorted(set(column))]
    assert all_tests(splits) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("act", "error", "rule", "fix"),
    [
        (lambda: custom([[0]], [[1], [2]]), ParameterError, "1 training sets and 2 test", "custom"),
        (lambda: custom([([0], [1])]), ParameterError, "not in pairs", "for train, _ in pairs"),
        (lambda: custom([], []), ParameterError, "0 training sets and 0 test", "custom"),
        (lambda: custom(3, [[1]]), ParameterError, "train_sets is int", "train_sets=["),
        (lambda: custom([[0]], "1"), ParameterError, "test_sets is str", "test_sets=["),
        (lambda: custom([[]], [[1]]), ParameterError, "train set 0 holds no positions", "from 0"),
        (lambda: custom([[0]], [[-1]]), ParameterError, "test set 0 holds no positions", "from 0"),
        (lambda: custom([[0]], [[0.5]]), ParameterError, "test set 0 holds no positions", "from 0"),
        (lambda: custom([[0]], [[True]]), ParameterError, "test set 0 holds no", "flatnonzero"),
        (lambda: custom([0], [1]), ParameterError, "train set 0 holds no positions", "from 0"),
        (lambda: custom([[0]], [[2, 1, 2]]), ParameterError, "position 2 is twice", "once"),
        (
            lambda: custom([[0, 1]], [[40]]).splits(TASK, KEY),
            DataError,
            "split 0: there is no row at position 40",
            "from 0",
        ),
        (
            lambda: custom([[0, 1], [2, 3]], [[2], [3]]).splits(TASK, KEY),
            DataError,
            "split 1: the row 3 is in the training set and in the test set",
            "insample",
        ),
        (
            lambda: custom([[0]], [[1]]).splits(REPEATED, KEY),
            DataError,
            "split 0: the row 0 is in",
            "insample",
        ),
        (
            lambda: custom([[0, 10]], [[14]]).splits(GROUPS, KEY),
            DataError,
            "split 0: the group 2 is in",
            "insample",
        ),
        (lambda: custom_cv("sit").splits(TASK, KEY), SchemaError, "sit", ""),
        (lambda: custom_cv(""), ParameterError, "column cannot be ''", "non-empty"),
        (lambda: custom_cv("x").splits(TASK, KEY), DataError, "has no levels", "cast 'x'"),
        (
            lambda: custom_cv("s").splits(
                fp.regression({"s": ["a", "a"], "x": [1, 2], "y": [1, 2]}, "y"), KEY
            ),
            DataError,
            "has 1 level, which leaves nothing",
            "fp.cv(5)",
        ),
        (
            lambda: custom_cv("s").splits(
                fp.regression(
                    {"s": ["a", "b", "b"], "g": [1, 1, 2], "y": [1, 2, 3]}, "y", group="g"
                ),
                KEY,
            ),
            DataError,
            "level 'a' of 's': the group 1 is in",
            "one level",
        ),
        (lambda: repeated_cv(1), ParameterError, "folds cannot be 1", "at least 2"),
        (lambda: repeated_cv(2, 0), ParameterError, "repeats cannot be 0", "at least 1"),
        (lambda: bootstrap(0), ParameterError, "repeats cannot be 0", "at least 1"),
        (lambda: bootstrap(3, 0.0), ParameterError, "ratio cannot be 0.0", "above 0"),
        (lambda: subsampling(3, 1.0), ParameterError, "ratio cannot be 1.0", "below 1"),
        (
            lambda: loo().splits(TASK.take([0]), KEY),
            DataError,
            "one of 1 rows cannot be left out",
            "more rows",
        ),
        (
            lambda: bootstrap(20).splits(TASK.take([0, 1]), KEY),
            DataError,
            "drew all 2 rows",
            "subsampling",
        ),
    ],
)
def test_refusals(act, error, rule, fix):
    """Splits that cannot be are refused, early, with what to do."""
    with pytest.raises(error) as caught:
        act()
    assert rule in caught.value.rule
    assert fix in (caught.value.fix or "")


# Resampling with them


def test_a_bootstrap_trains_on_repeats():
    """The mean that is learned is that of the drawn rows; each test row is predicted once."""
    result = fp.resample(learners.featureless(), TASK, bootstrap(4), key=KEY)
    y = TASK.column("y").to_numpy()
    for split, prediction in zip(result.splits, result.predictions, strict=True):
        assert prediction.response[0] == pytest.approx(y[split.train].mean())
        assert prediction.row_id.tolist() == split.test.tolist()


def test_repeats_and_levels_show_in_tables():
    """Columns name the repeat and the fold, or the fold and its level."""
    result = fp.resample(learners.featureless(), TASK, repeated_cv(2, 3), key=KEY)
    table = result.table("mae")
    assert table.columns == ["repeat", "fold", "train_rows", "test_rows", "mae"]
    assert table["repeat"].to_list() == [0, 0, 1, 1, 2, 2]
    assert table["fold"].to_list() == [0, 1] * 3
    for drawn in (bootstrap(3), subsampling(3)):
        table = fp.resample(learners.featureless(), TASK, drawn, key=KEY).table("mae")
        assert table.columns == ["repeat", "train_rows", "test_rows", "mae"]
        assert table["repeat"].to_list() == [0, 1, 2]
    site = fp.regression({"x": range(4), "s": list("abab"), "y": range(4)}, "y")
    named = fp.resample(learners.featureless(), site, custom_cv("s"), key=KEY)
    assert named.table().rows() == [(0, "a", 2, 2), (1, "b", 2, 2)]
    assert repr(named)


def test_loo_and_insample_by_hand():
    """The mean of the others, and the mean of all."""
    task = fp.regression({"x": [0, 0, 0], "y": [0.0, 3.0, 9.0]}, "y")
    left = fp.resample(learners.featureless(), task, loo(), key=KEY)
    assert left.prediction().response.to_list() == [6.0, 4.5, 1.5]
    inside = fp.resample(learners.featureless(), task, insample(), key=KEY)
    assert inside.prediction().response.to_list() == [4.0] * 3
    twice = fp.resample(learners.featureless(), task, custom([[0, 0, 1]], [[2]]), key=KEY)
    assert twice.prediction().response.to_list() == [1.0]


def test_a_bootstrap_validates_apart():
    """A share for validation parts no row from its repeats."""
    for split in bootstrap(5).splits(TASK, KEY):
        out = fp.transform(ops.scale(), TASK.repeat(split.train), key=KEY, validate=0.3)
        assert out.n_rows + out.valid.n_rows == 40
        assert not set(out.origin) & set(out.valid.origin)


def test_a_bootstrap_validates_on_its_test_rows():
    """What history says of the last epoch is the score of the test rows."""
    net = learners.mlp([4], epochs=2, batch_size=16).set({"mlp.model.measures": ("rmse",)})
    result = fp.resample(net, TASK, bootstrap(2), key=KEY, validate="test", keep_fitted=True)
    for fitted, score in zip(result.fitted, result.score("rmse"), strict=True):
        last = fitted.state("mlp.model").history[-1]
        assert last["valid.rmse"] == pytest.approx(score, rel=1e-6)


def test_splits_have_no_place_by_default():
    """A split is its positions; its number is its place."""
    assert Split(np.array([0]), np.array([1])).place == ()
