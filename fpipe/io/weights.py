"""Files of weights: found, known by their content, and read without running code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.io.cache import Progress, cache_folder, checksum, data_folder, download

ENDINGS = (".pt", ".pth", ".safetensors")
"""How the names of files of weights end."""

_FOLDER = "weights"
_NESTED = ("state_dict", "model_state_dict", "model")


def weights_file(given: str) -> Path:
    """Return a local file of weights; a relative path may also be below ``FPIPE_DATA``.

    Args:
        given: its path.

    Raises:
        DataError: there is no such file.
    """
    path, folder = Path(given).expanduser(), data_folder()
    below = [] if folder is None or path.is_absolute() else [folder / path]
    for found in (path, *below):
        if found.is_file():
            return found
    raise DataError(
        f"there is no file of weights '{given}'.",
        expected=f"a file that ends in {', '.join(ENDINGS)}",
        got="a folder" if path.is_dir() else "nothing at that path",
        at=str(path),
        fix="check the path; a relative one is looked for in the working directory, and below "
        "FPIPE_DATA where that is set",
    )


def content(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again only where it has changed since."""
    known = path.stat()
    return _content(path, known.st_mtime_ns, known.st_size)


def fetch_weights(url: str, *, progress: Progress | None = None) -> Path:
    """Return the file of published weights, downloaded first where it is not at hand.

    It is looked for in ``FPIPE_DATA/weights``, in fpipe's cache, and where torch.hub keeps what
    it has downloaded; and recognised by the beginning of its SHA-256, which its name tells.

    Args:
        url: its address; the name ends as in ``resnet18-f37072fd.pth``.
        progress: told how far the download is.

    Raises:
        DataError: it cannot be downloaded, or what came has another checksum.
    """
    name, wanted = url.rpartition("/")[2], beginning(url)
    for path in _places(name):
        if path.is_file() and content(path).startswith(wanted):
            return path
    target = cache_folder() / _FOLDER / name
    download(url, target, wanted, progress=progress)
    return target


def beginning(url: str) -> str:
    """Return the beginning of the SHA-256 that the address of published weights tells.

    Example:
        >>> beginning("https://download.pytorch.org/models/resnet18-f37072fd.pth")
        'f37072fd'
    """
    found = re.search(r"-([0-9a-f]{6,64})\.[a-z]+$", url)
    return found.group(1) if found else ""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU; no code of the file is run.

    A checkpoint that holds them under ``"state_dict"`` or ``"model"`` will do as well.

    Args:
        path: written by ``torch.save`` or safetensors.

    Raises:
        DataError: the file is damaged, or holds something else than named tensors.
    """
    try:
        safe = path.suffix == ".safetensors"
        held = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise errors of many classes
        raise _unreadable(path, error) from error
    return _named(path, held)


def _named(path: Path, held: Any) -> dict[str, Tensor]:
    """Return what a file holds as named tensors."""
    inner = next((held[n] for n in _NESTED if isinstance(held, Mapping) and n in held), held)
    pairs = list(inner.items()) if isinstance(inner, Mapping) else []
    if pairs and all(isinstance(n, str) and isinstance(x, Tensor) for n, x in pairs):
        return {name: tensor.detach() for name, tensor in pairs}
    raise DataError(
        "the file holds no named tensors.",
        expected="a dict from names to tensors, such as a state_dict",
        got=", ".join(map(str, held))[:120] if isinstance(held, Mapping) else type(held).__name__,
        at=str(path),
        fix="torch.save(module.state_dict(), path)",
    )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        "the file of weights cannot be read.",
        expected="tensors by name, written by torch.save or safetensors, and nothing else",
        got=f"{type(error).__name__}: {_first_line(error)}",
        at=str(path),
        fix="torch.save(module.state_dict(), path); a whole module is code, which is not run",
    )


def _first_line(error: Exception) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # torch writes some words in bold
    return next(iter(text.splitlines()), "")[:200]


@lru_cache(maxsize=64)
def _content(path: Path, changed: int, size: int) -> str:
    del changed, size
    return checksum(path)


def _places(name: str) -> Iterator[Path]:
    """Yield where a published file may lie."""
    folder = data_folder()
    if folder is not None:
        yield folder / _FOLDER / name
    yield cache_folder() / _FOLDER / name
    yield Path(torch.hub.get_dir()) / "checkpoints" / name
