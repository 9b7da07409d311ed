"""The picture of the TKAN table: the series and their parts, errors by horizon, and curves inside a TKAN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import DATA, FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, WASH, style

from .series import HORIZONS, load

__all__ = ["EDGES_OF", "draw"]

EDGES_OF = ("made, seasons of 24 and 7.3", "TKAN")  # whose curves are shown
LOOKS = {
    "seasonal naive": (MUTED, (0, (1, 1.5))),
    "ridge": (INK, (0, (4, 2))),
    "GRU": (SECOND, "-"),
    "LSTM": (SYMBOLIC, "-"),
    "TKAN": (SPLINE, "-"),
    "TKAN, tanh candidate": (DATA, "-"),
}


def draw(records: Sequence[Record]) -> Figure:
    """A column a series; below, the curves of a sub-layer that matter most."""
    names = list(dict.fromkeys(record["series"] for record in records))
    edges = [record for record in records if record["curve"]]
    with style():
        figure = Figure(figsize=(10.4, 7.2 if edges else 5.2), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subfigures(2, 1, height_ratios=[2.6, 1]) if edges else (figure, None)
        panels = above.subplots(2, len(names), squeeze=False, gridspec_kw={"height_ratios": [1, 1.9]})
        for column, name in enumerate(names):
            _values(panels[0, column], name)
            _errors(panels[1, column], [record for record in records if record["series"] == name])
        panels[1, 0].set_ylabel("RMSE / RMSE of the last value")
        handles, labels = panels[1, 0].get_legend_handles_labels()
        above.legend(handles, labels, ncols=len(labels), loc="outside lower center")
        if below is not None:
            for panel, record in zip(below.subplots(1, len(edges), squeeze=False)[0], edges):
                _edge(panel, record)
    return figure


def _values(panel: Axes, name: str) -> None:
    series = load(name)
    first, second = series.ends
    panel.axvspan(first, second, color=WASH, linewidth=0)
    panel.axvspan(second, len(series.values), color=FAINT, linewidth=0)
    panel.plot(series.values, color=INK, linewidth=0.5)
    panel.set(xlim=(0, len(series.values)), title=name)
    panel.set_xlabel("step; light: validation, dark: test", color=MUTED, fontsize=8)


def _errors(panel: Axes, records: Sequence[Record]) -> None:
    """Every network as its mean over the seeds within one standard deviation."""
    panel.axhline(1, color=MUTED, linewidth=0.7)
    for number, (model, (color, line)) in enumerate(LOOKS.items()):
        own = [r for r in records if r["model"] == model and not r["seed"].startswith("mean")]
        values = np.array([[float(record[f"{h} ahead"]) for h in HORIZONS] for record in own])
        middle = values.mean(0)
        panel.plot(range(len(HORIZONS)), middle, color=color, linestyle=line, linewidth=1.4, label=model)
        if len(own) > 1:
            shift = np.arange(len(HORIZONS)) + 0.04 * (number - 3.5)
            panel.errorbar(shift, middle, values.std(0, ddof=1), color=color, linestyle="none", elinewidth=1.0)
    panel.set(xticks=range(len(HORIZONS)), xticklabels=HORIZONS, ylim=(0, 1.3), xlabel="steps ahead")


def _edge(panel: Axes, record: Record) -> None:
    x, y = np.array([[float(v) for v in pair.split(",")] for pair in record["curve"].split()]).T
    panel.plot(x, y, color=SPLINE, linewidth=1.5)
    panel.set_title(record["model"].split(": ")[1] + " of TKAN's sub-layer", fontsize=8.5)
    panel.set_xlabel("what reaches it (made series)", color=MUTED, fontsize=8)
