"""Unpacking archives from elsewhere, so that nothing is written but what belongs there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from fpipe.core.errors import DataError
from fpipe.io.files import UNFINISHED

_PIECE = 1 << 20


class Bounds(NamedTuple):
    """How much an archive may hold.

    Args:
        size: bytes, unpacked.
        files: how many files and folders.
    """

    size: int = 4 << 30
    files: int = 1_000_000


class _Entry(NamedTuple):
    """One file of an archive: its name there, and how to open it; None for what is no file."""

    name: str
    kind: str
    content: IO[bytes] | None


def unpack(archive: str | Path, folder: str | Path, *, bounds: Bounds | None = None) -> None:
    """Unpack an archive that holds one folder; it appears as a whole or not at all.

    Only ordinary files are written, and only below that folder: a name that leads elsewhere, a
    link or a device is refused, and so is more than the bounds allow, counted while unpacking.

    Args:
        archive: a tar file (packed with gzip, bzip2, xz, or not) or a zip file.
        folder: where its folder shall stand, which has the same name in the archive. One that
            is there already is replaced.
        bounds: how much it may hold.

    Raises:
        DataError: the archive is damaged, or holds what it must not.
    """
    archive, folder = Path(archive), Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=UNFINISHED, dir=folder.parent)
    try:
        _fill(archive, Path(place), folder.name, bounds or Bounds())
        _put(Path(place) / folder.name, folder, Path(place) / ".old")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _fill(archive: Path, place: Path, top: str, bounds: Bounds) -> None:
    size = files = 0
    (place / top).mkdir()
    try:
        with _entries(archive) as entries:
            for entry in entries:
                files += 1
                target = place / _checked(entry, archive, top)
                size += _write(entry, target, bounds.size - size)
                if size > bounds.size or files > bounds.files:
                    raise _refused(
                        archive,
                        "it holds more than it may",
                        f"at most {bounds.size} bytes in {bounds.files} files and folders",
                        f"{size} bytes in {files} files and folders, and more",
                    )
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
        got = f"{type(error).__name__}: {error}"
        raise _refused(archive, "that fails", "a whole tar or zip file", got) from error
    except (RuntimeError, NotImplementedError, ValueError) as error:
        # What zipfile says of files with a password, or packed in a way that it does not know.
        raise _refused(archive, "that fails", "files without a password", str(error)) from error


@contextlib.contextmanager
def _entries(archive: Path) -> Iterator[Iterator[_Entry]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _zip_entries(zipped)
    else:
        with tarfile.open(archive, "r:*") as tarred:
            yield _tar_entries(tarred)


def _tar_entries(tarred: tarfile.TarFile) -> Iterator[_Entry]:
    for member in tarred:
        if member.isdir():
            yield _Entry(member.name, "folder", None)
        elif member.isreg() and not member.issparse():
            with tarred.extractfile(member) or contextlib.nullcontext() as content:
                yield _Entry(member.name, "file", content)
        else:
            yield _Entry(member.name, "link or device", None)
    # Only behind its end does a packed file have the checksum of what it holds.
    while tarred.fileobj is not None and tarred.fileobj.read(_PIECE):
        pass


def _zip_entries(zipped: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in zipped.infolist():
        mode = info.external_attr >> 28
        if info.is_dir():
            yield _Entry(info.filename, "folder", None)
        elif mode in (0, 0o10):  # none is given, or that of an ordinary file
            with zipped.open(info) as content:
                yield _Entry(info.filename, "file", content)
        else:
            yield _Entry(info.filename, "link or device", None)


def _checked(entry: _Entry, archive: Path, top: str) -> PurePosixPath:
    """Return the path of an entry below the place where it is unpacked."""
    if entry.kind not in ("file", "folder"):
        raise _refused(archive, f"it holds a {entry.kind}", "files and folders", entry.name)
    path = PurePosixPath(entry.name)
    strange = any(sign in entry.name for sign in ("\\", ":", "\0"))
    if strange or path.is_absolute() or ".." in path.parts or path.parts[:1] != (top,):
        raise _refused(archive, "a name leads elsewhere", f"names below {top}/", entry.name)
    return path


def _write(entry: _Entry, target: Path, limit: int) -> int:
    """Write a file and return its size, or how much there was when it got too much."""
    if entry.content is None:
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("xb") as file:  # a name that comes twice is an error
        while size <= limit and (piece := entry.content.read(_PIECE)):
            file.write(piece)
            size += len(piece)
    return size


def _put(new: Path, folder: Path, aside: Path) -> None:
    """Let a folder take the place of another one; where that fails, the other one stays."""
    replaced = folder.exists()
    if replaced:
        os.rename(folder, aside)
    try:
        os.rename(new, folder)
    except OSError:
        if folder.is_dir():
            return  # somebody else has unpacked the same archive in the meantime
        if replaced:
            os.rename(aside, folder)
        raise


def _refused(archive: Path, what: str, expected: str, got: str) -> DataError:
    return DataError(
        f"the archive '{archive.name}' is not unpacked: {what}.",
        expected=expected,
        got=got[:200],
        at=str(archive),
        fix="take another copy of the archive",
    )
