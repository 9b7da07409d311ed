"""The picture of the mixtures: true regimes, the experts that gates choose, scores, and a gate that can be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, WASH, style

from .kamoe_data import PROBLEMS
from .kamoe_models import MODELS
from .trials import of_picture, spread

__all__ = ["draw"]

CELLS = 41
REGIMES = ("#0072b2", "#e69f00", "#009e73")
TITLES = dict(zip(MODELS, ("GRKAN", "KAN layer", "GRN", "linear", "one MLP", "one KAN")))
GATES = MODELS[:4]
SQUARES = "formula of the gate, squares"


def draw(records: Sequence[Record]) -> Figure:
    """A row a problem, and last the edges of the gate that is one KAN layer, with the border they give."""
    problems = [name for name in PROBLEMS if any(record["problem"] == name for record in records)]
    with style():
        figure = Figure(figsize=(12.4, 2.15 * (len(problems) + 1)), layout="constrained")
        FigureCanvasAgg(figure)
        parts = figure.subfigures(len(problems) + 1, 1)
        for name, part in zip(problems, parts):
            line = part.subplots(1, 7, gridspec_kw={"width_ratios": [1, 1, 1, 1, 1, 1.35, 1.35]})
            _truth(line[0], name)
            for gate, panel in zip(GATES, line[1:5]):
                _gate(panel, of_picture(records, problem=name, model=gate), gate)
            _scores(line[5], records, name, "R2", "R² on new rows", MODELS)
            _scores(line[6], records, name, "regime information", "regimes found", GATES)
        _read(parts[-1].subplots(1, 5, gridspec_kw={"width_ratios": [1, 1, 1, 1, 1.35]}), records)
    return figure


def _square(panel: Axes, image: np.ndarray) -> None:
    # Points are listed with the first input slowest; an image has it across.
    panel.imshow(image.transpose(1, 0, 2), extent=(-1, 1, -1, 1), origin="lower", interpolation="nearest")
    panel.set(xticks=[], yticks=[])


def _truth(panel: Axes, name: str) -> None:
    side = torch.linspace(-1, 1, 241)
    regimes = PROBLEMS[name].regime(torch.cartesian_prod(side, side)).reshape(241, 241).numpy()
    _square(panel, np.array([to_rgb(color) for color in REGIMES])[regimes])
    panel.set_title("true regimes", color=INK)
    panel.set_ylabel(name, fontsize=9.5, color=INK)


def _gate(panel: Axes, kept: dict[str, Any], gate: str) -> None:
    panel.set_title(f"gate: {TITLES[gate]}")
    panel.set(xticks=[], yticks=[])
    if not kept:
        return
    regimes = np.array([int(digit) for digit in kept["regime"]]).reshape(CELLS, CELLS)
    colors = np.array([to_rgb(color) for color in REGIMES])
    # White where the weight is that of all experts alike, full colour where it is one.
    least = 1 / (regimes.max() + 1) if regimes.max() else 0.5
    strength = np.clip((np.array(kept["weight"]).reshape(CELLS, CELLS, 1) / 100 - least) / (1 - least), 0, 1)
    _square(panel, 1 - (0.15 + 0.85 * strength) * (1 - colors[regimes]))


def _scores(
    panel: Axes, records: Sequence[Record], problem: str, value: str, title: str, models: Sequence[str]
) -> None:
    for place, model in enumerate(models):
        own = spread(records, value, problem=problem, model=model)
        color = (
            SPLINE if "KAMoE" in model else SECOND if "KAN" in model else SYMBOLIC if "linear" not in model else MUTED
        )
        panel.plot(own, np.full(len(own), place), "o", color=color, markersize=3.5, alpha=0.6, markeredgewidth=0)
        panel.plot(own.mean(), place, "|", color=INK, markersize=11, markeredgewidth=1.4)
    panel.set(yticks=range(len(models)), ylim=(len(models) - 0.5, -0.5), xlim=(None, 1.02))
    panel.set_yticklabels([TITLES[model] for model in models])
    panel.tick_params(axis="y", length=0, labelcolor=INK, labelsize=7.5)
    panel.grid(axis="x", color=FAINT, linewidth=0.6)
    panel.set_title(title)


def _read(panels: Sequence[Axes], records: Sequence[Record]) -> None:
    kept = of_picture(records, model=SQUARES)
    if not kept:
        for panel in panels:
            panel.set_axis_off()
        return
    edges = np.array(kept["edges"])
    edges = edges - edges.mean(axis=1, keepdims=True)
    x = np.linspace(-1, 1, edges.shape[1])
    for number, panel in enumerate(panels[:4]):
        panel.axhline(0, color=FAINT, linewidth=0.8)
        panel.plot(x, edges[number], color=SPLINE if any(edges[number]) else MUTED, linewidth=1.6)
        panel.set(ylim=(edges.min() * 1.15, edges.max() * 1.3), xlabel=f"x{number + 1}")
        panel.set_title(
            "circle: edges of the gate" if number == 0 else "" if kept["live"][number] else "negligible: masked"
        )
    border = panels[4]
    values = np.array(kept["values"]).reshape(CELLS, CELLS).T
    side = np.linspace(-1, 1, CELLS)
    border.contour(side, side, values, levels=[0.0], colors=[SYMBOLIC], linewidths=1.8)
    angle = np.linspace(0, 2 * math.pi, 200)
    border.plot(0.8 * np.cos(angle), 0.8 * np.sin(angle), color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
    border.set(aspect="equal", xlim=(-1, 1), ylim=(-1, 1), xticks=[], yticks=[], facecolor=WASH)
    text = next(record["formula"] for record in records if record["model"] == SQUARES and record["picture"])
    border.set_title("its border; dashed: the true one", fontsize=8.5)
    border.set_xlabel(f"{text.replace('**2', '²').replace('*', ' ')} = 0", color=SYMBOLIC, fontsize=7.0)
