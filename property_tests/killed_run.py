"""The run that `test_killed.py` kills: ``python killed_run.py FOLDER [write]``.

Given a number it kills itself in the midst of that file, once its bytes are on their way to the
disk and the file has no name yet, or (a half more) once it is synced and just about to be renamed.
"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

import fpipe as fp
from fpipe import callbacks, nn, ops

EPOCHS, KEY = 40, fp.key(7)


def task() -> fp.Task:
    """A task that overfits, so that early stopping has something to do."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(1200, 6))
    y = x[:, 0] * x[:, 1] + draws.normal(size=1200)
    columns = {f"x{i}": x[:, i] for i in range(6)}
    return fp.regression({**columns, "y": y}, "y")


def graph() -> fp.Graph:
    """Everything that has a state: dropout, batch norm, AdamW, one-cycle, EMA, early stopping."""
    return (
        ops.scale()
        >> nn.ingress_numeric()
        >> nn.linear(48)
        >> nn.batch_norm1d()
        >> nn.relu()
        >> nn.dropout(0.3)
        >> nn.linear(24)
        >> nn.relu()
        >> nn.head()
        >> nn.loss("mse")
        >> nn.optimizer("adamw", lr=0.01)
        >> nn.callbacks(callbacks.lr_one_cycle(0.03), callbacks.ema(0.9))
        >> nn.model(epochs=EPOCHS, batch_size=32, patience=8, measures=("rmse",))
    )


def sink(folder: str) -> fp.CheckpointSink:
    """A checkpoint every few batches, so that writing takes a good part of the time."""
    return fp.CheckpointSink(folder, every=3, unit="batch", keep=2, best=True)


class Ready:
    """Tells the parent that training has begun."""

    def emit(self, event: dict[str, object]) -> None:
        if event["kind"] == "begin":
            print("ready", flush=True)


def die_at(moment: float) -> None:
    """Let this process be killed in the midst of the n-th file that it writes."""
    done = {"sync": 0.0}
    fsync, replace = os.fsync, os.replace

    def killing_fsync(handle: int) -> None:
        done["sync"] += 1
        if done["sync"] == moment:
            size = os.fstat(handle).st_size
            os.ftruncate(handle, size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)

    def killing_replace(source: str, target: str) -> None:
        if done["sync"] + 0.5 == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.fsync, os.replace = killing_fsync, killing_replace


if __name__ == "__main__":
    if len(sys.argv) > 2:
        die_at(float(sys.argv[2]))
    fitted = fp.fit(graph(), task(), key=KEY, validate=0.25, sinks=[sink(sys.argv[1]), Ready()])
    print("over", flush=True)
