"""An empty figure in the one style that all pictures share."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

from fpipe.core.errors import ParameterError

Figure: TypeAlias = Any
"""A ``matplotlib.figure.Figure``."""

Axes: TypeAlias = Any
"""A ``matplotlib.axes.Axes``."""

BLUE, RED, INK, GRID = "#2f6fb0", "#d1495b", "#333333", "#dddddd"


def canvas(columns: int = 1, *, width: float = 6.0, height: float = 4.2) -> tuple[Figure, Any]:
    """Return a new figure and its axes, side by side; nothing outside the figure is touched.

    Args:
        columns: number of axes.
        width: of each axes, in inches.
        height: in inches.

    Raises:
        ParameterError: matplotlib is not installed.
    """
    try:
        module = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ParameterError(
            "pictures are drawn by matplotlib, which is not installed.",
            expected="matplotlib",
            got=str(error),
            fix="pip install fpipe[plot]",
        ) from error
    figure = module.Figure(
        figsize=(width * columns, height), dpi=120, layout="constrained", facecolor="white"
    )
    axes = [figure.add_subplot(1, columns, i + 1, facecolor="white") for i in range(columns)]
    return figure, axes


def dress(axes: Axes, title: str, x: str, y: str) -> None:
    """Give axes their words, a thin grid and no frame above and to the right."""
    axes.set_title(title, fontsize=11, color=INK, loc="left", pad=10)
    axes.set_xlabel(x, fontsize=10, color=INK)
    axes.set_ylabel(y, fontsize=10, color=INK)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
        axes.spines[side].set_linewidth(0.8)


def legend(axes: Axes, place: str = "best") -> None:
    """Add a legend without a box."""
    axes.legend(loc=place, fontsize=9, frameon=False, labelcolor=INK)
