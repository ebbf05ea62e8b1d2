"""The demo: cross-validate a network on the breast cancer data and draw what came out.

Run by ``make demo``. Writes ``learning_curve.png`` and ``roc.png`` and prints a table; the last
line is one line of JSON with the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fpipe as fp
from fpipe import nn, ops
from fpipe.evaluate.resample import ResampleResult
from fpipe.io.progress import ProgressSink

MEASURES = ("accuracy", "log_loss", "roc_auc")


def learner() -> fp.Graph:
    """Return the whole experiment: preprocessing, network, loss, optimizer, training."""
    return (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.linear(32)
        >> nn.relu()
        >> nn.dropout(0.3)
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adamw", lr=3e-3)
        >> nn.model(epochs=60, batch_size=32, patience=10)
    )


def table(result: ResampleResult) -> str:
    """Return the scores of every fold, and mean ± standard error, as lines of text."""
    width = 19
    lines = [f"{'fold':<6}{'rows':>5}" + "".join(f"{name:>{width}}" for name in MEASURES)]
    for row in result.table(*MEASURES).iter_rows(named=True):
        numbers = "".join(f"{row[name]:>{width}.4f}" for name in MEASURES)
        lines.append(f"{row['fold'] + 1:<6}{row['test_rows']:>5}{numbers}")
    rows = sum(len(split.test) for split in result.splits)
    means = [f"{result.aggregate(m):.4f} ± {result.standard_error(m):.4f}" for m in MEASURES]
    lines.append(f"{'mean':<6}{rows:>5}" + "".join(f"{mean:>{width}}" for mean in means))
    return "\n".join(lines)


def figures(result: ResampleResult, seconds: float) -> dict[str, Any]:
    """Return what the last line says."""
    scores = {name: round(result.aggregate(name), 6) for name in MEASURES}
    errors = {f"{name}_se": round(result.standard_error(name), 6) for name in MEASURES}
    count = len(result.splits)
    return {"task": "breast_cancer", "folds": count} | scores | errors | {"seconds": seconds}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description="Cross-validate a network and draw the result.")
    parser.add_argument("--out", type=Path, default=Path("demo_output"), help="folder for pictures")
    out: Path = parser.parse_args(arguments).out
    start = time.perf_counter()

    task, graph = fp.tasks.breast_cancer(), learner()
    print(task, graph, "What is known before any data is read:", sep="\n\n")
    print(fp.check(graph, task), end="\n\n")

    sinks = [ProgressSink()] if sys.stderr.isatty() else []
    result = fp.resample(
        graph, task, fp.cv(5), validate=0.2, key=fp.key(42), keep_fitted=True, sinks=sinks
    )
    print("Five-fold cross-validation:\n")
    print(table(result), end="\n\n")

    out.mkdir(parents=True, exist_ok=True)
    pictures = {"learning_curve.png": fp.plot(result, "learning_curve"), "roc.png": fp.plot(result)}
    for name, figure in pictures.items():
        figure.savefig(out / name)
        print(f"wrote {out / name}")
    print(json.dumps(figures(result, round(time.perf_counter() - start, 2))))


if __name__ == "__main__":
    main()
