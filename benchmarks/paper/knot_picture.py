"""The picture of the knots: signature against slope with the formula, accuracies, and the ranking of inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from benchmarks.parts import Record
from kanlib.plots.style import DATA, FAINT, INK, MUTED, SECOND, SPLINE, SYMBOLIC, style
from kanlib.symbolic.parsing import parse_formula

from .knot_data import TRANSLATIONS, Knots

__all__ = ["SHORT", "draw_knots"]

FORMULA = "formula in the slope"
SETS = {"all": (SPLINE, "o"), "translations": (SYMBOLIC, "s"), "slope": (SECOND, "D")}
SHORT = {"meridian_real": "Re meridian", "meridian_imag": "Im meridian", "geodesic_imag": "torsion of geodesic",
         "injectivity_radius": "injectivity radius", "chern_simons": "Chern-Simons", "cusp_volume": "cusp volume",
         "geodesic_real": "length of geodesic"}  # fmt: skip


def draw_knots(records: Sequence[Record], knots: Knots) -> Figure:
    """Three panels; what a run left out (as a quick one does) is left out here."""
    with style():
        figure = Figure(figsize=(12.0, 5.0), layout="constrained")
        FigureCanvasAgg(figure)
        signature, accuracies, ranking = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.15, 1.15, 0.85]})
        _signature(signature, records, knots)
        _accuracies(accuracies, records)
        _ranking(ranking, records)
    return figure


def _slope_rows(records: Sequence[Record]) -> list[Record]:
    return [
        row
        for row in records
        if row["kind"] == "formula" and row["inputs"] == "translations" and row["in the slope"] == "yes"
    ]


def _signature(panel: Axes, records: Sequence[Record], knots: Knots) -> None:
    slope, signature = knots.column("slope"), knots.column("signature")
    shift = np.random.default_rng(0).uniform(-0.55, 0.55, len(slope))  # the classes are bands, not lines
    panel.scatter(slope, signature + shift, s=3.0, color=DATA, alpha=0.35, linewidths=0, rasterized=True)
    found = _slope_rows(records)
    if found:
        s = np.linspace(slope.min(), slope.max(), 200)
        symbols = sympy.symbols(TRANSLATIONS, real=True)
        # A cusp with that slope: the meridian 1 + i, and so the longitude 2 s.
        curve = sympy.lambdify(symbols, parse_formula(found[0]["formula"], symbols), "numpy")(1.0, 1.0, 2.0 * s)
        panel.plot(s, curve, color=SYMBOLIC, linewidth=1.6)
        panel.set_title(f"{_pretty(found[0]['formula'])}, of discover's front", color=SYMBOLIC)
    panel.set(
        xlabel="slope Re(longitude / meridian)",
        ylabel="signature (dots spread within a class)",
        yticks=np.unique(signature),
    )
    panel.grid(axis="y", color=FAINT, linewidth=0.6)


def _pretty(text: str) -> str:
    """The formula with the slope in one word, where it is a multiple of it."""
    symbols = sympy.symbols(TRANSLATIONS, real=True)
    real, imag, longitude = symbols
    factor = sympy.simplify(parse_formula(text, symbols) * (real**2 + imag**2) / (longitude * real))
    return f"signature = {float(factor):.4g} slope" if factor.is_number else f"signature = {text}"


def _accuracies(panel: Axes, records: Sequence[Record]) -> None:
    rows = [row for row in records if row["kind"] == "accuracy" and row["inputs"] in SETS]
    rows = [row for row in rows if math.isfinite(float(row["value"]))]  # a peer that failed has none
    models = {row["what"] for row in rows} - {"most frequent class"}
    names = [*sorted(models, key=_order), FORMULA]
    for index, (inputs, (color, marker)) in enumerate(SETS.items()):
        given = [(row["what"], float(row["value"])) for row in rows if row["inputs"] == inputs]
        if inputs == "translations":
            given += [(FORMULA, float(row["value"])) for row in _slope_rows(records)]
        label = inputs if given else "_nolegend_"
        for place, name in enumerate(names):
            values = [value for what, value in given if what == name]
            if not values:
                continue
            height = place + (index - 1) * 0.2
            panel.plot([min(values), max(values)], [height, height], color=color, linewidth=1.2)
            panel.plot(np.mean(values), height, marker, color=color, markersize=5, label=label)
            label = "_nolegend_"
    panel.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5), xlabel="right on knots not trained on")
    seeds = {name: len({row["seed"] for row in rows if row["what"] == name}) for name in models}
    most = max(seeds.values(), default=1)
    panel.set_yticklabels([f"{name}\n(one seed)" if seeds.get(name, most) == 1 < most else name for name in names])
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.xaxis.set_major_locator(MultipleLocator(0.05))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    panel.grid(axis="x", color=FAINT, linewidth=0.6)
    panel.set_title("accuracy, mean and range over seeds")
    if rows:
        panel.legend(loc="lower right", title="inputs", title_fontsize=8.0, alignment="left")


def _order(model: str) -> tuple[int, int, str]:
    """KANs first, each with pykan's below it, then what else there is."""
    for place, nodes in enumerate(("1 hidden node", "5 hidden nodes")):
        if nodes in model:
            return 0, place, model  # "KAN" comes before "pykan"
    return 1, 0, model


def _ranking(panel: Axes, records: Sequence[Record]) -> None:
    rows = [row for row in records if row["kind"] == "ranking" and row["what"] == "KAN, 1 hidden node, independent"]
    by_name: dict[str, list[float]] = {}
    for row in rows:
        by_name.setdefault(row["inputs"], []).append(float(row["value"]))
    names = sorted(by_name, key=lambda name: -np.mean(by_name[name]))
    means = [float(np.mean(by_name[name])) for name in names]
    colors = [SYMBOLIC if name in TRANSLATIONS else MUTED for name in names]
    panel.barh(range(len(names)), means, 0.6, color=colors)
    panel.set(yticks=range(len(names)), ylim=(len(names) - 0.4, -0.6), xlabel="share of the attribution scores")
    panel.set_yticklabels([SHORT.get(name, name) for name in names])
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.set_title("what a KAN with 1 hidden node reads")
