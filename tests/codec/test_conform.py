"""Whether values are of declared types."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from pyrsistent import PMap, PVector, pmap, pvector

from fpipe.codec.conform import conforms, fits
from fpipe.core.parameter import REQUIRED
from fpipe.nn.layers.affine import Linear


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        *((1, int), (1, float), (1.5, float), ("a", str), (True, bool), (None, None), (3, object)),
        *((np.float32(1), float), (np.int64(1), int), (None, int | None), ("a", Literal["a", "b"])),
        *(((1, 2), tuple[int, ...]), ((), tuple[int, ...]), ((1, "a"), tuple[int, str])),
        *(
            (pmap({"a": 1}), PMap[str, int]),
            (pvector([1]), PVector[int]),
            ({"a": 1}, dict[str, Any]),
        ),
        *(
            (torch.ones(1), torch.Tensor),
            (np.array([1]), NDArray[np.int64]),
            (len, Callable[..., Any]),
        ),
        *((pl.Int8(), pl.DataType), (pl.Int8, pl.DataType), (int, type), (int, type[Any])),
        *((frozenset({"a"}), frozenset[str]), ([1, 2.5], list[float]), (pmap(), Mapping[str, int])),
    ],
)
def test_fits(value, hint):
    assert conforms(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        *((True, int), (True, float), (1.0, int), (b"a", str), (1, bool), (0, None), (None, int)),
        *(("c", Literal["a", "b"]), (1, Literal[True]), ("1", int | None), ([1], tuple[int, ...])),
        *(((1, "a"), tuple[int, ...]), ((True,), tuple[int, ...]), ((1,), tuple[int, str])),
        *((pmap({1: 1}), PMap[str, int]), (pmap({"a": "b"}), PMap[str, int]), ({}, PMap[str, int])),
        *(
            (np.array([1.0]), NDArray[np.int64]),
            (3, Callable[..., Any]),
            (3, type),
            ("a", pl.DataType),
        ),
        *((frozenset({1}), frozenset[str]), ("ab", tuple[str, ...]), (torch.ones(1), pl.Series)),
    ],
)
def test_does_not_fit(value, hint):
    assert not conforms(value, hint)


def test_required_stands_for_parameters_only():
    assert fits(REQUIRED, Linear, "out_features")
    assert fits(8, Linear, "out_features")
    assert not fits("8", Linear, "out_features")
    assert not conforms(REQUIRED, int)
