"""balance: the numbers of rows by worked examples, and what happens to rows, ids and origins."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import fpipe as fp
from fpipe import learners, ops
from fpipe.core.errors import DataError, ParameterError

KEY = fp.key(2)
N = 20
TASK = fp.classification(
    {"x": range(N), "g": [i // 2 for i in range(N)], "y": ["a"] * 12 + ["b"] * 5 + ["c"] * 3},
    "y",
    group="g",
)
"""12 a, 5 b, 3 c; mean 6.67, mean without the largest 4, without the smallest 8.5."""

EXAMPLES = [
    # ratio, reference, adjust, (a, b, c)
    (1, "all", "all", (7, 7, 7)),
    (4, "all", "all", (27, 27, 27)),
    (0.5, "all", "all", (3, 3, 3)),
    (1, "major", "all", (12, 12, 12)),
    (1, "minor", "all", (3, 3, 3)),
    (1, "nonmajor", "all", (4, 4, 4)),
    (1, "nonminor", "all", (8, 8, 8)),
    (4, "nonminor", "all", (34, 34, 34)),
    (1, "one", "all", (1, 1, 1)),
    (9, "one", "all", (9, 9, 9)),
    (4, "minor", "minor", (12, 5, 12)),
    (1, "all", "major", (7, 5, 3)),
    (1, "all", "minor", (12, 5, 7)),
    (1, "all", "nonmajor", (12, 7, 7)),
    (1, "all", "nonminor", (7, 7, 3)),
    (1, "all", "upsample", (12, 7, 7)),
    (1, "all", "downsample", (7, 5, 3)),
    (1, "major", "upsample", (12, 12, 12)),
    (1, "minor", "downsample", (3, 3, 3)),
    (1, "major", "downsample", (12, 5, 3)),
    (0.5, "nonmajor", "downsample", (2, 2, 2)),
    (2.5, "one", "all", (2, 2, 2)),
    (3.5, "one", "all", (4, 4, 4)),
]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("ratio", "reference", "adjust", "counts"), EXAMPLES)
def test_balance_counts(ratio, reference, adjust, counts, shuffle):
    """Every class has as many rows as worked out by hand; each row occurs nearly equally often."""
    out = fp.transform(ops.balance(ratio, reference, adjust, shuffle), TASK, key=KEY)
    found = Counter(out.column("y").to_list())
    assert tuple(found[name] for name in "abc") == counts
    times = np.bincount(out.origin, minlength=N)
    for name, size, had in zip("abc", counts, (12, 5, 3), strict=True):
        rows = (TASK.column("y") == name).to_numpy()
        assert set(times[rows].tolist()) <= {size // had, -(-size // had)}


@pytest.mark.parametrize("shuffle", [True, False])
def test_balance_keeps_rows_whole(shuffle):
    """Repeats have ids of their own, the origin, the group and the values of their row."""
    out = fp.transform(ops.balance(3, shuffle=shuffle), TASK, key=KEY)
    assert len(set(out.row_id.tolist())) == out.n_rows == 60
    np.testing.assert_array_equal(out.column("x"), out.origin)
    np.testing.assert_array_equal(out.role("group"), out.origin // 2)
    first = out.row_id < N
    np.testing.assert_array_equal(out.row_id[first], out.origin[first])
    for split in fp.cv(5).splits(out, KEY):
        assert not set(out.origin[split.train]) & set(out.origin[split.test])


def test_balance_without_shuffling():
    """Rows that stay keep their order; repeats follow class by class."""
    out = fp.transform(ops.balance(1, "major", shuffle=False), TASK, key=KEY)
    assert out.row_id[:N].tolist() == list(range(N))
    assert out.column("y")[N:].to_list() == ["b"] * 7 + ["c"] * 9
    fewer = fp.transform(ops.balance(1, "minor", shuffle=False), TASK, key=KEY)
    assert (np.diff(fewer.row_id) > 0).all()


def test_balance_draws_from_the_key():
    """The same key draws the same rows, another one others; the order of rows does not matter."""
    graph = ops.balance(1, "minor")
    out = fp.transform(graph, TASK, key=KEY)
    assert out == fp.transform(graph, TASK, key=KEY)
    others = [set(fp.transform(graph, TASK, key=fp.key(i)).row_id.tolist()) for i in range(20)]
    assert len(set(map(frozenset, others))) > 10
    assert set().union(*others) == set(range(N))
    moved = TASK.take(np.random.default_rng(0).permutation(N))
    assert set(fp.transform(graph, moved, key=KEY).row_id) == set(out.row_id)


def test_balance_changes_rows_only_while_fitting():
    """New rows and validation rows stay as they are; learners see the balanced rows."""
    fitted, out = fp.run(ops.balance(4, "minor", "minor"), TASK, key=KEY, validate=0.3)
    assert Counter(out.valid.column("y").to_list()).total() == out.valid.n_rows
    assert len(set(out.valid.origin.tolist())) == out.valid.n_rows
    assert not set(out.valid.origin.tolist()) & set(out.origin.tolist())
    assert fp.apply(fitted, TASK) == TASK
    graph = ops.balance(1, "major") >> learners.featureless()
    prob = fp.predict(fp.fit(graph, TASK, key=KEY), TASK).prob
    np.testing.assert_allclose(prob.to_numpy(), 1 / 3, rtol=1e-12)


def test_balance_of_ties_and_absent_classes():
    """Classes without rows do not count; of equals the first is largest, the last smallest."""
    equal = fp.classification({"x": range(7), "y": ["a", "a", "b", "b", "c", "c", "d"]}, "y")
    task = equal.take(range(6))
    out = fp.transform(ops.balance(2, "minor", "minor"), task, key=KEY)
    assert Counter(out.column("y").to_list()) == {"a": 2, "b": 2, "c": 4}
    out = fp.transform(ops.balance(2, "major", "major"), task, key=KEY)
    assert Counter(out.column("y").to_list()) == {"a": 4, "b": 2, "c": 2}


NUMBERS = fp.regression({"x": [1.0, 2.0], "y": [1.0, 2.0]}, "y")
BAD = [
    ("ratio", lambda: ops.balance(0), ParameterError, "ratio", None, "above 0"),
    (
        "reference",
        lambda: ops.balance(reference="most"),
        ParameterError,
        "reference",
        None,
        "major",
    ),
    ("adjust", lambda: ops.balance(adjust="up"), ParameterError, "adjust", None, "upsample"),
    (
        "regression",
        lambda: fp.check(ops.balance(), NUMBERS),
        ParameterError,
        "is for classification",
        "balance",
        "leave out",
    ),
    (
        "nothing left",
        lambda: fp.fit(ops.balance(0.4, "one"), TASK, key=KEY),
        DataError,
        "no row of the class 'a'",
        "balance",
        "larger ratio",
    ),
]


@pytest.mark.parametrize(
    ("name", "act", "error", "rule", "at", "fix"), BAD, ids=[b[0] for b in BAD]
)
def test_refusals(refused, name, act, error, rule, at, fix):
    """Each is refused with what was expected, what came, where, and what to do."""
    refused(act, error, rule, at, fix)
