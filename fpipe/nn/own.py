"""Operators of one's own, made of pure functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fpipe.core.code import as_code
from fpipe.core.equality import same
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.core.value import evolve
from fpipe.graph.graph import Graph, node
from fpipe.graph.operator import positional_fix, too_many
from fpipe.net.signature import Signature, signature_of
from fpipe.nn.layers.foreign import hold
from fpipe.nn.layers.functions import FunctionOp, check_function, filled, held_defaults

_RESERVED = ("id", "overrides", "key", "params")


def operator(
    forward: Callable[..., Any],
    *,
    init: Callable[..., Any] | None = None,
    shapes: Callable[..., Any] | None = None,
    draws: Callable[..., Any] | None = None,
    outputs: int | tuple[str, ...] = 1,
    name: str | None = None,
) -> Callable[..., Graph]:
    """Make an operator of pure functions; what comes back is used as ``nn.linear`` is.

    Arguments of ``forward`` by position without a default are its inputs (after ``params`` where
    there is an ``init``; ``*xs`` takes any number). All other arguments, of any of the functions,
    are hyper-parameters. Two operators of the same functions are equal.

    Args:
        forward: ``(x, …, **hyper)``, or ``(params, x, …, **hyper)``; gives a tensor, or a tuple
            of ``outputs``. An argument ``training`` is told the phase, ``draws`` gets what was
            drawn while training and None otherwise.
        init: ``(key, *shapes, **hyper)`` → learned parameters by name, floating tensors.
        shapes: ``(*shapes, **hyper)`` → the shape that leaves (a tuple of them for several);
            found by running ``forward`` without data where none is given.
        draws: ``(*shapes, **hyper)`` → what is drawn in a training step, by name: ``nn.Keep``,
            ``nn.Uniform`` or ``nn.Normal``.
        outputs: how many tensors leave, or their names.
        name: what the operator is called; ``forward``'s name by default.

    Returns:
        a function of the hyper-parameters and ``id`` that gives a graph of one node.

    Raises:
        ParameterError: the functions do not go together.

    Example:
        >>> import torch
        >>> from fpipe import nn
        >>> def forward(params, x, *, power=1.0):
        ...     return params["gain"] * x**power
        >>> def init(key, shape):
        ...     return {"gain": torch.ones(shape[-1])}
        >>> gained = nn.operator(forward, init=init, name="gained")
        >>> nn.network(gained(power=2.0) >> nn.linear(3), x=(None, 4)).count()
        19
    """
    code = as_code(forward)
    check_function(code)
    called = name or code.name
    takes = _inputs(signature_of(code.resolve()), init, called)
    others = [f for f in (init, forward, shapes, draws) if f is not None]
    op = FunctionOp(
        name=_checked_name(called),
        code=code,
        takes=takes,
        defaults=held_defaults(_merged(others, called)),
        gives=_output_names(outputs, called),
        init_code=None if init is None else as_code(init),
        shapes_code=None if shapes is None else as_code(shapes),
        draws_code=None if draws is None else as_code(draws),
    )
    _check_draws(signature_of(code.resolve()), draws, called)
    _check_shapes(op, (("init", init, 1), ("shapes", shapes, 0), ("draws", draws, 0)))
    return _maker(op, inspect.getdoc(code.resolve()))


def _maker(op: FunctionOp, told: str | None) -> Callable[..., Graph]:
    """Return the function that users call, with a signature that says what it takes."""
    names = [name for name, _ in op.defaults]

    def make(*args: Any, id: str | None = None, **parameters: Any) -> Graph:
        if len(args) > len(names):
            raise too_many(op.name, args, names, positional_fix(op.name, names, names))
        given = dict(zip(names, args, strict=False)) | parameters
        return node(filled(evolve(op, id=id), given))

    either, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    taken = [inspect.Parameter(name, either, default=x) for name, x in op.defaults]
    taken.append(inspect.Parameter("id", by_name, default=None))
    make.__name__ = make.__qualname__ = op.name
    make.__doc__ = told or f"The operator ``{op.name}``, made of ``{op.code.name}``."
    make.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    return make


def _inputs(found: Signature, init: Any, called: str) -> tuple[str, ...]:
    """Return the names of the inputs of ``forward``; none where it takes any number."""
    lead = 0 if init is None else 1
    if len(found.inputs) < lead or (len(found.inputs) == lead and not found.variadic):
        raise ParameterError(
            f"{called}: forward takes no input.",
            expected="forward(params, x, ...)" if lead else "forward(x, ...)",
            got=f"({', '.join(found.inputs)})",
            fix="inputs are arguments by position without a default",
        )
    return () if found.variadic else found.inputs[lead:]


def _merged(functions: list[Callable[..., Any]], called: str) -> dict[str, Any]:
    """Return the hyper-parameters of all functions; what one leaves open another may set."""
    merged: dict[str, Any] = {}
    for function in functions:
        for name, x in signature_of(as_code(function).resolve()).hyper.items():
            before = merged.get(name, REQUIRED)
            if before is not REQUIRED and x is not REQUIRED and not same(hold(before), hold(x)):
                raise ParameterError(
                    f"{called}: two functions have different defaults for '{name}'.",
                    expected="one default",
                    got=f"{before!r} and {x!r}",
                    fix="give the default in one of the functions only",
                )
            merged[name] = x if before is REQUIRED else before
    reserved = [name for name in merged if name in _RESERVED]
    if reserved:
        raise ParameterError(
            f"{called}: '{reserved[0]}' cannot be the name of a hyper-parameter.",
            expected=f"names other than {', '.join(_RESERVED)}",
            got=reserved[0],
            fix=f"call it {reserved[0]}_",
        )
    return merged


def _output_names(outputs: int | tuple[str, ...], called: str) -> tuple[str, ...]:
    if isinstance(outputs, tuple) and outputs and all(isinstance(n, str) for n in outputs):
        return outputs
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ParameterError(
            f"{called}: {outputs!r} is no number of outputs.",
            expected="an integer of at least 1, or their names",
            got=repr(outputs),
            fix="outputs=2",
        )
    return ("output",) if outputs == 1 else tuple(f"output{i}" for i in range(outputs))


def _checked_name(called: str) -> str:
    if not called.isidentifier():
        raise ParameterError(
            f"'{called}' cannot be the name of an operator.",
            expected="a name that Python could use",
            got=called,
            fix='nn.operator(forward, name="scale")',
        )
    return called


def _check_shapes(op: FunctionOp, functions: tuple[tuple[str, Any, int], ...]) -> None:
    """Refuse a function that cannot be given one shape per input, after its leading arguments."""
    for role, function, lead in functions:
        if function is None:
            continue
        found = signature_of(function)
        wanted = lead + len(op.takes)
        if len(found.inputs) >= wanted or found.variadic:
            continue
        arguments = [*(["key"] if lead else []), *_shape_names(op)]
        raise ParameterError(
            f"{op.name}: {role} does not take the shapes of what enters.",
            expected=f"{role}({', '.join(arguments)}, ...)",
            got=f"({', '.join(found.inputs)})",
            fix=f"def {role}({', '.join(arguments)}): ...",
        )


def _shape_names(op: FunctionOp) -> list[str]:
    return [f"{name}_shape" for name in op.takes] if len(op.takes) > 1 else ["shape"]


def _check_draws(found: Signature, draws: Any, called: str) -> None:
    if (draws is not None) != ("draws" in found.given):
        missing = "forward has no argument 'draws'" if draws is not None else "nothing is drawn"
        raise ParameterError(
            f"{called}: what is drawn must be declared and taken.",
            expected="draws=... and forward(x, *, draws), or neither",
            got=missing,
            fix="give both",
        )
