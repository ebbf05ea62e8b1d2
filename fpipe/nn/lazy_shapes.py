"""Shapes of lazy tensors where they enter a network."""

from __future__ import annotations

import polars as pl
import torch

from fpipe.core.errors import SchemaError
from fpipe.data.lazy.source import TensorShape
from fpipe.data.lazy.tensor import LazyType, sizes_text

_ELEMENTS = {
    torch.bool: pl.Boolean,
    torch.uint8: pl.UInt8,
    torch.int8: pl.Int8,
    torch.int16: pl.Int16,
    torch.int32: pl.Int32,
    torch.int64: pl.Int64,
    torch.float64: pl.Float64,
}


def tensor_dtype(dtype: torch.dtype, shape: tuple[int, ...]) -> pl.DataType:
    """Return the type that a column of such tensors would have.

    Example:
        >>> tensor_dtype(torch.uint8, (3, 8, 8))
        Array(UInt8, shape=(3, 8, 8))
    """
    return pl.Array(_ELEMENTS.get(dtype, pl.Float32), shape or (1,))


def check_lazy_shape(
    what: str, column: str, known: LazyType, wanted: tuple[int | None, ...] | None
) -> None:
    """Raise SchemaError where lazy tensors cannot enter a network in one known shape.

    Args:
        what: the ingress.
        column: the column.
        known: what is known of it.
        wanted: the shape that was asked for, or that was there at fit; None where none was.
    """
    for found in (known.shape, known.later):
        if wanted is None and not _is_known(found):
            raise SchemaError(
                f"the shape of the lazy tensors in '{column}' is not known before they are read.",
                expected="a known shape where they enter the network",
                got=sizes_text(found),
                fix=_known_by(what, found),
                column=column,
            )
        if wanted is not None and not _may_be(found, wanted):
            raise other_shape(what, column, wanted, found)
    if known.shape != known.later and _is_known(known.shape) and _is_known(known.later):
        raise _two_shapes(column, known)


def _known_by(what: str, found: TensorShape) -> str:
    """Return how the sizes that are not known can be told."""
    if found is None:
        before = "fp.lazy(data, shape=...), ops.trafo_map(f, shape=...)"
        return f"nn.{what}(shape=...), or tell it before: {before}"
    if len(found) == 3 and None in found[1:]:
        return f"ops.trafo_resize((224, 224)), height and width, before, or nn.{what}(shape=...)"
    channels = (3, *[None] * (len(found) - 1))
    return f"tell it where they come from, fp.lazy(data, shape={channels}), or nn.{what}(shape=...)"


def other_shape(
    what: str, column: str, wanted: tuple[int | None, ...], found: TensorShape
) -> SchemaError:
    """Return the error about tensors of another shape than an ingress was given."""
    return SchemaError(
        f"'{column}' holds tensors of another shape than {what} was given.",
        expected=f"shape {wanted}",
        got=f"shape {found}",
        fix=f"nn.{what}(shape={found}), or leave shape out",
        column=column,
    )


def _two_shapes(column: str, known: LazyType) -> SchemaError:
    return SchemaError(
        f"the tensors in '{column}' have one shape while fitting and another one later.",
        expected="the same shape for the rows that are learned from and for new ones",
        got=f"{sizes_text(known.shape)} while fitting, {sizes_text(known.later)} later",
        fix="give the operator that changes sizes stages='both', or resize after it",
        column=column,
    )


def _is_known(shape: TensorShape) -> bool:
    return shape is not None and None not in shape


def _may_be(found: TensorShape, wanted: tuple[int | None, ...]) -> bool:
    if found is None:
        return True
    pairs = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(None in (a, b) or a == b for a, b in pairs)
