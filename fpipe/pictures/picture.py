"""The picture that suits a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fpipe.core.errors import ParameterError, did_you_mean
from fpipe.data.kind import Classification
from fpipe.data.prediction import Prediction
from fpipe.data.task import Task
from fpipe.evaluate.resample import ResampleResult
from fpipe.graph.fitted import Fitted
from fpipe.nn.training import TrainedModel
from fpipe.pictures.calibration import calibration
from fpipe.pictures.canvas import Figure
from fpipe.pictures.classes import confusion
from fpipe.pictures.curve import learning_curve
from fpipe.pictures.grid import images
from fpipe.pictures.numbers import residuals, response
from fpipe.pictures.receiver import pr, roc
from fpipe.pictures.subject import parts_of
from fpipe.train.state import TrainState

KINDS: dict[str, Callable[..., Figure]] = {
    "learning_curve": learning_curve,
    "roc": roc,
    "pr": pr,
    "calibration": calibration,
    "confusion": confusion,
    "response": response,
    "residuals": residuals,
    "images": images,
}
"""Every picture, by name."""


def plot(value: Any, kind: str | None = None, *, title: str | None = None) -> Figure:
    """Draw the picture that suits a value.

    Neither pyplot nor a backend nor any setting of the process is touched.

    Args:
        value: a fitted graph, a trained model or a training state (learning curve), a prediction
            or the result of resampling (ROC curve for two classes, confusion for more,
            predicted against true numbers for a regression), a task (its images; each in
            several epochs where they are augmented).
        kind: where another picture than the usual one is wanted: ``"learning_curve"``; of
            classes ``"roc"``, ``"pr"`` (precision against recall), ``"calibration"`` or
            ``"confusion"``; of numbers ``"response"`` (predicted against true) or
            ``"residuals"``; of a task ``"images"``.
        title: a title to show.

    Returns:
        a ``matplotlib.figure.Figure``; ``figure.savefig("name.png")`` writes it.

    Raises:
        ParameterError: nothing is drawn of such a value, the kind is unknown or does not suit
            it, or matplotlib is not installed.
        DataError: what the picture needs is not there, such as the truth.
    """
    chosen = _usual(value) if kind is None else kind
    if not isinstance(chosen, str) or chosen not in KINDS:
        raise ParameterError(
            f"there is no picture '{chosen}'.",
            expected=", ".join(KINDS),
            got=repr(kind),
            fix=did_you_mean(str(chosen), KINDS),
        )
    return KINDS[chosen](value, title=title)


def _usual(value: Any) -> str:
    if isinstance(value, Fitted | TrainedModel | TrainState):
        return "learning_curve"
    if isinstance(value, Task):
        return "images"
    if not isinstance(value, Prediction | ResampleResult):
        raise ParameterError(
            f"nothing is drawn of a {type(value).__name__}.",
            expected="a Fitted, TrainedModel, TrainState, Prediction, ResampleResult or Task",
            got=type(value).__name__,
            fix="pass what fp.fit, fp.predict or fp.resample returns, or a task of images",
        )
    kind = parts_of(value)[0].kind
    if not isinstance(kind, Classification):
        return "response"
    return "roc" if kind.binary else "confusion"
