"""What an operator may know of its surroundings while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from pyrsistent import PMap, pmap

from fpipe.core.value import evolve, value


class Sink(Protocol):
    """Where an operator reports to the world; the caller hands it in."""

    def emit(self, event: Mapping[str, object]) -> None:
        """Take one event; what it does with it is invisible to the computation."""


@runtime_checkable
class Keeper(Sink, Protocol):
    """A sink that is given whole values as well: what was fitted, and states of training.

    It is told of events of four more kinds: ``"run"`` with the ``record`` of a fit before it
    begins, ``"fitted"`` with the ``path`` and ``state`` of an operator, ``"state"`` with the
    ``path`` of a training and where it stands (``state``), and ``"over"`` when the fit has ended,
    well or not.
    """

    def due(self, after: str, number: int) -> bool:
        """Tell whether the state of training is wanted now.

        Args:
            after: what was just done: ``"batch"`` or ``"epoch"``.
            number: batches done in all after a batch, else epochs.
        """


@value
class Context:
    """Surroundings of a run, made by the caller and passed to every operator.

    Args:
        path: where the operator stands, from the outermost graph inwards.
        requests: what the caller asks of training (``device``, ``interpreter``, …).
        sinks: where progress is reported.
        finished: states of operators that need not be fitted again, by place.
        reached: states of training to go on from, by place of the model.
        resources: what the caller lets a run take of the machine (``workers``, ``materialize``);
            no result depends on it.
    """

    path: tuple[str, ...] = ()
    requests: PMap[str, Any] = pmap()
    sinks: tuple[Sink, ...] = ()
    finished: PMap[str, Any] = pmap()
    reached: PMap[str, Any] = pmap()
    resources: PMap[str, Any] = pmap()

    def below(self, name: str) -> Context:
        """Return the surroundings of the node ``name`` inside this one."""
        return evolve(self, path=(*self.path, name))

    def report(self, event: Mapping[str, object]) -> None:
        """Tell all sinks of an event here."""
        for sink in self.sinks:
            sink.emit({"path": self.place, **event})

    @property
    def keepers(self) -> tuple[Keeper, ...]:
        """The sinks that are given whole values."""
        return tuple(sink for sink in self.sinks if isinstance(sink, Keeper))

    def keep(self, event: Mapping[str, object]) -> None:
        """Tell the sinks that are given whole values of an event here.

        All are told, also where one of them fails; the first failure is raised afterwards.
        """
        failed: BaseException | None = None
        for keeper in self.keepers:
            try:
                keeper.emit({"path": self.place, **event})
            except BaseException as error:
                failed = failed or error
        if failed is not None:
            raise failed

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
