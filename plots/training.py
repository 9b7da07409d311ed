"""How a fit went: the loss on a logarithmic axis, for training and validation rows, with the grid's refinements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from kanlib.errors import InputError, InputTypeError

from . import style as look
from .curves import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SERIES = (
    (("train_loss", "train", "loss", "objective"), "training", look.SPLINE),
    (("validation_loss", "validation", "val_loss"), "validation", look.SECOND),
)


def plot_training(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the loss of a fit over its steps, on a logarithmic axis.

    A dotted line marks each refinement of the grid, with the new number of intervals; a circle marks the state that
    was kept. Values that are not finite or not positive are left out.

    Parameters
    ----------
    result : FitResult
        What `kanlib.fit` returns; anything with a ``history`` (a mapping of lists) works, or the history itself.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputTypeError
        If there is no history.
    InputError
        If the history holds no loss.

    Examples
    --------
    >>> from kanlib.plots import plot_training
    >>> ax = plot_training({"step": [0, 1, 2], "train_loss": [1.0, 0.1, 0.01], "grid_size": [5, 5, 10]})
    >>> ax.get_yscale()
    'log'
    """
    history = result if isinstance(result, Mapping) else getattr(result, "history", None)
    if not isinstance(history, Mapping):
        raise InputTypeError(
            f"plot_training got a {type(result).__name__} without a history; expected what kanlib.fit returns. "
            "Pass that result, or its history."
        )
    series = []
    for keys, name, color in _SERIES:
        key = next((k for k in keys if len(history.get(k, ()))), None)
        if key is not None:
            series.append((name, _numbers(history[key]), color))
    if not series:
        raise InputError(
            f"the history holds {sorted(map(str, history)) or 'nothing'}; expected a list 'train_loss'. "
            "Pass the result of a fit that took a step."
        )
    steps = _numbers(history["step"]) if len(history.get("step", ())) else np.arange(len(series[0][1]))
    with look.axes(ax, 5.2, 3.2) as ax:
        ax.set_yscale("log")
        for name, values, color in series:
            n = min(len(steps), len(values))
            shown = np.where(np.isfinite(values[:n]) & (values[:n] > 0.0), values[:n], np.nan)
            marker = "o" if np.isfinite(shown).sum() < 2 else None
            ax.plot(
                steps[:n], shown, color=color, linewidth=1.5, marker=marker, markersize=3, label=name, gid="kanlib-loss"
            )
        _mark_best(ax, result, steps, series[-1])
        _mark_refinements(ax, steps, history.get("grid_size", ()))
        ax.set_xlabel("step")
        ax.set_ylabel("loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        ax.grid(axis="y", color=look.FAINT, linewidth=0.5)
        ax.spines[["top", "right"]].set_visible(False)
        if len(series) > 1:
            ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.95), frameon=True, framealpha=0.85, edgecolor="none")
    return ax


def _numbers(values: Sequence[Any]) -> Array:
    return np.array([np.nan if v is None else float(v) for v in values], dtype=float)


def _mark_best(ax: Axes, result: Any, steps: Array, series: tuple[str, Array, str]) -> None:
    best = getattr(result, "best_step", None)
    _, values, color = series
    # A step that ends one grid stage also starts the next: the later row is the one that was kept.
    rows = np.flatnonzero(steps[: len(values)] == best) if best is not None else np.array([], dtype=int)
    if len(rows) and np.isfinite(values[rows[-1]]) and values[rows[-1]] > 0.0:
        ax.plot(
            [steps[rows[-1]]],
            [values[rows[-1]]],
            "o",
            markersize=5.5,
            markerfacecolor=look.PAPER,
            markeredgecolor=color,
            markeredgewidth=1.4,
            zorder=4,
            gid="kanlib-best",
        )


def _mark_refinements(ax: Axes, steps: Array, grids: Sequence[Any]) -> None:
    """A dotted line at every change of the grid; where labels would collide only the first of them is written."""
    low, high = float(steps[0]), float(steps[-1])
    last = -np.inf
    for row in range(1, min(len(grids), len(steps))):
        if grids[row] == grids[row - 1]:
            continue
        x = float(steps[row])
        ax.axvline(x, color=look.MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0, gid="kanlib-refinement")
        if high > low and (x - last) / (high - low) > 0.09:
            size = f"{grids[row]:g}" if isinstance(grids[row], (int, float)) else str(grids[row])
            ax.annotate(
                f"G={size}",
                (x, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=7.5,
                color=look.MUTED,
                ha="center",
                va="bottom",
                annotation_clip=False,
            )
            last = x
