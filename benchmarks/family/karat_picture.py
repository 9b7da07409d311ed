"""The picture of KArAt: accuracies of all seeds, functions of single logits that were learned, and mean matrices."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, style

__all__ = ["draw"]

MATRICES = ("KArAt, blockwise", "KArAt, blockwise, on the simplex", "softmax", "learned matrix, blind to the image")


def draw(records: Sequence[Record]) -> Figure:
    """Accuracies above, with the mean as a bar; below, curves of edges and what a head's matrix is on average."""
    with style():
        figure = Figure(figsize=(9.4, 6.3), layout="constrained")
        FigureCanvasAgg(figure)
        top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.15, 0.75, 1.05])
        _accuracies(top.subplots(), records)
        own = {record["model"]: record["curves"] for record in records if record["curves"]}
        _curves(middle.subplots(1, 6, sharey=True), own[MATRICES[0]])
        middle.supxlabel("logit", color=MUTED, fontsize=8)
        middle.suptitle(
            "KArAt, blockwise: the six strongest functions of a logit, first head of the first block, less their means",
            fontsize=9.5, x=0.01, ha="left",
        )  # fmt: skip
        for name, panel in zip(MATRICES, bottom.subplots(1, len(MATRICES))):
            _matrix(panel, name, own[name])
        bottom.suptitle("the same head's matrix, mean over test images (blue positive, red negative)",
                        fontsize=9.5, x=0.01, ha="left")  # fmt: skip
    return figure


def _accuracies(panel: Axes, records: Sequence[Record]) -> None:
    names = list(dict.fromkeys(record["model"] for record in records))
    for place, name in enumerate(reversed(names)):
        values = [float(r["test accuracy"]) for r in records if r["model"] == name and r["seed"] != "mean"]
        color = SPLINE if name.startswith("KArAt") else SECOND
        panel.plot(values, [place] * len(values), "o", color=color, markersize=4, alpha=0.55, markeredgewidth=0)
        panel.plot([statistics.fmean(values)] * 2, [place - 0.32, place + 0.32], color=color, linewidth=2)
    panel.set(yticks=range(len(names)), yticklabels=reversed(names), xlabel="test accuracy, a dot a seed, bar: mean")
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.xaxis.grid(True, color=FAINT, linewidth=0.6)
    panel.set_title("8 x 8 digits, one transformer, seven attentions")
    panel.spines["left"].set_visible(False)


def _curves(panels: Sequence[Axes], text: str) -> None:
    ends, *lines = text.split("||")[0].split("|")
    low, high = map(float, ends.split())
    for panel, line in zip(panels, lines):
        values = np.array(line.split(), dtype=float)
        panel.axhline(0, color=FAINT, linewidth=0.7)
        panel.plot(np.linspace(low, high, len(values)), values, color=SPLINE, linewidth=1.4)
        panel.set_xlim(low, high)


def _matrix(panel: Axes, name: str, text: str) -> None:
    values = np.array(text.split("||")[1].split(), dtype=float)
    n = round(len(values) ** 0.5)
    most = float(np.abs(values).max())
    panel.imshow(values.reshape(n, n), cmap="RdBu", vmin=-most, vmax=most, interpolation="nearest")
    panel.set_title(name.replace(", on", ",\non").replace(", blind", ",\nblind"), fontsize=8.5, loc="center")
    panel.set(xticks=[], yticks=[])
    panel.set_xlabel(f"largest entry {most:.2g}", fontsize=7.5, color=MUTED)
    for spine in panel.spines.values():
        spine.set_visible(False)
