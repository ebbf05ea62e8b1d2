"""Networks without a task."""

from __future__ import annotations

from typing import Any

from pyrsistent import pmap

from fpipe.core.errors import GraphError, ParameterError
from fpipe.core.key import key
from fpipe.core.value import evolve
from fpipe.graph.compose import counted
from fpipe.graph.context import Context
from fpipe.graph.graph import Joinable, as_graph
from fpipe.graph.interpret import fit_graph
from fpipe.net.network import Input, Network, Wire
from fpipe.net.shape import Shape
from fpipe.nn.descriptor import Ingress, ModelDescriptor, Pointer, join


def network(graph: Joinable, **inputs: Shape | Input) -> Network:
    """Build the network of a graph of layers, for inputs of given shapes.

    Args:
        graph: operators from descriptors to descriptors, without ingress and model.
        **inputs: name → shape, batch first, None for unknown; one per input of the graph, in
            order. An ``Input(shape, dtype)`` where numbers are not float32, such as codes.

    Returns:
        the network: a value with ``init``, ``apply``, ``count`` and ``bind(key)``.

    Raises:
        GraphError: the graph takes another number of inputs.
        ShapeError: the shapes do not go together.

    Example:
        >>> from fpipe import nn
        >>> nn.network(nn.linear(100) >> nn.relu() >> nn.linear(10), x=(None, 784)).count()
        79510
    """
    body = as_graph(graph)
    if len(inputs) != len(body.ports):
        raise GraphError(
            f"the graph has {counted(len(body.ports), 'input')} but "
            f"{counted(len(inputs), 'shape')} came.",
            expected=", ".join(port.name for port in body.ports),
            got=", ".join(inputs) or "none",
            fix="network(graph, x=(None, 10))",
        )
    for port in body.ports:
        if port.type not in (object, ModelDescriptor):
            raise GraphError(
                "a network without a task is built from layers only.",
                expected="a graph whose inputs take a ModelDescriptor",
                got=f"the input '{port.name}' takes a {port.type.__name__}",
                fix="leave out ingress and table operators: network(nn.linear(3), x=(None, 4))",
            )
    entering = tuple(_bare(name, given) for name, given in inputs.items())
    _, leaving = fit_graph(body, entering, key=key(0), context=Context(), wanted=True)
    for out in leaving:
        _check_descriptor(out)
    return evolve(join(*leaving).network(), order=tuple(inputs))


def _bare(name: str, given: Shape | Input) -> ModelDescriptor:
    if not isinstance(given, Input | tuple | list):
        raise _no_shape(name, given)
    entering = given if isinstance(given, Input) else Input(tuple(given))
    shape = entering.shape
    if not isinstance(shape, tuple) or not shape or not all(map(_is_size, shape)):
        raise _no_shape(name, shape)
    return ModelDescriptor(
        ingress=pmap({name: Ingress(entering)}),
        pointers=(Pointer(Wire(name, is_input=True), shape, entering.dtype),),
    )


def _is_size(n: Any) -> bool:
    return n is None or (isinstance(n, int) and not isinstance(n, bool) and n >= 0)


def _no_shape(name: str, given: Any) -> ParameterError:
    alone = isinstance(given, int) and not isinstance(given, bool)
    return ParameterError(
        f"{given!r} is no shape of the input '{name}'.",
        expected="a tuple of sizes of at least 0, batch first, None for unknown",
        got=f"{given!r} ({type(given).__name__})",
        fix=f"{name}=(None, {given if alone else 10})",
    )


def _check_descriptor(out: Any) -> None:
    if not isinstance(out, ModelDescriptor):
        raise GraphError(
            "a network is built from layers only.",
            expected="a graph that gives a ModelDescriptor",
            got=type(out).__name__,
            fix="leave out nn.model(...)",
        )
