"""A user's functions of tensors as layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyrsistent import PMap, pmap

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.equality import same
from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.key import Key
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve
from fpipe.graph.graph import Graph, node
from fpipe.graph.ports import Port
from fpipe.net.layer import Layer
from fpipe.net.layers.function import Function
from fpipe.net.shape import Shape
from fpipe.net.signature import signature_of
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.layer_op import LayerOp
from fpipe.nn.layers.foreign import hold

Code = Ref | Opaque


@descriptor
class FunctionOp(LayerOp):
    """A user's functions as one layer; see `fn` and ``nn.operator``.

    Args:
        name: what the operator is called.
        code: ``forward(x, …)``, or ``forward(params, x, …)`` where there is an ``init``.
        takes: names of the inputs; none where any number is taken.
        hyper: the hyper-parameters, by name.
        defaults: name and default of each, in the order of the functions' arguments.
        gives: names of the outputs.
        init_code: what gives the learned parameters, or None.
        shapes_code: what gives the shapes that leave, or None to probe.
        draws_code: what declares the draws, or None.
        open_ended: whether hyper-parameters may have any name.
    """

    takes_codes = True

    name: str  # type: ignore[misc]  # a name of its own, not of the class
    code: Code
    takes: tuple[str, ...] = ()
    hyper: PMap[str, Any] = pmap()
    defaults: tuple[tuple[str, Any], ...] = ()
    gives: tuple[str, ...] = ("output",)
    init_code: Code | None = None
    shapes_code: Code | None = None
    draws_code: Code | None = None
    open_ended: bool = False

    @property
    def inputs(self) -> tuple[Port, ...]:
        """One port per argument of the function, or one for any number."""
        if not self.takes:
            return (Port("inputs", ModelDescriptor, variadic=True),)
        return tuple(Port(name, ModelDescriptor) for name in self.takes)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """One port per output."""
        return tuple(Port(name, ModelDescriptor) for name in self.gives)

    def layer(self, md: ModelDescriptor) -> Layer:
        """Return the layer; where there is an ``init``, its parameters are sized now."""
        layer = Function(
            name=self.name,
            code=self.code,
            hyper=self.hyper,
            outputs=len(self.gives),
            init_code=self.init_code,
            shapes_code=self.shapes_code,
            draws_code=self.draws_code,
            takes=md.dtypes,
            entering=md.shapes,
        )
        params, _ = layer.init(Key(0))
        return evolve(layer, outline=tuple((n, tuple(t.shape)) for n, t in items(params)))

    def guesses(self, md: ModelDescriptor) -> tuple[Shape, ...]:
        """Nothing is known of what leaves."""
        return tuple(tuple(None for _ in md.shapes[0]) for _ in self.gives)

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters of the user's functions."""
        ordered = dict(self.defaults) | dict(items(self.hyper))
        return {name: self.hyper.get(name, x) for name, x in ordered.items()}

    def with_parameters(self, changes: Mapping[str, Any]) -> FunctionOp:
        """Return the op with some hyper-parameters replaced."""
        return evolve(self, hyper=self.hyper.update({n: hold(x) for n, x in changes.items()}))

    def written(self) -> tuple[str, ...]:
        """The hyper-parameters that are not the default."""
        usual = dict(self.defaults)
        given = (
            f"{name}={x!r}"
            for name, x in self.parameters().items()
            if name not in usual or x is REQUIRED or not same(x, usual[name])
        )
        return ((self.code.name,) if self.name == "fn" else ()) + tuple(given)


def filled(op: FunctionOp, given: Mapping[str, Any]) -> FunctionOp:
    """Return an operator with its hyper-parameters filled in.

    Raises:
        ParameterError: a name is no hyper-parameter.
    """
    names = [name for name, _ in op.defaults]
    for name, x in given.items():
        if name in op.takes:
            raise ParameterError(
                f"{op.name}: '{name}' is an input of {op.code.name}, not a parameter.",
                expected=", ".join([*names, "id"]),
                got=f"{name}={x!r}"[:60],
                fix=f"write a * before it, so that it is taken by name: "
                f"({', '.join([*(n for n in op.takes if n != name), '*', name])})",
            )
        if name not in names and not op.open_ended:
            raise ParameterError(
                f"{op.name} has no parameter '{name}'.",
                expected=", ".join([*names, "id"]),
                got=f"{name}={x!r}"[:60],
                fix=did_you_mean(name, [*names, "id"]),
            )
    held = {name: hold(x) for name, x in given.items()}
    return evolve(op, hyper=pmap(dict(op.defaults) | held))


def held_defaults(hyper: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return names and defaults as an operator holds them."""
    return tuple((name, hold(x)) for name, x in hyper.items())


def check_function(code: Code) -> None:
    """Raise ParameterError for a module or a class, whose weights a function would not learn."""
    found = code.resolve()
    if isinstance(found, torch.nn.Module | type) or not callable(found):
        weighted = isinstance(found, torch.nn.Module | type)
        raise ParameterError(
            f"{code.name if weighted else repr(found)[:40]} is no function of tensors.",
            expected="a function",
            got="a module" if isinstance(found, torch.nn.Module) else repr(found)[:80],
            fix=f"nn.module({code.name}, ...) for a module or its class"
            if weighted
            else "give a function of tensors, such as torch.relu or lambda x: x.abs()",
        )


def fn(function: Any, *, shapes: Any = None, id: str | None = None, **parameters: Any) -> Graph:
    """Use a function of tensors as a layer; one without weights, of one input or several.

    Arguments by position without a default are the inputs; all others are parameters, addressed
    as ``fn.<name>``. An argument ``training`` is told the phase. What the function draws with
    torch while training comes from the key; otherwise it must not draw. What it draws with NumPy
    or Python's ``random`` is not seen, and two runs would differ: draw with torch.

    Args:
        function: the function, or ``"package.module:name"``.
        shapes: from the shapes that enter (None for unknown) and the parameters to the shape
            that leaves; found by running the function without data where none is given.
        id: the node's id.
        **parameters: the function's parameters.

    Raises:
        ParameterError: a parameter is unknown, or nothing can enter the function.

    Example:
        >>> from fpipe import nn
        >>> def scaled(x, *, factor):
        ...     return x * factor
        >>> nn.fn(scaled, factor=3.0).params()
        {'fn.factor': 3.0}
    """
    code = as_code(function)
    check_function(code)
    found = signature_of(code.resolve())
    if not found.inputs and not found.variadic:
        raise ParameterError(
            f"{code.name} takes no tensor.",
            expected="at least one argument by position, without a default",
            got=", ".join(found.hyper) or "no arguments",
            fix="nn.fn(lambda x: x.abs())",
        )
    op = FunctionOp(
        name="fn",
        code=code,
        takes=() if found.variadic else found.inputs,
        defaults=held_defaults(found.hyper),
        shapes_code=None if shapes is None else as_code(shapes),
        open_ended=found.any_name,
        id=id,
    )
    return node(filled(op, parameters))
