"""Fitted: a graph together with everything it has learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyrsistent import PMap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.value import value
from fpipe.graph.graph import Graph
from fpipe.graph.op import MacroState
from fpipe.graph.settings import split_head


@value
class Fitted:
    """A fitted graph: a value that can be applied, compared and sent elsewhere.

    Args:
        graph: the graph that was fitted.
        states: what each node learned, by node id.
        key: the key that it was fitted with; applying uses it too, so it repeats itself.
        outlines: what entered, described without its data.
    """

    graph: Graph
    states: PMap[str, Any]
    key: Key
    outlines: tuple[Any, ...]

    def state(self, path: str) -> Any:
        """Return the state of the node at a path, such as ``"model"`` or ``"body.model"``.

        Raises:
            ParameterError: there is no such node.
        """
        rest = path
        states: Mapping[str, Any] = self.states
        while True:
            head, rest = split_head(rest)
            if head not in states:
                raise ParameterError(
                    f"nothing was fitted at '{path}'.",
                    expected=", ".join(sorted(states)),
                    got=path,
                    fix=did_you_mean(head, states),
                )
            found = states[head]
            if not rest:
                return found
            states = found.states if isinstance(found, MacroState) else {}

    def __repr__(self) -> str:
        return f"Fitted {self.graph!r}"
