"""Callbacks: values that take part in training, each with a state and a pure function per stage."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeAlias

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.errors import FpipeError, ParameterError, StateError
from fpipe.core.tree import items
from fpipe.core.value import descriptor

Named: TypeAlias = "tuple[tuple[str, Callback], ...]"
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

    The stages are `init`, before training, and `after_backward`, in every step between the
    gradients and the optimizer. Names that begin with ``after_``, ``before_`` or ``on_`` are kept
    for stages. Fields annotated with ``float``, ``int``, ``bool`` or ``str`` are checked for that
    type by ``nn.callbacks``; write ``parameter(default=..., check=...)`` to say more.

    Raises:
        ParameterError: a class defines what looks like a stage and is none.

    Example:
        >>> @descriptor
        ... class Halving(Callback):
        ...     factor: float = 0.5
        ...     def after_backward(self, state, gradients):
        ...         return state, {name: self.factor * g for name, g in gradients.items()}
        >>> Halving.name, Halving() == Halving(0.5)
        ('halving', True)
    """

    name: ClassVar[str] = "callback"

    def __init_subclass__(cls) -> None:
        """Name a class that does not name itself; refuse what looks like a stage and is none."""
        super().__init_subclass__()
        for name in vars(cls):
            _check_stage(cls, name)
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def init(self, params: Mapping[str, Tensor]) -> Any:
        """Return the state before training (None where nothing is remembered).

        Args:
            params: the initial parameters by full name, such as ``"linear.weight"``.
        """
        return None

    def after_backward(self, state: Any, gradients: Gradients) -> tuple[Any, Gradients]:
        """Return the new state and the gradients that the optimizer is given.

        Args:
            state: what `init` or the step before returned.
            gradients: by full name of the parameter, those that the loss depends on; they must
                not be written to.

        Returns:
            the state, and gradients of the same names, shapes, dtypes and devices.
        """
        return state, gradients


STAGES = ("init", "after_backward")
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


def initial_states(callbacks: Named, params: Mapping[str, Tensor]) -> PMap[str, Any]:
    """Return the state of every callback before training, by id."""
    private = {name: tensor.detach().clone() for name, tensor in items(params)} if callbacks else {}
    states = {}
    for name, callback in callbacks:
        with _named(name, "init"):
            states[name] = _frozen(name, callback.init(private))
    return pmap(states)


def after_backward(
    callbacks: Named, states: PMap[str, Any], found: Mapping[str, Tensor | None]
) -> tuple[PMap[str, Any], Mapping[str, Tensor | None]]:
    """Return the callbacks' states and the gradients after this stage, one callback by one.

    Args:
        callbacks: the callbacks with their ids, in order.
        states: their states by id.
        found: gradients by parameter; None where the loss does not depend on it.

    Raises:
        StateError: a callback gives something else than the gradients it was given, or writes
            into them.
    """
    present = staged(callbacks, "after_backward")
    if not present:
        return states, found
    gradients = {name: g for name, g in found.items() if g is not None}
    with torch.inference_mode(False), torch.no_grad():
        for name, callback in present:
            versions, state = _versions(gradients), _state_of(name, states)
            with _named(name, "after_backward"):
                result = callback.after_backward(state, dict(gradients))
            _check_unwritten(name, gradients, versions)
            state, changed = _pair(name, result)
            _check_alike(name, gradients, changed)
            states = states.set(name, _frozen(name, state))
            gradients = {key: changed[key] for key in gradients}
    return states, {name: gradients.get(name) for name in found}


def staged(callbacks: Named, stage: str) -> Named:
    """Return the callbacks whose class defines a stage.

    Example:
        >>> staged((("idle", Callback()),), "after_backward")
        ()
    """
    plain = getattr(Callback, stage)
    return tuple(pair for pair in callbacks if getattr(type(pair[1]), stage) is not plain)


@contextmanager
def _named(name: str, stage: str) -> Iterator[None]:
    """Say of a foreign error in which callback it was raised."""
    try:
        yield
    except FpipeError:
        raise
    except Exception as error:
        error.add_note(f"in {stage} of the callback '{name}'")
        raise


def _state_of(name: str, states: PMap[str, Any]) -> Any:
    if name not in states:
        raise StateError(
            f"the state of training knows no callback '{name}'.",
            expected=f"a state for '{name}'",
            got=_listed(sorted(states)) or "no callbacks",
            fix="start from initial_state(run, key, numerics) of the run with this callback",
        )
    return states[name]


def _pair(name: str, result: Any) -> tuple[Any, Gradients]:
    fits = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)
    if not fits:
        raise StateError(
            f"the callback '{name}' does not return a state and gradients.",
            expected="(state, gradients), with gradients by parameter name",
            got=type(result).__name__,
            fix="return state, gradients",
        )
    return result[0], result[1]


def _check_alike(name: str, before: Gradients, after: Gradients) -> None:
    if set(before) != set(after):
        missing, added = (
            sorted(set(before) - set(after)),
            sorted(map(str, set(after) - set(before))),
        )
        raise StateError(
            f"the callback '{name}' returns gradients of other parameters.",
            expected=_listed(sorted(before)),
            got=f"without {_listed(missing)}" if missing else f"also {_listed(added)}",
            fix="return one gradient for every name that came in; zeros hold a parameter still",
        )
    for key, tensor in before.items():
        if _form(after[key]) != _form(tensor):
            raise StateError(
                f"the callback '{name}' returns another kind of gradient for '{key}'.",
                expected=_form(tensor),
                got=_form(after[key]),
                at=name,
                fix="keep shape, dtype and device of every gradient",
            )


def _check_unwritten(name: str, gradients: Gradients, versions: Sequence[int]) -> None:
    now = zip(gradients, versions, _versions(gradients), strict=True)
    written = [key for key, before, after in now if before != after]
    if written:
        raise StateError(
            f"the callback '{name}' writes into gradients.",
            expected="new tensors",
            got=f"'{written[0]}' was changed in place",
            fix="use g * factor in place of g.mul_(factor)",
        )


def _frozen(name: str, state: Any) -> Any:
    """Return a state, unless its next step would change the one before."""
    if isinstance(state, list | dict | set | bytearray):
        raise StateError(
            f"the state of the callback '{name}' is a {type(state).__name__}, which can change.",
            expected="a value that stays as it is",
            got=type(state).__name__,
            fix="use a tuple, or pvector and pmap of pyrsistent",
        )
    return state


def _versions(gradients: Gradients) -> list[int]:
    return [tensor._version for tensor in gradients.values()]  # noqa: SLF001


def _form(tensor: Any) -> str:
    if not isinstance(tensor, Tensor):
        return type(tensor).__name__
    return f"{list(tensor.shape)}, {tensor.dtype}, {tensor.device}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
