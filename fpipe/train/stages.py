"""Calling callbacks: each is given its state, and held to what it may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import numpy as np
import torch
from pyrsistent import PMap, PVector, pmap
from torch import Tensor

from fpipe.core.errors import FpipeError, StateError
from fpipe.core.tree import fields_of, items
from fpipe.core.value import evolve
from fpipe.net.keyed_mode import KeyedMode
from fpipe.train.callback import Callback, Gradients, Named, staged
from fpipe.train.moment import Moment
from fpipe.train.state import Weights

States = PMap[str, Any]


def initial_states(callbacks: Named, params: Mapping[str, Tensor]) -> States:
    """Return the state of every callback before training, by id."""
    private = {name: tensor.detach().clone() for name, tensor in items(params)} if callbacks else {}
    states = {}
    for name, callback in callbacks:
        with _calling(name, callback, "init"):
            states[name] = _frozen(name, callback.init(private))
    return pmap(states)


def at_stage(callbacks: Named, stage: str, states: States, moment: Moment) -> tuple[States, Moment]:
    """Return the callbacks' states and the moment after one stage, callback by callback.

    Args:
        callbacks: the callbacks with their ids, in order.
        stage: one of ``HOST_STAGES``.
        states: their states by id.
        moment: where training stands.

    Raises:
        StateError: a callback returns something else than a state and a moment, changes more
            than the dials, draws random numbers, or writes into what it was given.
    """
    for name, callback in staged(callbacks, stage):
        state = _state_of(name, states)
        with _calling(name, callback, stage, moment.params, moment.buffers, state):
            result = getattr(callback, stage)(state, moment)
        made, moment = _moment(name, result, moment)
        if made is not state:
            states = states.set(name, _kept(name, callback, made, moment.params, moment.buffers))
    return states, moment


def after_backward(
    callbacks: Named, states: States, found: Mapping[str, Tensor | None]
) -> tuple[States, Mapping[str, Tensor | None]]:
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
    for name, callback in present:
        state = _state_of(name, states)
        with _calling(name, callback, "after_backward", gradients, state):
            result = callback.after_backward(state, dict(gradients))
        made, changed = _pair(name, result)
        _check_alike(name, gradients, changed)
        if made is not state:
            states = states.set(name, _kept(name, callback, made))
        gradients = {key: changed[key] for key in gradients}
    return states, {name: gradients.get(name) for name in found}


def after_step(callbacks: Named, states: States, weights: Weights) -> States:
    """Return the callbacks' states after an update.

    Args:
        callbacks: the callbacks with their ids, in order.
        states: their states by id.
        weights: the new weights; their tensors may be private memory, which no state may hold.

    Raises:
        StateError: a callback writes into the weights, or keeps one of their tensors.
    """
    for name, callback in staged(callbacks, "after_step"):
        state = _state_of(name, states)
        with _calling(name, callback, "after_step", weights.params, weights.buffers, state):
            made = callback.after_step(state, weights)
        if made is not state:
            states = states.set(name, _kept(name, callback, made, weights.params, weights.buffers))
    return states


def evaluated(callbacks: Named, states: States, weights: Weights) -> Weights:
    """Return the weights that are evaluated and that predictions use.

    Raises:
        StateError: a callback gives weights of other names, shapes or dtypes.
    """
    for name, callback in staged(callbacks, "evaluated"):
        state = _state_of(name, states)
        with _calling(name, callback, "evaluated", weights.params, weights.buffers, state):
            made = callback.evaluated(state, weights)
        if not isinstance(made, Weights):
            raise StateError(
                f"the callback '{name}' does not return weights.",
                expected="Weights, such as those it was given",
                got=type(made).__name__,
                fix="return evolve(weights, params=...)",
            )
        _check_alike(name, weights.params, made.params, "a parameter")
        _check_alike(name, weights.buffers, made.buffers, "a buffer")
        weights = made
    return weights


@contextmanager
def _calling(name: str, callback: Callback, stage: str, *given: Any) -> Iterator[None]:
    """Hold a callback to purity while it runs, and say of a foreign error where it was raised.

    Built-in callbacks draw nothing and write into nothing, which tests hold them to; only those
    of users are watched here and in `_kept`, since watching takes time.
    """
    held = [pair for one in given for pair in _tensors(one)] if callback.foreign else []
    versions = _versions(held)
    try:
        with torch.inference_mode(False), torch.no_grad():
            if callback.foreign:
                with KeyedMode(None, own=True):
                    yield
            else:
                yield
    except StateError as error:
        if not error.rule.endswith("but nothing was given to draw from."):
            raise
        raise StateError(
            f"the callback '{name}' draws random numbers.",
            expected="a pure function of what it is given",
            got=error.rule,
            at=name,
            fix="give it a seed, and draw with fp.key(seed).fold_in(moment.step).generator()",
        ) from error
    except FpipeError:
        raise
    except Exception as error:
        error.add_note(f"in {stage} of the callback '{name}'")
        raise
    now = zip(held, versions, _versions(held), strict=True)
    written = [label for (label, _), before, after in now if before != after]
    if written:
        what = {"after_backward": "gradients"}.get(stage, "what it was given")
        raise StateError(
            f"the callback '{name}' writes into {what}.",
            expected="new tensors",
            got=f"'{written[0]}' was changed in place",
            at=name,
            fix="use g * factor in place of g.mul_(factor)",
        )


def _tensors(held: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a value with what they are called there."""
    waiting: list[tuple[str, Any]] = [("its state", held)]
    while waiting:
        label, one = waiting.pop()
        if isinstance(one, Tensor):
            yield label, one
        elif isinstance(one, Mapping):
            waiting.extend((str(name), below) for name, below in one.items())
        else:
            waiting.extend((label, below) for below in _below(one))


def _below(one: Any) -> Sequence[Any]:
    """Return what a value is made of; of a long record only the last entry."""
    if isinstance(one, Mapping):
        return list(one.values())
    if isinstance(one, PVector):
        return one[-1:]
    if isinstance(one, tuple | frozenset):
        return list(one)
    if attrs.has(type(one)):
        return [getattr(one, field.name) for field in attrs.fields(type(one))]
    return []


def _versions(held: Sequence[tuple[str, Tensor]]) -> list[int]:
    return [0 if x.is_inference() else x._version for _, x in held]  # noqa: SLF001


def _kept(name: str, callback: Callback, state: Any, *weights: Mapping[str, Tensor]) -> Any:
    """Return a new state, held to be a value that shares no memory with the weights."""
    if callback.foreign:
        _frozen(name, state)
        _check_copied(name, state, *weights)
    return state


_CHANGING = (list, dict, set, bytearray, np.ndarray)


def _frozen(name: str, state: Any) -> Any:
    """Return a state, unless its next step could change the one before."""
    waiting = [state]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _CHANGING):
            kind = type(one).__name__
            raise StateError(
                f"the state of the callback '{name}' "
                + ("is" if one is state else "holds")
                + f" a {kind}, which can change.",
                expected="a value that stays as it is",
                got=kind,
                at=name,
                fix="use a tensor" if kind == "ndarray" else "use a tuple, pvector or pmap",
            )
        waiting.extend(_below(one))
    return state


def _check_copied(name: str, state: Any, *weights: Mapping[str, Tensor]) -> None:
    """Refuse a state that holds memory of the weights, which go on changing."""
    kept = {_memory(tensor) for _, tensor in _tensors(state)} - {0}
    if kept and any(_memory(tensor) in kept for one in weights for tensor in one.values()):
        raise StateError(
            f"the callback '{name}' keeps a tensor of the weights.",
            expected="a copy",
            got="the tensor that training goes on with",
            at=name,
            fix="keep tensor.clone()",
        )


def _memory(tensor: Tensor) -> int:
    """Return where the memory of a tensor begins, also where it shows only a part of it."""
    return tensor.untyped_storage().data_ptr()


def _state_of(name: str, states: States) -> Any:
    if name not in states:
        raise StateError(
            f"the state of training knows no callback '{name}'.",
            expected=f"a state for '{name}'",
            got=_listed(sorted(states)) or "no callbacks",
            fix="start from initial_state(run, key, numerics) of the run with this callback",
        )
    return states[name]


_DIALS = ("settings", "frozen", "stopped")
_READ = tuple(a.name for a in fields_of(Moment) if a.name not in _DIALS)


def _moment(name: str, result: Any, before: Moment) -> tuple[Any, Moment]:
    fits = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Moment)
    if not fits:
        raise StateError(
            f"the callback '{name}' does not return a state and a moment.",
            expected="(state, moment)",
            got=type(result).__name__,
            at=name,
            fix="return state, moment",
        )
    state, after = result
    if after is before:
        return state, before
    changed = [f for f in _READ if _differs(getattr(after, f), getattr(before, f))]
    if changed:
        raise StateError(
            f"the callback '{name}' changes '{changed[0]}' of the moment.",
            expected="only " + ", ".join(_DIALS),
            got=changed[0],
            at=name,
            fix="use moment.with_settings(...), .with_frozen(...) or .stop()",
        )
    return state, evolve(before, **{dial: getattr(after, dial) for dial in _DIALS})


def _differs(after: Any, before: Any) -> bool:
    return after is not before and not (isinstance(before, int | float | str) and after == before)


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


def _check_alike(
    name: str, before: Gradients, after: Mapping[str, Any], what: str = "a gradient"
) -> None:
    if set(before) != set(after):
        missing, added = (
            sorted(set(before) - set(after)),
            sorted(map(str, set(after) - set(before))),
        )
        raise StateError(
            f"the callback '{name}' returns {what.split()[1]}s of other parameters."
            if what == "a gradient"
            else f"the callback '{name}' returns other weights.",
            expected=_listed(sorted(before)),
            got=f"without {_listed(missing)}" if missing else f"also {_listed(added)}",
            fix="return one gradient for every name that came in; zeros hold a parameter still"
            if what == "a gradient"
            else "return one tensor for every name that came in",
        )
    for key, tensor in before.items():
        if _form(after[key]) != _form(tensor):
            raise StateError(
                f"the callback '{name}' returns another kind of {what.split()[1]} for '{key}'.",
                expected=_form(tensor),
                got=_form(after[key]),
                at=name,
                fix=f"keep shape, dtype and device of every {what.split()[1]}",
            )


def _form(tensor: Any) -> str:
    if not isinstance(tensor, Tensor):
        return type(tensor).__name__
    return f"{list(tensor.shape)}, {tensor.dtype}, {tensor.device}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
