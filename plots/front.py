"""The trade-off a search found: error against length of the formula, and the one it chose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from kanlib.errors import InputError, InputTypeError

from . import style as look
from .text import mathtext, size, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_front(discovery: Any, ax: Axes | None = None) -> Axes:
    """Draw the root mean squared error of the best formula of each complexity, with the chosen one marked.

    Points are the formulas of the front; the step line is the smallest error a formula of at most that complexity
    reached. A dashed line is the noise floor, where one is known: errors below it are not supported by the data.

    Parameters
    ----------
    discovery : Discovery
        What `kanlib.symbolic.discover` returns; needs ``front`` (points with ``complexity`` and ``rmse``).
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputTypeError
        If there is no front.
    InputError
        If the front is empty.

    Examples
    --------
    >>> from types import SimpleNamespace as Record
    >>> from kanlib.plots import plot_front
    >>> front = (Record(complexity=3, rmse=0.5, formula=None), Record(complexity=7, rmse=1e-9, formula=None))
    >>> plot_front(Record(front=front, formula=None, noise_floor=None)).get_xlabel()
    'complexity'
    """
    front = getattr(discovery, "front", None)
    if front is None:
        raise InputTypeError(
            f"plot_front got a {type(discovery).__name__} without a front; expected what kanlib.symbolic.discover "
            "returns. Pass that."
        )
    points = [p for p in front_points(discovery) if math.isfinite(p.rmse)]
    if not points:
        raise InputError("the front is empty; expected at least one formula with a finite error. See discovery.notes.")
    x = np.array([float(p.complexity) for p in points])
    y = np.array([float(p.rmse) for p in points])
    positive = y[y > 0.0]
    zero = min(0.1 * float(positive.min()), 1e-16) if len(positive) else 1e-16  # where an exact fit stands
    shown = np.where(y > 0.0, y, zero)
    with look.axes(ax, 5.2, 3.2) as ax:
        ax.set_yscale("log")
        ax.step(x, np.minimum.accumulate(shown), where="post", color=look.SPLINE, linewidth=1.3, zorder=2)
        ax.plot(x, shown, "o", color=look.SPLINE, markersize=4.5, zorder=3, gid="kanlib-front")
        floor = getattr(discovery, "noise_floor", None)
        if floor is not None and math.isfinite(floor) and floor > 0.0:
            ax.axhline(floor, color=look.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1, gid="kanlib-noise")
        else:
            floor = None
        ax.set_xlabel("complexity")
        ax.set_ylabel("RMSE")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
        ax.margins(x=0.08)
        if x.min() == x.max():
            ax.set_xlim(x[0] - 2.5, x[0] + 2.5)
        low, high = min(shown.min(), floor or np.inf), max(shown.max(), floor or 0.0)
        decades = max(math.log10(high / low), 0.5)
        ax.set_ylim(low / 10 ** (0.14 * decades), high * 10 ** (0.20 * decades))
        _tick(ax, decades)
        ax.grid(axis="y", color=look.FAINT, linewidth=0.5)
        ax.spines[["top", "right"]].set_visible(False)
        _label_floor(ax, x, shown, floor)
        place = next((row for row, p in enumerate(points) if p.chosen), None)
        if place is not None:
            _label_chosen(ax, float(x[place]), float(shown[place]), discovery.formula)
    return ax


def _tick(ax: Axes, decades: float) -> None:
    """Plain numbers where powers of ten alone would leave an axis without labels."""
    if decades > 1.5:
        return
    ax.yaxis.set_major_locator(MaxNLocator(5) if decades < 0.7 else LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(NullLocator())


class Point(NamedTuple):
    """A formula as it stands on the picture and in the report's table."""

    complexity: int
    rmse: float
    formula: Any
    template: str
    chosen: bool


def front_points(discovery: Any) -> list[Point]:
    """The front by complexity, and the formula that was chosen, even where another is shorter and closer."""
    formula = getattr(discovery, "formula", None)
    same = [p for p in discovery.front if formula is not None and p.formula is formula]
    same = same or [p for p in discovery.front if formula is not None and str(p.formula) == str(formula)]
    points = [
        Point(p.complexity, p.rmse, p.formula, getattr(p, "template", ""), bool(same) and p is same[0])
        for p in discovery.front
    ]
    if formula is not None and not same:
        points.append(Point(formula.complexity, discovery.rmse, formula, "", True))
    return sorted(points, key=lambda p: (p.complexity, p.rmse))


def _label_floor(ax: Axes, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], floor: float | None) -> None:
    if floor is None:
        return
    # The front falls to the right, so the floor's left end is free, unless the first point lies there.
    left = abs(math.log10(y[0] / floor)) > 0.4 or len(x) == 1
    ax.annotate(
        "noise floor",
        (0.01 if left else 0.99, floor),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        fontsize=7.5,
        color=look.MUTED,
        ha="left" if left else "right",
        va="top",
    )


def _label_chosen(ax: Axes, x: float, y: float, formula: Any) -> None:
    ax.plot([x], [y], "o", color=look.SYMBOLIC, markersize=8.0, zorder=4, gid="kanlib-chosen")
    text: str | None = None
    try:
        text = mathtext(tidy(formula.latex()))
    except (AttributeError, TypeError, ValueError):
        text = None
    if text is None or size(text, 10.0)[0] > 2.4:
        text = "chosen"
    # The front falls to the right, so the quarter above and right of a point is free; it is made wide enough.
    box = ax.get_window_extent()
    need = (size(text, 10.0)[0] + 0.3) * look.figure_of(ax).dpi / max(box.width, 1.0)
    low, high = ax.get_xlim()
    if need < 0.7:
        ax.set_xlim(low, max(high, (x - need * low) / (1.0 - need)))
    ax.annotate(
        text,
        (x, y),
        xytext=(7, 6),
        textcoords="offset points",
        fontsize=10.0,
        color=look.SYMBOLIC,
        ha="left",
        va="bottom",
        math_fontfamily="stix",
        gid="kanlib-formula",
    )
