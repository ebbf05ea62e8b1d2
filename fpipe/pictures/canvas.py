"""An empty figure in the one style that all pictures share."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

from fpipe.core.errors import ParameterError

Figure: TypeAlias = Any
"""A ``matplotlib.figure.Figure``."""

Axes: TypeAlias = Any
"""A ``matplotlib.axes.Axes``."""

# The palette of Okabe and Ito 2008, chosen to be told apart by colour-blind readers; without its
# yellow, which is faint on white, and its black, which is the ink.
BLUE, RED, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
STROKES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)))
INK, GRID = "#333333", "#dddddd"
DASHES = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 4)), "zorder": 2.5}


def canvas(
    count: int = 1, *, columns: int = 1, width: float = 6.0, height: float = 4.2
) -> tuple[Figure, list[Axes]]:
    """Return a new figure and its axes, row by row; nothing outside the figure is touched.

    Args:
        count: number of axes.
        columns: how many of them are side by side at most.
        width: of each axes, in inches.
        height: of each axes, in inches.

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
    across = min(count, columns)
    down = -(-count // across)
    size = (width * across, height * down)
    figure = module.Figure(figsize=size, dpi=120, layout="constrained", facecolor="white")
    return figure, [
        figure.add_subplot(down, across, i + 1, facecolor="white") for i in range(count)
    ]


def unit_square(axes: Axes) -> None:
    """Let both axes go from 0 to 1, in one scale."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")


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
    """Add a legend without a box.

    Args:
        axes: where.
        place: a place inside the axes, in matplotlib's words, or ``"beside"``.
    """
    at = (
        {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if place == "beside" else {"loc": place}
    )
    axes.legend(**at, fontsize=9, frameon=False, labelcolor=INK)


def in_words(number: float) -> str:
    """Return a number for a title: four digits, or whole with commas where it is large.

    Example:
        >>> in_words(0.123456), in_words(-54949.3)
        ('0.1235', '−54,949')
    """
    shown = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
    return shown.replace("-", "−")
