"""The probe: output shapes of a foreign function, found by running it on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fpipe.core.errors import ShapeError
from fpipe.net.shape import Shape, shown

_SPREAD = (64, 131, 509)
"""Base sizes of the three runs; far apart, so that strides and floors show."""

_APART = (1, 3, 7)
"""Distance between two unknown dimensions of one run, so that each has a size of its own."""


def probe(
    function: Callable[..., Any], shapes: tuple[Shape, ...], dtypes: tuple[torch.dtype, ...]
) -> tuple[Shape, ...]:
    """Return the shapes that a function gives for inputs of these shapes, without data.

    Every unknown dimension is replaced by a size of its own, in three runs with sizes far
    apart. A dimension that comes out equal in all runs is known; the others stay unknown.

    Args:
        function: takes meta tensors by position.
        shapes: one per input, None for unknown.
        dtypes: one per input.

    Raises:
        ShapeError: the function cannot take such inputs, or gives different numbers of
            dimensions.
    """
    runs = [_run(function, _sized(shapes, base, step), dtypes) for base, step in _sizes()]
    if len({tuple(len(shape) for shape in run) for run in runs}) > 1:
        raise ShapeError(
            "the number of output dimensions depends on the sizes.",
            got=" / ".join(", ".join(map(shown, run)) for run in runs),
        )
    return tuple(
        tuple(_agreed(sizes) for sizes in zip(*outputs, strict=True))
        for outputs in zip(*runs, strict=True)
    )


def _sizes() -> zip[tuple[int, int]]:
    return zip(_SPREAD, _APART, strict=True)


def _sized(shapes: tuple[Shape, ...], base: int, step: int) -> tuple[tuple[int, ...], ...]:
    """Fill unknown sizes: one size for the batch (dimension 0), another for each further one."""
    made: list[tuple[int, ...]] = []
    offset = 0
    for shape in shapes:
        sizes: list[int] = []
        for position, n in enumerate(shape):
            offset += step if n is None and position else 0
            sizes.append(n if n is not None else base + (offset if position else 0))
        made.append(tuple(sizes))
    return tuple(made)


def _run(
    function: Callable[..., Any],
    sizes: tuple[tuple[int, ...], ...],
    dtypes: tuple[torch.dtype, ...],
) -> tuple[Shape, ...]:
    pairs = zip(sizes, dtypes, strict=True)
    try:
        with torch.no_grad():
            out = function(*(torch.empty(n, dtype=t, device="meta") for n, t in pairs))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ShapeError(
            "the module cannot take inputs of these shapes.",
            expected="shapes that the module accepts",
            got=f"{', '.join(map(shown, sizes))}: {str(error).splitlines()[0]}",
        ) from error
    outputs = out if isinstance(out, tuple | list) else (out,)
    if not all(isinstance(x, Tensor) for x in outputs):
        raise ShapeError(
            "the module gives something other than tensors.",
            expected="a tensor or a tuple of tensors",
            got=type(out).__name__,
        )
    return tuple(tuple(x.shape) for x in outputs)


def _agreed(sizes: tuple[int | None, ...]) -> int | None:
    return sizes[0] if len(set(sizes)) == 1 else None
