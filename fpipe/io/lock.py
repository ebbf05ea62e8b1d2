"""A folder that one process at a time writes into."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from fpipe.core.errors import StateError

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # pragma: no cover - Windows has none
    _fcntl = None


class FolderLock:
    """A lock on a folder, held by the operating system: a process that dies gives it back.

    Args:
        folder: the folder; it is made where it is missing.

    Raises:
        StateError: somebody else holds it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     lock = FolderLock(Path(folder))
        ...     lock.release()
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle)
        except OSError as error:
            os.close(handle)
            raise StateError(
                "another run writes into this folder.",
                expected="one run at a time in a folder",
                got=f"{type(error).__name__}: {error.strerror}",
                at=str(folder),
                fix="wait until it has ended, or give each run a folder of its own",
            ) from error
        self._handle: int | None = handle

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        """Give the lock back with the last reference to it."""
        if getattr(self, "_handle", None) is not None:
            self.release()


def _lock(handle: int) -> None:
    """Lock an open file or raise OSError; closing it unlocks."""
    if _fcntl is not None:
        _fcntl.flock(handle, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    else:  # pragma: no cover - Windows has another call for it
        msvcrt = importlib.import_module("msvcrt")
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
