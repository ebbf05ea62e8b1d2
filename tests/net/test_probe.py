"""The probe: what it believes of functions that small sizes would mislead about."""

from __future__ import annotations

import pytest
import torch

from fpipe.core.errors import ShapeError
from fpipe.net.probe import probe
from fpipe.net.shape import UnknownSizeError

F32 = torch.float32


def found(function, *shapes):
    return probe(function, shapes, (F32,) * len(shapes)).shapes


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (torch.nn.Conv1d(3, 7, 5, stride=4), (None, 3, None), (None, 7, None)),
        (torch.nn.Conv1d(3, 7, 90), (None, 3, None), (None, 7, None)),
        (torch.nn.MaxPool1d(3, stride=1000), (None, 3, None), (None, 3, None)),
        (torch.nn.MaxPool1d(600, stride=600), (None, 3, None), (None, 3, None)),
        (torch.nn.AdaptiveAvgPool2d(4), (None, 3, None, None), (None, 3, 4, 4)),
        (torch.nn.ConvTranspose1d(3, 2, 4, stride=9), (None, 3, None), (None, 2, None)),
        (torch.nn.PixelUnshuffle(4), (None, 3, None, None), (None, 48, None, None)),
        (torch.nn.Unflatten(1, (12, -1)), (None, None), (None, 12, None)),
        (torch.nn.Conv2d(3, 5, 3), (None, 3, None, 9), (None, 5, None, 7)),
    ],
    ids=lambda value: str(value) if isinstance(value, torch.nn.Module) else "",
)
def test_modules(module, shape, expected):
    """Sizes that do not depend on unknown ones are known; all others are not."""
    assert found(module.to("meta"), shape) == (expected,)


def positions(x, longest=32):
    """Refuses more tokens than it has positions for."""
    return x + torch.zeros(longest, x.shape[2])[: x.shape[1]]


def doubled(x, y):
    return x * y[:, : x.shape[1]]


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (positions, ((None, None, 4),), (None, None, 4)),
        (lambda x, y: x + y, ((None, None, 4), (None, None, 4)), (None, None, 4)),
        (lambda x, y: torch.cat([x, y], 1), ((None, 2), (None, 3)), (None, 5)),
        (lambda x: x[:, ::2], ((None, None),), (None, None)),
        (lambda x: x[:, :5], ((None, 9),), (None, 5)),
        (lambda x: torch.arange(x.shape[1]) + x, ((None, 3),), (None, 3)),
        (lambda x: x.reshape(x.shape[0], x.shape[1] // x.shape[2], -1), ((4, 8, 2),), (4, 4, 4)),
    ],
    ids=["longest", "equal", "cat", "half", "cut", "made inside", "ratio"],
)
def test_functions(function, shapes, expected):
    """Functions with a greatest length, with inputs of equal sizes, and with tensors of their own."""
    assert found(function, *shapes) == (expected,)


def test_a_size_that_only_happens_to_be_equal():
    """Two unknown sizes are tried with different values, so their quotient is not believed."""
    quotient = found(
        lambda x: x.new_zeros(x.shape[0], x.shape[1] // x.shape[2] + 1), (2, None, None)
    )
    assert quotient == ((2, None),)


def test_sizes_that_are_needed():
    """Where no size fits the error asks for one; where only the batch is open it refuses."""
    linear = torch.nn.Linear(7, 2).to("meta")
    with pytest.raises(UnknownSizeError, match="cannot take"):
        found(linear, (None, None))
    with pytest.raises(ShapeError, match="cannot take") as caught:
        found(linear, (None, 6))
    assert not isinstance(caught.value, UnknownSizeError)


def test_numbers_of_dimensions_must_be_one():
    """A function whose output has more or fewer dimensions for other sizes is refused."""
    with pytest.raises(ShapeError, match="depends on the sizes"):
        found(lambda x: x if x.shape[1] > 100 else x[..., None], (None, None))


def test_dtypes_are_found():
    """Dtypes come out as they would."""
    made = probe(lambda x: (x.argmax(-1), x > 0, x), ((None, 3),), (torch.float64,))
    assert made.dtypes == (torch.int64, torch.bool, torch.float64)


MEANS = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda x: x - MEANS, (None, 3), (None, 3)),
        (lambda x: x if x.sum() > 0 else -x, (None, None), (None, None)),
        (lambda x: torch.from_numpy(x.numpy()[:, ::2].copy()), (None, 7), (None, 4)),
        (lambda x: x + torch.rand(x.shape), (None, 7), (None, 7)),
    ],
    ids=["constant", "looks inside", "numpy", "draws"],
)
def test_functions_that_need_real_tensors(function, shape, expected):
    """Where the meta device is of no use zeros are; nothing global is moved."""
    before = torch.get_rng_state()
    assert probe(function, (shape,), (F32,), real=lambda: function).shapes == (expected,)
    assert torch.equal(torch.get_rng_state(), before)
