"""The picture of the sensor windows: accuracy by noise, windows of a new person, and the functions of one feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style

from .har_data import ACTIVITIES, CHANNELS, LENGTH, RATE, split
from .trials import of_picture, spread

__all__ = ["draw"]

LINES = {
    "KAN per channel": ("#9ecae1", "o", "-"),
    "KAN shared": ("#56b4e9", "s", "-"),
    "KAN convolution": (SPLINE, "o", "-"),
    "KAN residual": ("#08306b", "D", "-"),
    "KAN-MLP mixer": (SECOND, "^", "-"),
    "MLP mixer": ("#e69f00", "^", "--"),
    "CNN": (SYMBOLIC, "o", "--"),
    "features by hand": (MUTED, "x", ":"),
}


def draw(records: Sequence[Record]) -> Figure:
    """Scores and windows above, functions below."""
    with style():
        figure = Figure(figsize=(11.4, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subfigures(2, 1, height_ratios=[1.75, 1.0])
        left, right = above.subfigures(1, 2, width_ratios=[1.0, 1.15])
        _accuracy(left.subplots(), records)
        _windows(right, records)
        _functions(below, of_picture(records, model="KAN convolution"))
    return figure


def _noises(records: Sequence[Record]) -> list[str]:
    return sorted({record["noise"] for record in records}, key=float)


def _accuracy(panel: Axes, records: Sequence[Record]) -> None:
    noises = _noises(records)
    for number, (model, (color, marker, line)) in enumerate(LINES.items()):
        groups = [spread(records, "accuracy", noise=noise, model=model) for noise in noises]
        panel.errorbar(
            np.arange(len(noises)) + 0.035 * (number - (len(LINES) - 1) / 2),
            [group.mean() for group in groups],
            yerr=[group.std(ddof=min(1, len(group) - 1)) for group in groups],
            color=color,
            linestyle=line,
            marker=marker,
            markersize=4.0,
            linewidth=1.2,
            elinewidth=0.9,
            capsize=2.0,
            label=model,
        )
    panel.set(xticks=range(len(noises)), xticklabels=noises, xlabel="deviation of the noise")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    panel.set_title("activities of new people named right, mean and deviation over seeds")
    panel.legend(loc="lower left", ncols=2)


def _windows(figure: SubFigure, records: Sequence[Record]) -> None:
    """One acceleration of every activity at the lowest and the highest noise."""
    noises = _noises(records)
    axes = figure.subplots(len(ACTIVITIES), 2, sharex=True, sharey=True, squeeze=False)
    t = np.arange(LENGTH) / RATE
    for column, noise in enumerate((noises[0], noises[-1])):
        _, _, test = split(0, float(noise))
        for row, name in enumerate(ACTIVITIES):
            panel = axes[row, column]
            window = test.X[test.y == row][0]
            for channel, color in ((0, SPLINE), (3, SYMBOLIC)):
                panel.plot(t, window[channel].numpy(), color=color, linewidth=0.9)
            panel.set(yticks=[], xlim=(0, t[-1]))
            panel.spines["left"].set_visible(False)
            if column == 0:
                panel.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, fontsize=8.5)
        axes[0, column].set_title(f"noise {noise}: acc x (blue), gyro x (orange)")
        axes[-1, column].set_xlabel("seconds")


def _functions(figure: SubFigure, kept: dict[str, Any]) -> None:
    figure.suptitle(
        "one feature of the KAN convolution: functions of its channels, from a patch's first sample (dark) to its last",
        fontsize=9.5,
        x=0.02,
        ha="left",
        color=INK,
    )
    axes = figure.subplots(1, len(CHANNELS), sharey=True)
    if not kept:
        return
    for panel, name, x, curves in zip(axes, CHANNELS, kept["x"], kept["curves"]):
        colors = colormaps["viridis"](np.linspace(0, 0.92, len(curves)))
        for color, curve in zip(colors, curves):
            panel.plot(x, np.array(curve) - np.mean(curve), color=color, linewidth=1.2)
        panel.set(xlabel=f"{name} (standardised)")
        panel.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
