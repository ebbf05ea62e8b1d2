"""A torch optimizer at work over private tensors, from and to a state that is a value."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import ParameterError, StateError
from fpipe.core.parameter import REQUIRED
from fpipe.core.tree import items
from fpipe.optim.dynamo import load_dynamo
from fpipe.optim.optimizer import Optimizer, OptimizerState, Settings
from fpipe.optim.slots import COUNTS, check_remembered


class LiveOptimizer:
    """A torch optimizer over private tensors: memory that nobody else can see.

    Args:
        spec: which optimizer.
        params: current parameters by full name; they are copied.
        state: what the optimizer remembers; copied too. ``OptimizerState()`` to begin.

    Raises:
        ParameterError: a pattern of a group matches nothing, or the optimizer cannot take these
            parameters.
        StateError: the state is that of another optimizer or of other parameters, or lacks what
            the optimizer would remember.

    Example:
        >>> from fpipe.optim.sgd import SGD
        >>> live = LiveOptimizer(SGD(lr=0.5), {"w": torch.ones(2)}, OptimizerState())
        >>> live.step({"w": torch.tensor([1.0, 0.0])})
        >>> live.params()["w"]
        tensor([0.5000, 1.0000])
    """

    def __init__(
        self, spec: Optimizer, params: Mapping[str, Tensor], state: OptimizerState
    ) -> None:
        names = tuple(name for name, _ in items(params))
        spec.check_params(params)
        self.leaves = {name: _copy(params[name]).requires_grad_() for name in names}
        self._spec = spec
        self._group = dict(zip(names, spec.group_of(names), strict=True))
        self._settings = _begun(spec, names, state)
        self._torch = self._built() if self.leaves else None
        self._restore(state)
        self._check_slots(self._settings)

    def step(self, grads: Mapping[str, Tensor | None]) -> None:
        """Update the private parameters; a gradient of None leaves its parameter alone."""
        for name, leaf in self.leaves.items():
            grad = grads[name]
            # As backward() leaves them: the sums of some optimizers follow the order in memory.
            leaf.grad = None if grad is None else grad.contiguous()
        if self._torch is not None:
            self._torch.step()

    @property
    def settings(self) -> Settings:
        """The settings of every parameter group as they are now."""
        return self._settings

    def set_settings(self, settings: Sequence[Mapping[str, Any]]) -> None:
        """Replace settings of every parameter group; those that are not named stay.

        Args:
            settings: for every group, name → new value.

        Raises:
            ParameterError: a setting is unknown, or a value is not accepted.
            StateError: there are more or fewer groups, or what is switched on needs to have been
                remembered from the first step.
        """
        _check_number(self._spec, len(self._settings), len(settings))
        pairs = zip(self._settings, settings, strict=True)
        changed = tuple(
            self._spec.with_settings({**now, **given}).settings() for now, given in pairs
        )
        self._check_slots(changed)
        self._settings = changed
        if self._torch is not None:
            for group, now in zip(self._torch.param_groups, changed, strict=True):
                group.update(dict(now))

    def params(self) -> PMap[str, Tensor]:
        """Return copies of the parameters."""
        return pmap({name: _copy(leaf) for name, leaf in self.leaves.items()})

    def state(self) -> OptimizerState:
        """Return a copy of what the optimizer remembers."""
        kept = {
            name: pmap({key: _copied(slot) for key, slot in slots.items()})
            for name, slots in self._slots().items()
        }
        return OptimizerState(pmap(kept), self._settings)

    def _slots(self) -> dict[str, dict[str, Any]]:
        """Return torch's own slots of the parameters that have some, by name."""
        if self._torch is None:
            return {}
        known = self._torch.state
        return {name: known[leaf] for name, leaf in self.leaves.items() if known.get(leaf)}

    def _built(self) -> torch.optim.Optimizer:
        load_dynamo()
        groups: list[dict[str, Any]] = [{"params": [], **now} for now in self._settings]
        for name, leaf in self.leaves.items():
            groups[self._group[name]]["params"].append(leaf)
        make: Any = self._spec.torch_class
        made: torch.optim.Optimizer = make(groups, **_fixed(make), **self._settings[0])
        return made

    def _restore(self, state: OptimizerState) -> None:
        for name, slots in items(state.slots):
            leaf = self.leaves.get(name)
            if leaf is None or self._torch is None:
                raise StateError(
                    f"the optimizer's state knows a parameter '{name}' that is not there.",
                    expected=", ".join(self.leaves) or "no parameters",
                    got=name,
                    fix="go on with the network that the state was made with",
                )
            check_remembered(self._spec, name, slots, leaf)
            self._torch.state[leaf] = {k: _placed(k, slot, leaf) for k, slot in items(slots)}

    def _check_slots(self, settings: Settings) -> None:
        for setting, slot in items(self._spec.slot_of):
            for name, slots in self._slots().items():
                now = settings[self._group[name]]
                if now[setting] and slot not in slots:
                    raise StateError(
                        f"{self._spec.name}: {setting} cannot be switched on once training runs.",
                        expected=f"{setting} from the first step on",
                        got=f"{setting}={now[setting]!r}, and no {slot} of '{name}'",
                        fix=f"give nn.optimizer a {setting} that counts from the start",
                    )


def _begun(spec: Optimizer, names: tuple[str, ...], state: OptimizerState) -> Settings:
    """Return the settings to go on with: those of the state, or the optimizer's own."""
    own = spec.group_settings(names)
    for settings in own:
        unset = [name for name, given in items(settings) if given is REQUIRED]
        if unset:
            raise ParameterError(
                f"{spec.name}: {unset[0]} is not set.",
                expected=f"a value for {unset[0]}",
                got="REQUIRED",
                fix=f'nn.optimizer("{spec.name}", {unset[0]}=...)',
            )
    if not state.settings:
        return own
    _check_number(spec, len(own), len(state.settings))
    if set(state.settings[0]) != set(own[0]):
        raise StateError(
            f"the state is not one of {spec.name}.",
            expected="settings " + ", ".join(sorted(own[0])),
            got="settings " + ", ".join(sorted(state.settings[0])),
            fix="go on with the optimizer that the state was made with",
        )
    return state.settings


def _check_number(spec: Optimizer, expected: int, got: int) -> None:
    if expected != got:
        raise StateError(
            f"{spec.name} has {expected} parameter groups, and settings came for {got}.",
            expected=f"{expected} maps of settings",
            got=f"{got}",
            fix="give settings for every group, an empty map where nothing changes",
        )


@lru_cache(maxsize=64)
def _fixed(make: Any) -> Mapping[str, bool]:
    """Return the switches of an optimizer that stay off: they are other kernels with other bits."""
    known = inspect.signature(make).parameters
    return {name: False for name in ("foreach", "fused") if name in known}


def _placed(name: str, slot: Any, leaf: Tensor) -> Any:
    """Return a copy of a slot where torch would have it: with its parameter, but for counts."""
    copied = _copied(slot)
    if isinstance(copied, Tensor) and name not in COUNTS:
        return copied.to(leaf.device)
    return copied


def _copied(slot: Any) -> Any:
    return _copy(slot) if isinstance(slot, Tensor) else slot


def _copy(tensor: Tensor) -> Tensor:
    """Return a private copy; always in one order, so that equal values give equal bits."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)
