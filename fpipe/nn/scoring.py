"""Scores of a network's outputs while it is trained, in the user's units."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fpipe.core.errors import DataError
from fpipe.core.value import value
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task
from fpipe.nn.predicting import predicted
from fpipe.train.state import Seen


@value
class Scorer:
    """Scores of the network's outputs on the validation rows.

    Args:
        task: the validation rows.
        measures: names of measures.
    """

    task: Task
    measures: tuple[str, ...]

    def __call__(self, outputs: Tensor) -> dict[str, float]:
        """Return the scores by name."""
        return scores_of(predicted(self.task, outputs), self.measures)


@value
class TrainScorer:
    """Scores of what the network gave for training rows during an epoch.

    Args:
        task: the training rows.
        measures: names of measures.
    """

    task: Task
    measures: tuple[str, ...]

    def __call__(self, seen: Sequence[Seen]) -> dict[str, float]:
        """Return the scores by name; each row counts with the weights that it met."""
        rows = np.concatenate([positions for positions, _ in seen])
        outputs = torch.cat([output for _, output in seen])
        return scores_of(predicted(self.task.take(rows), outputs), self.measures)


def scores_of(prediction: Prediction, measures: Sequence[str]) -> dict[str, float]:
    """Return scores by name; NaN where a measure is undefined on these rows.

    A score that cannot be had ends no training: early stopping takes NaN for no score.
    """
    found = {}
    for name in measures:
        try:
            found[name] = prediction.score(name)
        except DataError:
            found[name] = math.nan
    return found
