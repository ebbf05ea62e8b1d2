"""The images of a task, as training sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fpipe.core.errors import DataError, ParameterError
from fpipe.data.lazy.reading import materialize
from fpipe.data.lazy.tensor import LazyTensor
from fpipe.data.task import Task
from fpipe.pictures.canvas import INK, Axes, Figure, canvas

ROWS, EPOCHS, SIDE = 4, 4, 4
"""Rows of a task that is augmented, and epochs of each; else a square of so many rows."""

_CHANNELS = (1, 3)
_LONGEST = 18
_FEW = 32
"""Pixels of uint8 that are all below it are no brightnesses but numbers of classes: a mask."""


def images(task: Any, *, title: str | None = None) -> Figure:
    """Draw the first images of a task, with the target above each.

    Where something is drawn for each image (an augmentation), every image is shown as it is in
    the first four epochs, side by side; in two epochs where there are several columns of images,
    such as images and their masks, which stand beside each other.

    Args:
        task: a task with lazy columns of images, ``[channels, height, width]`` with 1 or 3
            channels. Floats that are not all from 0 to 1, such as normalised ones, are brought
            there together, and so are small whole numbers, such as those of a mask.
        title: a title to show.

    Raises:
        ParameterError: the value is no task, or has no images.
        DataError: the task has no rows, or an image cannot be read.
    """
    columns = _images_of(task)
    drawn = any(link.map.draws for lazy in columns.values() for link in lazy.column.maps)
    across = max(1, SIDE // len(columns))
    epochs = range(1, across + 1) if drawn else range(1)
    count = min(ROWS if drawn else SIDE * across, task.n_rows)
    shown = [_read(lazy, count, epochs) for lazy in columns.values()]
    words = _words(task, count)
    several = len(columns) > 1
    figure, panels = canvas(
        count * len(epochs) * len(columns),
        columns=across * len(columns),
        width=1.7,
        height=2.05 if several else 1.9,
    )
    ranges = [_range(read) for read in shown]
    for place, axes in enumerate(panels):
        which, column = divmod(place, len(columns))
        row, epoch = divmod(which, len(epochs))
        word = f"{words[row]}, epoch {epochs[epoch]}" if drawn else words[row]
        below = f"\n{list(columns)[column]}" if several else ""
        image = shown[column][which]
        _show(axes, _pixels(image, *ranges[column]), word + below)
    figure.suptitle(title or task.name, fontsize=11, color=INK)
    return figure


def _read(lazy: LazyTensor, count: int, epochs: range) -> list[Tensor]:
    """Return the first images, each in all epochs before the next one."""
    read = [list(materialize(lazy.take(range(count)), epoch=epoch)) for epoch in epochs]
    return [one for row in zip(*read, strict=True) for one in row]


def _images_of(task: Any) -> dict[str, LazyTensor]:
    """Return the columns of images, in the order of the task's columns."""
    if not isinstance(task, Task):
        raise ParameterError(
            f"the images of a {type(task).__name__} cannot be shown.",
            expected="a Task",
            got=type(task).__name__,
            fix="pass a task, such as fp.transform(augmentations, task, key=key) returns",
        )
    lazy = {name: task.tensor(name) for name in task.schema if name in task.tensors}
    found = {name: one for name, one in lazy.items() if _may_be_images(one)}
    if not found:
        raise ParameterError(
            f"the task '{task.name}' has no images.",
            expected="a lazy column of [1 or 3, height, width]",
            got=", ".join(f"{name}: {one}" for name, one in lazy.items()) or "no lazy column",
            fix="show the task before its images are reshaped",
        )
    if not task.n_rows:
        raise DataError("the task has no rows.", expected="one or more rows", got="0 rows")
    return found


def _may_be_images(lazy: LazyTensor) -> bool:
    shape = lazy.shape
    return shape is None or (len(shape) == 3 and shape[0] in (None, *_CHANNELS))


def _words(task: Task, count: int) -> list[str]:
    """Return what stands above each image: the target, or the row's id where there is none."""
    if task.target is None:
        return [f"row {number}" for number in task.row_id[:count]]
    values = task.column(task.target).head(count).to_list()
    told = ["?" if x is None else f"{x:.4g}" if isinstance(x, float) else f"{x}" for x in values]
    return [word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…" for word in told]


def _range(shown: list[Tensor]) -> tuple[float, float]:
    """Return what is black and what is white."""
    if all(one.dtype == torch.uint8 for one in shown):
        brightest = max((int(one.max()) for one in shown if one.numel()), default=255)
        return 0.0, 255.0 if brightest >= _FEW else max(1.0, float(brightest))
    numbers = [one.to(torch.float32) for one in shown if one.numel()]
    low = min((float(one.min()) for one in numbers), default=0.0)
    high = max((float(one.max()) for one in numbers), default=1.0)
    return (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)


def _pixels(image: Tensor, low: float, high: float) -> NDArray[np.float32]:
    """Return ``[height, width]`` or ``[height, width, 3]`` from 0 to 1."""
    if image.ndim != 3 or image.shape[0] not in _CHANNELS:
        raise ParameterError(
            "a row of the column is no image.",
            expected="[1 or 3, height, width]",
            got=str(list(image.shape)),
            fix="show the task before its images are reshaped",
        )
    scaled = (image.to(torch.float32) - low) / max(high - low, 1e-12)
    pixels: NDArray[np.float32] = scaled.permute(1, 2, 0).squeeze(-1).numpy()
    return pixels


def _show(axes: Axes, pixels: NDArray[np.float32], word: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_title(word, fontsize=8, color=INK)
    axes.set_axis_off()
