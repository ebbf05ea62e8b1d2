"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".part"
"""How the names of temporary files end; they begin with a dot."""


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Missing folders are made. After a crash a temporary file may be left, the file itself is whole.

    Args:
        path: where the file shall stand.
        data: its whole content.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_atomic(Path(folder) / "a" / "b.txt", b"42")
        ...     (Path(folder) / "a" / "b.txt").read_bytes()
        b'42'
    """
    with atomic(path) as file:
        file.write(data)


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of ``path`` when the block ends well.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic(Path(folder) / "b.txt") as file:
        ...         _ = file.write(b"4")
        ...         _ = file.write(b"2")
        ...     (Path(folder) / "b.txt").read_bytes()
        b'42'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _usual_mode(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _usual_mode(path: Path) -> int:
    """Return the mode of the file that is replaced, else that of an ordinary new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o644
