"""Sinks: where a run tells the world how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import IO, Any, Protocol, runtime_checkable

try:
    import rich.console as _console
    import rich.progress as _progress
except ImportError:  # pragma: no cover - rich is an extra
    _rich = False
else:
    _rich = True

Event = Mapping[str, object]
"""What happened, as plain data: ``kind`` and what belongs to it; more kinds may come.

``begin, epoch, end``: ``path`` of the model, ``epochs`` in all, ``epoch`` (the present one, from 1;
0 before the first), ``step`` (batches done in all), ``stopped``, and one number for each figure of
the last epoch (``train.loss``, ``valid.loss``; None where it is unknown); after the beginning the
learning rate ``lr`` as well, or ``lr.0``, ``lr.1``, … where groups of parameters differ.
``resume`` (before ``begin``, where training goes on): ``path``, ``epochs``, ``epoch``, ``step``,
and ``new_callbacks``, the ids of those that start now.
``fold`` (a split of a resampling is done): ``index`` (from 0), ``folds``. What happens within a
split has its number as ``fold`` besides.
"""


@runtime_checkable
class Sink(Protocol):
    """Anything that takes events."""

    def emit(self, event: Event) -> None:
        """Take one event."""


class SilentSink:
    """A sink that tells nobody."""

    def emit(self, event: Event) -> None:
        """Drop the event."""


class LineSink:
    """A sink that writes a line for every event.

    Args:
        stream: where to; standard error unless given.

    Example:
        >>> LineSink(sys.stdout).emit({"kind": "epoch", "epoch": 1, "epochs": 9, "train.loss": 0.5})
        epoch 1/9  train.loss 0.5
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        """Write the event as a line."""
        stream = sys.stderr if self._stream is None else self._stream
        print(describe(event), file=stream, flush=True)


class ProgressSink:
    """A sink that shows bars: one for each model in training, one for the folds.

    Without rich, or where the stream is no terminal, it writes plain lines.

    Args:
        stream: where to; standard error unless given.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        target = sys.stderr if stream is None else stream
        bars = _rich and target.isatty()
        self._inner: Sink = _BarSink(target) if bars else LineSink(stream)

    def emit(self, event: Event) -> None:
        """Show the event."""
        self._inner.emit(event)


def describe(event: Event) -> str:
    """Return an event as one line of text.

    Example:
        >>> describe({"kind": "fold", "index": 0, "folds": 5})
        'fold 1/5'
        >>> describe({"kind": "begin", "path": "model", "epochs": 3, "fold": 0})
        'fold 1 model: begin'
        >>> describe({"kind": "resume", "epoch": 3, "step": 40, "new_callbacks": ("ema",)})
        'resume at epoch 3, step 40; new callbacks: ema'
    """
    kind, place = str(event.get("kind", "event")), _place(event)
    place = f"{place}: " if place else ""
    return "  ".join([place + kind + _counted(event), *_numbers(event)])


def _place(event: Event) -> str:
    """Return which model an event is about, and in which fold."""
    fold, path = event.get("fold"), str(event.get("path") or "")
    return f"fold {fold + 1} {path}".strip() if isinstance(fold, int) else path


def _counted(event: Event) -> str:
    if event.get("kind") == "epoch":
        return f" {event.get('epoch')}/{event.get('epochs')}"
    if event.get("kind") == "fold":
        return f" {_whole(event.get('index')) + 1}/{event.get('folds')}"
    if event.get("kind") == "resume":
        return f" at epoch {event.get('epoch')}, step {event.get('step')}" + _new_callbacks(event)
    return ""


def _new_callbacks(event: Event) -> str:
    new = event.get("new_callbacks")
    return f"; new callbacks: {', '.join(map(str, new))}" if new and isinstance(new, tuple) else ""


def _numbers(event: Event) -> list[str]:
    found = ((name, value) for name, value in event.items() if "." in name)
    return [f"{name} {value:.4g}" for name, value in found if _is_number(value)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


class _BarSink:
    """Bars by rich; the display starts with the first event and ends with the last bar."""

    def __init__(self, stream: IO[str]) -> None:
        self._display: Any = _progress.Progress(
            _progress.TextColumn("{task.description}"),
            _progress.BarColumn(),
            _progress.MofNCompleteColumn(),
            _progress.TextColumn("{task.fields[numbers]}"),
            _progress.TimeRemainingColumn(),
            console=_console.Console(file=stream),
        )
        self._bars: dict[str, Any] = {}
        self._folds = 0

    def emit(self, event: Event) -> None:
        kind = event.get("kind")
        if kind in ("begin", "epoch", "end", "fold"):
            self._move(event)
        elif kind == "resume":  # a line above the bars: they show where training stands anyway
            console = self._display.console
            console.print(describe(event), markup=False, highlight=False, soft_wrap=True)

    def _move(self, event: Event) -> None:
        name = _place(event) or "model"
        if event.get("kind") == "end":
            self._close(name)
        elif event.get("kind") == "fold":
            self._fold(_whole(event.get("folds")))
        else:
            done, total = _whole(event.get("epoch")), _whole(event.get("epochs"))
            self._show(name, done, total, "  ".join(_numbers(event)))

    def _fold(self, total: int) -> None:
        # They are counted, since folds in several threads do not end in their order.
        self._folds += 1
        self._show("folds", self._folds, total, "")
        if self._folds >= total:
            self._folds = 0
            self._close("folds")

    def _show(self, name: str, done: int, total: int, numbers: str) -> None:
        if not self._bars:
            self._display.start()
        if name not in self._bars:
            self._bars[name] = self._display.add_task(name, total=total or None, numbers="")
        self._display.update(self._bars[name], completed=done, numbers=numbers)

    def _close(self, name: str) -> None:
        bar = self._bars.pop(name, None)
        if not self._bars:
            self._display.stop()
        elif bar is not None:
            self._display.remove_task(bar)
