"""Training only some parameters at first, and more of them later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from pyrsistent import pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.core.parameter import REQUIRED, Check, parameter
from fpipe.core.value import descriptor
from fpipe.optim.groups import matches
from fpipe.train.callback import Callback
from fpipe.train.moment import Moment

Times: TypeAlias = tuple[tuple[int, str], ...]
"""When, and the pattern of what is learned from then on."""


def as_pattern(given: Any) -> Any:
    """Return patterns as one: several stand beside each other, None matches nothing (a converter).

    Example:
        >>> as_pattern(["head.*", "*.bias"]), as_pattern(None)
        ('head.*|*.bias', '')
    """
    if given is None:
        return ""
    return "|".join(given) if isinstance(given, list | tuple) else given


def as_times(given: Any) -> Any:
    """Return a dict from when to patterns as pairs in order of time (a converter).

    Example:
        >>> as_times({5: "*", 2: ["a.*", "b.*"]})
        ((2, 'a.*|b.*'), (5, '*'))
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    return tuple(sorted((when, as_pattern(patterns)) for when, patterns in pairs))


def _is_time(x: Any) -> bool:
    if not (isinstance(x, tuple) and len(x) == 2):
        return False
    counted = isinstance(x[0], int) and not isinstance(x[0], bool) and x[0] >= 1
    return counted and isinstance(x[1], str) and bool(x[1])


_TIMES = Check(
    'a dict from a number of at least 1 to a pattern of parameter names, such as {3: "*"}',
    lambda x: isinstance(x, tuple) and all(map(_is_time, x)) and len(dict(x)) == len(x),
)

_PATTERN = Check(
    'a pattern of parameter names, such as "head.*", or a list of them; None for no parameter',
    lambda x: isinstance(x, str),
)


@descriptor
class Unfreeze(Callback):
    """Learns only some parameters at first, and more of them from given times on.

    In a pattern ``*`` stands for any text, ``?`` for one character and ``|`` for either; all else
    is the full name of a parameter. A frozen parameter and what the optimizer remembers of it
    stay as they are, to the bit, and a layer all of whose parameters are frozen behaves as
    outside of training. What is frozen at a time is ``frozen`` of the state of training.

    Args:
        trained: patterns of the parameters that are learned from the beginning; ``"*"`` for all,
            None for none.
        epochs: number of an epoch, from 1 → patterns of what is learned as well from then on.
        batches: number of a batch, from 1 over the whole run → likewise.

    Example:
        >>> later = Unfreeze("head.*", epochs={3: "body.linear.*", 5: "*"})
        >>> later.epochs
        ((3, 'body.linear.*'), (5, '*'))

    Source:
        Howard and Ruder 2018, section 3.3 (gradual unfreezing).
    """

    name: ClassVar[str] = "unfreeze"
    foreign: ClassVar[bool] = False

    trained: str = parameter(default=REQUIRED, check=_PATTERN, convert=as_pattern)
    epochs: Times = parameter(default=(), check=_TIMES, convert=as_times)
    batches: Times = parameter(default=(), check=_TIMES, convert=as_times)

    def check_names(self, names: tuple[str, ...]) -> None:
        """Every pattern must match something.

        Raises:
            ParameterError: a pattern matches no parameter.
        """
        given = [(self.trained, "trained")] if self.trained not in ("", REQUIRED) else []
        given += [(pattern, f"epochs[{when}]") for when, pattern in self.epochs]
        given += [(pattern, f"batches[{when}]") for when, pattern in self.batches]
        for patterns, place in given:
            for pattern in patterns.split("|"):
                _check_matches(pattern, names, place)

    def on_begin(self, state: None, moment: Moment) -> tuple[None, Moment]:
        """Freeze what is not trained from the beginning; every pattern must match something.

        Where it joins a run that goes on, what would have been released by now is not frozen.

        Raises:
            ParameterError: a pattern matches no parameter.
        """
        names = tuple(sorted(moment.params))
        self.check_names(names)
        frozen = (name for name in names if not matches(self.trained, name))
        begun = moment.with_frozen(moment.frozen.union(frozen))
        for times, now in ((self.epochs, moment.epoch), (self.batches, moment.step)):
            for when, _ in times:
                begun = _released(begun, times, when) if when <= now else begun
        return state, begun

    def on_epoch_begin(self, state: None, moment: Moment) -> tuple[None, Moment]:
        """Release what is due in this epoch."""
        return state, _released(moment, self.epochs, moment.epoch)

    def on_batch_begin(self, state: None, moment: Moment) -> tuple[None, Moment]:
        """Release what is due with this batch."""
        return state, _released(moment, self.batches, moment.step + 1)


def unfreeze(
    trained: Any = REQUIRED,
    *,
    epochs: Mapping[int, Any] = pmap(),
    batches: Mapping[int, Any] = pmap(),
) -> Unfreeze:
    """Learn only some parameters at first, and more of them from given times on.

    Args:
        trained: patterns of the parameters that are learned from the beginning, over their full
            names: ``"head.*"``, a list of patterns, ``"*"`` for all, None for none.
        epochs: number of an epoch, from 1 → patterns of what is learned as well from then on.
        batches: number of a batch, from 1 over the whole run → likewise.

    Raises:
        ParameterError: a value is not accepted; once the network is known, a pattern matches none
            of its parameters.

    Example:
        >>> unfreeze("head.*", epochs={3: "*"})
        Unfreeze(trained='head.*', epochs=((3, '*'),), batches=())
    """
    make: Callable[..., Unfreeze] = Unfreeze
    return make(trained, epochs, batches)


def _released(moment: Moment, times: Times, now: int) -> Moment:
    for when, pattern in times:
        if when == now:
            return moment.with_frozen(n for n in moment.frozen if not matches(pattern, n))
    return moment


def _check_matches(pattern: str, names: tuple[str, ...], place: str) -> None:
    if any(matches(pattern, name) for name in names):
        return
    raise ParameterError(
        f"unfreeze: the pattern '{pattern}' matches no parameter.",
        expected="a pattern of " + (", ".join(names) or "names; the network has no parameters"),
        got=f"{place}: {pattern!r}",
        fix=did_you_mean(pattern, {*names, *(f"{name.rpartition('.')[0]}.*" for name in names)}),
        pattern=pattern,
    )
