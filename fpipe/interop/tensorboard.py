"""A sink for TensorBoard: the figures of training as curves."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fpipe.core.errors import ParameterError
from fpipe.interop.event_files import EventFiles

# Characters that mean something in the name of a file on one system or another.
_UNSAFE = re.compile(r'^\.|[%/\\:*?"<>|\x00-\x1f]')


class TensorBoardSink:
    """A sink that writes the figures of every epoch for TensorBoard.

    Look at them with ``tensorboard --logdir folder``, also while training goes on.

    - Each model is a run of its own, in a sub-folder named by its path: ``model``, or
      ``fold_0/model``, ``fold_1/model``, … under `fp.resample`.
    - The tags of its curves are the names in ``history``: ``train.loss``, ``valid.rmse``, …, and
      ``lr`` (or ``lr.0``, … where groups of parameters have several learning rates).
    - Steps are epochs, counted from 1. A figure that is unknown has no point; one that is NaN or
      infinite has, and TensorBoard marks it.
    - Training that goes on, and training that begins anew in the same folder, appends a file.
      TensorBoard then shows the earlier points up to the first epoch that is written, and the
      new ones from there on: one curve.

    No file is open between two events: each is in its file when ``emit`` returns, and there is
    nothing to close. A sink may be used in several threads, but not in several processes.

    Args:
        folder: where the runs are written; made with the first figures.
        clock: what tells the time, in seconds since 1970.

    Raises:
        ParameterError: tensorboard is not installed, or ``folder`` is a file.

    Example:
        >>> import tempfile
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> from fpipe.interop import TensorBoardSink
        >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> graph = (
        ...     nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.01)
        ...     >> nn.model(epochs=2)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = fp.fit(graph, task, key=fp.key(0), sinks=[TensorBoardSink(folder)])
        ...     [path.name for path in Path(folder).iterdir()]
        ['model']
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = _checked(folder)
        self._clock = clock
        self._files = EventFiles()
        self._lock = threading.Lock()
        self._begun: dict[Path, Path] = {}

    def emit(self, event: Mapping[str, object]) -> None:
        """Write the figures of an epoch."""
        kind = event.get("kind")
        with self._lock:
            if kind in ("begin", "resume"):
                self._begun.pop(self._run(event), None)
            elif kind == "epoch":
                self._write(self._run(event), event)

    def _run(self, event: Mapping[str, object]) -> Path:
        """Return the folder of the model that an event is about."""
        place = _UNSAFE.sub(_escaped, str(event.get("path") or ""))
        fold = event.get("fold")
        return self._folder / (f"fold_{fold}" if isinstance(fold, int) else "") / place

    def _write(self, run: Path, event: Mapping[str, object]) -> None:
        epoch, figures = event.get("epoch"), _figures(event)
        if not isinstance(epoch, int) or not figures:
            return
        now = self._clock()
        # A file begins with the first epoch that is written: an epoch that was finished before
        # training stopped keeps its point, one that was not is written again.
        if run not in self._begun:
            self._begun[run] = self._files.create(run, epoch, now)
        self._files.append(self._begun[run], epoch, now, figures)


def _figures(event: Mapping[str, object]) -> dict[str, float]:
    """Return the numbers of an event that have a curve; the others tell where training is."""
    return {
        name: float(figure)
        for name, figure in event.items()
        if (name == "lr" or "." in name)
        and isinstance(figure, int | float)
        and not isinstance(figure, bool)
    }


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _checked(folder: object) -> Path:
    if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
        raise ParameterError(
            "a folder for TensorBoard is a path.",
            expected="a path, such as 'runs/first'",
            got=f"{folder!r} ({type(folder).__name__})",
            fix="TensorBoardSink('runs/first')",
        )
    path = Path(os.fsdecode(folder))
    if path.exists() and not path.is_dir():
        raise ParameterError(
            "TensorBoard reads folders, and this is a file.",
            expected="a folder, or a path where none is yet",
            got=str(path),
            fix=f"TensorBoardSink({str(path.with_suffix('')) + '_runs'!r})",
        )
    return path
