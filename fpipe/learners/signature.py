"""What a user's class of networks says of itself: its hyper-parameters and its inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from fpipe.core.code import Opaque, Ref
from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class HyperParameters(NamedTuple):
    """The arguments of a constructor with their defaults, and whether it takes any others."""

    defaults: dict[str, Any]
    open: bool


class Signature(NamedTuple):
    """The inputs of ``forward`` in order, those that it needs, and whether it takes any number."""

    names: tuple[str, ...]
    needed: tuple[str, ...]
    open: bool

    @classmethod
    def of(cls, forward: Callable[..., Any], *, bound: bool) -> Signature:
        """Read the signature of a function.

        Args:
            forward: the function.
            bound: whether its first argument is the module itself.
        """
        known = list(inspect.signature(forward).parameters.values())[1 if bound else 0 :]
        taken = [p for p in known if p.kind in _POSITIONAL]
        variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in known)
        named = [p for p in known if p.kind is inspect.Parameter.KEYWORD_ONLY]
        needed = [p.name for p in (*taken, *named) if p.default is inspect.Parameter.empty]
        return cls(tuple(p.name for p in taken), tuple(needed), variadic)


def hyper_parameters(code: Ref | Opaque) -> tuple[HyperParameters, bool]:
    """Return the arguments of a class but ``task``, and whether it takes ``task``."""
    target = code.resolve()
    if isinstance(target, torch.nn.Module):
        return HyperParameters({}, False), False
    try:
        known = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return HyperParameters({}, True), False
    empty = inspect.Parameter.empty
    defaults = {
        name: REQUIRED if p.default is empty else p.default
        for name, p in known.items()
        if p.kind in _NAMED
    }
    takes_task = defaults.pop("task", empty) is not empty
    variadic = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    return HyperParameters(defaults, variadic), takes_task


def forward_of(code: Ref | Opaque) -> Signature | None:
    """Return the inputs of ``forward``; None for a function, which must be run to know them."""
    target = code.resolve()
    kind = type(target) if isinstance(target, torch.nn.Module) else target
    if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
        return None
    return Signature.of(kind.forward, bound=True)


def check_inputs(name: str, given: tuple[str, ...], known: Signature) -> tuple[str, ...]:
    """Return the inputs in the order of ``forward``, which takes them by position.

    Args:
        name: the class.
        given: names of inputs.
        known: what ``forward`` takes.

    Raises:
        ParameterError: an input is no argument, one is missing, or one is left out before another.
    """
    if known.open and not known.names:
        return given
    for one in given:
        if one not in known.names:
            raise ParameterError(
                f"forward of {name} has no argument '{one}'.",
                expected=", ".join(known.names) or "no inputs",
                got=", ".join(given),
                fix=did_you_mean(one, known.names),
            )
    leading = known.names[: len(given)]
    absent = [one for one in (*known.needed, *leading) if one not in given]
    if absent:
        raise ParameterError(
            f"nothing feeds the argument '{absent[0]}' of forward of {name}.",
            expected=", ".join(known.names),
            got=", ".join(given),
            fix=f"inputs={{…, '{absent[0]}': nn.ingress_numeric()}}"
            if absent[0] in known.names
            else f"inputs are given by position: let '{absent[0]}' be taken so, or have a default",
        )
    return leading


def unknown_name(owner: str, name: str, value: Any, known: Mapping[str, Any]) -> ParameterError:
    """Return the error for a hyper-parameter that a class does not have."""
    return ParameterError(
        f"{owner} has no argument '{name}'.",
        expected=", ".join(known) or "no arguments",
        got=f"{name}={value!r}",
        fix="leave it out: the learner gives the task"
        if name == "task"
        else did_you_mean(name, known),
    )
