"""Part 1, scaling laws: how the error falls with the number of parameters (arXiv 2404.19756, section 3.1).

Cubic splines of a network that holds the law promise an error ~ N^-4 in the number of parameters N (theorem 2.1).
Networks are trained on grids one after the other, cubic for the exponent and quintic for the lowest error; beside them
pykan by the paper's protocol, and MLPs of two sizes by L-BFGS and by damped Gauss-Newton steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options

from .mlp import fit_mlp
from .net_training import METHODS
from .pykan_peer import pykan_rows
from .scaling_picture import draw
from .stages import exponent, train_stages, uniform

__all__ = ["CASES", "Case", "draw", "make"]

ROUNDING = 1e-11  # errors below are rounding, times the conditioning of the fit
RESOLVED = 0.05  # of the spread of y: above, a grid is too coarse to follow the curves at all
COLUMNS = ("law", "method", "shape", "seed", "grid", "parameters", "test RMSE", "training RMSE", "seconds", "note")


@dataclass(frozen=True)
class Case:
    """A law on [-1, 1]^d, the shapes that hold it, and the grids to go through by degree."""

    name: str
    law: Callable[[Tensor], Tensor]
    shapes: tuple[tuple[Any, ...], ...]
    grids: dict[int, tuple[int, ...]]
    rows: int = 10_000
    starts: int = 1
    slope: bool = True  # whether the issue asks for an exponent
    rmse: float | None = None
    mlps: tuple[tuple[int, ...], ...] = ((10, 10), (30, 30))

    @property
    def n_inputs(self) -> int:
        return int(str(self.shapes[0][0]))


def _bessel(X: Tensor) -> Tensor:
    return torch.special.bessel_j0(20 * X[:, 0])


def _link(X: Tensor) -> Tensor:
    return torch.exp(torch.sin(torch.pi * X[:, 0]) + X[:, 1] ** 2)


def _hundred(X: Tensor) -> Tensor:
    return torch.exp(torch.sin(torch.pi * X / 2).square().mean(1))


def _deep(X: Tensor) -> Tensor:
    inner = torch.pi * X.square()
    return torch.exp((torch.sin(inner[:, :2].sum(1)) + torch.sin(inner[:, 2:].sum(1))) / 2)


CASES = (
    Case("J0(20x)", _bessel, ((1, 1),), {3: (5, 10, 20, 50, 100, 200, 500), 5: (20, 50, 100)}),
    Case(
        "exp(sin(pi x) + y^2)",
        _link,
        ((2, 1, 1),),
        {3: (3, 5, 10, 20, 50, 100, 200), 5: (5, 10, 20, 40, 60)},
        rmse=1e-9,
    ),
    Case("xy", lambda X: X.prod(1), ((2, 2, 1), (2, (0, 1))), {3: (3, 5, 10)}, rows=2000, starts=12),
    Case(
        "exp(mean sin^2(pi x_i / 2)), 100 inputs",
        _hundred,
        ((100, 1, 1),),
        {3: (3, 5, 10), 5: (4, 8, 16)},
        rows=12_000,
        rmse=1e-8,
        mlps=((10, 10),),
    ),
    Case(
        "exp((sin(pi(x1^2 + x2^2)) + sin(pi(x3^2 + x4^2)))/2)",
        _deep,
        ((4, 4, 2, 1),),
        {3: (5, 10, 20)},
        starts=8,
        slope=False,
    ),
)
QUICK = {
    "J0(20x)": ({3: (20, 50, 100)}, 4000),
    "exp(sin(pi x) + y^2)": ({3: (10, 20, 50), 5: (5, 10, 20, 40)}, 10_000),
    "xy": ({3: (3, 5)}, 1000),
    "exp(mean sin^2(pi x_i / 2)), 100 inputs": ({3: (3, 5)}, 4000),
}


def make(options: Options) -> Table:
    """Run the part."""
    rows: list[list[object]] = []
    for case in CASES:
        grids, n_rows = (case.grids, case.rows) if not options.quick else QUICK.get(case.name, ({}, 0))
        for seed in range(options.seeds) if grids else ():
            X, T = (uniform(n, [(-1, 1)] * case.n_inputs, s) for n, s in ((n_rows, seed), (10_000, seed + 1000)))
            train, test = (X, case.law(X)), (T, case.law(T))
            for row in _runs(case, grids, train, test, seed, options):
                rows.append(row)
                options.say("  ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    return Table(
        "paper_scaling",
        "1. Scaling laws: error on 10,000 new points against parameters, float64",
        COLUMNS,
        rows,
        checks(rows, options.quick),
    )


def _runs(
    case: Case,
    grids: dict[int, tuple[int, ...]],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    seed: int,
    options: Options,
) -> Iterator[list[object]]:
    for shape in case.shapes:
        for degree, sizes in grids.items():
            label = f"kanlib, degree {degree}"
            for each in train_stages(shape, train, test, sizes, degree=degree, starts=case.starts, seed=seed):
                numbers = [each.grid, each.parameters, each.test_rmse, each.train_rmse, each.seconds]
                yield [case.name, label, str(list(shape)), seed, *numbers, f"{len(train[0])} rows"]
    if options.quick:
        return
    for hidden in case.mlps:
        for method in METHODS:
            run = fit_mlp(*train, hidden, method, seed=seed, seconds=8.0)
            numbers = [run.parameters, run.rmse(*test), run.rmse(*train), run.seconds]
            yield [case.name, f"MLP, {method}", str(list(run.widths)), seed, "", *numbers, "8 s at the most"]
    if options.peer_python:
        shape = case.shapes[0]
        for row in pykan_rows(
            options.peer_python,
            shape,
            (train[0][:1000], train[1][:1000]),
            test,
            grids=(3, 5, 10, 20, 50),
            steps=50,
            seed=seed,
            seconds=30.0,
        ):
            numbers = [row.grid, row.parameters, row.test_rmse, row.train_rmse, row.seconds]
            note = row.note or "1000 rows, 50 steps a grid, 30 s at the most"
            yield [case.name, "pykan", str(list(shape)), seed, *numbers, note]


def checks(rows: Sequence[Sequence[object]], quick: bool = False) -> dict[str, bool]:
    """The claims: the exponent of every seed's cubic rows, and the lowest errors."""
    found: dict[str, bool] = {}
    for case in CASES:
        mine = [row for row in rows if row[0] == case.name and str(row[1]).startswith("kanlib")]
        if not mine:
            continue
        spread = float(case.law(uniform(4000, [(-1, 1)] * case.n_inputs, 0)).std())
        if case.name == "xy":
            for shape in case.shapes:
                errors = [float(str(row[6])) for row in mine if row[2] == str(list(shape))]
                text = f"{case.name} {list(shape)}: a polynomial, exact on every grid and seed"
                found[f"{text} (worst RMSE {max(errors):.1e})"] = max(errors) < 1e-8
        elif case.slope:
            slopes = []
            for seed in {row[3] for row in mine}:
                cubic = [row for row in mine if row[3] == seed and row[1] == "kanlib, degree 3"]
                numbers, errors = ([float(str(row[k])) for row in cubic] for k in (5, 6))
                slopes.append(exponent(numbers, errors, below=RESOLVED * spread, floor=ROUNDING))
            found[f"{case.name}: exponent at least 3.8 with every seed ({min(slopes):.2f})"] = all(
                s >= 3.8 for s in slopes
            )
        if case.rmse is not None and not (quick and case.n_inputs == 100):
            lowest = [min(float(str(row[6])) for row in mine if row[3] == seed) for seed in {row[3] for row in mine}]
            limit = case.rmse if not quick else 10 * case.rmse
            found[f"{case.name}: test RMSE below {limit:g} with every seed (median {median(lowest):.1e})"] = (
                max(lowest) < limit
            )
    return found
