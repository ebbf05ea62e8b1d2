"""Callbacks: values that take part in training.

A callback is a frozen class that derives from `Callback`. Its fields are hyper-parameters, what
it remembers is a state that it returns, and each stage is a pure function.

Example:
    Clipping gradients, written by hand, as `clip_gradients` does it:

    >>> import torch
    >>> from pyrsistent import pvector
    >>> import fpipe as fp
    >>> from fpipe import callbacks, nn
    >>> @callbacks.descriptor
    ... class GradientClipper(callbacks.Callback):
    ...     max_norm: float
    ...     norm_type: float = 2.0
    ...     def init(self, params):
    ...         return pvector()
    ...     def after_backward(self, norms, gradients):
    ...         norm = torch.nn.utils.get_total_norm(gradients.values(), self.norm_type)
    ...         factor = (self.max_norm / (norm + 1e-6)).clamp(max=1.0)
    ...         return norms.append(norm.item()), {k: g * factor for k, g in gradients.items()}

    >>> task = fp.regression({"x": [1.0, 3.0, 4.0], "y": [1.0, 2.0, 3.0]}, "y")
    >>> graph = (
    ...     nn.ingress_numeric() >> nn.head() >> nn.loss("mse") >> nn.optimizer("sgd", lr=0.01)
    ...     >> nn.callbacks(GradientClipper(max_norm=0.1)) >> nn.model(epochs=2)
    ... )
    >>> fitted = fp.fit(graph, task, key=fp.key(0))
    >>> len(fitted.state("model").callbacks["gradient_clipper"])
    2
"""

from fpipe.core.parameter import parameter
from fpipe.core.value import descriptor
from fpipe.train.averaging import EMA, SWA, ema, swa
from fpipe.train.callback import Callback
from fpipe.train.clip import ClipGradients, ClipValues, clip_gradients, clip_values
from fpipe.train.following import FollowSchedule, FollowScore
from fpipe.train.moment import Moment
from fpipe.train.rate_cycles import (
    lr_cyclic,
    lr_one_cycle,
    lr_reduce_on_plateau,
    lr_scheduler,
    lr_sequence,
)
from fpipe.train.rates import (
    lr_constant,
    lr_cosine_annealing,
    lr_cosine_warm_restarts,
    lr_exponential,
    lr_lambda,
    lr_linear,
    lr_multi_step,
    lr_multiplicative,
    lr_polynomial,
    lr_step,
)
from fpipe.train.state import Weights
from fpipe.train.unfreeze import Unfreeze, unfreeze

__all__ = [
    "EMA",
    "SWA",
    "Callback",
    "ClipGradients",
    "ClipValues",
    "FollowSchedule",
    "FollowScore",
    "Moment",
    "Unfreeze",
    "Weights",
    "clip_gradients",
    "clip_values",
    "descriptor",
    "ema",
    "lr_constant",
    "lr_cosine_annealing",
    "lr_cosine_warm_restarts",
    "lr_cyclic",
    "lr_exponential",
    "lr_lambda",
    "lr_linear",
    "lr_multi_step",
    "lr_multiplicative",
    "lr_one_cycle",
    "lr_polynomial",
    "lr_reduce_on_plateau",
    "lr_scheduler",
    "lr_sequence",
    "lr_step",
    "parameter",
    "swa",
    "unfreeze",
]
