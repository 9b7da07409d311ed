"""The picture of part 8: every example's network with its formula, and the edges of those read by their curves.

Below a formula stand the errors of the rivals, where the run had any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import sympy
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.special import j0

from benchmarks.parts import Record
from kanlib import KAN
from kanlib.plots import plot_network
from kanlib.plots.style import INK, MUTED, SPLINE, SYMBOLIC, style
from kanlib.plots.text import mathtext
from kanlib.symbolic import compile_formula, parse_formula
from kanlib.symbolic.printing import print_latex

from .interpretability_laws import BESSEL, COLUMNS, EXAMPLES, relations
from .interpretability_networks import bessel_miss, bessel_network, digit_network, rapidity_network
from .interpretability_rivals import PYKAN
from .mlp_classes import MLP_METHODS

__all__ = ["draw"]

SIZE = (4, 3)  # rows and columns of panels
RIVALS = (PYKAN, *MLP_METHODS)
ERROR = "error on new points / spread"
NO_FORMULA = "no formula was found"


def draw(records: Sequence[Record]) -> Figure:
    """The first seed of every example. What `discover` found is drawn from its formula; networks are trained again."""
    first: dict[str, Record] = {}
    for record in records:
        if record["asked of"] not in RIVALS:
            first.setdefault(record["example"], record)
    with style():
        figure = Figure(figsize=(12.0, 11.6), layout="none")
        FigureCanvasAgg(figure)
        places = iter([(i, j) for i in range(SIZE[0]) for j in range(SIZE[1])])

        def panel(title: str, caption: str, *, of: str = "", exact: bool = False, plot: bool = False) -> Axes:
            i, j = next(places)
            return _panel(figure, i, j, title, caption, _rivals(records, of), exact=exact, plot=plot)

        for example in EXAMPLES:
            record = first[example.name]
            X, _ = example.sample(400, 0)
            title, exact = f"{example.name}: ${example.title}$", record["exact"] == "True"
            ax = panel(title, _found(record), of=example.name, exact=exact)
            _formula_network(ax, record, example.symbols, X)
        record = first["velocities, [2, 1, 1]"]
        ax = panel("velocities, read off [2, 1, 1]", _found(record), exact=record["exact"] == "True")
        model, X = rapidity_network(0), EXAMPLES[-1].sample(400, 0)[0]
        named = {(0, 0, 0): r"\mathrm{atanh}", (0, 1, 0): r"\mathrm{atanh}", (1, 0, 0): r"\tanh"}
        plot_network(model, X, ax=ax, formulas=named if record["formula"].startswith("tanh(atanh(") else False)
        bessel = bessel_network(0)
        caption = f"no formula; read off [2, 1, 1], to {bessel_miss(bessel):.0e} of its spread".replace("e-0", "e-")
        _bessel(panel(f"{BESSEL.name}: ${BESSEL.title}$", caption, of=BESSEL.name, plot=True), bessel)
        _digits(panel("first digit of a number, [1, 10]", "the ten edges, one for each digit", plot=True))
        for k in (2, 4):
            name = COLUMNS[k].name
            record = first[f"six columns: {name}"]
            ax = panel(f"six columns, no target: $x_{k + 1}$", _found(record), exact=record["exact"] == "True")
            others = [i for i in range(6) if i != k]
            _formula_network(ax, record, [COLUMNS[i] for i in others], relations(0, 400)[:, others], name)
    return figure


def _panel(figure: Figure, i: int, j: int, title: str, caption: str, rivals: str, *, exact: bool, plot: bool) -> Axes:
    """Axes with a title above and the formula below, on a grid of its own: networks set their limits themselves."""
    rows, columns = SIZE
    width, height = 1 / columns, 1 / rows
    left, bottom = j * width, 1 - (i + 1) * height
    figure.text(left + width / 2, bottom + 0.93 * height, title, ha="center", va="center", color=INK, fontsize=9.5)
    color = SYMBOLIC if exact else MUTED
    place = 0.11 if rivals else 0.07
    figure.text(left + width / 2, bottom + place * height, caption, ha="center", va="center", color=color, fontsize=10)
    figure.text(left + width / 2, bottom + 0.03 * height, rivals, ha="center", va="center", color=MUTED, fontsize=7.5)
    low = 0.30 if plot and rivals else 0.27 if plot else 0.16  # the numbers and the name of an axis take room
    return figure.add_axes((left + 0.06 * width, bottom + low * height, 0.88 * width, (0.87 - low) * height))


def _rivals(records: Sequence[Record], example: str) -> str:
    """The errors of pykan's formula, of its network and of the better perceptron, first seed; empty without any."""
    own = [record for record in records if record["example"] == example and record["seed"] == "0"]
    peer = next((record for record in own if record["asked of"] == PYKAN), None)
    nets = [float(record[ERROR]) for record in own if record["asked of"] in MLP_METHODS]
    told = []
    if peer is not None:
        network = f", network {float(peer['measure']):.0e}" if peer["measure"] else ""
        formula = f"formula {float(peer[ERROR]):.0e}" if peer["formula"] else "no formula"
        told.append(f"pykan's {formula}{network}")
    if nets:
        told.append(f"MLP {min(nets):.0e}")
    return re.sub(r"e([+-])0", r"e\1", "errors on new points: " + ", ".join(told)) if told else ""


def _found(record: Record) -> str:
    """The formula as text for matplotlib, with what it is worth."""
    if not record["formula"]:
        return NO_FORMULA
    exact = "" if record["exact"] == "True" else "   (not exact)"
    names = {name: sympy.Symbol(name, real=True) for name in ("u", "v", *(symbol.name for symbol in COLUMNS))}
    latex = mathtext(print_latex(parse_formula(record["formula"], names), 4, {}))
    return (latex or record["formula"]) + exact


def _formula_network(
    ax: Axes, record: Record, symbols: Sequence[sympy.Symbol], X: np.ndarray, target: str = "y"
) -> None:
    if not record["formula"]:
        ax.set_axis_off()
        ax.text(0.5, 0.5, NO_FORMULA, ha="center", va="center", color=MUTED, transform=ax.transAxes)
        return
    model = compile_formula(parse_formula(record["formula"], symbols), symbols, X)
    plot_network(model, X, ax=ax, input_names=[symbol.name for symbol in symbols], output_names=[target])
    for text in list(ax.texts):
        if text.get_gid() == "kanlib-unused":
            text.remove()  # the other columns: the caption names those that are read


def _bessel(ax: Axes, model: KAN) -> None:
    x, curve = (tensor.numpy() for tensor in model.edge_curve(0, 0, 0, 600))
    design = np.column_stack([j0(20 * x), np.ones_like(x)])
    fitted = design @ np.linalg.lstsq(design, curve, rcond=None)[0]
    ax.plot(x, curve, color=SPLINE, linewidth=2.2, label="edge of $x_1$")
    ax.plot(x, fitted, color=SYMBOLIC, linewidth=1.0, linestyle=(0, (3, 2)), label="$c\\,J_0(20x_1)+d$")
    ax.legend(loc="upper right")
    ax.set(yticks=[], xlabel="$x_1$")


def _digits(ax: Axes) -> None:
    model = digit_network(0)
    x = torch.linspace(0, 1, 1000, dtype=torch.float64)
    with torch.no_grad():
        curves = model(x[:, None]).numpy()
    for digit, curve in enumerate(curves.T):
        ax.plot(x.numpy(), curve, color=SPLINE if digit % 2 else SYMBOLIC, linewidth=1.0)
        ax.text((digit + 0.5) / 10, 1.12, str(digit), ha="center", va="bottom", color=MUTED, fontsize=8)
    ax.set(ylim=(-0.3, 1.35), yticks=[0, 1], xlim=(0, 1), xlabel="$x$")
