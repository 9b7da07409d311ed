"""The rows of a run as one picture: solved shares by suite and noise for every engine, and how long the runs took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from kanlib.plots.style import FAINT, INK, style

from .engines import ENGINES
from .rows import Row
from .suites import SUITES
from .summary import Share, groups

__all__ = ["draw_suites", "save_picture"]

# Okabe and Ito's colours, as in kanlib's own pictures.
COLORS = dict(zip(ENGINES, ("#0072b2", "#009e73", "#d55e00", "#cc79a7")))


def draw_suites(rows: Sequence[Row]) -> Figure:
    """One row of axes a noise level: bars are the share solved by the numeric rule, ticks on them the strict one.

    Whiskers are 95 % Wilson intervals. Below, the seconds of all runs; engines that are missing are left out. The
    controls are no laws, so they are in the times only.
    """
    ran = [row for row in rows if row.status != "missing"]
    laws = [row for row in ran if row.suite != "controls"]
    noises = sorted({row.noise for row in laws})
    suites = [suite for suite in SUITES if any(row.suite == suite for row in laws)]
    engines = [engine for engine in ENGINES if any(row.engine == engine for row in ran)]
    with style():
        # Five suites or fewer need no more than a column of a page.
        figure = Figure(figsize=(max(5.5, 1.1 * len(suites) + 1.4), 1.5 * len(noises) + 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        heights = [1.0] * len(noises) + [1.2]
        axes = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for noise, panel in zip(noises, axes):
            _bars(panel, [row for row in laws if row.noise == noise], suites, engines)
            panel.set_title("no noise" if noise == 0 else f"noise of {100 * noise:g} % of y's spread")
        for panel in axes[: len(noises) - 1]:
            panel.set_xticklabels([])
        if noises:
            axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, borderaxespad=0.2, handlelength=1.2)
        _times(axes[-1], ran, engines)
    return figure


def _bars(panel: Axes, rows: Sequence[Row], suites: Sequence[str], engines: Sequence[str]) -> None:
    width = 0.8 / max(1, len(engines))
    found = {(suite, engine): members for (suite, _, engine), members in groups(rows).items()}
    for index, engine in enumerate(engines):
        places, shares, stricts = [], [], []
        for place, suite in enumerate(suites):
            members = found.get((suite, engine), [])
            if members:
                places.append(place + (index - (len(engines) - 1) / 2) * width)
                shares.append(Share(sum(row.numeric for row in members), len(members)))
                stricts.append(Share(sum(row.strict for row in members), len(members)).value)
        if not places:
            continue
        values = np.array([share.value for share in shares])
        limits = np.array([share.interval for share in shares])
        whiskers = np.abs(limits.T - values)  # a bar of 0 or 1 touches its limit up to rounding
        panel.bar(places, values, 0.92 * width, color=COLORS[engine], label=engine)
        panel.errorbar(places, values, whiskers, fmt="none", ecolor=INK, elinewidth=0.8, capsize=0)
        panel.hlines(
            stricts,
            np.array(places) - 0.4 * width,
            np.array(places) + 0.4 * width,
            colors=INK,
            linewidths=1.6,
            label="strict rule" if index == len(engines) - 1 else "_nolegend_",
        )
    panel.set(xlim=(-0.6, len(suites) - 0.4), ylim=(0, 1.02), yticks=[0, 0.5, 1], xticks=range(len(suites)))
    panel.set_xticklabels(suites)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    panel.set_ylabel("solved")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    panel.tick_params(axis="x", length=0)


def _times(panel: Axes, rows: Sequence[Row], engines: Sequence[str]) -> None:
    seconds = np.array([max(row.seconds, 0.1) for row in rows] or [1.0])
    edges = np.geomspace(0.1, 1.05 * max(seconds.max(), 1.0), 25)
    for engine in engines:
        own = np.array([max(row.seconds, 0.1) for row in rows if row.engine == engine])
        counts, _ = np.histogram(own, edges)
        if len(engines) == 1:  # fills of several would hide each other
            panel.stairs(counts, edges, fill=True, color=COLORS[engine], alpha=0.35)
        panel.stairs(counts, edges, color=COLORS[engine], linewidth=1.4)
        panel.axvline(float(np.median(own)), color=COLORS[engine], linewidth=1.0, linestyle=(0, (3, 2)))
    panel.set(xscale="log", xlim=(edges[0], edges[-1]), xlabel="seconds a run; dashed: the median", ylabel="runs")
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.set_title("time")


def save_picture(rows: Sequence[Row], path: Path) -> None:
    """Write the picture as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_suites(rows).savefig(path, dpi=130)
