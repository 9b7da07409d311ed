"""Planted targets for S-KAN: functions of one variable of five kinds, sums of two of them, and a nested one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kanlib import KANLayer

__all__ = ["FUNCTIONS", "GRID_SIZE", "NESTED", "TARGETS", "Rows", "best_basis", "rows_of"]

GRID_SIZE, DEGREE = 7, 3  # ten functions on every edge, whatever the basis
N_TRAIN, N_VALIDATION, N_TEST = 300, 100, 2000
NOISE = 0.05  # of a target of spread 1, in training and validation rows
F64 = torch.float64

Function = Callable[[Tensor], Tensor]


def _spline(rng: torch.Generator) -> Function:
    layer = KANLayer(1, 1, GRID_SIZE, DEGREE, base=None, dtype=F64)
    coefficients = torch.randn(1, 1, GRID_SIZE + DEGREE, generator=rng, dtype=F64)
    layer.set_weights(coefficients)
    return lambda x: layer.edge(x, 0, 0).detach()


def _sine(rng: torch.Generator) -> Function:
    phase = 2 * math.pi * float(torch.rand((), generator=rng))
    return lambda x: torch.sin(4 * math.pi * x + phase)


def _bump(rng: torch.Generator) -> Function:
    centre = 1.2 * float(torch.rand((), generator=rng)) - 0.6
    return lambda x: torch.exp(-(((x - centre) / 0.15) ** 2))


def _polynomial(rng: torch.Generator) -> Function:
    coefficients = torch.randn(GRID_SIZE + DEGREE, generator=rng, dtype=F64)
    orders = torch.arange(len(coefficients), dtype=F64)
    return lambda x: torch.cos(torch.acos(x.clamp(-1, 1)).unsqueeze(-1) * orders) @ coefficients


def _step(rng: torch.Generator) -> Function:
    place = 1.2 * float(torch.rand((), generator=rng)) - 0.6
    return lambda x: torch.where(x > place, 1.0, -1.0).to(x.dtype)


# kind -> (rng -> function on [-1, 1], the basis it is planted in: its span holds the function exactly, or "")
FUNCTIONS: dict[str, tuple[Callable[[torch.Generator], Function], str]] = {
    "spline": (_spline, "bspline"),
    "sine": (_sine, "fourier"),
    "bump": (_bump, ""),
    "polynomial": (_polynomial, "chebyshev"),
    "step": (_step, ""),
}
NESTED = "exp(sine + spline)"
# name -> the kinds that are added up
TARGETS: dict[str, tuple[str, ...]] = {
    **{kind: (kind,) for kind in FUNCTIONS},
    **{
        f"{a} + {b}": (a, b)
        for a, b in (
            *(("spline", "sine"), ("sine", "bump"), ("bump", "polynomial")),
            *(("polynomial", "step"), ("step", "spline")),
        )
    },
    NESTED: ("sine", "spline"),
}


@dataclass(frozen=True)
class Rows:
    """Rows (inputs, target) of one target and seed, float32; the parts say what is planted.

    Attributes
    ----------
    train, validation, test : pair of Tensor, (n, d) and (n, 1)
        The target has spread 1; test rows have no noise.
    functions : tuple of callable
        One for each input.
    """

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    functions: tuple[Function, ...]


def rows_of(target: str, seed: int) -> Rows:
    """The rows of a target."""
    rng = torch.Generator().manual_seed(1000 * list(TARGETS).index(target) + seed)
    functions = tuple(_unit(FUNCTIONS[kind][0](rng)) for kind in TARGETS[target])
    X = 2 * torch.rand(N_TRAIN + N_VALIDATION + N_TEST, len(functions), generator=rng, dtype=F64) - 1
    y = torch.stack([function(X[:, k]) for k, function in enumerate(functions)]).sum(0)
    if target == NESTED:
        y = torch.exp(0.7 * y)
    scale = y.std()
    y = y / scale
    noise = NOISE * torch.randn(len(y), generator=rng, dtype=F64)
    noise[N_TRAIN + N_VALIDATION :] = 0.0
    cuts = [N_TRAIN, N_VALIDATION, N_TEST]
    train, validation, test = zip(X.float().split(cuts), (y + noise).float().unsqueeze(1).split(cuts), strict=True)
    return Rows(train, validation, test, tuple((lambda x, f=f: f(x) / scale) for f in functions))


def _unit(function: Function) -> Function:
    """The function with spread 1 on [-1, 1]: both terms of a sum matter."""
    spread = function(torch.linspace(-1, 1, 2001, dtype=F64)).std()
    return lambda x: function(x) / spread


def best_basis(function: Function, bases: tuple[str, ...]) -> str:
    """The basis that fits a function best by itself: least squares with a constant, even points, no noise."""
    x = torch.linspace(-1, 1, 2001, dtype=F64)
    y = function(x)
    errors = {}
    for basis in bases:
        layer = KANLayer(1, 1, GRID_SIZE, DEGREE, basis=basis, base=None, dtype=F64)
        columns = torch.cat([torch.ones(len(x), 1, dtype=F64), layer.features(x[:, None])[:, 0]], dim=1)
        errors[basis] = float((columns @ (torch.linalg.pinv(columns, rtol=1e-8) @ y) - y).square().mean())
    return min(errors, key=errors.__getitem__)
