"""KAN-ODEs: the field of a system from one trajectory, how it goes on where nothing was measured, and its law.

Every field is fitted first to derivatives of splines through the known rows (KANs by Gauss-Newton, perceptrons by
L-BFGS, the best of four starts each), then trained through the solver by the loop all parts share, on pieces of the
known trajectory: six rows each, from measured states. The state with the best solution over the whole known stretch
counts, which also chooses the learning rate. The unknown stretch is looked at once, at the end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from sympy import Expr, Float
from torch import Tensor

from benchmarks.foundation.tables import BriefTable, Table
from benchmarks.parts import Options
from kanlib import KAN

from .lotka_volterra import N_KNOWN, TIMES, compare, trajectory
from .ode_fields import FIELDS, train_field
from .ode_law import find_law
from .ode_picture import draw

__all__ = ["draw", "make"]

EPOCHS, QUICK_EPOCHS = 60, 5
NOISE = 0.01  # of each state's standard deviation
LAW = "law"
NOISY_LAW = f"law, {NOISE:.0%} noise"
COLUMNS = (
    *("model", "seed", "parameters", "learning rate", "RMSE known", "RMSE unknown", "seconds"),
    *("dx/dt", "dy/dt", "terms right", "worst constant", "curve"),
)


def make(options: Options) -> Table:
    """A row a field and seed, then one a law and seed, each followed by medians; edges of the networks of a law."""
    truth = trajectory()
    rows: list[list[object]] = [["truth", *[""] * 10, _text(truth)]]
    for name in FIELDS:
        own = [_field(name, truth, seed, QUICK_EPOCHS if options.quick else EPOCHS) for seed in range(options.seeds)]
        rows += [*own, _medians(name, own)]
        options.say(f"{name}: median RMSE {rows[-1][4]} known, {rows[-1][5]} unknown")
    for name, noise in ((LAW, 0.0), (NOISY_LAW, NOISE)):
        edges: list[list[object]] = []
        own = [_law(name, truth, noise, seed, edges) for seed in range(options.seeds)]
        rows += [*own, _medians(name, own), *edges]
        options.say(f"{name}: all terms right in {_n_right(own)} of {len(own)}")
    return BriefTable(
        "family_ode",
        f"KAN-ODE: hunters and prey, {N_KNOWN} rows of t <= 3.5, and what follows until t = 14",
        COLUMNS,
        rows,
        _checks(rows, options.seeds),
        hidden=("curve",),
        printed=lambda row: not str(row[0]).startswith("edge"),
    )


def _field(name: str, truth: Tensor, seed: int, epochs: int) -> list[object]:
    start = time.perf_counter()
    model, size, rate = train_field(name, truth[:N_KNOWN], seed, epochs)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        solution = model.solve(truth[:1], TIMES)[0]
    return [name, seed, size, rate, *_errors(solution, truth), seconds, *[""] * 4, _text(solution)]


def _law(name: str, truth: Tensor, noise: float, seed: int, edges: list[list[object]]) -> list[object]:
    spread = truth[:N_KNOWN].std(0)
    generator = torch.Generator().manual_seed(1000 + seed)
    known = truth[:N_KNOWN] + noise * spread * torch.randn(N_KNOWN, 2, generator=generator, dtype=torch.float64)
    start = time.perf_counter()
    law = find_law(TIMES[:N_KNOWN], known, (noise * spread).tolist(), seed)
    seconds = time.perf_counter() - start
    right, worst = compare(law.expressions)
    solution = law.solve(TIMES)
    if seed == 0 and noise == 0:
        edges += _edges(law.networks)
    formulas = [_short(expression) for expression in law.expressions]
    return [name, seed, "", "", *_errors(solution, truth), seconds, *formulas, int(right), worst, _text(solution)]


def _short(expression: Expr) -> str:
    """A formula with six digits of each number that is not exact."""
    return str(expression.xreplace({number: Float(number, 6) for number in expression.atoms(Float)}))


def _errors(solution: Tensor, truth: Tensor) -> tuple[float, float]:
    """Root mean squared errors of both states, known and unknown; a solution that ran away is infinitely wrong."""
    squares = (solution - truth).square().mean(-1)
    known, unknown = squares[:N_KNOWN].mean().sqrt(), squares[N_KNOWN:].mean().sqrt()
    return float(known.nan_to_num(torch.inf)), float(unknown.nan_to_num(torch.inf))


def _medians(name: str, rows: Sequence[Sequence[object]]) -> list[object]:
    """Over the seeds: the middle, and the best and the worst in brackets; how often the terms were right."""

    def middle(column: int) -> str:
        values = sorted(float(str(row[column])) for row in rows)
        return f"{statistics.median(values):.2g} ({values[0]:.2g} to {values[-1]:.2g})"

    seconds = statistics.median(float(str(row[6])) for row in rows)
    right = f"{_n_right(rows)} of {len(rows)}" if rows[0][9] != "" else ""
    return [name, "median (range)", rows[0][2], "", middle(4), middle(5), seconds, "", "", right, "", ""]


def _n_right(rows: Sequence[Sequence[object]]) -> int:
    return sum(row[9] == 1 for row in rows)


def _edges(networks: Sequence[KAN]) -> list[list[object]]:
    """The two curves of each network that is a product f(x) g(y), over the known states; f is at most 1."""
    rows: list[list[object]] = []
    known = trajectory()[:N_KNOWN]
    low, high = known.min(0).values, known.max(0).values
    points = torch.lerp(low, high, torch.linspace(0, 1, 40, dtype=torch.float64)[:, None])
    for of, network in zip(("dx/dt", "dy/dt"), networks, strict=True):
        if network.widths[1].products:
            with torch.no_grad():
                factors = network.layers[0](points)
            scale = factors[factors[:, 0].abs().argmax(), 0]
            for column, (factor, value) in enumerate(zip("fg", (factors[:, 0] / scale, factors[:, 1] * scale))):
                curve = torch.stack([points[:, column], value], dim=-1)
                rows.append([f"edge {factor} of {of}", *[""] * 10, _text(curve)])
    return rows


def _text(curve: Tensor) -> str:
    """Pairs of numbers; four digits are more than a picture shows."""
    return " ".join(f"{a:.4g},{b:.4g}" for a, b in curve.nan_to_num(torch.inf).tolist())


def _checks(rows: Sequence[Sequence[object]], n_seeds: int) -> dict[str, bool]:
    def unknown(name: str) -> list[float]:
        return [float(str(row[5])) for row in rows if row[0] == name and isinstance(row[1], int)]

    laws = [row for row in rows if row[0] == LAW and isinstance(row[1], int)]
    products = statistics.median(unknown("KAN of products [2, (0, 2)]"))
    return {
        "law: both right-hand sides have exactly the true terms, from every seed": _n_right(laws) == n_seeds,
        "law: every constant within 0.01 %": all(float(str(row[10])) < 1e-4 for row in laws),
        "law: the unknown two turns within 1e-4": max(unknown(LAW)) < 1e-4,
        "KAN of products: goes on five times closer than any MLP": products
        < min(statistics.median(unknown(name)) for name in FIELDS if "MLP" in name) / 5,
    }
