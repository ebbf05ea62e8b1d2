"""From gradients of batches to one update: accumulation, scaling, callbacks, optimizer.

Both interpreters use these functions, so that they cannot differ here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pyrsistent import pmap
from torch import Tensor

from fpipe.measure.loss import Loss
from fpipe.optim.live import LiveOptimizer
from fpipe.train.callback import Named, staged
from fpipe.train.gradient import Gradient
from fpipe.train.scaling import LossScale, all_finite
from fpipe.train.stages import States, after_backward, after_step
from fpipe.train.state import Pending, Weights

Grads = Mapping[str, Tensor | None]


class Updated(NamedTuple):
    """What an update changes besides the parameters."""

    callbacks: States
    scale: LossScale | None


def pended(pending: Pending | None, found: Gradient) -> Pending:
    """Return the gradients that wait for an update, with those of one more batch."""
    before = Pending(pmap(), 0.0) if pending is None else pending
    grads = dict(before.grads)
    for name, grad in found.grads.items():
        if grad is not None:
            weighed = grad * found.share
            grads[name] = grads[name] + weighed if name in grads else weighed
    return Pending(pmap(grads), before.share + found.share)


def joined(pending: Pending, loss: Loss, names: Iterable[str], frozen: Collection[str]) -> Grads:
    """Return the gradient of the loss over all batches that waited.

    For a mean that is the mean weighed by the batches' shares, as if they were one batch.

    Args:
        pending: what waited.
        loss: the loss.
        names: of the parameters.
        frozen: names of those that are not learned now; what waited for them is dropped.
    """
    by = 1.0 if loss.reduction == "sum" else pending.share or 1.0
    waited = {n: g for n, g in pending.grads.items() if n not in frozen}
    return {name: waited[name] / by if name in waited else None for name in names}


def update(
    live: LiveOptimizer,
    grads: Grads,
    callbacks: Named,
    states: States,
    buffers: Mapping[str, Tensor],
    scale: LossScale | None,
) -> Updated:
    """Update the private parameters; gradients that are not finite are left out with a scale.

    Args:
        live: the optimizer with its parameters.
        grads: a gradient per parameter; None leaves it alone.
        callbacks: the callbacks with their ids, in order.
        states: their states by id.
        buffers: the buffers after the batch.
        scale: what the loss was scaled by, or None.
    """
    finite = scale is None or all_finite(grads)
    if finite:
        states, changed = after_backward(callbacks, states, grads)
        live.step(changed)
        if staged(callbacks, "after_step"):
            params = {name: leaf.detach() for name, leaf in live.leaves.items()}
            seen = Weights(pmap(params), pmap(buffers))
            states = after_step(callbacks, states, seen)
    return Updated(states, None if scale is None else scale.after(finite))
