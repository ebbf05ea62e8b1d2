"""Making lazy tensors of what users have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from fpipe.data.lazy.arrays import ArraySource, owned
from fpipe.data.lazy.dataset import dataset_source
from fpipe.data.lazy.files import ImageFiles, as_paths
from fpipe.data.lazy.source import Source, TensorShape
from fpipe.data.lazy.tensor import LazyTensor, lazy_tensor


def lazy(data: Any, *, element: int | str | None = None, shape: TensorShape = None) -> LazyTensor:
    """Return a lazy tensor of an array, or of a torch data set that is read row by row.

    Args:
        data: an array, tensor or nested list, ``[rows, …]``, which is copied; a data set with
            ``__len__`` and ``__getitem__``; or a source of your own.
        element: which part of the items of a data set, where they have several.
        shape: the shape of a row of a data set, with None for unknown sizes.

    Raises:
        DataError: the array has no rows' dimension, or the data set is empty.
        ParameterError: the data set cannot be read, or has no such element.

    Example:
        >>> import fpipe as fp
        >>> import numpy as np
        >>> fp.lazy(np.zeros((4, 1, 28, 28), np.uint8))
        LazyTensor (4 rows, uint8 [1, 28, 28])
    """
    if isinstance(data, Source):
        return lazy_tensor(data)
    if isinstance(data, Tensor | np.ndarray | list | tuple):
        return lazy_tensor(ArraySource(owned(data)))
    if hasattr(data, "__array__"):  # columns of pandas and polars
        return lazy_tensor(ArraySource(owned(np.asarray(data))))
    return lazy_tensor(dataset_source(data, element, shape))


def image_files(
    paths: Sequence[str | Path] | pl.Series,
    *,
    size: tuple[int, int] | None = None,
    mode: str = "RGB",
    decoder: str = "auto",
) -> LazyTensor:
    """Return a lazy tensor of image files, ``[channels, height, width]`` uint8 from 0 to 255.

    Nothing is read before a row is needed, not even whether the files are there.

    Args:
        paths: one per row.
        size: height and width that all images have, where that is known.
        mode: ``"RGB"``, or ``"L"`` for one gray channel.
        decoder: ``"auto"`` for simplejpeg where it is installed (it gives the pixels that Pillow
            gives), ``"pillow"`` or ``"simplejpeg"``.

    Raises:
        DataError: a row has no path.

    Example:
        >>> import fpipe as fp
        >>> fp.image_files(["a.jpg", "b.jpg"])
        LazyTensor (2 rows, uint8 [3, ?, ?])
    """
    return lazy_tensor(ImageFiles(as_paths(paths), size, mode, decoder))
