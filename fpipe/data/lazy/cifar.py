"""Rows in the files in which CIFAR-10 and CIFAR-100 are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.data.lazy.arrays import ArraySource
from fpipe.io.pickles import plain_pickle

IMAGE = (3, 32, 32)
"""The shape of an image: red, green and blue planes."""

_LARGEST = 1 << 28
_LABELS = ("labels", "fine_labels", "coarse_labels")


def cifar_source(paths: Sequence[str | Path]) -> ArraySource:
    """Return the images of files of CIFAR, one below the other.

    The files are pickles; they are read without running any code that they name.

    Args:
        paths: such as ``data_batch_1``; at least one.

    Raises:
        DataError: a file is missing, damaged, or holds something else.

    Source:
        Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*: the "python
        version".
    """
    return ArraySource(torch.cat([cifar_batch(path)["data"] for path in paths]))


def cifar_batch(path: str | Path) -> Mapping[str, Tensor]:
    """Return a file of CIFAR: ``"data"`` ``[rows, 3, 32, 32]`` uint8, and its labels.

    Args:
        path: such as ``data_batch_1``.

    Returns:
        the images, and of ``"labels"``, ``"fine_labels"``, ``"coarse_labels"`` those that it has,
        ``[rows]`` int64.

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    held = cifar_pickle(path)
    try:
        pixels = np.asarray(held["data"], np.uint8).reshape(-1, *IMAGE)
        labels = {
            name: torch.tensor(held[name], dtype=torch.int64) for name in _LABELS if name in held
        }
        if held["data"].dtype != np.uint8 or any(len(x) != len(pixels) for x in labels.values()):
            raise ValueError("pixels and labels do not go together")
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _no_batch(path, f"{type(error).__name__}: {error}") from error
    return {"data": torch.from_numpy(pixels), **labels}


def cifar_pickle(path: str | Path) -> dict[str, Any]:
    """Return what a file of CIFAR holds, by name.

    Raises:
        DataError: the file is missing, damaged, or holds something else.
    """
    try:
        if Path(path).stat().st_size > _LARGEST:
            raise ValueError("it is larger than any file of CIFAR")
        held = plain_pickle(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise _no_batch(path, str(error)) from error
    if not isinstance(held, dict):
        raise _no_batch(path, type(held).__name__)
    return held


def _no_batch(path: str | Path, got: str) -> DataError:
    return DataError(
        "the file is no file of CIFAR that can be read.",
        expected="a pickled dict with 'data' and labels, as in the python version of CIFAR",
        got=got[:200],
        at=str(path),
        fix="take another copy of the file",
    )
