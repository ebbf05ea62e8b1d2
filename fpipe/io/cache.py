"""Files from elsewhere: a checked cache of downloads, and the folder of data at hand."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fpipe.core.errors import DataError, ParameterError
from fpipe.io.files import atomic

Progress = Callable[[int, int | None], None]
"""Told the bytes read so far and the bytes to read, None where the server does not say."""

_PIECE = 1 << 20
_DIGITS = {"sha256": 64, "md5": 32}
"""Kind of checksum → how many hexadecimal digits it has."""


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


def fetch(url: str, digest: str, name: str, *, progress: Progress | None = None) -> Path:
    """Return a cached file, downloaded first where it is missing or damaged.

    Args:
        url: where it is downloaded from.
        digest: checksum of the file, as in `agrees`.
        name: its path below `cache_folder`.
        progress: told how far the download is.

    Raises:
        DataError: the file cannot be downloaded, or what came has another checksum.
        ParameterError: the checksum is of no known kind.
    """
    path = cache_folder() / name
    if not (path.is_file() and agrees(path, digest)):
        kind, wanted = _parted(digest)
        download(url, path, wanted, kind=kind, progress=progress)
    return path


def find(relative_path: str, url: str, digest: str, *, progress: Progress | None = None) -> Path:
    """Return a file from the folder of data at hand, else from the cache.

    Args:
        relative_path: its path below ``FPIPE_DATA``, and below the cache.
        url: where it is downloaded from.
        digest: checksum of the file, as in `agrees`.
        progress: told how far the download is.

    Raises:
        DataError: the file at hand has another checksum, or `fetch` fails.
        ParameterError: the checksum is of no known kind.
    """
    path = at_hand(relative_path, digest)
    return fetch(url, digest, relative_path, progress=progress) if path is None else path


def at_hand(relative_path: str, digest: str) -> Path | None:
    """Return a file in the folder of data at hand, or None where it is not there.

    Raises:
        DataError: it has another checksum.
        ParameterError: the checksum is of no known kind.
    """
    folder = data_folder()
    if folder is None or not (folder / relative_path).is_file():
        return None
    path = folder / relative_path
    if not agrees(path, digest):
        kind, wanted = _parted(digest)
        raise DataError(
            f"'{relative_path}' in FPIPE_DATA is another file than the one wanted.",
            expected=f"{kind} {wanted}",
            got=f"{kind} {checksum(path, kind)}",
            at=str(path),
            fix="restore or remove that file; without it the file is downloaded",
        )
    return path


def checksum(path: str | Path, kind: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal digits.

    Args:
        path: the file.
        kind: ``"sha256"``, or ``"md5"``, which tells damage but no forgery.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: _hasher(kind)).hexdigest()


def agrees(path: str | Path, digest: str) -> bool:
    """Tell whether a file has a checksum.

    Args:
        path: the file.
        digest: 64 hexadecimal digits of SHA-256, or ``"md5:"`` and 32 of MD5, where that is all
            that is published.

    Raises:
        ParameterError: the checksum is of no known kind.
    """
    kind, wanted = _parted(digest)
    return checksum(path, kind) == wanted


def download(
    url: str, path: Path, wanted: str, *, kind: str = "sha256", progress: Progress | None = None
) -> None:
    """Download a file, which appears as a whole or not at all.

    Args:
        url: where it is downloaded from.
        path: where it shall stand.
        wanted: the digits of its checksum, or the first of them where only those are published.
        kind: of the checksum, ``"sha256"`` or ``"md5"``.
        progress: told how far the download is.

    Raises:
        DataError: it cannot be downloaded, or what came has another checksum.
    """
    try:
        with urllib.request.urlopen(url, timeout=60) as source, atomic(path) as target:
            total = str(source.headers.get("Content-Length") or "")
            size = int(total) if total.isdecimal() else None
            found = _copy(source, target, size, progress, _hasher(kind))
            if not found.startswith(wanted):
                raise _another_file(url, f"{kind} {wanted}", f"{kind} {found}")
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"'{path.name}' cannot be downloaded: {error}.",
            expected=f"a file at {url}",
            got=f"{type(error).__name__}: {error}",
            at=str(path),
            fix="connect to the network, or set FPIPE_DATA to a folder that holds the file",
            url=url,
        ) from error


def _parted(digest: str) -> tuple[str, str]:
    """Return the kind of a checksum and its digits."""
    before, colon, after = digest.partition(":")
    kind, digits = (before, after) if colon else ("sha256", digest)
    if len(digits) != _DIGITS.get(kind) or not set(digits) <= set("0123456789abcdef"):
        raise ParameterError(
            f"{digest!r} is no checksum.",
            expected="64 hexadecimal digits of SHA-256, or 'md5:' and 32 of MD5",
            got=repr(digest),
        )
    return kind, digits


def _hasher(kind: str) -> hashlib._Hash:
    return hashlib.new(kind, usedforsecurity=False)


def _copy(
    source: BinaryIO,
    target: BinaryIO,
    total: int | None,
    progress: Progress | None,
    digest: hashlib._Hash,
) -> str:
    """Copy a stream and return the checksum of what went through."""
    done = 0
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
        expected=expected,
        got=found,
        at=url,
        fix="try again; if it stays so, the file has changed at its source: set FPIPE_DATA to a "
        "folder that holds the old one",
    )
