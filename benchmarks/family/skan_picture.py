"""The picture of S-KAN: errors by target, average ranks, a pruned network with its bases, and digits."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.parts import Record
from kanlib import KAN
from kanlib.plots import plot_network
from kanlib.plots.style import FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style
from kanlib.splines import fit_coefficients, uniform_grid

__all__ = ["draw"]

MAIN = {
    "S-KAN": (SYMBOLIC, "o", 34.0),
    "S-KAN, largest gate": (SYMBOLIC, "x", 24.0),
    "best of 5 by validation": (SECOND, "D", 22.0),
    "best of 5 by validation, least squares": (SECOND, "|", 50.0),
}


def draw(records: Sequence[Record]) -> Figure:
    """Four panels."""
    means = [record for record in records if record["seed"] == "mean"]
    with style():
        figure = Figure(figsize=(10.2, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, width_ratios=[1.6, 1], height_ratios=[1.35, 1])
        _errors(figure.add_subplot(grid[0, 0]), means)
        _ranks(figure.add_subplot(grid[0, 1]), means)
        _network(figure.add_subplot(grid[1, 0]), records)
        _digits(figure.add_subplot(grid[1, 1]), means)
    return figure


def _errors(panel: Axes, means: Sequence[Record]) -> None:
    own = [record for record in means if record["metric"] == "RMSE"]
    targets = list(dict.fromkeys(record["target"] for record in own))[::-1]
    shown: set[str] = set()
    for record in own:
        model, y = record["model"], targets.index(record["target"])
        if model.startswith("KAN, ") and not model.endswith("squares"):
            label = "KANs of one basis"
            panel.scatter(float(record["value"]), y, s=12, color=FAINT, label=None if label in shown else label)
        elif model in MAIN:
            label, (color, marker, size) = model, MAIN[model]
            mean, spread = float(record["value"]), float(record["std"])
            if model == "S-KAN":
                panel.plot([max(mean - spread, 0.6 * mean), mean + spread], [y, y], color=color, linewidth=1.0)
            panel.scatter(
                mean, y, s=size, color=color, marker=marker, zorder=3, label=None if label in shown else label
            )
        else:
            continue
        shown.add(label)
    panel.set_xscale("log")
    panel.set_yticks(range(len(targets)), targets)
    panel.set(xlabel="test error (root mean square, target of spread 1)")
    panel.set_title("errors at equal final parameters")
    panel.legend(loc="upper center", bbox_to_anchor=(0.42, -0.14), fontsize=7.5, ncols=3, handletextpad=0.2)


def _ranks(panel: Axes, means: Sequence[Record]) -> None:
    own = sorted((r for r in means if r["metric"] == "average rank"), key=lambda r: -float(r["value"]))
    _bars(panel, own, "average rank over the targets (1 is best)", "S-KAN", "{:.2f}")
    hits = {r["model"]: float(r["value"]) for r in means if r["metric"] == "chosen = best alone"}
    planted = {r["model"]: float(r["value"]) for r in means if r["metric"] == "chosen = planted"}
    panel.set_xlabel(
        f"chosen = best alone: S-KAN {hits['S-KAN']:.0%}, by gate {hits['S-KAN, largest gate']:.0%}\n"
        f"chosen = planted: S-KAN {planted['S-KAN']:.0%}, by gate {planted['S-KAN, largest gate']:.0%}",
        fontsize=7.5,
    )


def _digits(panel: Axes, means: Sequence[Record]) -> None:
    own = [r for r in means if r["target"] == "digits"]
    if not own:
        panel.set_axis_off()
        return
    _bars(panel, sorted(own, key=lambda r: float(r["value"])), "digits, 8 x 8: test accuracy", "S-ConvKAN", "{:.3f}")
    panel.set_xlim(0.8, 1.0)


def _bars(panel: Axes, records: Sequence[Record], title: str, own: str, form: str) -> None:
    for y, record in enumerate(records):
        value, spread = float(record["value"]), float(record["std"])
        color = SYMBOLIC if record["model"] == own else MUTED if record["model"].startswith("plain") else SPLINE
        panel.barh(y, value, height=0.62, color=color, alpha=0.85)
        panel.plot([value - spread, value + spread], [y, y], color=INK, linewidth=1.0)
        panel.annotate(
            form.format(value), (value + spread, y), (3, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    panel.set_yticks(range(len(records)), [record["model"] for record in records])
    panel.set_title(title)


def _network(panel: Axes, records: Sequence[Record]) -> None:
    """The pruned S-KAN, its curves taken up by a KAN that kanlib.plots draws."""
    record = next((record for record in records if record["curves"]), None)
    if record is None:  # a quick run does not look inside
        panel.set_axis_off()
        return
    curves = [torch.tensor([float(v) for v in line.split()]) for line in record["curves"].split("|")][::2]
    network = KAN([len(curves), 1], grid_size=60, base=None, dtype=torch.float64)
    layer = network.layers[0]
    grid = uniform_grid(-1.0, 1.0, 60, in_features=len(curves), dtype=torch.float64)
    x = torch.linspace(-1, 1, len(curves[0]), dtype=torch.float64)[:, None].expand(-1, len(curves))
    values = torch.stack(curves, dim=1).double()[:, None]
    with torch.no_grad():
        layer.coefficients.copy_(fit_coefficients(x, values, grid, 3, uniform=True))
    bases = record["chosen"].split()
    formulas = {(0, i, 0): rf"\mathrm{{{basis.replace('_', chr(92) + ' ')}}}" for i, basis in enumerate(bases)}
    names = [f"x{i + 1}" for i in range(len(curves))]
    plot_network(network, ax=panel, formulas=formulas, input_names=names, output_names=["y"])
    panel.set_title(f"a pruned S-KAN of {record['target']}, and what symbolify reads from it")
    panel.text(
        0.5, -0.04, _short(record["note"]), ha="center", va="top", fontsize=7.5, color=INK, transform=panel.transAxes
    )


def _short(formula: str) -> str:
    """Its constants with three digits."""
    short = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.3g}", formula)
    return short.replace("**", "^").replace("*", " ")
