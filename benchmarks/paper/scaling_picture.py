"""The picture of the scaling laws: error against parameters, both on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, style

__all__ = ["COLORS", "draw"]

# Okabe and Ito's colours, as in kanlib's own pictures.
COLORS = {
    "kanlib, degree 3": "#0072b2",
    "kanlib, degree 5": "#56b4e9",
    "pykan": "#009e73",
    "MLP, lbfgs": "#d55e00",
    "MLP, gauss-newton": "#e69f00",
}
MARKERS = {"pykan": "s", "MLP, lbfgs": "^", "MLP, gauss-newton": "v"}


def draw(records: Sequence[Record]) -> Figure:
    """A panel a law: the median over seeds at every number of parameters, all seeds as a band."""
    laws = list(dict.fromkeys(record["law"] for record in records))
    columns = min(3, len(laws))
    n_rows = -(-(len(laws) + 1) // columns)
    with style():
        figure = Figure(figsize=(3.7 * columns, 3.1 * n_rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(n_rows, columns, squeeze=False).ravel()
        for law, panel in zip(laws, axes):
            _panel(panel, [record for record in records if record["law"] == law])
            panel.set_title(law if len(law) < 45 else law.replace(" + sin(pi(x3", "\n+ sin(pi(x3"), fontsize=9)
        for panel in axes[len(laws) :]:
            panel.axis("off")
        present = {record["method"] for record in records}
        for method, color in COLORS.items():
            if method in present:
                axes[len(laws)].plot([], [], MARKERS.get(method, "o") + "-", color=color, label=method)
        axes[len(laws)].plot([], [], "--", color=INK, linewidth=0.8, label="N$^{-4}$, as theory has it")
        axes[len(laws)].legend(loc="center left", fontsize=9)
    return figure


def _panel(panel: Axes, records: Sequence[Record]) -> None:
    for (method, _), rows in _groups(records).items():
        numbers = sorted(rows)
        errors = [np.median(rows[n]) for n in numbers]
        panel.fill_between(
            numbers, [min(rows[n]) for n in numbers], [max(rows[n]) for n in numbers], color=COLORS[method], alpha=0.15
        )
        line = "" if method.startswith("MLP") else "-"
        panel.plot(numbers, errors, MARKERS.get(method, "o") + line, color=COLORS[method], markersize=4)
        if method == "kanlib, degree 3" and len(numbers) > 2 and errors[0] > 1e-9:
            end = len(numbers) - 1
            guide = 0.3 * errors[end] * (np.array(numbers) / numbers[end]) ** -4.0
            inside = guide < 3 * max(errors)
            panel.plot(np.array(numbers)[inside], guide[inside], "--", color=INK, linewidth=0.8)
    panel.set(xscale="log", yscale="log", xlabel="parameters", ylabel="test RMSE")
    panel.grid(color=FAINT, linewidth=0.6)


def _groups(records: Sequence[Record]) -> dict[tuple[str, str], dict[int, list[float]]]:
    """Errors by method and shape (of MLPs the shapes together), then by parameters."""
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for record in records:
        error = float(record["test RMSE"])
        if not np.isfinite(error):
            continue
        method = record["method"]
        key = (method, "" if method.startswith("MLP") else record["shape"])
        found.setdefault(key, {}).setdefault(int(record["parameters"]), []).append(error)
    return found
