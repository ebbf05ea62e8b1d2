"""Learning curves: what history says, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpipe.core.errors import DataError, ParameterError
from fpipe.core.tree import items
from fpipe.evaluate.resample import ResampleResult
from fpipe.graph.fitted import Fitted
from fpipe.graph.op import MacroState
from fpipe.nn.training import TrainedModel
from fpipe.pictures.canvas import BLUE, DASHES, RED, Axes, Figure, canvas, dress, legend
from fpipe.train.state import TrainState

History: TypeAlias = Sequence[Mapping[str, float]]
Line: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
_SIDES = (("train", "training rows", BLUE), ("valid", "validation rows", RED))


def learning_curve(value: Any, *, title: str | None = None) -> Figure:
    """Draw loss and measures against the epoch, one panel for each.

    Of several trainings each is a thin line, and their mean a thick one as far as all of them go.
    Of a single one a dashed line marks the epoch that was judged best.

    Args:
        value: a fitted graph, a trained model, a training state, or the result of
            ``fp.resample(..., keep_fitted=True)``.
        title: a title to show; by default what is drawn.

    Raises:
        ParameterError: the value is none of these, or matplotlib is not installed.
        DataError: nothing was trained, or no epoch is finished.
    """
    states = states_of(value)
    histories = [state.history for state in states]
    names = sorted({n.partition(".")[2] for h in histories for row in h for n in row if "." in n})
    names.sort(key=lambda name: name != "loss")
    size = {"width": 6.0, "height": 4.2} if len(names) == 1 else {"width": 3.6, "height": 3.3}
    figure, panels = canvas(len(names), columns=2, **size)
    for axes, name in zip(panels, names, strict=True):
        for side, label, colour in _SIDES:
            _draw(axes, [_line(h, f"{side}.{name}") for h in histories], label, colour)
        dress(axes, title or _title(name, len(histories)), "epoch", name)
        axes.locator_params(axis="x", integer=True)
        if max(map(len, histories)) == 1:
            axes.set_xlim(0.0, 2.0)
        _mark_best(axes, states)
        legend(axes)
    return figure


def states_of(value: Any) -> list[TrainState]:
    """Return the states of all trainings in a value, at least one, each with a finished epoch.

    Raises:
        ParameterError: the value keeps no training.
        DataError: nothing was trained, or no epoch is finished.
    """
    if not isinstance(value, Fitted | TrainedModel | TrainState | ResampleResult):
        raise ParameterError(
            f"a {type(value).__name__} keeps no history of a training.",
            expected="a Fitted, a TrainedModel, a TrainState or a ResampleResult",
            got=type(value).__name__,
            fix="pass what fp.fit returns",
        )
    if isinstance(value, ResampleResult) and not value.fitted:
        raise DataError(
            "the result has not kept its fitted graphs.",
            expected="a result with fitted graphs",
            got="none",
            fix="fp.resample(..., keep_fitted=True)",
        )
    states = _states(value)
    if not states:
        raise DataError(
            "nothing in it was trained epoch by epoch, so there is no learning curve.",
            expected="a graph with nn.model(epochs=...)",
            got="no training of a network",
            fix="draw what it predicts: fp.plot(fp.predict(fitted, task))",
        )
    found = [state for state in states if state.history]
    if not found:
        raise DataError(
            "there is no finished epoch to draw.",
            expected="a training of at least 1 epoch",
            got="none",
            fix="train with nn.model(epochs=...)",
        )
    return found


def _states(value: Any) -> list[TrainState]:
    if isinstance(value, TrainState):
        return [value]
    if isinstance(value, TrainedModel):
        return [value.state]
    if isinstance(value, ResampleResult):
        return [state for fitted in value.fitted for state in _states(fitted)]
    if isinstance(value, Fitted | MacroState):
        return [state for _, kept in items(value.states) for state in _states(kept)]
    return []


def _line(history: History, name: str) -> Line:
    """Return epochs and values of one figure, where it was measured."""
    known = [row for row in history if math.isfinite(row.get(name, math.nan))]
    return np.array([r["epoch"] for r in known]), np.array([r[name] for r in known])


def _draw(axes: Axes, lines: Sequence[Line], label: str, colour: str) -> None:
    drawn = [(x, y) for x, y in lines if len(x)]
    if len(drawn) == 1:
        dot = "o" if len(drawn[0][0]) == 1 else ""
        axes.plot(*drawn[0], color=colour, linewidth=1.8, marker=dot, label=label)
    elif drawn:
        for x, y in drawn:
            axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.4)
        shared = min(len(x) for x, _ in drawn)
        mean = np.mean([y[:shared] for _, y in drawn], axis=0)
        axes.plot(drawn[0][0][:shared], mean, color=colour, linewidth=2.2, label=f"{label}, mean")


def _mark_best(axes: Axes, states: Sequence[TrainState]) -> None:
    best = states[0].best
    if len(states) == 1 and best is not None:
        axes.axvline(best.epoch, label=f"best, epoch {best.epoch}", **DASHES)


def _title(name: str, count: int) -> str:
    return f"{name} by epoch" if count == 1 else f"{name} by epoch, {count} trainings"
