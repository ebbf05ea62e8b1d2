"""Operators: pairs of pure functions, and macros that stand for graphs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pyrsistent import PMap, pmap

from fpipe.core.equality import same
from fpipe.core.parameter import REQUIRED, Check, optional, parameter
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve, value
from fpipe.graph.context import Context

_ID = Check(
    "a name without dots, brackets or spaces",
    lambda x: isinstance(x, str) and bool(x) and not set(_bare(x)) & set(". []"),
)


def _bare(name: str) -> str:
    """Return a name without the brackets that mark the copies of a block."""
    return name[1:-1] if name.startswith("[") and name[1:-1].isdigit() else name


@descriptor
class Op:
    """A frozen description of one learnable function.

    ``fit`` learns a state from what enters, ``apply`` maps what enters with that state. While
    fitting, what leaves is ``apply`` on what was learned from, unless ``fit_outputs`` says
    otherwise. All are pure: they change nothing and draw from ``key`` alone.

    Args:
        id: the node's name in its graph; None for the automatic one.
    """

    name: ClassVar[str]
    inputs: ClassVar[Any]
    outputs: ClassVar[Any]
    reads_valid: ClassVar[bool] = False
    exempt: ClassVar[Mapping[str, str]] = {}
    graph_fields: ClassVar[tuple[str, ...]] = ()

    id: str | None = parameter(default=None, check=optional(_ID), kw_only=True)

    def fit(self, inputs: tuple[Any, ...], *, key: Any, context: Context) -> Any:
        """Return the state learned from what enters (None where nothing is learned)."""
        return None

    def apply(
        self, state: Any, inputs: tuple[Any, ...], *, key: Any, context: Context
    ) -> tuple[Any, ...]:
        """Return what leaves, one value per output port."""
        raise NotImplementedError

    def fit_outputs(
        self, state: Any, inputs: tuple[Any, ...], *, key: Any, context: Context
    ) -> tuple[Any, ...]:
        """Return what leaves while fitting; differs from ``apply`` only with an exemption."""
        return self.apply(state, inputs, key=key, context=context)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters by name: all fields but the id, overrides and inner graphs."""
        hidden = {"id", "overrides", *type(self).graph_fields}
        # Those that can be given by position come first, as one writes them.
        fields = sorted(fields_of(type(self)), key=lambda field: field.kw_only)
        return {a.name: getattr(self, a.name) for a in fields if a.name not in hidden}

    def with_parameters(self, changes: Mapping[str, Any]) -> Op:
        """Return the op with some parameters replaced."""
        return evolve(self, **changes)

    def written(self) -> tuple[str, ...]:
        """Return the parameters as one would write them: those that are not the default."""
        hidden = {"id", "overrides", *type(self).graph_fields}
        return written(self, hidden)

    def graphs(self) -> Mapping[str, Any]:
        """Return the graphs held as parameters, by the path prefix that addresses them."""
        return {}

    def with_graphs(self, graphs: Mapping[str, Any]) -> Op:
        """Return the op with other graphs under the prefixes of ``graphs``."""
        raise NotImplementedError

    def infer(self, types: tuple[Any, ...], *, key: Any, context: Context) -> tuple[Any, ...]:
        """Return what is known of the outputs from what is known of the inputs, without data."""
        raise NotImplementedError


def written(thing: Any, hidden: Collection[str] = ()) -> tuple[str, ...]:
    """Return the fields of a descriptor that differ from their defaults, as ``name=value``."""
    shown: list[str] = []
    for field in fields_of(type(thing)):
        given = getattr(thing, field.name)
        if field.name not in hidden and (given is REQUIRED or not same(given, field.default)):
            text = repr(given)
            shown.append(f"{field.name}={text if len(text) <= 40 else text[:37] + '...'}")
    return tuple(shown)


@descriptor
class Macro(Op):
    """An operator that stands for a graph, made once the types of its inputs are known.

    It behaves as its expansion wrapped under its id. Settings below the macro that are no
    parameter of its own are kept in ``overrides`` and applied after expansion.

    Args:
        steps: (of the class) nodes that only some expansions have → what such an expansion needs.
        overrides: path below the macro → value.
    """

    steps: ClassVar[Mapping[str, str]] = {}
    overrides: PMap[str, Any] = parameter(default=pmap(), kw_only=True)

    def expand(self, types: tuple[Any, ...]) -> Any:
        """Return the graph that this macro stands for, given the types that enter."""
        raise NotImplementedError

    def foreseen(self) -> Any:
        """Return a graph of the nodes that every expansion has, or None where none are known.

        What is set below these is checked at once; below other nodes, once the types are known.
        """
        return None


@value
class MacroState:
    """What a fitted macro keeps: its expansion and the states in it."""

    expansion: Any
    states: PMap[str, Any]
