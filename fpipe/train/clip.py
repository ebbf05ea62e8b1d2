"""Clipping of gradients: by their total norm, or entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pyrsistent import PVector, pvector
from torch import Tensor

from fpipe.core.parameter import REQUIRED, Check, number, parameter
from fpipe.core.value import descriptor
from fpipe.train.callback import Callback, Gradients

_EPS = 1e-6
"""What torch adds to the norm, so that it can divide by it."""


def _is_order(x: Any) -> bool:
    return isinstance(x, float) and x > 0.0


def _float(x: Any) -> Any:
    return float(x) if isinstance(x, int) and not isinstance(x, bool) else x


@descriptor
class ClipGradients(Callback):
    """Scales all gradients down where their total norm is above a bound.

    With the total norm n of all gradients taken as one vector, every gradient is multiplied by
    ``min(1, max_norm / (n + 1e-6))``. The state is the vector of the norms before clipping, one
    per step.

    Args:
        max_norm: the largest total norm that is let through, above 0.
        norm_type: order p of the norm, above 0; ``math.inf`` for the largest entry.

    Example:
        >>> clip = ClipGradients(1.0)
        >>> norms, clipped = clip.after_backward(clip.init({}), {"w": torch.tensor([3.0, 4.0])})
        >>> norms, [round(x, 4) for x in clipped["w"].tolist()]
        (pvector([5.0]), [0.6, 0.8])

    Source:
        Pascanu, Mikolov and Bengio 2013; ``torch.nn.utils.clip_grad_norm_``.
    """

    name: ClassVar[str] = "clip_gradients"
    foreign: ClassVar[bool] = False

    max_norm: float = parameter(default=REQUIRED, check=number(0.0, above=True), convert=_float)
    norm_type: float = parameter(
        default=2.0, check=Check("a number above 0, or math.inf", _is_order), convert=_float
    )

    def init(self, params: Mapping[str, Tensor]) -> PVector[float]:
        """No norm yet."""
        del params
        return pvector()

    def after_backward(
        self, state: PVector[float], gradients: Gradients
    ) -> tuple[PVector[float], Gradients]:
        """Append the norm and scale the gradients."""
        norm = torch.nn.utils.get_total_norm(list(gradients.values()), self.norm_type)
        factor = torch.clamp(self.max_norm / (norm + _EPS), max=1.0)
        clipped = {name: tensor * factor.to(tensor.device) for name, tensor in gradients.items()}
        return state.append(norm.item()), clipped


@descriptor
class ClipValues(Callback):
    """Clamps every entry of every gradient into an interval around 0.

    Args:
        max_value: the largest absolute value that is let through, above 0.

    Example:
        >>> clip = ClipValues(1.0)
        >>> clip.after_backward(None, {"w": torch.tensor([0.5, -4.0])})[1]["w"]
        tensor([ 0.5000, -1.0000])

    Source:
        ``torch.nn.utils.clip_grad_value_``.
    """

    name: ClassVar[str] = "clip_values"
    foreign: ClassVar[bool] = False

    max_value: float = parameter(default=REQUIRED, check=number(0.0, above=True), convert=_float)

    def after_backward(self, state: None, gradients: Gradients) -> tuple[None, Gradients]:
        """Clamp the gradients."""
        bound = self.max_value
        return state, {name: tensor.clamp(-bound, bound) for name, tensor in gradients.items()}


def clip_gradients(max_norm: float = REQUIRED, norm_type: float = 2.0) -> ClipGradients:
    """Clip gradients by their total norm, and remember the norms.

    Args:
        max_norm: the largest total norm that is let through, above 0.
        norm_type: order p of the norm, above 0; ``math.inf`` for the largest entry.

    Raises:
        ParameterError: a value is not accepted.

    Example:
        >>> clip_gradients(5.0)
        ClipGradients(max_norm=5.0, norm_type=2.0)
    """
    return ClipGradients(max_norm, norm_type)


def clip_values(max_value: float = REQUIRED) -> ClipValues:
    """Clamp every entry of every gradient into an interval around 0.

    Args:
        max_value: the largest absolute value that is let through, above 0.

    Raises:
        ParameterError: a value is not accepted.

    Example:
        >>> clip_values(0.5)
        ClipValues(max_value=0.5)
    """
    return ClipValues(max_value)
