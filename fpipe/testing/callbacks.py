"""Strategies for what takes part in training: optimizers, schedules, callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fpipe.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from fpipe.optim.adaptive import Adadelta, Adafactor, Adagrad, RMSprop, Rprop
from fpipe.optim.cosine import CosineAnnealing, CosineWarmRestarts
from fpipe.optim.cycles import Cyclic, OneCycle
from fpipe.optim.decays import Constant, Exponential, Linear, MultiStep, Polynomial, Steps
from fpipe.optim.factors import Lambda, Multiplicative
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.plateau import Plateau
from fpipe.optim.schedule import Schedule
from fpipe.optim.sequence import Sequence
from fpipe.optim.sgd import ASGD, SGD
from fpipe.optim.wrapped import TorchSchedule
from fpipe.train.averaging import EMA, SWA
from fpipe.train.callback import Callback
from fpipe.train.callback import Named as Callbacks
from fpipe.train.clip import ClipGradients, ClipValues
from fpipe.train.following import FollowSchedule, FollowScore
from fpipe.train.unfreeze import Unfreeze

_YES = st.booleans()
_RATES = st.sampled_from([0.01, 0.1])
_PER = st.sampled_from(["epoch", "batch"])


def optimizers() -> SearchStrategy[Optimizer]:
    """Every optimizer that takes parameters of any shape, with settings that are soon felt."""
    return _OPTIMIZERS


def falling(t: int) -> float:
    """Return a factor that falls with the calls of a schedule."""
    return 1.0 / (1.0 + t)


def schedules(*, momentum: bool = False) -> SearchStrategy[Schedule]:
    """Every schedule, with changes that are felt within a few calls.

    Args:
        momentum: whether there is a momentum that may be cycled.
    """
    cycled = st.just(momentum) if not momentum else _YES
    return st.one_of(
        _RECURRENCES,
        st.builds(CosineWarmRestarts, st.integers(1, 2), st.integers(1, 2)),
        st.builds(Cyclic, st.just(0.01), st.just(0.1), st.integers(1, 2), cycle_momentum=cycled),
        st.builds(OneCycle, st.just(0.1), cycle_momentum=cycled, three_phase=_YES),
        _OTHERS,
    )


def callbacks(names: tuple[str, ...] = (), *, momentum: bool = False) -> SearchStrategy[Callbacks]:
    """Some of all built-in callbacks, in any order.

    Args:
        names: the parameters by full name; without them none is frozen.
        momentum: whether the optimizer has a momentum that may be cycled.
    """
    return _callbacks(names, momentum)


_OPTIMIZERS: SearchStrategy[Optimizer] = st.one_of(
    st.builds(SGD, lr=_RATES, momentum=st.sampled_from([0.0, 0.9])),
    st.builds(Adam, lr=st.just(0.05), amsgrad=_YES),
    st.builds(AdamW, lr=st.just(0.05), weight_decay=st.sampled_from([0.0, 0.1])),
    st.builds(RMSprop, lr=_RATES, momentum=st.sampled_from([0.0, 0.9]), centered=_YES),
    st.sampled_from([Adamax(lr=0.05), NAdam(lr=0.05), RAdam(lr=0.05), Adadelta(), Adagrad(lr=0.1)]),
    st.sampled_from([Rprop(), ASGD(t0=1.0), Adafactor(lr=0.1)]),
)

# Functions, lists and dicts are converted by the classes, which a type checker does not know.
_by_factors: Callable[..., Schedule] = Multiplicative
_by_function: Callable[..., Schedule] = Lambda
_sequence: Callable[..., Schedule] = Sequence
_wrapped: Callable[..., Schedule] = TorchSchedule
_unfreeze: Callable[..., Unfreeze] = Unfreeze

_RECURRENCES: SearchStrategy[Schedule] = st.sampled_from(
    [
        CosineAnnealing(2),
        Steps(2, 0.5),
        MultiStep((1, 3)),
        Exponential(0.5),
        Linear(0.5, total_iters=2),
        Constant(0.5, 2),
        Polynomial(3),
        _by_factors(falling),
    ]
)
"""Schedules that go on from the rate as it is."""

_OTHERS: SearchStrategy[Schedule] = st.sampled_from(
    [
        _by_function(falling),
        _sequence([Linear(0.5, total_iters=2), Exponential(0.5)], [2]),
        _wrapped("torch.optim.lr_scheduler:StepLR", {"step_size": 2}),
    ]
)

_CLIPS: SearchStrategy[list[Callback]] = st.lists(
    st.one_of(
        st.builds(
            ClipGradients,
            max_norm=st.sampled_from([0.05, 1.0, 1e6]),
            norm_type=st.sampled_from([1.0, 2.0, math.inf]),
        ),
        st.builds(ClipValues, st.sampled_from([0.01, 1.0, 1e6])),
    ),
    min_size=1,
    max_size=2,
)

_OF_WEIGHTS: dict[str, SearchStrategy[Any]] = {
    "start": st.integers(1, 3),
    "every": st.integers(1, 2),
    "buffers": _YES,
}

_AVERAGES: SearchStrategy[list[Callback]] = st.lists(
    st.one_of(
        st.builds(EMA, st.sampled_from([0.0, 0.5, 0.9]), **_OF_WEIGHTS),
        st.builds(SWA, per=_PER, **_OF_WEIGHTS),
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def _callbacks(draw: DrawFn, names: tuple[str, ...], momentum: bool) -> Callbacks:
    found: list[tuple[str, Callback]] = []
    if draw(_YES):
        found += [(f"clip{i}", one) for i, one in enumerate(draw(_CLIPS))]
    if draw(_YES):
        found += [(one.name, one) for one in draw(_following(momentum))]
    if len(names) > 0 and draw(_YES):
        found.append(("unfreeze", draw(_unfreezing(names))))
    if draw(_YES):
        found += [(f"average{i}", one) for i, one in enumerate(draw(_AVERAGES))]
    return tuple(draw(st.permutations(found)))


@st.composite
def _following(draw: DrawFn, momentum: bool) -> list[Callback]:
    """A schedule, one that follows a score, or both where they get on with each other."""
    kind = draw(st.integers(0, 3))
    score = FollowScore(
        Plateau(factor=0.5, patience=draw(st.integers(0, 1))),
        draw(st.sampled_from([None, "train.loss"])),
    )
    if kind == 0:
        return [score]
    if kind == 1:
        return [FollowSchedule(draw(_RECURRENCES), draw(_PER)), score]
    return [FollowSchedule(draw(schedules(momentum=momentum)), draw(_PER))]


@st.composite
def _unfreezing(draw: DrawFn, names: tuple[str, ...]) -> Unfreeze:
    patterns = st.sampled_from([*names, "*"])
    times = st.dictionaries(st.integers(1, 5), patterns, max_size=2)
    return _unfreeze(draw(st.one_of(st.just(""), patterns)), draw(times), draw(times))
