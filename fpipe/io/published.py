"""Files of published data sets: where each is found, and how it is known again."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

from fpipe.core.errors import DataError
from fpipe.core.value import descriptor
from fpipe.io.archives import unpack
from fpipe.io.cache import Progress, agrees, at_hand, cache_folder, checksum, data_folder, fetch


@descriptor
class Origin:
    """Where a file is found.

    Args:
        path: below ``FPIPE_DATA``, and below the cache.
        url: where it is downloaded from.
        checksum: 64 digits of SHA-256, or ``"md5:"`` and 32 digits.
        by_hand: whether the address is that of a page on which people have to ask for the file.
    """

    path: str
    url: str
    checksum: str
    by_hand: bool = False


@descriptor
class Packed:
    """Where a file is found that is published in an archive.

    Args:
        path: below ``FPIPE_DATA``, and below the cache, where the archive is unpacked beside
            itself.
        archive: the archive; it holds one folder.
        checksum: that of the file, as in `Origin`.
    """

    path: str
    archive: Origin
    checksum: str


def located(origin: Origin | Packed) -> Path:
    """Return where a file lies, downloaded and unpacked first where it is not at hand.

    On a terminal the way of a download is shown.

    Raises:
        DataError: it can be neither found nor downloaded, or it is another file.
    """
    path = at_hand(origin.path, origin.checksum)
    if path is not None:
        return path
    return _unpacked(origin) if isinstance(origin, Packed) else _fetched(origin)


def located_folder(name: str, archive: Origin | None = None) -> Path:
    """Return where a folder lies.

    Args:
        name: its path below ``FPIPE_DATA``, and below the cache.
        archive: what is downloaded and unpacked where the folder is not at hand; without it the
            folder need not exist.

    Raises:
        DataError: it can be neither found nor downloaded, or the archive is another one.
    """
    own = data_folder()
    if own is not None and (archive is None or (own / name).is_dir()):
        return own / name
    folder = cache_folder() / name
    if archive is not None and not folder.is_dir():
        unpack(located(archive), folder)
    return folder


def _fetched(origin: Origin) -> Path:
    if not origin.by_hand:
        shown = terminal(PurePosixPath(origin.path).name)
        return fetch(origin.url, origin.checksum, origin.path, progress=shown)
    path = cache_folder() / origin.path
    if path.is_file() and agrees(path, origin.checksum):
        return path
    raise DataError(
        f"'{origin.path}' is not at hand, and has to be asked for by hand.",
        expected=f"that file in FPIPE_DATA, {_beside(origin.path)}",
        got="no such file" if not path.is_file() else f"another file: sha256 {checksum(path)}",
        at=str((data_folder() or cache_folder()) / origin.path),
        fix=f"get it at {origin.url}",
        url=origin.url,
    )


def _unpacked(origin: Packed) -> Path:
    path = cache_folder() / origin.path
    if path.is_file() and agrees(path, origin.checksum):
        return path
    try:
        archive = located(origin.archive)
    except DataError as error:
        raise DataError(
            f"'{origin.path}' is not at hand, nor the archive that holds it.",
            expected=f"that file in FPIPE_DATA, {_beside(origin.path)}, or {origin.archive.url}",
            got=error.rule,
            at=str((data_folder() or cache_folder()) / origin.path),
            fix=error.fix,
        ) from error
    unpack(archive, _top(origin))
    if not (path.is_file() and agrees(path, origin.checksum)):
        raise DataError(
            f"the archive '{archive.name}' holds another file than the one wanted.",
            expected=f"'{origin.path}' with the checksum {origin.checksum}",
            got="another file" if path.is_file() else "no such file",
            at=str(archive),
            fix="remove the archive, so that it is downloaded again",
        )
    return path


def _top(origin: Packed) -> Path:
    """Return where the folder of an archive stands that holds a file."""
    beside = PurePosixPath(origin.archive.path).parent
    below = PurePosixPath(origin.path).relative_to(beside)
    return cache_folder() / beside / below.parts[0]


def _beside(path: str) -> str:
    """Return what lies in FPIPE_DATA where a file should, in words."""
    folder = data_folder()
    if folder is None:
        return "which is not set"
    there = folder / PurePosixPath(path).parent
    names = sorted(each.name for each in there.iterdir()) if there.is_dir() else []
    if not names:
        return "where its folder is not"
    return f"where {', '.join(names[:8])}{', …' if len(names) > 8 else ''} are"


def terminal(name: str) -> Progress | None:
    """Return what shows the way of a download on the terminal, or None where there is none."""
    stream = sys.stderr
    if stream is None or not stream.isatty():
        return None

    def show(done: int, total: int | None) -> None:
        share = (
            f"{done / 1e6:.1f} MB" if not total else f"{done / total:4.0%} of {total / 1e6:.1f} MB"
        )
        end = "\n" if done == total else ""
        print(f"\r{name}: {share}", end=end, file=stream, flush=True)

    return show
