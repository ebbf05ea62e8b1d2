"""What an operator may know of its surroundings while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pyrsistent import PMap, pmap

from fpipe.core.value import evolve, value


class Sink(Protocol):
    """Where an operator reports to the world; the caller hands it in."""

    def emit(self, event: Mapping[str, object]) -> None:
        """Take one event; what it does with it is invisible to the computation."""


@value
class Context:
    """Surroundings of a run, made by the caller and passed to every operator.

    Args:
        path: where the operator stands, from the outermost graph inwards.
        requests: what the caller asks of training (``device``, ``interpreter``, …).
        sinks: where progress is reported.
    """

    path: tuple[str, ...] = ()
    requests: PMap[str, Any] = pmap()
    sinks: tuple[Sink, ...] = ()

    def below(self, name: str) -> Context:
        """Return the surroundings of the node ``name`` inside this one."""
        return evolve(self, path=(*self.path, name))

    @property
    def place(self) -> str:
        """The path as text."""
        return joined(self.path)


def joined(path: tuple[str, ...]) -> str:
    """Return a path as text: ``("block", "[0]", "linear")`` is ``block[0].linear``.

    Example:
        >>> joined(("block", "[0]", "linear"))
        'block[0].linear'
    """
    text = ""
    for step in path:
        text += step if step.startswith("[") or not text else f".{step}"
    return text
