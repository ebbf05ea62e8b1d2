"""Schedules by name."""

from __future__ import annotations

from fpipe.optim.cosine import CosineAnnealing, CosineWarmRestarts
from fpipe.optim.cycles import Cyclic, OneCycle
from fpipe.optim.decays import Constant, Exponential, Linear, MultiStep, Polynomial, Steps
from fpipe.optim.factors import Lambda, Multiplicative
from fpipe.optim.plateau import Plateau
from fpipe.optim.schedule import Schedule
from fpipe.optim.sequence import Sequence
from fpipe.optim.wrapped import TorchSchedule

SCHEDULES: tuple[type[Schedule], ...] = (
    CosineAnnealing,
    CosineWarmRestarts,
    Lambda,
    Multiplicative,
    Steps,
    MultiStep,
    Exponential,
    Linear,
    Constant,
    Polynomial,
    Cyclic,
    OneCycle,
    Sequence,
    TorchSchedule,
)
"""Every schedule that follows steps, by class; `Plateau` follows scores."""

__all__ = [
    "SCHEDULES",
    "Constant",
    "CosineAnnealing",
    "CosineWarmRestarts",
    "Cyclic",
    "Exponential",
    "Lambda",
    "Linear",
    "MultiStep",
    "Multiplicative",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "Sequence",
    "Steps",
    "TorchSchedule",
]
