"""Files from elsewhere: a checked cache of downloads, and the folder of data at hand."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fpipe.core.errors import DataError
from fpipe.io.files import atomic

Progress = Callable[[int, int | None], None]
"""Told the bytes read so far and the bytes to read, None where the server does not say."""

_PIECE = 1 << 20


def cache_folder() -> Path:
    """Return where downloads are kept.

    ``FPIPE_CACHE`` where it is set, else ``fpipe`` in the user's cache folder
    (``XDG_CACHE_HOME``, else ``~/.cache``). The folder need not exist.
    """
    own = os.environ.get("FPIPE_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "fpipe"


def data_folder() -> Path | None:
    """Return the folder of data at hand, ``FPIPE_DATA``, or None where it is not set."""
    own = os.environ.get("FPIPE_DATA")
    return Path(own).expanduser() if own else None


def fetch(url: str, sha256: str, name: str, *, progress: Progress | None = None) -> Path:
    """Return a cached file, downloaded first where it is missing or damaged.

    Args:
        url: where it is downloaded from.
        sha256: checksum of the file, 64 hexadecimal digits.
        name: its path below `cache_folder`.
        progress: told how far the download is.

    Raises:
        DataError: the file cannot be downloaded, or what came has another checksum.
    """
    path = cache_folder() / name
    if not (path.is_file() and checksum(path) == sha256):
        _download(url, sha256, path, progress)
    return path


def find(relative_path: str, url: str, sha256: str, *, progress: Progress | None = None) -> Path:
    """Return a file from the folder of data at hand, else from the cache.

    Args:
        relative_path: its path below ``FPIPE_DATA``, and below the cache.
        url: where it is downloaded from.
        sha256: checksum of the file, 64 hexadecimal digits.
        progress: told how far the download is.

    Raises:
        DataError: the file at hand has another checksum, or `fetch` fails.
    """
    folder = data_folder()
    if folder is None or not (folder / relative_path).is_file():
        return fetch(url, sha256, relative_path, progress=progress)
    path = folder / relative_path
    found = checksum(path)
    if found != sha256:
        raise DataError(
            f"'{relative_path}' in FPIPE_DATA is another file than the one wanted.",
            expected=f"sha256 {sha256}",
            got=f"sha256 {found}",
            at=str(path),
            fix="restore or remove that file; without it the file is downloaded",
        )
    return path


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, sha256: str, path: Path, progress: Progress | None) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as source, atomic(path) as target:
            total = source.headers.get("Content-Length")
            found = _copy(source, target, None if total is None else int(total), progress)
            if found != sha256:
                raise _another_file(url, sha256, found)
    except OSError as error:
        raise DataError(
            f"'{path.name}' cannot be downloaded: {error}.",
            expected=f"a file at {url}",
            got=f"{type(error).__name__}: {error}",
            at=str(path),
            fix="connect to the network, or set FPIPE_DATA to a folder that holds the file",
            url=url,
        ) from error


def _copy(source: BinaryIO, target: BinaryIO, total: int | None, progress: Progress | None) -> str:
    """Copy a stream and return the SHA-256 of what went through."""
    digest, done = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        target.write(piece)
        digest.update(piece)
        done += len(piece)
        if progress is not None:
            progress(done, total)
    return digest.hexdigest()


def _another_file(url: str, expected: str, found: str) -> DataError:
    return DataError(
        "the downloaded file is another one than the one wanted.",
        expected=f"sha256 {expected}",
        got=f"sha256 {found}",
        at=url,
        fix="try again; if it stays so, the file has changed at its source: set FPIPE_DATA to a "
        "folder that holds the old one",
    )
