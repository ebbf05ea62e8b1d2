"""Losses: what training minimizes, as values over torch, by their standard names."""

from __future__ import annotations

from pyrsistent import pmap

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.measure.losses.contract import Kind, Loss
from fpipe.measure.losses.distance import AbsoluteError, Huber, MeanSquaredError, Quantile
from fpipe.measure.losses.entropy import BinaryCrossEntropy, CrossEntropy, WeightedCrossEntropy
from fpipe.measure.losses.own import OwnLoss, own_loss

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Huber",
    "Kind",
    "Loss",
    "MeanSquaredError",
    "OwnLoss",
    "Quantile",
    "WeightedCrossEntropy",
    "loss",
    "own_loss",
]

LOSSES: tuple[Loss, ...] = (
    MeanSquaredError(),
    AbsoluteError(),
    Huber(),
    Quantile(),
    CrossEntropy(),
    BinaryCrossEntropy(),
)
"""Every loss with a standard name, with its defaults."""


_OTHERWISE = pmap(
    {
        "absolute_error": "l1",
        "l1_loss": "l1",
        "mae": "l1",
        "mean_absolute_error": "l1",
        "l2": "mse",
        "mean_squared_error": "mse",
        "mse_loss": "mse",
        "smooth_l1": "huber",
        "pinball": "quantile",
        "bce_with_logits": "bce",
        "binary_cross_entropy": "bce",
        "binary_crossentropy": "bce",
        "logistic": "bce",
        "categorical_crossentropy": "cross_entropy",
        "ce": "cross_entropy",
        "log_loss": "cross_entropy",
        "nll": "cross_entropy",
        "nll_loss": "cross_entropy",
    }
)
"""What losses are called elsewhere."""


def loss(name: str) -> Loss:
    """Return the loss of a standard name.

    Raises:
        ParameterError: there is no loss of that name.

    Example:
        >>> loss("mse")
        MeanSquaredError(reduction='mean')
    """
    known = {each.name: each for each in LOSSES}
    if name not in known:
        other = _OTHERWISE.get(name)
        raise ParameterError(
            f"there is no loss {name!r}.",
            expected=", ".join(known),
            got=repr(name),
            fix=f"did you mean '{other}'?" if other else did_you_mean(str(name), known),
        )
    return known[name]
