"""The surroundings of a fit, made from what its caller asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrsistent import pmap

from fpipe.core.errors import ParameterError
from fpipe.graph.context import Context, Sink
from fpipe.train.numerics import resolve_numerics


def context_of(
    device: str | None,
    interpreter: str,
    sinks: Sequence[Sink] = (),
    precision: str = "float32",
) -> Context:
    """Return the surroundings of a fit.

    Raises:
        ParameterError: a sink takes no events, or there is no such device, interpreter or
            precision.
    """
    check_sinks(sinks)
    resolve_numerics(interpreter, device, precision)
    requests = {"interpreter": interpreter, "precision": precision}
    return Context(
        requests=pmap(requests | ({"device": device} if device else {})), sinks=tuple(sinks)
    )


def check_sinks(sinks: Any) -> None:
    """Raise ParameterError unless every sink takes events."""
    several = isinstance(sinks, Sequence) and not isinstance(sinks, str)
    for sink in sinks if several else (sinks,):
        if not several or not callable(getattr(sink, "emit", None)):
            name = getattr(sink, "__name__", type(sink).__name__)
            takes = callable(getattr(sink, "emit", None)) and not isinstance(sink, type)
            raise ParameterError(
                f"sinks cannot be {name}." if not several else f"'{name}' is no sink.",
                expected="a list of objects with a method emit(event)",
                got=repr(sink),
                fix="give a list: sinks=[sink]"
                if takes
                else "give an object whose emit takes a mapping: sinks=[sink]",
            )
