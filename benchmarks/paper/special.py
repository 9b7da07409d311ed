"""Part 2, fifteen special functions of two variables (arXiv 2404.19756, section 3.2).

kanlib finds the shape, the grid and the degree itself (`kanlib.symbolic.find_shape`), with no more constants than the
published shape has on a grid of 20; beside it MLPs of two shapes by L-BFGS and by damped Gauss-Newton steps, the better
one on the test points taken, and pykan with the published shape.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options, Record
from kanlib.plots.style import FAINT, INK, style
from kanlib.symbolic import find_shape

from .mlp import best_mlp
from .net_training import METHODS
from .pykan_peer import pykan_rows
from .special_functions import FUNCTIONS, PUBLISHED_GRID, SpecialFunction
from .stages import uniform

__all__ = ["checks", "draw", "make"]

COLUMNS = (
    *("function", "method", "shape", "seed", "grid", "degree", "parameters", "allowed", "test RMSE", "seconds"),
    *("published KAN", "published MLP", "note"),
)
ROWS, NEW_ROWS = 4000, 10_000
SECONDS, MLP_SECONDS, PYKAN_SECONDS = 45.0, 20.0, 45.0
PYKAN_GRIDS, PYKAN_STEPS = (3, 5, 10, 20), 50
CUT = "its best grid; cut to one seed, 1000 rows, grids up to 20 with 50 steps each"
QUICK = ("ellipeinc(phi, m)", "sph_harm(1, 2)", "lpmv(1, v, x)")


def make(options: Options) -> Table:
    """Run the part."""
    rows: list[list[object]] = []
    chosen = [f for f in FUNCTIONS if not options.quick or f.call in QUICK]
    for function in chosen:
        for seed in range(options.seeds):
            for row in _runs(function, seed, options):
                rows.append([function.call, *row[:-1], function.published_kan, function.published_mlp, row[-1]])
                options.say("  ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in rows[-1]))
    return Table(
        "paper_special",
        f"2. Special functions: {ROWS:,} training points, error on {NEW_ROWS:,} new ones, float64",
        COLUMNS,
        rows,
        checks(rows),
    )


def _runs(function: SpecialFunction, seed: int, options: Options) -> Iterator[list[object]]:
    allowed = function.constants_allowed
    X, T = uniform(ROWS, function.ranges, seed), uniform(NEW_ROWS, function.ranges, seed + 1000)
    y, t = (torch.from_numpy(function(rows.numpy())) for rows in (X, T))
    begin = time.perf_counter()
    found = find_shape(
        X.numpy(), y.numpy(), max_constants=allowed, seed=seed, time_limit=8.0 if options.quick else SECONDS
    )
    seconds = time.perf_counter() - begin
    with torch.no_grad():
        error = float((found.network(T)[:, 0] - t).square().mean().sqrt())
    best = found.best
    yield ["kanlib", best.template, seed, best.grid_size, best.degree, best.n_constants, allowed, error, seconds, ""]
    if options.quick or seed > 0:
        return
    for method in METHODS:
        error, run = best_mlp((X, y), (T, t), method, seed=seed, seconds=MLP_SECONDS)
        name, shape, note = f"MLP, {method}", str(list(run.widths)), f"{MLP_SECONDS / 2:g} s a shape, one seed"
        yield [name, shape, seed, "", "", run.parameters, "", error, run.seconds, note]
    if options.peer_python:
        shape = function.published_shape
        found_rows = pykan_rows(
            options.peer_python,
            shape,
            (X[:1000], y[:1000]),
            (T, t),
            grids=PYKAN_GRIDS,
            steps=PYKAN_STEPS,
            seed=seed,
            seconds=PYKAN_SECONDS,
        )
        note = "; ".join(row.note for row in found_rows if row.note)
        done = [row for row in found_rows if np.isfinite(row.test_rmse)]
        if done:
            row = min(done, key=lambda row: row.test_rmse)
            numbers = [row.grid, 3, row.parameters, "", row.test_rmse, row.seconds]
            yield ["pykan", str(list(shape)), seed, *numbers, f"{CUT}; {note}".rstrip("; ")]
        else:
            yield ["pykan", str(list(shape)), seed, "", "", "", "", float("nan"), "", note]


def checks(rows: Sequence[Sequence[object]]) -> dict[str, bool]:
    """Against the published KAN: medians over the seeds, with the number of single runs beside."""
    errors: dict[str, list[float]] = {}
    slowest, over = 0.0, []
    published = {f.call: f.published_kan for f in FUNCTIONS}
    for row in rows:
        if row[1] != "kanlib":
            continue
        errors.setdefault(str(row[0]), []).append(float(str(row[8])))
        slowest = max(slowest, float(str(row[9])))
        over += [row[0]] if int(str(row[6])) > int(str(row[7])) else []
    middle = {name: median(values) for name, values in errors.items()}
    missed = sorted(name for name, error in middle.items() if error >= published[name])
    far_below = [name for name, error in middle.items() if error < published[name] / 10]
    single = [error < published[name] for name, values in errors.items() for error in values]
    n, wanted = len(middle), 8 * len(middle) // len(FUNCTIONS)
    detail = f"{n - len(missed)}; {sum(single)} of {len(single)} runs" + (
        f"; not {', '.join(missed)}" if missed else ""
    )
    return {
        f"below the published KAN on all {n} ({detail})": not missed,
        f"ten times below on at least {wanted} ({len(far_below)})": len(far_below) >= wanted,
        f"no more parameters than the published shape on a grid of {PUBLISHED_GRID}": not over,
        f"within 60 s each (longest {slowest:.0f} s)": slowest <= 60.0,
    }


MARKS = {
    "published KAN": ("#009e73", "D"),
    "published MLP": ("#d55e00", "D"),
    "pykan": ("#009e73", "s"),
    "MLP, lbfgs": ("#d55e00", "^"),
    "MLP, gauss-newton": ("#e69f00", "v"),
    "kanlib": ("#0072b2", "o"),
}


def draw(records: Sequence[Record]) -> Figure:
    """One line a function: the errors of all, on a logarithmic axis."""
    names = list(dict.fromkeys(record["function"] for record in records))
    with style():
        figure = Figure(figsize=(7.5, 0.34 * len(names) + 1.4), layout="constrained")
        FigureCanvasAgg(figure)
        panel = figure.subplots()
        for place, name in enumerate(reversed(names)):
            mine = [record for record in records if record["function"] == name]
            panel.axhline(place, color=FAINT, linewidth=0.8, zorder=0)
            for method, (color, marker) in MARKS.items():
                if method.startswith("published"):
                    errors, face = [float(mine[0][method])], "none"
                else:
                    errors = [float(record["test RMSE"]) for record in mine if record["method"] == method]
                    face = color
                panel.scatter(errors, [place] * len(errors), 26, facecolors=face, edgecolors=color, marker=marker)
        for method, (color, marker) in MARKS.items():
            face = "none" if method.startswith("published") else color
            panel.scatter([], [], 26, facecolors=face, edgecolors=color, marker=marker, label=method)
        panel.set(xscale="log", xlabel="test RMSE, one mark a seed", yticks=range(len(names)), ylim=(-0.7, len(names)))
        panel.set_yticklabels(list(reversed(names)), color=INK)
        panel.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure
