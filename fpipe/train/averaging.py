"""Averages of the weights along training, which are judged and kept in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from pyrsistent import PMap, pmap
from torch import Tensor

from fpipe.core.parameter import boolean, integer, number, one_of, parameter, real
from fpipe.core.tree import items
from fpipe.core.value import descriptor, evolve, value
from fpipe.train.callback import Callback
from fpipe.train.moment import Moment
from fpipe.train.state import Weights

Mean = Callable[[Tensor, Tensor], Tensor]
"""From an average and the next tensor to the next average, a new tensor."""


@value
class Averaged:
    """What an average of weights remembers.

    Args:
        seen: weights that have passed: updates, or epochs.
        taken: how many of them are in the average.
        weights: the average; None before the first.
    """

    seen: int = 0
    taken: int = 0
    weights: Weights | None = None


@descriptor
class Averaging(Callback):
    """An average of the weights along training, that stands in for them where they are judged.

    Validation scores, early stopping, the best weights and predictions are those of the average;
    training goes on with the weights themselves. Numbers that are no floats (counts) are taken
    from the latest weights.

    Args:
        start: the first update (or epoch) whose weights are taken, from 1; before that the
            present weights are judged.
        every: after how many updates (or epochs) they are taken again.
        buffers: whether buffers, such as the running statistics of batch normalisation, are
            averaged too; else those of the present weights are used.
    """

    start: int = parameter(default=1, check=integer(1), kw_only=True)
    every: int = parameter(default=1, check=integer(1), kw_only=True)
    buffers: bool = parameter(default=True, check=boolean(), kw_only=True)

    def init(self, params: Mapping[str, Tensor]) -> Averaged:
        """No average yet."""
        del params
        return Averaged()

    def evaluated(self, state: Averaged, weights: Weights) -> Weights:
        """Return the average; the weights themselves before there is one."""
        if state.weights is None:
            return weights
        if not self.buffers:
            return evolve(weights, params=state.weights.params)
        return state.weights

    def mean(self, taken: int) -> Mean:
        """Return how the next tensor joins an average of so many."""
        raise NotImplementedError

    def passed(self, state: Averaged, weights: Weights) -> Averaged:
        """Return the state after some weights have passed, taken or not.

        Args:
            state: the state before.
            weights: the weights; only copies of them are kept.
        """
        seen = state.seen + 1
        if seen < self.start or (seen - self.start) % self.every:
            return evolve(state, seen=seen)
        buffers = weights.buffers if self.buffers else pmap()
        if state.weights is None:
            first = Weights(_mapped(_copy, weights.params), _mapped(_copy, buffers))
            return Averaged(seen, 1, first)
        mean = self.mean(state.taken)
        average = Weights(
            _joined(mean, state.weights.params, weights.params),
            _joined(mean, state.weights.buffers, buffers),
        )
        return Averaged(seen, state.taken + 1, average)


@descriptor
class EMA(Averaging):
    """The exponential moving average of the weights over the updates.

    The first weights that are taken are the first average; from then on an average a and
    weights w make ``decay * a + (1 - decay) * w``.

    Args:
        decay: share of the average that is kept, from 0 to 1.
        start: the first update whose weights are taken, from 1; before that the present weights
            are judged.
        every: after how many updates they are taken again.
        buffers: whether buffers, such as the running statistics of batch normalisation, are
            averaged too; else those of the present weights are used.

    Example:
        >>> average, state = EMA(0.75), Averaged()
        >>> for x in (0.0, 4.0, 0.0):
        ...     weights = Weights(pmap({"w": torch.tensor([x])}), pmap())
        ...     state = average.after_step(state, weights)
        >>> average.evaluated(state, weights).params["w"]
        tensor([0.7500])

    Source:
        Polyak and Juditsky 1992; ``torch.optim.swa_utils.get_ema_multi_avg_fn``.
    """

    name: ClassVar[str] = "ema"
    foreign: ClassVar[bool] = False

    decay: float = parameter(default=0.999, check=number(0.0, 1.0), convert=real)

    def after_step(self, state: Averaged, weights: Weights) -> Averaged:
        """Take the new weights in."""
        return self.passed(state, weights)

    def mean(self, taken: int) -> Mean:
        """Return the exponential mean."""
        del taken
        return lambda average, new: torch.lerp(average, new, 1.0 - self.decay)


@descriptor
class SWA(Averaging):
    """The plain mean of the weights over epochs, or over updates.

    Args:
        start: the first epoch (or update) whose weights are taken, from 1; before that the
            present weights are judged.
        every: after how many epochs (or updates) they are taken again.
        per: ``"epoch"`` for the weights at the end of epochs, ``"batch"`` for those after updates.
        buffers: whether buffers, such as the running statistics of batch normalisation, are
            averaged too; else those of the present weights are used.

    Example:
        >>> average, state = SWA(start=2, per="batch"), Averaged()
        >>> for x in (9.0, 4.0, 0.0):
        ...     weights = Weights(pmap({"w": torch.tensor([x])}), pmap())
        ...     state = average.after_step(state, weights)
        >>> average.evaluated(state, weights).params["w"]
        tensor([2.])

    Source:
        Izmailov et al. 2018; ``torch.optim.swa_utils.AveragedModel``.
    """

    name: ClassVar[str] = "swa"
    foreign: ClassVar[bool] = False

    per: str = parameter(default="epoch", check=one_of("epoch", "batch"), kw_only=True)

    def after_step(self, state: Averaged, weights: Weights) -> Averaged:
        """Take the new weights in, where updates count."""
        return self.passed(state, weights) if self.per == "batch" else state

    def on_epoch_end(self, state: Averaged, moment: Moment) -> tuple[Averaged, Moment]:
        """Take the weights at the end of the epoch in, where epochs count."""
        if self.per == "batch":
            return state, moment
        weights = Weights(pmap(moment.params), pmap(moment.buffers))
        return self.passed(state, weights), moment

    def mean(self, taken: int) -> Mean:
        """Return the mean of one more."""
        return lambda average, new: average + (new - average) / (taken + 1)


def ema(decay: float = 0.999, *, start: int = 1, every: int = 1, buffers: bool = True) -> EMA:
    """Judge and keep the exponential moving average of the weights over the updates.

    Args:
        decay: share of the average that is kept, from 0 to 1.
        start: the first update whose weights are taken, from 1.
        every: after how many updates they are taken again.
        buffers: whether buffers are averaged too; else those of the present weights are used.

    Raises:
        ParameterError: a value is not accepted.

    Example:
        >>> ema(0.99, start=100).decay
        0.99
    """
    return EMA(decay, start=start, every=every, buffers=buffers)


def swa(*, start: int = 1, every: int = 1, per: str = "epoch", buffers: bool = True) -> SWA:
    """Judge and keep the plain mean of the weights over epochs, or over updates.

    Args:
        start: the first epoch (or update) whose weights are taken, from 1.
        every: after how many epochs (or updates) they are taken again.
        per: ``"epoch"`` or ``"batch"``.
        buffers: whether buffers are averaged too; else those of the present weights are used.

    Raises:
        ParameterError: a value is not accepted.

    Example:
        >>> swa(start=10).per
        'epoch'
    """
    return SWA(start=start, every=every, per=per, buffers=buffers)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _mapped(function: Callable[[Tensor], Tensor], tensors: Any) -> PMap[str, Tensor]:
    return pmap({name: function(tensor) for name, tensor in items(tensors)})


def _joined(
    mean: Mean, average: Mapping[str, Tensor], new: Mapping[str, Tensor]
) -> PMap[str, Tensor]:
    found = {}
    for name, tensor in items(average):
        floats = tensor.is_floating_point() or tensor.is_complex()
        found[name] = mean(tensor, new[name].detach()) if floats else _copy(new[name])
    return pmap(found)
