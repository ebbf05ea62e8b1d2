"""Hyper-parameters of losses of the user's: read off a signature, kept as values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.code import Opaque, Ref, as_code
from fpipe.core.errors import ParameterError
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import items
from fpipe.measure.losses.contract import Loss


class Signature(NamedTuple):
    """Hyper-parameters of a loss of the user's.

    Args:
        defaults: by name; `REQUIRED` where there is none.
        open: whether the code takes any other name, too.
        task: whether it asks for the type of the task.
    """

    defaults: dict[str, Any]
    open: bool
    task: bool


def signature_of(code: Ref | Opaque) -> Signature:
    """Read the hyper-parameters off a function or the class of a module.

    Raises:
        ParameterError: the code cannot be a loss.
    """
    target = code.resolve()
    is_module = isinstance(target, type) and issubclass(target, torch.nn.Module)
    if isinstance(target, torch.nn.Module) or not callable(target):
        raise _no_loss(target)
    if isinstance(target, type) and not is_module:
        raise _no_loss(target)
    try:
        found = list(inspect.signature(target).parameters.values())
    except ValueError as error:
        raise _no_loss(target) from error
    places = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not is_module and len(places) < 2:
        raise _no_loss(target)
    own = found if is_module else [p for p in found if p not in places[:2]]
    named = [p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    defaults = {
        p.name: REQUIRED if p.default is p.empty else held_value(code.name, p.name, p.default)
        for p in named
        if p.name != "task"
    }
    opened = any(p.kind is p.VAR_KEYWORD for p in own)
    return Signature(defaults, opened, any(p.name == "task" for p in named))


def _no_loss(code: Any) -> ParameterError:
    name = getattr(code, "__name__", type(code).__name__)
    if isinstance(code, torch.nn.Module):
        fix = f"give the class, nn.loss({name}, ...), with its parameters by name"
    elif isinstance(code, type) and issubclass(code, Loss):
        fix = f"call it: {name}()"
    else:
        fix = "write def my_loss(outputs, target): ..."
    return ParameterError(
        f"{name} cannot be a loss.",
        expected="a function (outputs, target, ...), or a class derived from torch.nn.Module",
        got=repr(code)[:80],
        fix=fix,
    )


def held_value(title: str, name: str, value: Any) -> Any:
    """Return a hyper-parameter as it is kept in a value: frozen, code as a reference."""
    if isinstance(value, Tensor | np.ndarray):
        by_class = "weight" in name
        raise ParameterError(
            f"{title}: {name} cannot be a tensor.",
            expected="class names with weights" if by_class else "numbers, text, tuples, functions",
            got=f"{type(value).__name__} of shape {list(value.shape)}",
            fix='nn.loss("cross_entropy", class_weight={"name": 2.0})'
            if by_class
            else "give numbers, and make the tensor inside the loss",
            parameter=name,
        )
    if isinstance(value, list | tuple):
        return tuple(held_value(title, name, one) for one in value)
    if isinstance(value, Mapping):
        return pmap({key: held_value(title, name, one) for key, one in value.items()})
    return as_code(value) if callable(value) else value


def plain_value(value: Any) -> Any:
    """Return a hyper-parameter as the code takes it."""
    if isinstance(value, Ref | Opaque):
        return value.resolve()
    if isinstance(value, PMap):
        return {key: plain_value(one) for key, one in items(value)}
    return tuple(map(plain_value, value)) if isinstance(value, tuple) else value
