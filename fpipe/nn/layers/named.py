"""Activations by name, for operators that take one as a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import Check
from fpipe.core.tree import fields_of, items
from fpipe.graph.graph import Graph, node
from fpipe.nn.layers import activations, gating
from fpipe.nn.layers.activations import ActivationOp


def _found(module: ModuleType) -> dict[str, type[ActivationOp]]:
    members = vars(module).values()
    kinds = [x for x in members if isinstance(x, type) and issubclass(x, ActivationOp)]
    return {kind.name: kind for kind in kinds if "name" in vars(kind)}


ACTIVATIONS: dict[str, type[ActivationOp]] = _found(activations) | _found(gating)
"""Name → operator of every activation, gates among them."""

GATES = tuple(name for name in ("glu", "reglu", "geglu") if name in ACTIVATIONS)
"""Names of those that halve what enters."""

ACTIVATION_NAME = Check(
    "the name of an activation: " + ", ".join(sorted(ACTIVATIONS)),
    lambda x: isinstance(x, str) and x in ACTIVATIONS,
)
"""Accepts the name of an activation."""


def activation(name: str, arguments: Mapping[str, Any], *, id: str | None = None) -> Graph:
    """Return an activation as a graph.

    Args:
        name: a name in `ACTIVATIONS`.
        arguments: its parameters by name.
        id: the node's id.

    Raises:
        ParameterError: it has no such parameter, or not such a value.

    Example:
        >>> activation("leaky_relu", {"negative_slope": 0.2}).params()
        {'leaky_relu.negative_slope': 0.2}
    """
    kind = ACTIVATIONS[name]
    known = [a.name for a in fields_of(kind) if a.name != "id"]
    for given, value in items(arguments):
        if given not in known:
            raise ParameterError(
                f"{name} has no parameter '{given}'.",
                expected=", ".join(known) or "no parameters",
                got=f"{given}={value!r}",
                fix=did_you_mean(given, known),
            )
    return node(kind(**dict(items(arguments)), id=id))
