"""What the interpreters ask of the values that flow: their outline and their validation part."""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable

from fpipe.core.errors import DataError


@runtime_checkable
class Flow(Protocol):
    """A value that can be described without its data."""

    def outline(self) -> Any:
        """Return what is known of the value without reading data."""


@runtime_checkable
class CarriesValid(Protocol):
    """A value that has validation data riding along."""

    @property
    def valid(self) -> Self | None:
        """The same kind of value over the validation rows, or None."""

    def with_valid(self, valid: Any) -> Self:
        """Return the value with other validation data."""


def outline(value: Any) -> Any:
    """Return the outline of a flowing value; a value without one stands for itself."""
    return value.outline() if isinstance(value, Flow) else value


def detach(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """Split what enters into the part that is learned from and the part for validation.

    Raises:
        DataError: some of the values carry validation data and some do not.
    """
    carriers = [value for value in values if isinstance(value, CarriesValid)]
    having = [value for value in carriers if value.valid is not None]
    if not having:
        return values, None
    if len(having) < len(carriers):
        raise DataError(
            f"{len(having)} of {len(carriers)} inputs carry validation data.",
            expected="validation data on all paths that meet, or on none",
            fix="split once, at the entry: fp.fit(..., validate=0.2)",
        )
    train = tuple(v.with_valid(None) if isinstance(v, CarriesValid) else v for v in values)
    valid = tuple(v.valid if isinstance(v, CarriesValid) else v for v in values)
    return train, valid


def attach(outputs: tuple[Any, ...], valid: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put validation parts back on the outputs that can carry them."""
    return tuple(
        out.with_valid(part) if isinstance(out, CarriesValid) else out
        for out, part in zip(outputs, valid, strict=True)
    )
