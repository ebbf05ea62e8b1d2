"""Rows that are files of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from fpipe.core.errors import DataError
from fpipe.core.parameter import Check, as_tuple, one_of, optional, parameter
from fpipe.core.value import value
from fpipe.data.lazy.source import Rows, Source, TensorShape, UnreadableError, Values, stacked
from fpipe.io.images import DECODERS, MODES, Pixels, decode, jpeg_size


@value
class ImageFiles(Source):
    """Image files, one per row, decoded when they are read into ``[channels, height, width]``.

    Equal are lists of equal paths that are read alike; what the files hold is not compared.

    Args:
        paths: one per row.
        size: height and width that all images have, where that is known.
        mode: ``"RGB"``, or ``"L"`` for one gray channel.
        decoder: ``"auto"`` for simplejpeg where it is installed (the same pixels as Pillow's),
            ``"pillow"`` or ``"simplejpeg"``.
    """

    paths: pl.Series
    size: tuple[int, int] | None = parameter(
        default=None,
        check=optional(Check("height and width", lambda x: isinstance(x, tuple) and len(x) == 2)),
        convert=as_tuple,
    )
    mode: str = parameter(default="RGB", check=one_of(*MODES))
    decoder: str = parameter(default="auto", check=one_of(*DECODERS))

    @property
    def rows(self) -> int:
        """Number of files."""
        return self.paths.len()

    @property
    def shape(self) -> TensorShape:
        """Channels, and height and width where they are known."""
        height, width = self.size or (None, None)
        return (MODES[self.mode], height, width)

    @property
    def dtype(self) -> torch.dtype:
        """Pixels are uint8."""
        return torch.uint8

    def read(self, positions: Rows) -> Values:
        """Decode some files."""
        paths = [self.paths[int(position)] for position in positions]
        return images_at(paths, positions, self.size, self.mode, self.decoder)


def images_at(
    paths: Sequence[str],
    positions: Rows,
    size: tuple[int, int] | None = None,
    mode: str = "RGB",
    decoder: str = "auto",
) -> Values:
    """Return the pixels of image files, which are rows of a source.

    Args:
        paths: the files.
        positions: where each stands in the source, for messages.
        size: height and width that they were promised to have.
        mode: as in `decode`.
        decoder: likewise.

    Raises:
        UnreadableError: one cannot be read, or has another size than was promised.
    """
    rows: list[torch.Tensor] = []
    given = [_File(path, int(at)) for path, at in zip(paths, positions, strict=True)]
    together = _memory([one.calling(jpeg_size, mode, decoder) for one in given])
    for place, one in enumerate(given):
        memory = None if together is None else together[place]
        pixels = one.calling(decode, mode, decoder, memory=memory)
        if size is not None and pixels.shape[1:] != size:
            found = f"{pixels.shape[1]} × {pixels.shape[2]}"
            reason = f"it is {found} and not {size[0]} × {size[1]}"
            raise UnreadableError(one.position, reason, one.path)
        rows.append(torch.from_numpy(pixels))
    placed = [together is not None and np.may_share_memory(together, row.numpy()) for row in rows]
    if together is not None and all(placed):
        return torch.from_numpy(together.transpose(0, 3, 1, 2))
    return stacked(rows)


def _memory(sizes: Sequence[tuple[int, int] | None]) -> Pixels | None:
    """Return memory for all images, ``[rows, height, width, 3]``, where they have one size."""
    if not sizes or sizes[0] is None or len(set(sizes)) > 1:
        return None
    return np.empty((len(sizes), *sizes[0], 3), np.uint8)


class _File:
    """The bytes of a file; what goes wrong with them is told with its path."""

    def __init__(self, path: str, position: int) -> None:
        self.path = path
        self.position = position
        self._data = self._told(Path(path).read_bytes)

    def calling(self, function: Callable[..., Any], mode: str, decoder: str, **more: Any) -> Any:
        """Return what a function of the bytes gives."""
        return self._told(lambda: function(self._data, mode=mode, decoder=decoder, **more))

    def _told(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except (OSError, ValueError) as error:
            raise UnreadableError(self.position, str(error), self.path) from error


def as_paths(paths: Sequence[str | Path] | pl.Series) -> pl.Series:
    """Return paths as a column of text.

    Raises:
        DataError: one of them is no path.
    """
    if isinstance(paths, str | Path) or not isinstance(paths, Iterable):
        raise DataError(
            "one path is no column of paths.",
            expected="a list of paths, one per row",
            got=repr(paths)[:80],
            fix="fp.tasks.image_folder(folder) for a folder, or sorted(Path(folder).glob('*.jpg'))",
        )
    listed = [str(one) if isinstance(one, Path) else one for one in paths]
    for row, one in enumerate(listed):
        if not isinstance(one, str) or not one:
            raise DataError(
                f"row {row} has no path.",
                expected="a path in every row",
                got=f"{one!r} ({type(one).__name__})",
                fix="leave such rows out",
                row=row,
            )
    return pl.Series("path", listed, dtype=pl.String)
