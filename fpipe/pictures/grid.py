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


def images(task: Any, *, title: str | None = None) -> Figure:
    """Draw the first images of a task, with the target above each.

    Where something is drawn for each image (an augmentation), every image is shown as it is in
    the first four epochs, side by side.

    Args:
        task: a task with a lazy column of images, ``[channels, height, width]`` with 1 or 3
            channels; the first such column is shown. Floats that are not all from 0 to 1, such
            as normalised ones, are brought there together.
        title: a title to show.

    Raises:
        ParameterError: the value is no task, or has no images.
        DataError: the task has no rows, or an image cannot be read.
    """
    lazy = _images_of(task)
    drawn = any(link.map.draws for link in lazy.column.maps)
    across, count = (EPOCHS, ROWS) if drawn else (SIDE, SIDE * SIDE)
    chosen = lazy.take(range(min(count, len(lazy))))
    words = _words(task, len(chosen))
    if drawn:
        epochs = [list(materialize(chosen, epoch=epoch)) for epoch in range(1, EPOCHS + 1)]
        shown = [one for row in zip(*epochs, strict=True) for one in row]
        words = [f"{word}, epoch {e + 1}" for word in words for e in range(EPOCHS)]
    else:
        shown = list(materialize(chosen))
    figure, panels = canvas(len(shown), columns=across, width=1.7, height=1.9)
    low, high = _range(shown)
    for axes, image, word in zip(panels, shown, words, strict=True):
        _show(axes, _pixels(image, low, high), word)
    figure.suptitle(title or task.name, fontsize=11, color=INK)
    return figure


def _images_of(task: Any) -> LazyTensor:
    if not isinstance(task, Task):
        raise ParameterError(
            f"the images of a {type(task).__name__} cannot be shown.",
            expected="a Task",
            got=type(task).__name__,
            fix="pass a task, such as fp.transform(augmentations, task, key=key) returns",
        )
    for name in task.tensors:
        lazy = task.tensor(name)
        if lazy.shape is None or (len(lazy.shape) == 3 and lazy.shape[0] in (None, *_CHANNELS)):
            if not len(lazy):
                raise DataError("the task has no rows.", expected="one or more rows", got="0 rows")
            return lazy
    raise ParameterError(
        f"the task '{task.name}' has no images.",
        expected="a lazy column of [1 or 3, height, width]",
        got=", ".join(f"{name}: {task.tensor(name)}" for name in task.tensors) or "no lazy column",
        fix="show the task before its images are reshaped",
    )


def _words(task: Task, count: int) -> list[str]:
    """Return what stands above each image: the target, or the row's id where there is none."""
    if task.target is None:
        return [f"row {number}" for number in task.row_id[:count]]
    told = ["?" if x is None else f"{x}" for x in task.column(task.target).head(count).to_list()]
    return [word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…" for word in told]


def _range(shown: list[Tensor]) -> tuple[float, float]:
    """Return what is black and what is white."""
    if all(one.dtype == torch.uint8 for one in shown):
        return 0.0, 255.0
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
