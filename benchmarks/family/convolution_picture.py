"""The picture of KAN convolutions: times beside unfolding and the floor."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style

__all__ = ["draw"]

COLORS = {
    "unfolded KAN layer": FAINT,
    "KANConv": SPLINE,
    "convolution of as many products": SECOND,
    "plain convolution": MUTED,
}


def draw(records: Sequence[Record]) -> Figure:
    """Times of every case, and the digits."""
    digits = [record for record in records if record["case"] == "digits" and record["seed"] == "mean"]
    with style():
        figure = Figure(figsize=(9.6, 4.3), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(1, 2, width_ratios=[3.2, 1])
        _times(figure.add_subplot(grid[0, 0]), [record for record in records if record["metric"] == "ms"])
        if digits:
            _accuracies(figure.add_subplot(grid[0, 1]), records, digits)
    return figure


def _times(panel: Axes, records: Sequence[Record]) -> None:
    cases = list(dict.fromkeys(record["case"] for record in records))[::-1]
    for number, (model, color) in enumerate(COLORS.items()):
        own = [record for record in records if record["model"] == model]
        for record in own:
            y = cases.index(record["case"]) + 0.3 - 0.2 * number
            value, low, high = (float(record[key]) for key in ("value", "low", "high"))
            label = model if record is own[0] else None
            panel.barh(y, value, height=0.19, color=color, label=label)
            panel.plot([low, high], [y, y], color=INK, linewidth=0.8)
            ratio = f"{float(record['ratio to the floor']):.2g}"
            panel.annotate(ratio, (high, y), (3, 0), textcoords="offset points", va="center", fontsize=7, color=MUTED)
    panel.set_xscale("log")
    panel.set_yticks(range(len(cases)), [case.replace(": ", "\n").replace(", ", "\n", 1) for case in cases])
    panel.set_xlabel("forward and backward, ms (bar: median, line: quartiles; number: multiple of the floor)")
    panel.set_title("processor time, one thread")
    panel.legend(loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=4, fontsize=7.5, handlelength=1.0)


def _accuracies(panel: Axes, records: Sequence[Record], means: Sequence[Record]) -> None:
    for x, mean in enumerate(means):
        own = [float(r["value"]) for r in records if r["model"] == mean["model"] and r["seed"].isdigit()]
        color = SYMBOLIC if mean["model"] == "KANConv2d" else MUTED
        panel.scatter([x] * len(own), own, s=14, color=color, alpha=0.6)
        panel.plot([x - 0.2, x + 0.2], [float(mean["value"])] * 2, color=color)
        panel.annotate(
            f"{float(mean['value']):.3f}", (x + 0.24, float(mean["value"])), va="center", fontsize=8, color=INK
        )
    panel.set_xticks(
        range(len(means)), [f"{m['model']}\n{m['parameters']} parameters".replace(" conv", "\nconv") for m in means]
    )
    panel.set(xlim=(-0.5, len(means) - 0.2))
    panel.set_title("digits: test accuracy")
