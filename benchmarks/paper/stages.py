"""A KAN of a given shape trained on finer and finer grids: one row a grid, and the slope of the rows."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanlib import KAN, fit, refine
from kanlib.jacobian import n_constants
from kanlib.network import Width

__all__ = ["Stage", "exponent", "rmse", "train_stages", "uniform"]

Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Stage:
    """One grid: what the network has, misses on new and on training rows, and took since the start."""

    grid: int
    parameters: int
    test_rmse: float
    train_rmse: float
    seconds: float


def uniform(n: int, ranges: Sequence[tuple[float, float]], seed: int) -> Tensor:
    """(n, len(ranges)) uniform numbers, float64."""
    low, high = torch.tensor(ranges, dtype=torch.float64).T
    share = torch.rand(n, len(ranges), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * share


@torch.no_grad()
def rmse(model: KAN, rows: Rows) -> float:
    """Root mean squared error of a network with one output."""
    X, y = rows
    return float((model(X)[:, 0] - y).square().mean().sqrt())


def train_stages(
    widths: Sequence[int | Width | tuple[int, int]],
    train: Rows,
    test: Rows,
    grids: Sequence[int],
    *,
    degree: int = 3,
    starts: int = 1,
    seed: int = 0,
) -> list[Stage]:
    """Train by Gauss-Newton on each grid, from the solution on the one before; no base function."""
    rng = torch.Generator().manual_seed(seed)
    model = KAN(list(widths), grid_size=grids[0], degree=degree, base=None, generator=rng, dtype=torch.float64)
    stages: list[Stage] = []
    begin = time.perf_counter()
    for number, grid in enumerate(grids):
        if number:
            model = refine(model, grid)
        result = fit(model, *train, method="gauss-newton", starts=1 if number else starts, seed=seed, progress=False)
        seconds = time.perf_counter() - begin
        stages.append(Stage(grid, n_constants(model), rmse(model, test), result.train_loss**0.5, seconds))
    return stages


def exponent(parameters: Sequence[float], errors: Sequence[float], *, below: float, floor: float) -> float:
    """p of error = C * N^-p by least squares on logarithms, over errors from ``below`` down to ``floor``.

    NaN where fewer than two rows lie there.
    """
    kept = [(n, e) for n, e in zip(parameters, errors) if floor < e < below]
    if len(kept) < 2:
        return math.nan
    logs = np.log(np.array(kept))
    return float(-np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
