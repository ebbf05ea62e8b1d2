"""The surroundings of a fit, made from what its caller asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrsistent import PMap, pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import integer, optional
from fpipe.graph.context import Context, Sink
from fpipe.train.feeding import MATERIALIZE
from fpipe.train.numerics import resolve_numerics


def context_of(
    device: str | None,
    interpreter: str,
    sinks: Sequence[Sink] = (),
    precision: str = "float32",
    workers: int | None = None,
    materialize: str = "auto",
) -> Context:
    """Return the surroundings of a fit.

    Raises:
        ParameterError: a sink takes no events, or there is no such device, interpreter or
            precision, number of workers or way to materialize.
    """
    check_sinks(sinks)
    resolve_numerics(interpreter, device, precision)
    requests = {"interpreter": interpreter, "precision": precision}
    return Context(
        requests=pmap(requests | ({"device": device} if device else {})),
        sinks=tuple(sinks),
        resources=resources(workers, materialize),
    )


def resources(workers: int | None = None, materialize: str = "auto") -> PMap[str, Any]:
    """Return what may be taken of the machine to read lazy tensors.

    Raises:
        ParameterError: there is no such number of workers, or way to materialize.
    """
    if not optional(integer(0)).accepts(workers):
        raise ParameterError(
            f"workers cannot be {workers!r}.",
            expected="a number of threads, 0 for none, or None to leave it to fpipe",
            got=repr(workers),
            fix="workers=2",
        )
    if materialize not in MATERIALIZE:
        raise ParameterError(
            f"there is no way {materialize!r} to materialize.",
            expected=", ".join(MATERIALIZE),
            got=repr(materialize),
            fix=did_you_mean(str(materialize), MATERIALIZE),
        )
    given = {} if workers is None else {"workers": workers}
    return pmap({"materialize": materialize, **given})


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
