"""The probe: output shapes of a foreign function, found by running it without data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fpipe.core.errors import FpipeError, ShapeError
from fpipe.core.key import Key
from fpipe.net.keyed_mode import KeyedMode
from fpipe.net.shape import Shape, UnknownSizeError, shown

Sizes: TypeAlias = tuple[tuple[int, int], ...]
"""Runs: the first size that stands for an unknown one, and the step to the next."""

_APART: Sizes = (
    (5, 1),
    (11, 2),
    (64, 1),
    (131, -3),
    (509, 7),
    (4099, -11),
    (65537, 13),
    (5040, 5040),
    (50400, -5040),
)
"""Every unknown dimension has a size of its own. Far apart, so that strides and floors show; up
and down, so that quotients do; small, for what has a greatest length; with many divisors, for
what splits a dimension."""

_EQUAL: Sizes = ((6, 0), (61, 0), (127, 0), (5040, 0), (10080, 0))
"""All unknown dimensions are equal, for functions that need that."""

_MOST = 2_000_000
"""Greatest count of numbers in a real tensor of zeros."""

_ENOUGH = 2
"""How many runs must succeed before a size is believed."""

_LONGEST = 3_000
"""Greatest count of operations in a run: code that goes through a dimension step by step would take
minutes for the large sizes."""


_OF_SHAPES = (RuntimeError, ValueError, IndexError, AssertionError)
"""Errors with which code refuses sizes; others come from the code itself."""


class Probed(NamedTuple):
    """What a probe found: one shape and one dtype per output."""

    shapes: tuple[Shape, ...]
    dtypes: tuple[torch.dtype, ...]


class _TooLongError(Exception):
    """A run that takes too many operations; it tells nothing of the sizes."""


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Ends a run in this thread after so many operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left = _LONGEST

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _TooLongError
        return func(*args, **(kwargs or {}))


class Trial(NamedTuple):
    """A function that is tried.

    Args:
        function: takes tensors by position.
        dtypes: one per input.
        what: its name for messages.
        real: whether it runs on tensors of zeros, and not on the meta device.
    """

    function: Callable[..., Any]
    dtypes: tuple[torch.dtype, ...]
    what: str
    real: bool = False


def probe(
    function: Callable[..., Any],
    shapes: tuple[Shape, ...],
    dtypes: tuple[torch.dtype, ...],
    *,
    what: str = "the module",
    real: Callable[[], Callable[..., Any]] | None = None,
) -> Probed:
    """Return the shapes and dtypes that a function gives for such inputs, without data.

    Every unknown dimension is replaced by a size, in several runs with sizes far apart. A
    dimension that comes out equal in all runs that succeed is known; the others stay unknown.

    Args:
        function: takes tensors on the meta device by position.
        shapes: one per input, None for unknown.
        dtypes: one per input.
        what: name of the function for messages.
        real: makes the same function for tensors on the CPU; tried where the meta device is of
            no use, because the function brings tensors of its own or looks into them.

    Raises:
        ShapeError: the function cannot take such inputs, or gives different numbers of
            dimensions.
        UnknownSizeError: it can take none of the sizes that were tried for unknown ones.
    """
    found, refused = _believed(Trial(function, dtypes, what), shapes)
    if not found and real is not None:
        found, refused = _believed(Trial(real(), dtypes, what, real=True), shapes)
    if not found:
        raise _refusal(shapes, refused)
    return _agreement(found, what)


def _believed(trial: Trial, shapes: tuple[Shape, ...]) -> tuple[list[Probed], ShapeError | None]:
    """Return enough runs that succeeded, or none and the first error."""
    if all(n is not None for shape in shapes for n in shape):
        return _tried(trial, shapes, ((0, 0),))
    first: ShapeError | None = None
    for sized, sizes in ((shapes, _APART), (shapes, _EQUAL), (_one_batch(shapes), _APART)):
        found, refused = _tried(trial, sized, sizes)
        first = first or refused
        if len(found) >= _ENOUGH:
            return found, None
    return [], first


def _tried(
    trial: Trial, shapes: tuple[Shape, ...], sizes: Sizes
) -> tuple[list[Probed], ShapeError | None]:
    """Return the runs that succeeded, and the error of the first that did not."""
    found: list[Probed] = []
    refused: ShapeError | None = None
    too_long = math.inf
    for base, step in sizes:
        sized = _sized(shapes, base, step)
        if base >= too_long or (trial.real and sum(map(math.prod, sized)) > _MOST):
            continue
        try:
            found.append(_run(trial, sized))
        except _TooLongError:
            too_long = base
        except ShapeError as error:
            refused = refused or error
    return found, refused


def _one_batch(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """Return shapes in which an unknown batch beside a known one is that."""
    batch = next((shape[0] for shape in shapes if shape and shape[0] is not None), None)
    return tuple((batch if shape[0] is None else shape[0], *shape[1:]) for shape in shapes)


def _sized(shapes: tuple[Shape, ...], base: int, step: int) -> tuple[tuple[int, ...], ...]:
    """Fill unknown sizes: one size for the batch (dimension 0), another for each further one."""
    further = _multiples(step)
    return tuple(
        tuple(
            n if n is not None else base + (next(further) if position else 0)
            for position, n in enumerate(shape)
        )
        for shape in shapes
    )


def _multiples(step: int) -> Iterator[int]:
    offset = 0
    while True:
        offset += step
        yield offset


def _run(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> Probed:
    try:
        out = _on_zeros(trial, sizes) if trial.real else _on_meta(trial, sizes)
    except (FpipeError, _TooLongError):
        raise
    except Exception as error:
        shaped = isinstance(error, _OF_SHAPES)
        raised = _first_line(error) if shaped else f"{type(error).__name__}: {_first_line(error)}"
        raise ShapeError(
            f"{trial.what} cannot take inputs of these shapes."
            if shaped
            else f"{trial.what} raises {type(error).__name__} when it is tried.",
            expected="shapes that it accepts" if shaped else "code that runs",
            got=f"{', '.join(map(shown, sizes))}: {raised}",
            fix="change the layer before it, or its own sizes"
            if shaped
            else f"mend the code of {trial.what}",
        ) from error
    outputs = tuple(out) if isinstance(out, tuple | list) else (out,)
    if not outputs or not all(isinstance(x, Tensor) for x in outputs):
        raise ShapeError(
            f"{trial.what} gives something other than tensors.",
            expected="a tensor or a tuple of tensors",
            got=_kinds(out),
            fix="give the tensors alone, one behind the other; a module that is not yours, such as "
            "torch.nn.LSTM, needs one around it that does",
        )
    return Probed(tuple(tuple(x.shape) for x in outputs), tuple(x.dtype for x in outputs))


def _kinds(out: Any) -> str:
    if isinstance(out, tuple | list) and out:
        return f"a {type(out).__name__} of {', '.join(type(x).__name__ for x in out)}"
    return type(out).__name__


def _on_meta(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> Any:
    pairs = zip(sizes, trial.dtypes, strict=True)
    with torch.no_grad(), torch.device("meta"), _Counting():
        return trial.function(*(torch.empty(n, dtype=dtype) for n, dtype in pairs))


def _on_zeros(trial: Trial, sizes: tuple[tuple[int, ...], ...]) -> Any:
    """Run on zeros; should the function draw, the global generators stay as they are."""
    pairs = zip(sizes, trial.dtypes, strict=True)
    with torch.no_grad(), _Counting(), KeyedMode(Key(0).generator()):
        return trial.function(*(torch.zeros(n, dtype=dtype) for n, dtype in pairs))


def _agreement(found: list[Probed], what: str) -> Probed:
    runs = [run.shapes for run in found]
    if len({tuple(len(shape) for shape in run) for run in runs}) > 1:
        raise ShapeError(
            f"{what}: the number of output dimensions depends on the sizes.",
            expected="one number of dimensions",
            got=" / ".join(", ".join(map(shown, run)) for run in runs[:3]),
            fix="give the unknown sizes",
        )
    agreed = tuple(
        tuple(_agreed(sizes) for sizes in zip(*outputs, strict=True))
        for outputs in zip(*runs, strict=True)
    )
    return Probed(agreed, found[0].dtypes)


def _refusal(shapes: tuple[Shape, ...], refused: ShapeError | None) -> ShapeError:
    """Return the error of a run; where more than the batch is unknown, sizes may help."""
    inner = any(n is None for shape in shapes for n in shape[1:])
    if refused is not None and not inner:
        return refused
    return UnknownSizeError(
        "the sizes that are not known are needed here." if refused is None else refused.rule,
        expected="shapes that it accepts" if refused is None else refused.expected,
        got=", ".join(map(shown, shapes)) if refused is None else refused.got,
        fix="give the unknown sizes, e.g. with a shape at the ingress",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


def _agreed(sizes: tuple[int | None, ...]) -> int | None:
    return sizes[0] if len(set(sizes)) == 1 else None
