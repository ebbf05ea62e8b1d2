"""Optimizers by name, and the two of torch.optim that training cannot drive."""

from __future__ import annotations

from collections.abc import Mapping

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from fpipe.optim.adaptive import Adadelta, Adafactor, Adagrad, RMSprop, Rprop
from fpipe.optim.optimizer import Optimizer
from fpipe.optim.sgd import ASGD, SGD, Muon

OPTIMIZERS: tuple[type[Optimizer], ...] = (
    SGD,
    Adam,
    AdamW,
    Adamax,
    NAdam,
    RAdam,
    Adadelta,
    Adagrad,
    RMSprop,
    Rprop,
    ASGD,
    Adafactor,
    Muon,
)
"""Every optimizer, by class: those of torch.optim but for `LEFT_OUT`."""

LEFT_OUT: Mapping[str, str] = {
    "lbfgs": "it evaluates the loss several times in a step, and training gives one gradient",
    "sparse_adam": "it takes sparse gradients, and those of fpipe's layers are dense",
}
"""Optimizers of torch.optim that are not here, and why."""


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the optimizer of a name.

    Raises:
        ParameterError: there is none; for ``"lbfgs"`` and ``"sparse_adam"`` it says why.

    Example:
        >>> optimizer_class("adam")(lr=0.1).lr
        0.1
    """
    known = {cls.name: cls for cls in OPTIMIZERS}
    if name in known:
        return known[name]
    reason = left_out(name)
    raise ParameterError(
        f"there is no optimizer '{name}'" + (f": {reason}." if reason else "."),
        expected=", ".join(sorted(known)),
        got=repr(name),
        fix='nn.optimizer("adam")' if reason else did_you_mean(str(name), known),
    )


def left_out(name: str) -> str | None:
    """Return why an optimizer of torch is not among these, or None for one that is no such.

    Example:
        >>> left_out("LBFGS")[:27]
        'it evaluates the loss sever'
    """
    plain = {known.replace("_", ""): reason for known, reason in LEFT_OUT.items()}
    return plain.get(str(name).lower().replace("_", ""))
