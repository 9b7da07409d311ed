"""The picture of the autoencoders: errors and accuracies by code size, codes of two numbers, images, pixel curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, WASH, style

from .trials import of_picture, spread

__all__ = ["draw"]

ADDITIVE = "KAN without hidden layers"
COLORS = {"PCA": MUTED, ADDITIVE: "#56b4e9", "KAN": SPLINE, "MLP": SYMBOLIC}
# Okabe and Ito's eight and two more; every digit is also written at the middle of its codes.
DIGITS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#c9b800", "#0072b2", "#d55e00", "#cc79a7", "#7f7f7f", "#8c510a")


def draw(records: Sequence[Record]) -> Figure:
    """Two rows: errors, accuracies and codes; images and what each pixel takes from either number of the code."""
    with style():
        figure = Figure(figsize=(11.6, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        above, below = figure.subfigures(2, 1, height_ratios=[1.0, 1.15])
        errors, accuracies, ours, linear = above.subplots(1, 4)
        _by_code(errors, records, "MSE")
        _by_code(accuracies, records, "k-NN accuracy")
        _codes(ours, of_picture(records, model="KAN", code="2"), "KAN: two numbers a digit")
        _codes(linear, of_picture(records, model="PCA", code="2"), "PCA: two numbers a digit")
        left, right = below.subfigures(1, 2, width_ratios=[1.35, 1.0])
        _images(left, records)
        _curves(right, of_picture(records, model=ADDITIVE, code="2"))
    return figure


def _by_code(panel: Axes, records: Sequence[Record], value: str) -> None:
    sizes = sorted({record["code"] for record in records if record["model"] == "PCA"}, key=int)
    x = np.arange(len(sizes))
    for number, (model, color) in enumerate(COLORS.items()):
        groups = [spread(records, value, model=model, code=size) for size in sizes]
        mean = np.array([group.mean() for group in groups])
        shift = 0.06 * (number - 1.5)
        panel.errorbar(
            x + shift,
            mean,
            yerr=[group.std(ddof=min(1, len(group) - 1)) for group in groups],
            color=color,
            linewidth=1.2,
            marker="o",
            markersize=3.5,
            capsize=2.0,
            label=model,
        )
    panel.set(xticks=x, xticklabels=sizes, xlabel="numbers in the code")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    if value == "MSE":
        panel.set_yscale("log")
        panel.set_yticks([0.005, 0.01, 0.02, 0.05])
        panel.yaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        panel.set_title("mean squared error, new rows")
        panel.legend(loc="lower left")
    else:
        pixels = spread(records, value, code="64")
        panel.axhline(float(pixels.mean()), color=INK, linewidth=0.8, linestyle=(0, (3, 2)))
        panel.text(x[0], float(pixels.mean()) + 0.012, "all 64 pixels", color=INK, fontsize=8)
        panel.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
        panel.set_title("digit named by the 5 nearest codes")
        panel.set_ylim(None, 1.04)


def _codes(panel: Axes, kept: dict[str, Any], title: str) -> None:
    panel.set_title(title)
    panel.set(xticks=[], yticks=[], xlabel="first number", ylabel="second")
    if not kept:
        return
    codes, labels = np.array(kept["codes"]), np.array(kept["digits"])
    for digit, color in enumerate(DIGITS):
        own = codes[labels == digit]
        panel.scatter(own[:, 0], own[:, 1], s=7.0, color=color, alpha=0.65, linewidths=0)
        x, y = np.median(own, axis=0)
        box = {"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": color, "linewidth": 0.9, "alpha": 0.9}
        panel.text(x, y, str(digit), ha="center", va="center", fontsize=8, color=INK, bbox=box)


def _images(figure: SubFigure, records: Sequence[Record]) -> None:
    """Ten new digits and what is left of them after a code of 8 numbers."""
    lines = {"pixels": of_picture(records, code="64")}
    lines |= {name: of_picture(records, model=name, code="8") for name in ("PCA", ADDITIVE, "KAN", "MLP")}
    axes = figure.subplots(len(lines), 11, gridspec_kw={"width_ratios": [2.1] + [1] * 10})
    for line, (name, kept) in zip(axes, lines.items()):
        for panel in line:
            panel.set(xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set_visible(False)
        text = name.replace("without ", "without\n")
        line[0].text(1.0, 0.5, text, transform=line[0].transAxes, ha="right", va="center", fontsize=8, color=INK)
        for panel, image in zip(line[1:], kept.get("images", [])):
            panel.imshow(np.array(image).reshape(8, 8), cmap="gray_r", vmin=0, vmax=100)
    figure.suptitle("new digits after a code of 8 numbers", fontsize=9.5, x=0.02, ha="left", color=INK)


def _curves(figure: SubFigure, kept: dict[str, Any]) -> None:
    """Every pixel is a constant and two curves; each small panel is a pixel, at its place."""
    figure.suptitle(
        "edges of the decoder without hidden layers: what each pixel\n"
        "takes from the first (blue) and second (green) of 2 numbers",
        fontsize=9.5,
        x=0.02,
        ha="left",
        color=INK,
    )
    axes = figure.subplots(8, 8, sharex=True, sharey=True)
    curves = np.array(kept["curves"]) if kept else np.zeros((2, 64, 2))
    curves = curves - curves.mean(axis=-1, keepdims=True)
    for pixel, panel in enumerate(axes.flat):
        panel.set_facecolor(WASH)
        for number, color in enumerate((SPLINE, SECOND)):
            panel.plot(curves[number, pixel], color=color, linewidth=1.0)
        panel.set(xticks=[], yticks=[])
        for spine in panel.spines.values():
            spine.set_visible(False)
