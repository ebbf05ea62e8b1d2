"""Rows in a file of the IDX format, in which MNIST is published."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fpipe.core.errors import DataError
from fpipe.core.value import value
from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.source import Rows, Source, TensorShape, UnreadableError, Values

_GZIP = b"\x1f\x8b"
_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
"""Code of a type in the header → its elements, which stand with the highest byte first."""


@value
class IdxFile(Source):
    """The rows of an IDX file, looked up in the file itself (memory-mapped).

    Args:
        path: the file.
        sizes: the sizes in its header, rows first.
        code: the code of its type.
    """

    path: str
    sizes: tuple[int, ...]
    code: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.sizes[0]

    @property
    def shape(self) -> TensorShape:
        """The shape of a row."""
        return self.sizes[1:]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the elements."""
        return torch.from_numpy(np.empty(0, _TYPES[self.code].newbyteorder("="))).dtype

    def read(self, positions: Rows) -> Values:
        """Look some rows up."""
        kind, start = _TYPES[self.code], 4 + 4 * len(self.sizes)
        try:
            whole = np.memmap(self.path, kind, "r", offset=start, shape=self.sizes)
        except (OSError, ValueError) as error:
            first = int(positions[0]) if len(positions) else 0
            raise UnreadableError(first, str(error), self.path) from error
        return torch.from_numpy(whole[positions].astype(kind.newbyteorder("="), copy=False))


def idx_source(path: str | Path) -> Source:
    """Return the rows of an IDX file; one packed with gzip is read into memory.

    Raises:
        DataError: the file is missing, damaged, or in another format.

    Source:
        LeCun, Cortes and Burges, *The MNIST database*: the IDX file format.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(4 + 4 * 255)
        if start.startswith(_GZIP):
            return ArraySource(torch.from_numpy(_unpacked(gzip.decompress(path.read_bytes()))))
        sizes, code = _header(start)
        _check_size(path.stat().st_size, sizes, code)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(
            "the file is no IDX file that can be read.",
            expected="an IDX file, packed with gzip or not",
            got=str(error)[:200],
            at=str(path),
            fix="take another copy of the file",
        ) from error
    return IdxFile(str(path), sizes, code)


def _header(data: bytes) -> tuple[tuple[int, ...], int]:
    zero, code, count = struct.unpack_from(">HBB", data)
    if zero or code not in _TYPES or not count:
        raise ValueError(f"it begins with {data[:4].hex(' ')}")
    return struct.unpack_from(f">{count}I", data, 4), code


def _check_size(found: int, sizes: tuple[int, ...], code: int) -> None:
    wanted = 4 + 4 * len(sizes) + math.prod(sizes) * _TYPES[code].itemsize
    if found != wanted:
        raise ValueError(f"it has {found} bytes, and its header speaks of {wanted}")


def _unpacked(data: bytes) -> NDArray[Any]:
    sizes, code = _header(data)
    _check_size(len(data), sizes, code)
    kind = _TYPES[code]
    array = np.frombuffer(data, kind, offset=4 + 4 * len(sizes)).reshape(sizes)
    return array.astype(kind.newbyteorder("="))
