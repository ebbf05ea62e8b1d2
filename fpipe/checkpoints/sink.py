"""The checkpoint sink: it writes down what is needed to go on after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpipe.checkpoints.folder import (
    name_of_run,
    node_file,
    run_file,
    state_file,
    state_files,
    write,
)
from fpipe.core.code import Opaque
from fpipe.core.errors import ParameterError, StateError, did_you_mean
from fpipe.core.tree import within
from fpipe.files import save
from fpipe.io.lock import FolderLock
from fpipe.train.resuming import Reached

UNITS = ("epoch", "batch")


class CheckpointSink:
    """Keeps a fit in a folder, so that `resume` can go on with it.

    What operators have learned is kept once they are fitted, and states of training as training
    goes on. Files are written to a temporary name, synced and renamed; whenever the process is
    killed, what is in the folder is whole.

    Args:
        folder: where to; one folder holds one run.
        every: after how many units a state of training is kept.
        unit: ``"epoch"``, or ``"batch"`` for states within an epoch as well.
        keep: how many of the newest states of each training are kept; None for all.
        best: whether the state of the best evaluation is kept besides.

    Raises:
        ParameterError: a setting is none of those above.
        StateError: when the fit begins: the folder holds a run already, or another run writes
            into it now.
        CodecError: when the fit begins: the graph holds code that cannot be saved, such as a
            lambda.

    Example:
        >>> import tempfile
        >>> import fpipe as fp
        >>> from fpipe import nn
        >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
        >>> graph = (
        ...     nn.ingress_numeric() >> nn.head() >> nn.loss("mse")
        ...     >> nn.optimizer("adam") >> nn.model(epochs=2)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sink = fp.CheckpointSink(folder)
        ...     fitted = fp.fit(graph, task, key=fp.key(1), sinks=[sink])
        ...     fp.same(fp.resume(graph, task, folder), fitted)  # it had ended already
        True
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int = 1,
        unit: str = "epoch",
        keep: int | None = 3,
        best: bool = False,
    ) -> None:
        _check_settings(every, unit, keep, best)
        self.folder = Path(folder).expanduser()
        self.settings = {"every": every, "unit": unit, "keep": keep, "best": best}
        self._every, self._unit, self._keep, self._best = every, unit, keep, best
        self._goes_on = False
        self._run = ""
        self._lock: FolderLock | None = None

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"CheckpointSink({str(self.folder)!r}, {shown})"

    def due(self, after: str, number: int) -> bool:
        """Tell whether the state of training is wanted now."""
        return (after == "epoch" and self._best) or self._in_turn(after, number)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write down what belongs to a run; all else is left to other sinks."""
        kind = event.get("kind")
        if kind == "run":
            self._begin(event["record"])
        elif kind == "fitted":
            self._fitted(str(event["path"]), event["state"])
        elif kind == "state":
            self._reached(str(event["path"]), event["state"])
        elif kind == "over":
            self._over()

    def going_on(self, lock: FolderLock) -> CheckpointSink:
        """Return the same sink for a run that goes on in its folder, which is locked already."""
        other = CheckpointSink(self.folder, **self.settings)  # type: ignore[arg-type]
        other._goes_on, other._lock = True, lock
        return other

    def _begin(self, record: Any) -> None:
        if self._lock is None:
            self._lock = FolderLock(self.folder)
        if not self._goes_on and run_file(self.folder).exists():
            self._over()
            raise StateError(
                "the folder holds a run already.",
                expected="a folder of its own for each run",
                got=f"{run_file(self.folder).name} in it",
                at=str(self.folder),
                fix=f"go on with it: fp.resume(graph, task, {str(self.folder)!r}), "
                "or give another folder",
            )
        self._run = name_of_run(record)
        save({"record": record, "settings": self.settings}, run_file(self.folder))

    def _fitted(self, place: str, state: Any) -> None:
        # Nothing to keep, or nothing that another process could read: then it is fitted anew.
        if state is not None and not any(isinstance(part, Opaque) for part in within(state)):
            write(node_file(self.folder, place), self._run, place, state)

    def _reached(self, place: str, reached: Reached) -> None:
        cursor, best = reached.state.cursor, reached.state.best
        kind = "batch" if cursor.last == "batch" else "epoch"
        is_best = self._best and kind == "epoch" and best is not None and best.epoch == cursor.epoch
        if is_best or self._in_turn(kind, cursor.step if kind == "batch" else cursor.epoch):
            path = state_file(self.folder, place, cursor.epoch, cursor.step, kind)
            write(path, self._run, place, reached)
            self._prune(path.parent, best.epoch if self._best and best is not None else None)

    def _in_turn(self, kind: str, number: int) -> bool:
        return kind == self._unit and number % self._every == 0

    def _prune(self, below: Path, best: int | None) -> None:
        """Remove the states that are no longer kept: neither new nor that of the best epoch."""
        if self._keep is not None:
            for file in state_files(below)[: -self._keep]:
                if (file.kind, file.epoch) != ("epoch", best):
                    file.path.unlink(missing_ok=True)

    def _over(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _check_settings(every: Any, unit: Any, keep: Any, best: Any) -> None:
    """Raise ParameterError where a setting of the sink makes no sense."""
    if unit not in UNITS:
        raise ParameterError(
            f"checkpoints cannot be kept every so many {unit!r}.",
            expected=" or ".join(map(repr, UNITS)),
            got=repr(unit),
            fix=did_you_mean(str(unit), UNITS),
        )
    for name, given, none in (("every", every, False), ("keep", keep, True)):
        whole = isinstance(given, int) and not isinstance(given, bool) and given > 0
        if not whole and not (none and given is None):
            raise ParameterError(
                f"{name} cannot be {given!r}.",
                expected="a whole number from 1" + (", or None for all" if none else ""),
                got=repr(given),
                fix=f"{name}=1",
            )
    if not isinstance(best, bool):
        raise ParameterError(
            "best is a switch.", expected="True or False", got=repr(best), fix="best=True"
        )
