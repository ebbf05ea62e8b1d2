"""What an optimizer is: a frozen description, and the state in which it can be left and found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import parameter
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve, value
from fpipe.optim.groups import GROUPS, Groups, as_groups, assigned

Settings = tuple[PMap[str, Any], ...]
"""The settings of every parameter group, in order."""


@descriptor
class Optimizer:
    """A description of a torch optimizer: its fields are the optimizer's arguments.

    Left out are the arguments that say how the same numbers are computed (``foreach``, ``fused``,
    ``capturable``, ``differentiable``), and ``maximize``, as training minimizes.

    Args:
        groups: settings for some of the parameters, by pattern over their full names:
            ``{"*.bias": {"weight_decay": 0.0}}``. ``*`` stands for any text, ``?`` for one
            character, ``a|b`` for either. The first pattern that matches counts; parameters that
            none matches are the last group.

    Example:
        >>> from fpipe.optim.adam import AdamW
        >>> spec = AdamW(lr=0.1, groups={"*.bias": {"weight_decay": 0.0}})
        >>> spec.group_of(("a.bias", "a.weight"))
        (0, 1)
        >>> [g["weight_decay"] for g in spec.group_settings(("a.bias", "a.weight"))]
        [0.0, 0.01]
    """

    name: ClassVar[str]
    torch_class: ClassVar[type[torch.optim.Optimizer]]
    one_for_all: ClassVar[tuple[str, ...]] = ()
    slots: ClassVar[tuple[str, ...]] = ()
    slot_of: ClassVar[PMap[str, str]] = pmap()

    groups: Groups = parameter(default=(), check=GROUPS, convert=as_groups, kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.check()
        for pattern, settings in self.groups:
            self._check_group(pattern, settings)

    def check(self) -> None:
        """Raise ParameterError where settings do not go together."""

    def check_params(self, params: Mapping[str, Tensor]) -> None:
        """Raise ParameterError where these parameters cannot be optimized this way."""

    def slots_of(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Return the slots that every parameter of a shape has once it was updated.

        Those that depend on a setting are in ``slot_of``.
        """
        del shape
        return self.slots

    def slot_shape(self, slot: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a slot that is more than one number, for a parameter of a shape."""
        del slot
        return shape

    def settings(self) -> PMap[str, Any]:
        """Return the settings of a parameter that is in no group of its own, by name."""
        fields = fields_of(type(self))
        return pmap({a.name: getattr(self, a.name) for a in fields if a.name != "groups"})

    def with_settings(self, changes: Mapping[str, Any]) -> Self:
        """Return the optimizer without groups, with some settings replaced.

        Raises:
            ParameterError: a setting is unknown, or a value is not accepted.
        """
        known = self.settings()
        for name in changes:
            if name not in known:
                raise ParameterError(
                    f"{self.name} has no setting '{name}'.",
                    expected=", ".join(sorted(known)),
                    got=f"{name}={changes[name]!r}",
                    fix=did_you_mean(str(name), sorted(known)),
                )
        return evolve(self, groups=(), **changes)

    def group_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the position of every parameter's group, in the order of the names.

        Raises:
            ParameterError: a pattern is left without a parameter.
        """
        return assigned(self.groups, names)

    def group_settings(self, names: Sequence[str]) -> Settings:
        """Return the settings of every group before training, in order.

        The group of what no pattern matches comes last, if there is such a parameter; without
        patterns it is the only one.

        Raises:
            ParameterError: a pattern is left without a parameter.
        """
        found = tuple(self.with_settings(given).settings() for _, given in self.groups)
        rest = not found or len(self.groups) in self.group_of(names)
        return (*found, self.settings()) if rest else found

    def _check_group(self, pattern: str, settings: Mapping[str, Any]) -> None:
        try:
            self.with_settings(settings)
        except ParameterError as error:
            raise error.located(f'groups["{pattern}"]') from None
        for name in settings:
            if name in self.one_for_all:
                raise ParameterError(
                    f"{self.name}: {name} is one for all parameters.",
                    expected=f"{name} beside groups",
                    got=f"{name}={settings[name]!r}",
                    at=f'groups["{pattern}"]',
                    fix=f'nn.optimizer("{self.name}", {name}={settings[name]!r})',
                )


@value
class OptimizerState:
    """What an optimizer remembers.

    Args:
        slots: parameter name → name of what is remembered (a moment, a count) → tensor or number.
        settings: the settings of every parameter group as they are now; empty before training
            has begun, when the optimizer's own hold.
    """

    slots: PMap[str, PMap[str, Any]] = pmap()
    settings: Settings = ()
