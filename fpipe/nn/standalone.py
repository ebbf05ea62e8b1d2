"""Networks without a task."""

from __future__ import annotations

from typing import Any

from pyrsistent import pmap

from fpipe.core.errors import GraphError, ParameterError
from fpipe.core.key import key
from fpipe.core.value import evolve
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
            f"the graph has {len(body.ports)} inputs but {len(inputs)} shapes were given.",
            expected=", ".join(port.name for port in body.ports),
            got=", ".join(inputs) or "none",
            fix="network(graph, x=(None, 10))",
        )
    entering = tuple(_bare(name, given) for name, given in inputs.items())
    _, leaving = fit_graph(body, entering, key=key(0), context=Context(), wanted=True)
    for out in leaving:
        _check_descriptor(out)
    return evolve(join(*leaving).network(), order=tuple(inputs))


def _bare(name: str, given: Shape | Input) -> ModelDescriptor:
    entering = given if isinstance(given, Input) else Input(tuple(given))
    shape = entering.shape
    if not shape or any(n is not None and (not isinstance(n, int) or n < 0) for n in shape):
        raise ParameterError(
            f"{shape} is no shape.", expected="sizes of at least 0, None for unknown", got=shape
        )
    return ModelDescriptor(
        ingress=pmap({name: Ingress(entering)}),
        pointers=(Pointer(Wire(name, is_input=True), shape, entering.dtype),),
    )


def _check_descriptor(out: Any) -> None:
    if not isinstance(out, ModelDescriptor):
        raise GraphError(
            "a network is built from layers only.",
            expected="a graph that gives a ModelDescriptor",
            got=type(out).__name__,
            fix="leave out nn.model(...)",
        )
