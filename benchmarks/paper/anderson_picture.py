"""The picture of the mobility edges: eigenstates with both edges, and the accuracies of all methods."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style
from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.tape import evaluate

from .chains import SYSTEMS, System, dimension, states
from .mlp_classes import MLP_METHODS

__all__ = ["PYKAN", "draw"]

PYKAN = "pykan"
# Chains of one alpha or p, every lam of a fine grid, drawn anew (a second).
SHOWN = {"GAAM": (0.5, (0.3, 1.7), (-4.0, 5.5)), "MAAM": (1.0, (0.3, 3.2), (-3.8, 4.2))}
SHOWN_SIZE, SHOWN_CHAINS = 233, 100
LOWEST_SHOWN = 95.0  # accuracies below are written, not drawn: they would press the others together
ORDER = (
    *("paper: theory", "paper: KAN", "theory", "formula", "KAN", PYKAN, *MLP_METHODS),
    *("gradient boosting", "logistic regression"),
)

COLORS = {"theory": INK, "formula": SYMBOLIC, "KAN": SPLINE}


def draw(records: Sequence[Record]) -> Figure:
    """Left: eigenstates of one family by energy and potential, with both edges; right: accuracies."""
    with style():
        figure = Figure(figsize=(8.6, 7.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, 2, gridspec_kw={"width_ratios": (1.35, 1)})
        for (left, right), system in zip(axes, SYSTEMS.values()):
            own = [record for record in records if record["system"] == system.name]
            shade = _states(left, system, own)
            _accuracies(right, own)
            right.set_title("accuracy on new chains, %")
            bar = figure.colorbar(shade, ax=left, pad=0.01, aspect=30, ticks=[0, 0.5, 1])
            bar.set_label("fractal dimension D", color=MUTED)
            bar.outline.set_visible(False)  # type: ignore[operator]
        axes[0, 0].legend(loc="lower left", frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def _states(panel: Axes, system: System, records: Sequence[Record]) -> object:
    own, (low, high), limits = SHOWN[system.name]
    points = []
    for number, lam in enumerate(np.linspace(low, high, SHOWN_CHAINS)):
        energies, vectors = states(system.name, SHOWN_SIZE, float(lam), own, 2.4 * number)
        points.append(np.column_stack([np.full(SHOWN_SIZE, lam), energies, dimension(vectors)]))
    table = np.concatenate(points)
    shade = panel.scatter(*table.T[:2], c=table[:, 2], s=2.6, linewidths=0, cmap="cividis", vmin=0, vmax=1)
    lams, energies = np.meshgrid(np.linspace(low, high, 300), np.linspace(*limits, 300))
    grid = np.column_stack([energies.ravel(), lams.ravel(), np.full(lams.size, own)])
    formulas = [record["formula"] for record in records if record["method"] == "formula"]
    curves = [(system.edge, INK, "solid", 3.6, "exact edge")]
    if formulas:
        curves.append(
            (parse_formula(formulas[0], system.symbols), SYMBOLIC, (0, (4, 3)), 1.8, "formula found (seed 0)")
        )
    for expr, color, dashes, width, label in curves:
        values = evaluate(expr, system.symbols, grid).reshape(lams.shape)
        panel.contour(lams, energies, values, [0.0], colors=[color], linewidths=width, linestyles=[dashes])
        panel.plot([], [], color=color, linestyle=dashes, linewidth=width, label=label)
    third = {"alpha": r"\alpha", "p": "p"}[system.symbols[2].name]
    panel.set(xlim=(low, high), ylim=limits, xlabel=r"strength of the potential $\lambda$", ylabel="energy $E$")
    panel.set_title(f"{system.name}, ${third} = {own:g}$: {SHOWN_CHAINS} chains of {SHOWN_SIZE} sites")
    return shade


def _accuracies(panel: Axes, records: Sequence[Record]) -> None:
    found: dict[str, list[float]] = {}
    for record in records:
        value = float(record["accuracy %"])
        if math.isfinite(value):  # a peer that failed has none
            found.setdefault(record["method"], []).append(value)
    methods = [method for method in ORDER if method in found]
    for place, method in enumerate(reversed(methods)):
        values = found[method]
        color = MUTED if method.startswith("paper") else COLORS.get(method, SECOND)
        mean = float(np.mean(values))
        if mean < LOWEST_SHOWN:
            panel.text(LOWEST_SHOWN + 0.1, place, f"\u25c2 {mean:.1f}", va="center", color=color, fontsize=8)
            continue
        panel.plot(values, [place] * len(values), "o", color=color, markersize=5, alpha=0.75, markeredgewidth=0)
        panel.text(max(values) + 0.12, place, f"{mean:.1f}", va="center", color=INK, fontsize=8)
    panel.set(xlim=(LOWEST_SHOWN, 100), ylim=(-0.6, len(methods) - 0.4), yticks=range(len(methods)))
    panel.set_yticklabels(list(reversed(methods)))
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=FAINT, linewidth=0.6)
