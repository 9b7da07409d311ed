"""Part "bases": what each basis is good for, and what it costs.

One edge with as many functions in every basis is fitted to a thousand rows of a curve by least squares, and judged on
new rows; and a layer of each basis takes turns with the others and with a matrix product of as many operations.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor, nn

from benchmarks.foundation.layers import contestants, rounds
from benchmarks.foundation.tables import Table
from benchmarks.parts import Options, Record
from kanlib import KAN, KANLayer, fit
from kanlib.bases import BASES
from kanlib.plots.style import INK, MUTED, SPLINE, style

__all__ = ["TARGETS", "draw", "make"]

GRID_SIZE, DEGREE = 17, 3  # twenty functions
ROWS, NEW_ROWS = 1000, 4000
SIZE = (1024, 64, 64, 5)  # batch, in, out, grid size
COLUMNS = (
    "what",
    "basis",
    "target",
    "seed",
    "relative RMSE",
    "functions",
    "at a point",
    "median ms",
    "ratio",
    "lower",
    "upper",
)

TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "smooth": lambda x: torch.exp(x) / (1 + x.square()),
    "polynomial": lambda x: x**5 - x**3 + 0.5 * x.square(),
    "periodic": lambda x: torch.sin(5 * torch.pi * x) + 0.5 * torch.cos(2 * torch.pi * x),
    "bump": lambda x: torch.exp(-50 * (x - 0.23).square()),
    "resonance": lambda x: 1 / (1 + ((x + 0.31) / 0.2).square()),
    "kink": lambda x: (x - 0.137).abs(),
    "step": lambda x: (x > 0.137).to(x.dtype),
}
# On its own ground a basis has to win: (basis, target, how far below the B-splines' error).
CLAIMS = (("chebyshev", "polynomial", 1e-6), ("legendre", "polynomial", 1e-6), ("fourier", "periodic", 1e-6))


def make(options: Options) -> Table:
    """Errors of every basis on every target, and times."""
    rows: list[list[object]] = []
    for name, basis in BASES.items():
        at_a_point = basis.complexity(GRID_SIZE, DEGREE)
        for target in TARGETS:
            for seed in range(options.seeds):
                error = relative_rmse(name, TARGETS[target], seed)
                rows.append(["accuracy", name, target, seed, error, GRID_SIZE + DEGREE, at_a_point, "", "", "", ""])
        first = rows[-len(TARGETS) * options.seeds :: options.seeds]
        options.say(f"{name}: {', '.join(f'{row[2]} {row[4]:.1e}' for row in first)}")
    rows += _times(5 if options.quick else 31)
    return Table(
        "family_bases",
        f"1. Bases: {GRID_SIZE + DEGREE} functions on one edge, least squares; forward + backward of a layer {SIZE}",
        COLUMNS,
        rows,
        _checks(rows),
    )


def relative_rmse(basis: str, target: Callable[[Tensor], Tensor], seed: int) -> float:
    """Error on new rows over the spread of the target, of the best curve for the training rows."""
    rng = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(ROWS + NEW_ROWS, 1, generator=rng, dtype=torch.float64) - 1
    y = target(x[:, 0])
    model = KAN([1, 1], grid_size=GRID_SIZE, degree=DEGREE, basis=basis, base=None, dtype=torch.float64)
    fit(model, x[:ROWS], y[:ROWS], update_grid=False, progress=False)
    with torch.no_grad():
        miss = model(x[ROWS:])[:, 0] - y[ROWS:]
    return float(miss.square().mean().sqrt() / y[ROWS:].std())


def _times(repetitions: int) -> list[list[object]]:
    _, n_in, n_out, grid_size = SIZE
    made = contestants(SIZE)
    x = made["kanlib"][1].detach()
    modules: dict[str, tuple[nn.Module, Tensor]] = {
        name: (KANLayer(n_in, n_out, grid_size, DEGREE, basis=name), x.clone().requires_grad_()) for name in BASES
    }
    modules["equal-FLOP GEMM"] = made["equal-FLOP GEMM"]
    times = rounds(modules, repetitions)
    rows: list[list[object]] = []
    for name, values in times.items():
        ratios = [own / spline for own, spline in zip(values, times["bspline"])]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        median = 1e3 * statistics.median(values)
        rows.append(["speed", name, "", "", "", grid_size + DEGREE, "", median, middle, low, high])
    return rows


def _checks(rows: Sequence[Sequence[object]]) -> dict[str, bool]:
    def worst(basis: str, target: str) -> float:
        return max(float(str(row[4])) for row in rows if row[:3] == ["accuracy", basis, target])

    def median(basis: str, target: str) -> float:
        return statistics.median(float(str(row[4])) for row in rows if row[:3] == ["accuracy", basis, target])

    checks = {
        f"{basis} holds the {target} curve: error below {factor:g} of the B-splines'": worst(basis, target)
        < factor * median("bspline", target)
        for basis, target, factor in CLAIMS
    }
    local = ("bspline", "gaussian", "chebyshev", "legendre", "rational")
    checks["the smooth curve is known to 1e-3 by all but Fourier, wavelets and hats"] = all(
        median(name, "smooth") < 1e-3 for name in local
    )
    return checks


def draw(records: Sequence[Record]) -> Figure:
    """Errors as a table of shades, times as bars."""
    names = list(BASES)
    with style():
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.7, 1)})
        errors = np.array([[_median(records, name, target) for target in TARGETS] for name in names])
        _shades(left, errors, names)
        _bars(right, records, names)
    return figure


def _median(records: Sequence[Record], basis: str, target: str) -> float:
    own = [
        record
        for record in records
        if (record["what"], record["basis"], record["target"]) == ("accuracy", basis, target)
    ]
    return statistics.median(float(record["relative RMSE"]) for record in own)


def _shades(panel: Axes, errors: np.ndarray, names: Sequence[str]) -> None:
    shown = np.clip(np.log10(errors), -8, 0)
    panel.imshow(shown, cmap=mpl.colormaps["cividis"], vmin=-8, vmax=0.5, aspect="auto")
    for place in np.ndindex(*errors.shape):
        dark = shown[place] < -4
        text = f"{errors[place]:.0e}".replace("e-0", "e-").replace("e+00", "")
        panel.text(place[1], place[0], text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    panel.set(xticks=range(len(TARGETS)), yticks=range(len(names)))
    panel.set_xticklabels(TARGETS, rotation=25, ha="right")
    panel.set_yticklabels(names)
    panel.tick_params(length=0)
    panel.set_title(f"error of {GRID_SIZE + DEGREE} functions on new rows, over the spread")
    for spine in panel.spines.values():
        spine.set_visible(False)


def _bars(panel: Axes, records: Sequence[Record], names: Sequence[str]) -> None:
    speed = {record["basis"]: record for record in records if record["what"] == "speed"}
    shown = [*names, "equal-FLOP GEMM"]
    values = [float(speed[name]["ratio"]) for name in shown]
    spread = [[v - float(speed[n]["lower"]), float(speed[n]["upper"]) - v] for n, v in zip(shown, values)]
    colors = [SPLINE] * len(names) + [MUTED]
    panel.barh(range(len(shown)), values, xerr=np.array(spread).T, color=colors, height=0.62, ecolor=INK, capsize=2)
    panel.set(yticks=range(len(shown)), ylim=(len(shown) - 0.4, -0.6))
    panel.set_yticklabels(shown)
    panel.tick_params(axis="y", length=0)
    panel.set_title("time of a layer, B-splines = 1")
    panel.set_xlabel("forward + backward, quartiles")
