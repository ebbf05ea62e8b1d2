"""From a network's outputs to a prediction, and from a task to tensors."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import torch
from pyrsistent import pmap
from torch import Tensor

from fpipe.core.errors import DataError, ShapeError
from fpipe.core.tree import items
from fpipe.data.kind import Classification, Kind
from fpipe.data.prediction import Prediction, predicted_classes, predicted_numbers
from fpipe.data.task import Task
from fpipe.nn.descriptor import ModelDescriptor
from fpipe.nn.encoding import encode
from fpipe.train.feeding import LazyInput, held
from fpipe.train.run import Examples

_NUMBERS_AT_ONCE = 2**22


def rows_at_once(md: ModelDescriptor) -> int:
    """Return how many rows are predicted at once: 1024, or fewer where rows are large."""
    sizes = [i.input.shape[1:] for i in md.ingress.values()]
    numbers = sum(math.prod(n or 1 for n in size) for size in sizes)
    return max(1, min(1024, _NUMBERS_AT_ONCE // max(numbers, 1)))


def examples(
    md: ModelDescriptor, dtype: torch.dtype, device: str = "cpu", policy: str = "lazy"
) -> Examples:
    """Return the rows of a descriptor, as tensors or as what reads them.

    Args:
        md: the descriptor.
        dtype: floating dtype.
        device: where the rows are to be.
        policy: how much of lazy inputs is read already, as in `held`.
    """
    task = subject(md)
    found = {name: encode(ingress, dtype).to(device) for name, ingress in items(md.ingress)}
    inputs = {
        name: held(one, policy) if isinstance(one, LazyInput) else one
        for name, one in found.items()
    }
    target, weights = target_tensor(task, dtype), weight_tensor(task, dtype)
    return Examples(
        pmap(inputs),
        None if target is None else target.to(device),
        None if weights is None else weights.to(device),
        task.n_rows,
    )


def subject(md: ModelDescriptor) -> Task:
    """Return the task that a descriptor is over.

    Raises:
        DataError: it has none.
    """
    if not isinstance(md.subject, Task):
        raise DataError(
            "the network is not fed by a task.",
            expected="a network that starts with an ingress",
            got="inputs without a task",
            fix="start it with an ingress",
        )
    return md.subject


def coded_classes(kind: Kind) -> tuple[str, ...]:
    """Return the class names in the order of their codes in targets; none for numbers.

    Of two classes the positive one has code 1.
    """
    if not isinstance(kind, Classification):
        return ()
    if kind.binary and kind.classes[0] == kind.positive:
        return kind.classes[::-1]
    return kind.classes


def target_tensor(task: Task, dtype: torch.dtype) -> Tensor | None:
    """Return the target as losses take it: ``[rows, 1]`` floating, or ``[rows]`` int64 codes."""
    series = task.role("target")
    if series is None or series.null_count():
        return None
    if not isinstance(task.kind, Classification):
        return torch.from_numpy(series.cast(pl.Float64).to_numpy().copy()).to(dtype).reshape(-1, 1)
    if task.kind.binary:
        positive = (series.cast(pl.String) == task.kind.positive).to_numpy()
        return torch.from_numpy(positive.copy()).to(dtype).reshape(-1, 1)
    return torch.from_numpy(series.to_physical().cast(pl.Int64).to_numpy().copy())


def weight_tensor(task: Task, dtype: torch.dtype) -> Tensor | None:
    """Return the row weights, ``[rows]``, or None."""
    series = task.role("weight")
    if series is None:
        return None
    return torch.from_numpy(series.cast(pl.Float64).to_numpy().copy()).to(dtype)


def predicted(task: Task, outputs: Tensor) -> Prediction:
    """Return the prediction that a network's outputs mean.

    A logit of 0 or more means the positive class. Numbers are brought back to the unit of the
    target as the user gave it.

    Args:
        task: the rows.
        outputs: ``[rows, 1]`` or ``[rows, classes]``.

    Raises:
        ShapeError: the outputs have another shape.
    """
    kind = task.kind
    if outputs.ndim != 2 or outputs.shape[1] != kind.output_size:
        raise ShapeError(
            f"the network gives {tuple(outputs.shape)} for a {kind.name}.",
            expected=f"[rows, {kind.output_size}]",
            got=str(tuple(outputs.shape)),
            fix="end the network with nn.head()",
        )
    values = outputs.detach().to(torch.float64).numpy()
    if not isinstance(kind, Classification):
        return predicted_numbers(task, values[:, 0])
    prob = _probabilities(kind, outputs.detach().to(torch.float64))
    return predicted_classes(task, prob, _codes(kind, values))


def _probabilities(kind: Classification, outputs: Tensor) -> np.ndarray:
    if not kind.binary:
        return torch.softmax(outputs, 1).numpy()
    of_positive = torch.sigmoid(outputs[:, 0]).numpy()
    of_other = torch.sigmoid(-outputs[:, 0]).numpy()
    first_positive = kind.classes[0] == kind.positive
    pair = (of_positive, of_other) if first_positive else (of_other, of_positive)
    return np.stack(pair, axis=1)


def _codes(kind: Classification, values: np.ndarray) -> np.ndarray:
    if not kind.binary:
        codes: np.ndarray = values.argmax(axis=1)
        return codes
    positive = kind.classes.index(kind.positive or kind.classes[1])
    return np.where(values[:, 0] >= 0.0, positive, 1 - positive)
