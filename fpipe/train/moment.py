"""A moment of training as callbacks see it, with the dials that they may turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.value import evolve, value

Settings: TypeAlias = tuple[PMap[str, Any], ...]


@value
class Moment:
    """Where training stands and how its dials are set.

    A callback that is called at a stage is given a moment and returns one. It may return one
    whose dials are turned, by `with_settings`, `with_frozen` and `stop`; all else is to read.

    Args:
        epoch: the present epoch, from 1; 0 before the first.
        batch: batches done in it.
        step: batches done in all.
        updates: updates of the parameters that were due in all. In float16 one that is left out,
            as its gradients are not finite, counts like any other: schedules go on over it, as
            in a loop of torch, which steps its scheduler whether or not GradScaler skips.
        epochs: epochs of the whole run.
        updates_per_epoch: updates of the parameters in every epoch.
        updated: whether an update was due after the last batch.
        loss: the loss of the last batch; None before the first.
        history: one map of figures per finished epoch.
        monitor: the figure that early stopping watches, such as ``"valid.loss"``.
        minimize: whether smaller is better for it.
        params: the parameters by full name; they must not be written to, and a tensor of them
            that shall be kept must be copied.
        buffers: what layers remember, likewise.
        settings: the optimizer's settings (``lr``, ``weight_decay``, …), one map per group.
        frozen: names of the parameters that are not learned now.
        stopped: whether training ends after this epoch.
    """

    epoch: int
    batch: int
    step: int
    updates: int
    epochs: int
    updates_per_epoch: int
    updated: bool
    loss: float | None
    history: tuple[PMap[str, float], ...]
    monitor: str
    minimize: bool
    params: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
    settings: Settings
    frozen: frozenset[str] = frozenset()
    stopped: bool = False

    def with_settings(self, group: int | None = None, /, **changes: Any) -> Moment:
        """Return the moment with other settings of the optimizer.

        Args:
            group: the group, from 0; all groups where it is None.
            **changes: settings by name, such as ``lr=0.01``.

        Raises:
            ParameterError: there is no such group, or no such setting.
        """
        if group is not None and not 0 <= group < len(self.settings):
            raise ParameterError(
                f"there is no parameter group {group}.",
                expected=f"a number from 0 to {len(self.settings) - 1}",
                got=str(group),
            )
        for name, given in changes.items():
            known = self.settings[group or 0]
            if name not in known:
                raise ParameterError(
                    f"the optimizer has no setting '{name}'.",
                    expected=", ".join(sorted(known)),
                    got=f"{name}={given!r}",
                    fix=did_you_mean(name, known),
                )
        changed = (
            one.update(pmap(changes)) if group in (None, place) else one
            for place, one in enumerate(self.settings)
        )
        return evolve(self, settings=tuple(changed))

    def with_frozen(self, names: Iterable[str]) -> Moment:
        """Return the moment in which these parameters, and no others, are not learned.

        Raises:
            ParameterError: there is no such parameter.
        """
        frozen = frozenset(names)
        unknown = sorted(frozen - set(self.params))
        if unknown:
            raise ParameterError(
                f"there is no parameter '{unknown[0]}'.",
                expected=", ".join(sorted(self.params)[:12]),
                got=unknown[0],
                fix=did_you_mean(unknown[0], self.params),
            )
        return evolve(self, frozen=frozen)

    def stop(self) -> Moment:
        """Return the moment in which training ends after this epoch (with none, in on_begin)."""
        return evolve(self, stopped=True)
