"""What an optimizer remembers of a parameter: whether a state that came from elsewhere fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fpipe.core.errors import StateError
from fpipe.core.tree import items
from fpipe.optim.optimizer import Optimizer

COUNTS = ("step", "mu_product", "eta", "mu")
"""Slots that are one number for a parameter, which torch keeps where it made them."""


def check_remembered(
    spec: Optimizer, name: str, slots: Mapping[str, Any], parameter: Tensor
) -> None:
    """Raise StateError unless slots are such as an optimizer leaves of a parameter.

    Args:
        spec: the optimizer.
        name: of the parameter.
        slots: what is remembered of it, by slot.
        parameter: the parameter.
    """
    missing = [slot for slot in spec.slots_of(tuple(parameter.shape)) if slot not in slots]
    if missing:
        raise _unfit(
            f"{spec.name} has no {missing[0]} of '{name}' to go on from.",
            ", ".join(spec.slots_of(tuple(parameter.shape))),
            ", ".join(slots) or "nothing",
        )
    for slot, held in items(slots):
        expected, fits = _expected(spec, slot, held, parameter)
        if not fits:
            raise _unfit(
                f"{spec.name} cannot go on from this {slot} of '{name}'.", expected, _shown(held)
            )


def _expected(spec: Optimizer, slot: str, held: Any, parameter: Tensor) -> tuple[str, bool]:
    """Return what a slot must hold, and whether it does."""
    if slot in COUNTS:
        fits = isinstance(held, Tensor) and held.is_floating_point() and held.ndim == 0
        return "a floating tensor of one number", fits
    shape = spec.slot_shape(slot, tuple(parameter.shape))
    wanted = _described(shape, parameter.dtype)
    return wanted, _shown(held) == wanted


def _shown(held: Any) -> str:
    if not isinstance(held, Tensor):
        return repr(held)[:80]
    return _described(tuple(held.shape), held.dtype)


def _described(shape: tuple[int, ...], dtype: torch.dtype) -> str:
    return f"a tensor of shape {shape}, {dtype}"


def _unfit(rule: str, expected: str, got: str) -> StateError:
    return StateError(
        rule,
        expected=expected,
        got=got,
        fix="go on with the optimizer and the network that the state was made with",
    )
