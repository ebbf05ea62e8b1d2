"""Optimizers: frozen descriptions, with torch.optim as the one that computes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED, Check, boolean, number, parameter
from fpipe.core.tree import fields_of, items
from fpipe.core.value import descriptor, value

_BETAS = Check(
    "two numbers from 0 to below 1",
    lambda x: isinstance(x, tuple) and len(x) == 2 and all(0.0 <= b < 1.0 for b in x),
)


@descriptor
class Optimizer:
    """A description of a torch optimizer; its fields are the optimizer's arguments."""

    name: ClassVar[str]
    torch_class: ClassVar[type[torch.optim.Optimizer]]

    def build(self, leaves: list[Tensor]) -> torch.optim.Optimizer:
        """Return the torch optimizer over these tensors.

        ``foreach`` and ``fused`` are switched off: they are other kernels with other bits.
        """
        settings = {a.name: getattr(self, a.name) for a in fields_of(type(self))}
        make: Any = self.torch_class
        made: torch.optim.Optimizer = make(leaves, foreach=False, fused=False, **settings)
        return made


@descriptor
class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        lr: learning rate; there is no default that fits.
        momentum: momentum factor.
        dampening: dampening of the momentum.
        weight_decay: L2 penalty.
        nesterov: whether Nesterov's momentum is used.

    Source:
        torch.optim.SGD.
    """

    name = "sgd"
    torch_class = torch.optim.SGD

    lr: float = parameter(default=REQUIRED, check=number(0.0))
    momentum: float = parameter(default=0.0, check=number(0.0, 1.0))
    dampening: float = parameter(default=0.0, check=number(0.0, 1.0))
    weight_decay: float = parameter(default=0.0, check=number(0.0))
    nesterov: bool = parameter(default=False, check=boolean())

    def __attrs_post_init__(self) -> None:
        if self.nesterov is True and (self.momentum == 0.0 or self.dampening != 0.0):
            raise ParameterError(
                "sgd: nesterov needs a momentum and no dampening.",
                expected="momentum above 0, dampening 0",
                got=f"momentum={self.momentum}, dampening={self.dampening}",
                fix="give momentum=0.9, or leave nesterov out",
            )


@descriptor
class Adam(Optimizer):
    """Adam.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        amsgrad: whether the AMSGrad variant is used.

    Source:
        Kingma and Ba 2015; torch.optim.Adam.
    """

    name = "adam"
    torch_class = torch.optim.Adam

    lr: float = parameter(default=1e-3, check=number(0.0))
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=_BETAS, convert=tuple)
    eps: float = parameter(default=1e-8, check=number(0.0))
    weight_decay: float = parameter(default=0.0, check=number(0.0))
    amsgrad: bool = parameter(default=False, check=boolean())


@descriptor
class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    Args:
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the denominator.
        weight_decay: decoupled decay.
        amsgrad: whether the AMSGrad variant is used.

    Source:
        Loshchilov and Hutter 2019; torch.optim.AdamW.
    """

    name = "adamw"
    torch_class = torch.optim.AdamW

    lr: float = parameter(default=1e-3, check=number(0.0))
    betas: tuple[float, float] = parameter(default=(0.9, 0.999), check=_BETAS, convert=tuple)
    eps: float = parameter(default=1e-8, check=number(0.0))
    weight_decay: float = parameter(default=1e-2, check=number(0.0))
    amsgrad: bool = parameter(default=False, check=boolean())


OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adam, AdamW)
"""Every optimizer, by class."""


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the optimizer of a name.

    Raises:
        ParameterError: there is none.

    Example:
        >>> optimizer_class("adam")(lr=0.1).lr
        0.1
    """
    known = {cls.name: cls for cls in OPTIMIZERS}
    if name not in known:
        raise ParameterError(
            f"there is no optimizer '{name}'.",
            expected=", ".join(sorted(known)),
            got=repr(name),
            fix=did_you_mean(str(name), known),
        )
    return known[name]


@value
class OptimizerState:
    """What an optimizer remembers: parameter name → name of the moment → value."""

    slots: PMap[str, PMap[str, Any]] = pmap()


class LiveOptimizer:
    """A torch optimizer over private tensors: memory that nobody else can see.

    Args:
        spec: which optimizer.
        params: current parameters; they are copied.
        state: what the optimizer remembers; copied too.
    """

    def __init__(
        self, spec: Optimizer, params: Mapping[str, Tensor], state: OptimizerState
    ) -> None:
        self.leaves = {
            name: tensor.detach().clone().requires_grad_() for name, tensor in items(params)
        }
        _load_dynamo()
        self._torch = spec.build(list(self.leaves.values())) if self.leaves else None
        if self._torch is not None:
            for name, slots in items(state.slots):
                self._torch.state[self.leaves[name]] = {k: _copy(v) for k, v in items(slots)}

    def step(self, grads: Mapping[str, Tensor | None]) -> None:
        """Update the private parameters; a gradient of None leaves its parameter alone."""
        for name, leaf in self.leaves.items():
            leaf.grad = grads[name]
        if self._torch is not None:
            self._torch.step()

    def params(self) -> PMap[str, Tensor]:
        """Return copies of the parameters."""
        return pmap({name: leaf.detach().clone() for name, leaf in self.leaves.items()})

    def state(self) -> OptimizerState:
        """Return a copy of what the optimizer remembers."""
        if self._torch is None:
            return OptimizerState()
        kept = {
            name: pmap({key: _copy(slot) for key, slot in self._torch.state[leaf].items()})
            for name, leaf in self.leaves.items()
            if leaf in self._torch.state
        }
        return OptimizerState(pmap(kept))


_LOADING = threading.Lock()


def _load_dynamo() -> None:
    """Import what torch.optim would import at its first step, and leave nothing global behind.

    That import adds a warning filter and an environment variable.
    """
    with _LOADING:
        if "torch._dynamo" in sys.modules:
            return
        known = set(os.environ)
        with warnings.catch_warnings():
            importlib.import_module("torch._dynamo")
        for name in set(os.environ) - known:
            del os.environ[name]


def _copy(slot: Any) -> Any:
    return slot.detach().clone() if isinstance(slot, Tensor) else slot
