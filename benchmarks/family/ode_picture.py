"""The picture of the KAN-ODE table: how each field goes on after the known rows, the orbits, and the curves inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.parts import Record
from kanlib.plots.style import DATA, INK, MUTED, SECOND, SPLINE, SYMBOLIC, WASH, style

from .lotka_volterra import KNOWN, TIMES

__all__ = ["draw"]

# Model, colour, width of the line; in the order they are drawn.
LINES = (
    ("MLP [2, 37, 2]", SECOND, 1.2),
    ("KAN [2, 5, 2]", DATA, 1.2),
    ("KAN of products [2, (0, 2)]", SPLINE, 1.4),
    ("law", SYMBOLIC, 1.6),
)


def draw(records: Sequence[Record]) -> Figure:
    """Above: both states over time. Below: the orbits, and the factors of each derivative with their formula."""
    truth = _curve(next(record for record in records if record["model"] == "truth"))
    with style():
        figure = Figure(figsize=(10.4, 7.0), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(3, 4, height_ratios=[1.0, 1.0, 1.35], width_ratios=[1.45, 1, 1, 1])
        series = [figure.add_subplot(grid[row, :]) for row in range(2)]
        orbit, *rest = (figure.add_subplot(grid[2, column]) for column in range(4))
        for state, panel in enumerate(series):
            _series(panel, records, truth, state)
        series[0].set_xticklabels([])
        series[0].set_title("from 36 rows of t ≤ 3.5 (grey) to t = 14; of each model the median seed")
        series[0].legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.02), handlelength=1.6)
        series[1].set_xlabel("t")
        _orbit(orbit, records, truth)
        for panel, of in zip(rest, ("dx/dt", "dy/dt")):
            _factors(panel, records, of)
        _formulas(rest[2], records)
    return figure


def _curve(record: Record) -> NDArray[np.float64]:
    return np.array([[float(value) for value in pair.split(",")] for pair in record["curve"].split()])


def _median(records: Sequence[Record], model: str) -> Record:
    own = [record for record in records if record["model"] == model and record["seed"].isdigit()]
    return sorted(own, key=lambda record: float(record["RMSE unknown"]))[len(own) // 2]


def _series(panel: Axes, records: Sequence[Record], truth: NDArray[np.float64], state: int) -> None:
    panel.axvspan(0, KNOWN, color=WASH, linewidth=0)
    for model, color, width in LINES:
        values = _curve(_median(records, model))[:, state]
        panel.plot(TIMES, values, color=color, linewidth=width, label=model)
    panel.plot(TIMES, truth[:, state], color=INK, linewidth=1.0, linestyle=(0, (3, 2)), label="truth")
    top = float(truth[:, state].max())
    panel.set(xlim=(0, float(TIMES[-1])), ylim=(-0.25 * top, 1.5 * top), ylabel="xy"[state])


def _orbit(panel: Axes, records: Sequence[Record], truth: NDArray[np.float64]) -> None:
    for model, color, width in LINES:
        panel.plot(*_curve(_median(records, model)).T, color=color, linewidth=width)
    known = truth[TIMES.numpy() <= KNOWN + 1e-9]
    panel.plot(*truth.T, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    panel.plot(*known.T, "o", color=INK, markersize=2.2)
    panel.set(xlim=(-0.25, 1.6), ylim=(-0.6, 5.6), xlabel="x", ylabel="y", title="orbits; points: the known rows")


def _factors(panel: Axes, records: Sequence[Record], of: str) -> None:
    """f(x) and g(y) of a derivative that was fitted by a product of two curves."""
    lines = {record["model"][5]: _curve(record) for record in records if record["model"].endswith(f"of {of}")}
    for factor, curve in lines.items():
        variable = {"f": "x", "g": "y"}[factor]
        unit = (curve[:, 0] - curve[0, 0]) / np.ptp(curve[:, 0])
        style_of = "-" if factor == "f" else (0, (5, 1.5))
        panel.plot(unit, curve[:, 1], color=SPLINE, linewidth=1.6, linestyle=style_of, label=f"{factor}({variable})")
    panel.axhline(0, color=MUTED, linewidth=0.5)
    panel.set(xticks=[0, 1], xticklabels=["least", "largest"], title=f"{of} = f(x) g(y): its curves")
    panel.set_xlabel("known x, known y")
    if lines:
        panel.legend(loc="best")


def _formulas(panel: Axes, records: Sequence[Record]) -> None:
    panel.set_axis_off()
    record = _median(records, "law")
    noisy = next(r for r in records if r["model"].startswith("law,") and not r["seed"].isdigit())
    exact = next(r for r in records if r["model"] == "law" and not r["seed"].isdigit())
    lines = (
        ("the law that is read", MUTED, 8.5),
        (f"dx/dt = {record['dx/dt']}", SYMBOLIC, 10.0),
        (f"dy/dt = {record['dy/dt']}", SYMBOLIC, 10.0),
        (f"right terms: {exact['terms right']} seeds;", MUTED, 8.5),
        (f"with 1% noise: {noisy['terms right']}", MUTED, 8.5),
    )
    for number, (text, color, size) in enumerate(lines):
        panel.text(0.0, 0.92 - 0.17 * number, text, color=color, fontsize=size, va="top", transform=panel.transAxes)
