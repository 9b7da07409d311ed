"""The picture of part 3: the errors of every law in one line, the laws sorted by that of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style

__all__ = ["draw"]

FLOOR = 1e-15  # where exact formulas are drawn: their errors are those of rounding
KINDS = (
    ("network", "network found by kanlib", SPLINE, "o", 34),
    ("MLP", "MLP, the better of two methods", SECOND, "s", 24),
    ("paper, pruned KAN", "paper: pruned KAN", MUTED, "D", 20),
    ("paper, KAN", "paper: KAN", MUTED, "d", 22),
    ("paper, MLP", "paper: MLP", MUTED, "x", 24),
    ("pykan", "pykan, [n, 5, 1]", INK, "+", 36),
)


def draw(records: Sequence[Record]) -> Figure:
    """Medians over the seeds, with a line from the best to the worst seed; at the right the shape of the first."""
    laws = list(dict.fromkeys(record["law"] for record in records))
    laws.sort(key=lambda name: _middle(_errors(records, name, "network")), reverse=True)
    with style():
        figure = Figure(figsize=(8.6, 0.255 * len(laws) + 1.35), layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.subplots()
        for height, name in enumerate(laws):
            ax.axhline(height, color=FAINT, linewidth=0.6, zorder=0)
            exact = [record["exact"] == "True" for record in records if _is(record, name, "formula")]
            errors = _errors(records, name, "formula")
            if exact and all(exact):
                _mark(ax, [FLOOR], height, SYMBOLIC, "*", 52)
            elif errors:
                _mark(ax, errors, height, SYMBOLIC, "*", 52)
            for kind, _, color, marker, size in KINDS[::-1]:
                _mark(ax, _errors(records, name, kind), height, color, marker, size)
            shape = next((record["found"] for record in records if _is(record, name, "network")), "")
            ax.text(1.01, height, shape, va="center", color=MUTED, fontsize=7.5, transform=ax.get_yaxis_transform())
        ax.scatter([], [], color=SYMBOLIC, marker="*", s=52, linewidths=0, label="formula found by kanlib")
        for kind, label, color, marker, size in KINDS:
            if any(_errors(records, name, kind) for name in laws):
                _scatter(ax, [], [], color, marker, size, label)
        ticks = [FLOOR, *(10.0**k for k in range(-13, 1, 2))]
        ax.set(xscale="log", xlim=(FLOOR / 3, 1.0), ylim=(-0.7, len(laws) - 0.3), xlabel="RMSE on new rows")
        ax.set_xticks(ticks, ["exact", *(f"$10^{{{k}}}$" for k in range(-13, 1, 2))])
        ax.minorticks_off()
        ax.set_yticks(range(len(laws)), laws, color=INK)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        figure.legend(loc="outside upper center", ncols=4, columnspacing=1.4, handletextpad=0.3)
    return figure


def _is(record: Record, name: str, kind: str) -> bool:
    return record["law"] == name and (record["method"] == kind or record["method"].startswith(kind + ", "))


def _errors(records: Sequence[Record], name: str, kind: str) -> list[float]:
    """The finite errors of a kind, one a seed: the better method's where it has several."""
    best: dict[str, float] = {}
    for record in records:
        if _is(record, name, kind):
            error = float(record["RMSE on new rows"])
            if math.isfinite(error):
                best[record["seed"]] = min(error, best.get(record["seed"], math.inf))
    return list(best.values())


def _middle(errors: Sequence[float]) -> float:
    return float(np.median(errors)) if errors else math.inf


def _mark(ax: Axes, errors: Sequence[float], height: float, color: str, marker: str, size: float) -> None:
    if not errors:
        return
    shown = [max(error, FLOOR) for error in errors]
    ax.plot([min(shown), max(shown)], [height, height], color=color, linewidth=1.4, alpha=0.55, zorder=2)
    _scatter(ax, [_middle(shown)], [height], color, marker, size)


def _scatter(
    ax: Axes, x: Sequence[float], y: Sequence[float], color: str, marker: str, size: float, label: str | None = None
) -> None:
    line = 1.3 if marker in "x+" else 0.0
    ax.scatter(x, y, color=color, marker=marker, s=size, linewidths=line, zorder=3, label=label)
