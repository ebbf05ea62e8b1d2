"""Rows of published data sets, whose files are fetched when a row is first needed.

A source holds what is promised of the files: their names, checksums, and the shapes of what they
hold. It says nothing of where they lie on a machine, so it is the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl
import torch
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.core.parameter import one_of, parameter
from fpipe.core.value import descriptor, value
from fpipe.data.lazy.arrays import ArraySource
from fpipe.data.lazy.cifar import cifar_batch
from fpipe.data.lazy.content_cache import READ
from fpipe.data.lazy.files import images_at
from fpipe.data.lazy.idx import idx_source
from fpipe.data.lazy.source import Rows, Source, TensorShape, UnreadableError, Values
from fpipe.io import registry
from fpipe.io.cache import checksum, data_folder
from fpipe.io.published import located, located_folder


@descriptor
class PublishedFile:
    """A file of a published data set, as it is promised.

    Args:
        path: below ``FPIPE_DATA``; one of those that fpipe knows where to find.
        rows: how many rows it holds.
        checksum: that of the file.
    """

    path: str
    rows: int
    checksum: str

    def place(self) -> Path:
        """Return where the file lies, fetched first where it is not at hand.

        Raises:
            DataError: it can be neither found nor fetched, or it is another file.
        """
        origin = registry.FILES.get(self.path)
        if origin is None or origin.checksum != self.checksum:
            raise DataError(
                f"fpipe does not know this version of the file '{self.path}'.",
                expected="no file of that name" if origin is None else origin.checksum,
                got=self.checksum,
                fix="make the task anew with this version of fpipe",
            )
        return located(origin)


def published_file(path: str, rows: int) -> PublishedFile:
    """Return a file that fpipe knows, and how many rows it holds."""
    return PublishedFile(path, rows, registry.FILES[path].checksum)


def _idx(path: Path) -> Mapping[str, Tensor]:
    source = idx_source(path)
    whole = np.arange(source.rows, dtype=np.int64)
    array = source.array if isinstance(source, ArraySource) else source.read(whole)
    return {"data": array} if isinstance(array, Tensor) else {}


_READERS: Mapping[str, Callable[[Path], Mapping[str, Tensor]]] = {"idx": _idx, "cifar": cifar_batch}


def arrays_in(file: PublishedFile, form: str) -> Mapping[str, Tensor]:
    """Return what a file holds, by name, in memory that must not be written into.

    Args:
        file: the file.
        form: ``"idx"`` or ``"cifar"``.

    Raises:
        DataError: it can be neither found nor fetched, it is another file, or it holds another
            number of rows than promised.
    """
    return READ.get((file, form), lambda: _checked(file, _READERS[form](file.place())))


def _checked(file: PublishedFile, found: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], int]:
    for name, array in found.items():
        if len(array) != file.rows:
            _broken_promise(file.path, f"{file.rows} rows", f"{len(array)} rows of '{name}'")
    return found, sum(array.nbytes for array in found.values())


@value
class PublishedRows(Source):
    """Rows of arrays in the files of a published data set, one file after the other.

    Only the files are fetched in which a row is that is wanted.

    Args:
        files: the files.
        shape: the shape of a row.
        form: how they are written, ``"idx"`` or ``"cifar"``.
        dtype: the dtype.
    """

    files: tuple[PublishedFile, ...]
    shape: tuple[int, ...]
    form: str = parameter(default="idx", check=one_of("idx", "cifar"))
    dtype: torch.dtype = torch.uint8

    @property
    def rows(self) -> int:
        """The rows of all files."""
        return sum(file.rows for file in self.files)

    def read(self, positions: Rows) -> Values:
        """Look some rows up."""
        ends = np.cumsum([file.rows for file in self.files])
        which = np.searchsorted(ends, positions, side="right")
        read = torch.empty((len(positions), *self.shape), dtype=self.dtype)
        for one in np.unique(which).tolist():
            places = np.flatnonzero(which == one)
            local = torch.from_numpy(positions[places] - (ends[one] - self.files[one].rows))
            read[torch.from_numpy(places)] = self._array(self.files[one])[local]
        return read

    def _array(self, file: PublishedFile) -> Tensor:
        found = arrays_in(file, self.form)["data"]
        wanted = torch.Size((file.rows, *self.shape))
        if found.numel() != wanted.numel() or found.dtype != self.dtype:
            came = f"{list(found.shape)} {found.dtype}"
            _broken_promise(file.path, f"{list(wanted)} {self.dtype}", came)
        return found.reshape(wanted)


@descriptor
class NamesInTable:
    """Names of files that stand in a column of a published table.

    Args:
        table: a CSV file.
        column: the column.
        ending: what follows a name.
    """

    table: PublishedFile
    column: str
    ending: str

    def __len__(self) -> int:
        return self.table.rows

    def read(self) -> pl.Series:
        """Return the names.

        Raises:
            DataError: the table can be neither found nor fetched, or holds something else than
                promised.
        """
        return READ.get(self, self._read)

    def _read(self) -> tuple[pl.Series, int]:
        table = pl.read_csv(self.table.place(), infer_schema=False)
        if self.column not in table.columns or table.height != self.table.rows:
            promised = f"{self.table.rows} rows with the column '{self.column}'"
            came = f"{table.height} rows with {', '.join(table.columns)}"
            _broken_promise(self.table.path, promised, came)
        names = table[self.column] + self.ending
        return names, int(names.estimated_size())


@value
class PublishedImages(Source):
    """Image files of a published data set, ``[channels, height, width]``, one per row.

    Args:
        folder: the folder below ``FPIPE_DATA``, or below the cache. Where fpipe knows an archive
            that holds it, that is fetched when it is not at hand.
        names: the files below it.
        size: height and width that all images have, where that is known.
        checksum: the SHA-256 of the lines of SHA-256 checksums of all files, ``<checksum>
            <folder>/<name>``, sorted by name; they are compared when the first row is read, where
            all files are there. None for a folder that need not be complete.
    """

    folder: str
    names: pl.Series | NamesInTable
    size: tuple[int, int] | None = None
    checksum: str | None = None

    @property
    def rows(self) -> int:
        """Number of files."""
        return len(self.names)

    @property
    def shape(self) -> TensorShape:
        """Channels, and height and width where they are known."""
        height, width = self.size or (None, None)
        return (3, height, width)

    @property
    def dtype(self) -> torch.dtype:
        """Pixels are uint8."""
        return torch.uint8

    def read(self, positions: Rows) -> Values:
        """Decode some files."""
        folder = self.place()
        names = self.names if isinstance(self.names, pl.Series) else self.names.read()
        if self.checksum is not None:
            wanted = self.checksum
            READ.get((str(folder), wanted), lambda: (self._compared(folder, names, wanted), 0))
        paths = [str(folder / names[int(position)]) for position in positions]
        try:
            return images_at(paths, positions, self.size)
        except UnreadableError as error:
            if data_folder() is not None or self.folder in registry.FOLDERS:
                raise
            reason = f"{error.reason}; FPIPE_DATA is not set, below which '{self.folder}' should be"
            raise UnreadableError(error.position, reason, error.place) from error

    def place(self) -> Path:
        """Return where the folder lies, fetched first where fpipe knows where from.

        Raises:
            DataError: it can be neither found nor fetched.
        """
        return located_folder(self.folder, registry.FOLDERS.get(self.folder))

    def _compared(self, folder: Path, names: pl.Series, wanted: str) -> bool:
        """Compare the files with the checksum where all are there; return whether they were."""
        paths = [(name, folder / name) for name in names.sort()]
        if not all(path.is_file() for _, path in paths):
            return False  # the rows whose files are not there tell so themselves
        digest = hashlib.sha256()
        for name, path in paths:
            digest.update(f"{checksum(path)}  {self.folder}/{name}\n".encode())
        if digest.hexdigest() != wanted:
            _broken_promise(
                self.folder,
                f"{len(paths)} files, together with the sha256 {wanted}",
                f"{len(paths)} files, together with the sha256 {digest.hexdigest()}",
                at=str(folder),
            )
        return True


def _broken_promise(path: str, promised: str, came: str, at: str | None = None) -> NoReturn:
    raise DataError(
        f"'{path}' holds something else than what was promised of it.",
        expected=promised,
        got=came,
        at=at,
        fix="restore it in FPIPE_DATA, or remove it there and in the cache so that it is fetched",
    )
