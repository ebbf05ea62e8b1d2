"""Does training in fpipe give what training elsewhere gives? A comparison on real data.

1. The same network (two hidden layers of 32, ReLU, Adam) on the same folds of california housing,
   in fpipe and in scikit-learn: the mean RMSE of fpipe must be at most 1.03 times the other.
2. The graph of the front page: at most 0.6 times the RMSE of predicting the mean.
3. Digits: accuracy of at least 0.97.

``python benchmarks/california.py [--keys 3] [--skip-sklearn]``
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import fpipe as fp
from fpipe import nn, ops
from fpipe.data.task import Task
from fpipe.evaluate.resample import ResampleResult
from fpipe.evaluate.resampling import Split

FOLDS = 5
MOST_RATIO, MOST_OF_MEAN, LEAST_ACCURACY = 1.03, 0.6, 0.97


class Timed(NamedTuple):
    """What a function gave, and its seconds of wall clock."""

    value: Any
    seconds: float


def timed(function: Callable[[], Any]) -> Timed:
    """Call a function and take the time."""
    start = time.perf_counter()
    value = function()
    return Timed(value, time.perf_counter() - start)


def features() -> fp.Graph:
    """Return what both sides do to the table; all of it is learned from the training rows."""
    return ops.one_hot() >> ops.impute_median() >> ops.scale()


def plain() -> fp.Graph:
    """Return the network that scikit-learn can train as well."""
    return (
        features()
        >> ops.scale_target()
        >> nn.ingress_numeric()
        >> nn.linear(32)
        >> nn.relu()
        >> nn.linear(32, id="second")
        >> nn.relu(id="second_relu")
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adam", lr=1e-3)
        >> nn.model(epochs=50, batch_size=200)
    )


def front_page() -> fp.Graph:
    """Return the graph of README.md."""
    block = nn.linear(32) >> nn.branch(relu=nn.relu(), sigmoid=nn.sigmoid()) >> nn.dropout(0.1)
    return (
        features()
        >> ops.scale_target()
        >> nn.ingress_numeric()
        >> nn.block(block, n_blocks=2)
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adamw", lr=1e-3)
        >> nn.model(epochs=20, batch_size=512, patience=5)
    )


def for_digits() -> fp.Graph:
    """Return a small network for 8 × 8 pixels."""
    return (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.linear(128)
        >> nn.relu()
        >> nn.dropout(0.3)
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adamw", lr=2e-3)
        >> nn.model(epochs=40, batch_size=32)
    )


def sklearn_rmse(task: Task, split: Split, seed: int) -> float:
    """Return the RMSE of scikit-learn's network on the test rows of one split."""
    train, test = task.take(split.train), task.take(split.test)
    fitted, entering = fp.run(features(), train, key=fp.key(0))
    x, other = _matrix(entering), _matrix(fp.apply(fitted, test))
    y = train.truth().to_numpy()
    center, deviation = y.mean(), y.std()
    network = MLPRegressor(
        hidden_layer_sizes=(32, 32),
        max_iter=50,
        n_iter_no_change=50,
        alpha=0,
        batch_size=200,
        learning_rate_init=1e-3,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(x, (y - center) / deviation)
    found = network.predict(other) * deviation + center
    return float(np.sqrt(np.mean((test.truth().to_numpy() - found) ** 2)))


def _matrix(task: Task) -> np.ndarray:
    # float32, as fpipe trains; MLPRegressor keeps the dtype of what it is given
    return task.table.select(pl.col(task.features).cast(pl.Float32)).to_numpy()


def mean_rmse(task: Task, split: Split) -> float:
    """Return the RMSE of predicting the mean of the training rows."""
    truth = task.truth().to_numpy()
    return float(np.sqrt(np.mean((truth[split.test] - truth[split.train].mean()) ** 2)))


def spread(scores: list[float]) -> tuple[float, float]:
    """Return the mean, and its standard error over all folds and keys."""
    return float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def against_sklearn(task: Task, keys: int) -> dict[str, float]:
    """Compare both sides on the same folds, with as many keys (seeds) each."""
    ours: list[float] = []
    theirs: list[float] = []
    seconds = np.zeros(2)
    print(f"{'key':<5}{'fpipe RMSE':>12}{'seconds':>9}{'sklearn RMSE':>14}{'seconds':>9}")
    for seed in range(keys):
        here: Timed = timed(
            lambda seed=seed: fp.resample(plain(), task, fp.cv(FOLDS), key=fp.key(seed))
        )
        result: ResampleResult = here.value
        there = timed(
            lambda seed=seed, result=result: [sklearn_rmse(task, s, seed) for s in result.splits]
        )
        ours += result.score("rmse")
        theirs += there.value
        seconds += (here.seconds, there.seconds)
        means = np.mean(result.score("rmse")), np.mean(there.value)
        print(
            f"{seed:<5}{means[0]:>12,.0f}{here.seconds:>9.1f}"
            f"{means[1]:>14,.0f}{there.seconds:>9.1f}",
            flush=True,
        )
    (rmse, error), (other, other_error) = spread(ours), spread(theirs)
    print(f"mean {rmse:,.0f} ± {error:,.0f} against {other:,.0f} ± {other_error:,.0f}")
    return {
        "fpipe_rmse": rmse,
        "fpipe_se": error,
        "fpipe_seconds": float(seconds[0]),
        "sklearn_rmse": other,
        "sklearn_se": other_error,
        "sklearn_seconds": float(seconds[1]),
        "ratio": rmse / other,
    }


def against_the_mean(task: Task) -> dict[str, float]:
    """Compare the graph of the front page with predicting the mean, on the same folds."""
    got = timed(lambda: fp.resample(front_page(), task, fp.cv(FOLDS), validate=0.2, key=fp.key(42)))
    result: ResampleResult = got.value
    mean = float(np.mean([mean_rmse(task, split) for split in result.splits]))
    rmse, error = result.aggregate("rmse"), result.standard_error("rmse")
    print(f"front page {rmse:,.0f} ± {error:,.0f}, the mean {mean:,.0f}, {got.seconds:.1f} s")
    return {
        "front_page_rmse": rmse,
        "front_page_se": error,
        "front_page_seconds": got.seconds,
        "mean_rmse": mean,
        "of_mean": rmse / mean,
    }


def on_digits() -> dict[str, float]:
    """Cross-validate a small network on digits."""
    task = fp.tasks.digits()
    got = timed(lambda: fp.resample(for_digits(), task, fp.cv(FOLDS), key=fp.key(0)))
    result: ResampleResult = got.value
    accuracy, error = result.aggregate("accuracy"), result.standard_error("accuracy")
    print(f"digits {accuracy:.4f} ± {error:.4f}, {got.seconds:.1f} s")
    return {"digits_accuracy": accuracy, "digits_se": error, "digits_seconds": got.seconds}


def misses(figures: dict[str, float]) -> list[str]:
    """Return the conditions that the figures do not meet."""
    conditions = {
        f"ratio at most {MOST_RATIO}": figures.get("ratio", 0.0) <= MOST_RATIO,
        f"of_mean at most {MOST_OF_MEAN}": figures["of_mean"] <= MOST_OF_MEAN,
        f"digits_accuracy at least {LEAST_ACCURACY}": figures["digits_accuracy"] >= LEAST_ACCURACY,
    }
    return [words for words, met in conditions.items() if not met]


def main() -> int:
    """Run everything; return 1 where a condition is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=3, help="how often, each with another key")
    parser.add_argument("--skip-sklearn", action="store_true", help="leave out the comparison")
    options = parser.parse_args()
    task = fp.tasks.california_housing()
    figures = on_digits() | against_the_mean(task)
    if not options.skip_sklearn:
        figures |= against_sklearn(task, options.keys)
    missed = misses(figures)
    for words in missed:
        print(f"not met: {words}")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
