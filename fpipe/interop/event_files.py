"""The files that TensorBoard reads: records in the order in which things happened."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpipe.core.errors import ParameterError

_NAME = "events.out.tfevents"
_NUMBERED = re.compile(rf"{re.escape(_NAME)}\.(\d+)")
_VERSION = "brain.Event:2"


class EventFiles:
    """Writes event files, in the format that tensorboard's own package defines.

    A file is opened for each call and closed before the call returns.

    Raises:
        ParameterError: tensorboard is not installed.

    Source:
        The format: TensorFlow's ``event.proto`` and ``summary.proto`` in TFRecord framing. Its
        reader: ``PluginEventAccumulator`` of TensorBoard.
    """

    def __init__(self) -> None:
        self._records = _imported("tensorboard.summary.writer.record_writer")
        self._event = _imported("tensorboard.compat.proto.event_pb2")
        self._summary = _imported("tensorboard.compat.proto.summary_pb2")

    def create(self, folder: Path, step: int, now: float) -> Path:
        """Create a file that is read after all files in the folder, and return its path.

        It says that a session starts at ``step``: TensorBoard then drops the points at ``step``
        and later that it has read from earlier files. It ignores the first start that it reads,
        so every file has one.

        Args:
            folder: where; made if it is missing.
            step: the first step that will be written.
            now: seconds since 1970.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = _claimed(folder, now)
        started = self._event.SessionLog(status=self._event.SessionLog.START)
        self._write(
            path,
            self._event.Event(wall_time=now, file_version=_VERSION),
            self._event.Event(wall_time=now, step=step, session_log=started),
        )
        return path

    def append(self, path: Path, step: int, now: float, figures: Mapping[str, float]) -> None:
        """Add one point to each curve that is named.

        Args:
            path: a file that `create` made.
            step: where the points are on the axis of steps.
            now: seconds since 1970.
            figures: numbers by the tag of their curve; TensorBoard keeps them as float32.
        """
        values = [
            self._summary.Summary.Value(tag=tag, simple_value=figure)
            for tag, figure in figures.items()
        ]
        summary = self._summary.Summary(value=values)
        self._write(path, self._event.Event(wall_time=now, step=step, summary=summary))

    def _write(self, path: Path, *events: Any) -> None:
        with path.open("ab") as file:
            records = self._records.RecordWriter(file)
            for event in events:
                records.write(event.SerializeToString())


def _claimed(folder: Path, now: float) -> Path:
    """Create an empty file whose name sorts behind all event files of a folder.

    TensorBoard reads files in the order of their names. The clock alone would not do: two files
    may be made within a second, or by machines whose clocks differ.
    """
    found = (_NUMBERED.match(path.name) for path in folder.iterdir())
    newest = max((int(match[1]) for match in found if match), default=-1)
    number = max(int(now), newest + 1, 0)
    while True:
        path = folder / f"{_NAME}.{number:010d}.fpipe"
        try:
            path.open("xb").close()
        except FileExistsError:  # another process was faster
            number += 1
        else:
            return path


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ParameterError(
            "curves for TensorBoard need tensorboard, which is not installed.",
            expected="tensorboard",
            got=str(error),
            fix="pip install 'fpipe[tensorboard]'",
        ) from error
