"""Callbacks: values that take part in training, each with a state and a pure function per stage."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeAlias

from torch import Tensor

from fpipe.core.errors import ParameterError
from fpipe.core.tree import fields_of
from fpipe.core.value import descriptor, evolve
from fpipe.graph.op import written
from fpipe.train.moment import Moment
from fpipe.train.state import Weights

Gradients: TypeAlias = Mapping[str, Tensor]


@descriptor
class Callback:
    """Something that watches or changes training, as a value.

    A callback is a frozen class: its fields are its hyper-parameters. What it remembers is its
    state, which is part of the state of training: it is saved, compared and resumed with it, so
    it must be a value itself (numbers, text, tensors, tuples, persistent maps and vectors). Each
    stage is a pure function that returns the new state and what it may change; a stage that a
    class does not define costs nothing. The default name is that of the class, in lower case
    with underscores.

    In the order in which they come: `init` once, before the first event; `on_begin`; in every
    epoch `on_epoch_begin`, then for every batch `on_batch_begin`, `after_backward` and
    `after_step` (where the batch ends in an update of the parameters) and `on_batch_end`; then
    `on_epoch_end`, and `on_valid_end` where the epoch is evaluated; `on_end`. The weights that are
    evaluated, and those that predictions use, go through `evaluated` first.

    Callbacks are called in the order of `order`, those with the same in the order in which they
    were added. Names that begin with ``after_``, ``before_`` or ``on_`` are kept for stages.
    Fields annotated with ``float``, ``int``, ``bool`` or ``str`` are checked for that type by
    ``nn.callbacks``; write ``parameter(default=..., check=...)`` to say more.

    Raises:
        ParameterError: a class defines what looks like a stage and is none.

    Example:
        >>> @descriptor
        ... class Halving(Callback):
        ...     factor: float = 0.5
        ...     def on_epoch_end(self, state, moment):
        ...         rate = moment.settings[0]["lr"]
        ...         return state, moment.with_settings(lr=self.factor * rate)
        >>> Halving.name, Halving() == Halving(0.5)
        ('halving', True)
    """

    name: ClassVar[str] = "callback"
    order: ClassVar[float] = 0.0
    foreign: ClassVar[bool] = True

    @property
    def needs_total(self) -> bool:
        """Whether what it does depends on how long the whole run is."""
        return False

    def parameters(self) -> dict[str, Any]:
        """Return its hyper-parameters by name: the fields, unless a class says otherwise."""
        return {field.name: getattr(self, field.name) for field in fields_of(type(self))}

    def with_parameters(self, changes: Mapping[str, Any]) -> Self:
        """Return the callback with some hyper-parameters replaced.

        Args:
            changes: new values by name, as in `parameters`.
        """
        return evolve(self, **changes)

    def written(self) -> tuple[str, ...]:
        """Return the hyper-parameters as one would write them: those that are no default."""
        return written(self)

    def __init_subclass__(cls) -> None:
        """Name a class that does not name itself; refuse what looks like a stage and is none."""
        super().__init_subclass__()
        for name in vars(cls):
            _check_stage(cls, name)
        if "foreign" not in vars(cls):
            cls.foreign = True  # also where a ready class is derived from
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def check_names(self, names: tuple[str, ...]) -> None:
        """Raise where it cannot serve a network with such parameters; ``fp.check`` asks as well.

        Args:
            names: full names of the parameters, sorted.
        """

    def init(self, params: Mapping[str, Tensor]) -> Any:
        """Return the state before training (None where nothing is remembered).

        Args:
            params: the initial parameters by full name, such as ``"linear.weight"``.
        """
        return None

    def on_begin(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment, before the first epoch."""
        return state, moment

    def on_epoch_begin(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment; the epoch has its number already."""
        return state, moment

    def on_batch_begin(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment, before the network sees a batch."""
        return state, moment

    def after_backward(self, state: Any, gradients: Gradients) -> tuple[Any, Gradients]:
        """Return the new state and the gradients that the optimizer is given.

        Args:
            state: what the stage before returned.
            gradients: by full name of the parameter, those that the loss depends on; they must
                not be written to.

        Returns:
            the state, and gradients of the same names, shapes, dtypes and devices.
        """
        return state, gradients

    def after_step(self, state: Any, weights: Weights) -> Any:
        """Return the new state, after an update.

        Args:
            state: what the stage before returned.
            weights: the new parameters and buffers; they must not be written to, and a tensor of
                them that shall be kept must be copied.
        """
        return state

    def on_batch_end(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment; the loss of the batch is known."""
        return state, moment

    def on_epoch_end(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment; the training figures are the last in history."""
        return state, moment

    def on_valid_end(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment; the validation scores are in history."""
        return state, moment

    def on_end(self, state: Any, moment: Moment) -> tuple[Any, Moment]:
        """Return the new state and the moment, after the last epoch."""
        return state, moment

    def evaluated(self, state: Any, weights: Weights) -> Weights:
        """Return the weights that are evaluated and that predictions use.

        Args:
            state: what the callback remembers.
            weights: the present ones, or what the callback before made of them.
        """
        return weights


Named: TypeAlias = tuple[tuple[str, Callback], ...]
"""Callbacks with their ids, in the order in which they are called."""

HOST_STAGES = (
    "on_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_batch_end",
    "on_epoch_end",
    "on_valid_end",
    "on_end",
)
"""The stages that are given a moment, and return one."""

STAGES = ("init", *HOST_STAGES, "after_backward", "after_step", "evaluated")
"""The stages of training in which callbacks take part."""

_KEPT = ("after_", "before_", "on_")


def _check_stage(cls: type, name: str) -> None:
    """Refuse a method that would never be called, since no stage has its name."""
    if name in STAGES or name.startswith("_") or not callable(vars(cls)[name]):
        return
    close = difflib.get_close_matches(name, STAGES, n=1, cutoff=0.8)
    if close or name.startswith(_KEPT):
        raise ParameterError(
            f"{cls.__name__}: there is no stage '{name}', so it would never be called.",
            expected=", ".join(STAGES),
            got=name,
            fix=f"call it {close[0]}" if close else f"use one of {', '.join(STAGES)}",
        )


def staged(callbacks: Named, stage: str) -> Named:
    """Return the callbacks whose class defines a stage.

    Example:
        >>> staged((("idle", Callback()),), "after_backward")
        ()
    """
    plain = getattr(Callback, stage)
    return tuple(pair for pair in callbacks if getattr(type(pair[1]), stage) is not plain)


def in_order(callbacks: Named) -> Named:
    """Return the callbacks in the order in which they are called."""
    return tuple(sorted(callbacks, key=lambda pair: pair[1].order))
