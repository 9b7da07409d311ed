"""The picture of depth: errors of all seeds, values and gradients by layer before training, and learned functions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style

__all__ = ["draw"]

COLORS = {"DeepKAN": SPLINE, "plain": SYMBOLIC, "residual": SECOND, "shallow": MUTED}
DASHES = {"default first weights": (0, (1, 1.2)), "centred": (0, (4, 1.5))}


def draw(records: Sequence[Record]) -> Figure:
    """Errors above, what the first weights do in the middle, and the first layer of the deep KAN below."""
    with style():
        figure = Figure(figsize=(9.4, 6.6), layout="constrained")
        FigureCanvasAgg(figure)
        top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.1, 1.15, 0.75])
        _errors(top.subplots(), records)
        kept = {record["model"]: record["picture"].split("|") for record in records if record["picture"]}
        panels = middle.subplots(1, 2)
        for panel, k, title in zip(
            panels, (0, 1), ("before training: size of the values", "size of the loss's gradient in them")
        ):
            for name, parts in kept.items():
                values = np.array(parts[k].split(), dtype=float)
                if len(values) > 1:
                    panel.plot(values, color=_color(name), linestyle=_dash(name), linewidth=1.4, label=name)
            panel.set(yscale="log", xlabel="after layer", title=title, xticks=range(0, 21, 5))
        handles, labels = panels[0].get_legend_handles_labels()
        middle.legend(handles, labels, loc="outside right center", fontsize=7.5)
        _curves(bottom.subplots(1, 10, sharey=True), kept["DeepKAN"][2:])
        bottom.suptitle(
            "DeepKAN, first layer: each column's strongest learned function, and its share of attribution; "
            "grey: columns that do not matter",
            fontsize=9.5, x=0.01, ha="left",
        )  # fmt: skip
    return figure


def _errors(panel: Axes, records: Sequence[Record]) -> None:
    names = list(dict.fromkeys(record["model"] for record in records))
    for place, name in enumerate(reversed(names)):
        values = [min(float(r["relative RMSE"]), 3.0) for r in records if r["model"] == name and r["seed"] != "mean"]
        panel.plot(values, [place] * len(values), "o", color=_color(name), markersize=4, alpha=0.55, markeredgewidth=0)
        panel.plot([statistics.fmean(values)] * 2, [place - 0.32, place + 0.32], color=_color(name), linewidth=2)
    panel.axvline(1, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    panel.set(xscale="log", yticks=range(len(names)), yticklabels=reversed(names))
    panel.set_xlabel("relative RMSE on test rows, a dot a seed, bar: mean; dashed: the mean of y as prediction")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.xaxis.grid(True, color=FAINT, linewidth=0.6)
    panel.set_title("Friedman's first function, about 12,800 parameters each")
    panel.spines["left"].set_visible(False)


def _curves(panels: Sequence[Axes], parts: Sequence[str]) -> None:
    low, high = map(float, parts[0].split())
    for i, (panel, line) in enumerate(zip(panels, parts[1:])):
        score, curve = line.split(":")
        values = np.array(curve.split(), dtype=float)
        panel.axhline(0, color=FAINT, linewidth=0.7)
        panel.plot(np.linspace(low, high, len(values)), values, color=SPLINE if i < 5 else MUTED, linewidth=1.4)
        panel.set_title(f"$x_{{{i + 1}}}$", fontsize=8.5, loc="center")
        panel.set_xlabel(f"{float(score):.1%}", color=INK if i < 5 else MUTED, fontsize=8)
        panel.set(xlim=(low, high), xticks=[])


def _color(name: str) -> str:
    return next(color for start, color in COLORS.items() if name.startswith(start))


def _dash(name: str) -> object:
    return next((dash for end, dash in DASHES.items() if name.endswith(end)), "-")
