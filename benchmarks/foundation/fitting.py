"""Table 3: how closely `fit` follows the law, and how fast."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kanlib import KAN, fit

from .law import TEXT, law, sample
from .tables import Table

__all__ = ["CASES", "Case", "fitting_table", "run"]


@dataclass(frozen=True)
class Case:
    """A network and a schedule; everything else is as `KAN` and `fit` have it."""

    widths: tuple[int, ...]
    degree: int
    grid_schedule: tuple[int, ...]
    rmse: float | None = None  # to be reached by every seed
    seconds: float | None = None

    def __str__(self) -> str:
        grids = ", ".join(map(str, self.grid_schedule))
        return f"KAN({list(self.widths)}, degree={self.degree}), grid_schedule=[{grids}]"


CASES = (
    Case((2, 5, 1), 3, (6, 12, 24), rmse=1e-4, seconds=5.0),
    Case((2, 1, 1), 3, (5, 10, 20, 40, 80)),
    Case((2, 1, 1), 5, (5, 10, 20, 40), rmse=1e-8),
)


def run(case: Case, seed: int) -> tuple[float, float, float, int]:
    """Test RMSE on 10,000 new points, training RMSE, seconds, steps; the seed draws data and weights."""
    X, y = sample(1000, seed)
    new, _ = sample(10_000, seed + 10_000)
    generator = torch.Generator().manual_seed(seed)
    model = KAN(
        list(case.widths),
        grid_size=case.grid_schedule[0],
        degree=case.degree,
        generator=generator,
        dtype=torch.float64,
    )
    start = time.perf_counter()
    result = fit(model, X, y, grid_schedule=case.grid_schedule, progress=False)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        error = float((model(new)[:, 0] - law(new)).square().mean().sqrt())
    return error, result.train_loss**0.5, seconds, result.n_steps


def fitting_table(seeds: int, cases: Sequence[Case] = CASES, *, log: bool = True) -> Table:
    """One row a case and seed."""
    # The first optimizer of a process makes torch load its compiler, which takes a second.
    torch.optim.LBFGS([torch.zeros(1, requires_grad=True)])
    rows: list[list[object]] = []
    checks: dict[str, bool] = {}
    for case in cases:
        found = [run(case, seed) for seed in range(seeds)]
        rows += [[str(case), seed, *values] for seed, values in enumerate(found)]
        errors, seconds = [f[0] for f in found], [f[2] for f in found]
        summary = [statistics.median(errors), "", statistics.median(seconds), ""]
        rows += [[str(case), "median", *summary], [str(case), "worst", max(errors), "", max(seconds), ""]]
        if case.rmse is not None:
            checks[f"{case}: test RMSE below {case.rmse:g} with every seed"] = max(errors) < case.rmse
        if case.seconds is not None:
            checks[f"{case}: below {case.seconds:g} s with every seed"] = max(seconds) < case.seconds
        if log:
            print(f"  {case}: test RMSE {max(errors):.2g} at worst, {max(seconds):.1f} s", flush=True)
    return Table(
        "fitting",
        f"3. kanlib.fit on {TEXT}: 1,000 training samples, error on 10,000 new ones, float64",
        ["network and arguments", "seed", "test RMSE", "training RMSE", "seconds", "steps"],
        rows,
        checks,
    )
