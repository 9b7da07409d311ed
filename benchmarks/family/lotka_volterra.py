"""The system of the KAN-ODE paper: hunters and prey, seen for less than one turn, and the law it really follows.

x' = 1.5 x - x y, y' = -y + 3 x y from x = y = 1 (arXiv 2407.04192): training rows at t = 0, 0.1, ..., 3.5, and what
counts is 3.5 < t <= 14, two turns more. One turn takes 6.1, so nearly half of the orbit is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from sympy import Expr
from torch import Tensor

__all__ = ["END", "KNOWN", "NAMES", "N_KNOWN", "TIMES", "TRUTH", "compare", "solve", "trajectory"]

NAMES = ("x", "y")
KNOWN, END, STEP = 3.5, 14.0, 0.1
TIMES = torch.arange(round(END / STEP) + 1, dtype=torch.float64) * STEP
N_KNOWN = round(KNOWN / STEP) + 1
# Coefficients of the two right-hand sides by the powers of x and y.
TRUTH: tuple[dict[tuple[int, ...], float], ...] = (
    {(1, 0): 1.5, (1, 1): -1.0},
    {(0, 1): -1.0, (1, 1): 3.0},
)

Array = NDArray[np.float64]
Field = Callable[[Array], Array]


def lotka_volterra(u: Array) -> Array:
    """The true derivative at a state (2,)."""
    return np.array([1.5 * u[0] - u[0] * u[1], -u[1] + 3.0 * u[0] * u[1]])


def solve(field: Field, start: Sequence[float] = (1.0, 1.0), times: Tensor = TIMES, tolerance: float = 1e-9) -> Tensor:
    """The solution (T, 2) of an autonomous field; NaN from where it could not go on."""

    def slope(_: float, u: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.nan_to_num(field(u), nan=0.0, posinf=1e6, neginf=-1e6)

    points = times.numpy()
    # A field gone astray must not be followed for ever.
    far = _far(100.0)
    found = solve_ivp(
        slope, (points[0], points[-1]), start, "DOP853", points, rtol=tolerance, atol=tolerance, events=far
    )
    states = torch.full((len(points), 2), float("nan"), dtype=torch.float64)
    states[: found.y.shape[1]] = torch.from_numpy(found.y.T)
    return states


def _far(distance: float) -> Callable[[float, Array], float]:
    def event(_: float, u: Array) -> float:
        return distance - float(np.abs(u).max())

    event.terminal = True  # type: ignore[attr-defined]
    return event


def trajectory() -> Tensor:
    """The true states at all times, (141, 2); the first 36 are known."""
    return solve(lotka_volterra, tolerance=1e-11)


def compare(expressions: Sequence[Expr]) -> tuple[bool, float]:
    """Whether both right-hand sides have exactly the true terms, and the largest relative error of a coefficient."""
    symbols = [sympy.Symbol(name, real=True) for name in NAMES]
    worst = 0.0
    for expression, truth in zip(expressions, TRUTH, strict=True):
        # A symbol of a formula carries assumptions of its own.
        own = {s: symbols[NAMES.index(s.name)] for s in expression.free_symbols}
        try:
            terms = dict(sympy.Poly(sympy.expand(expression.subs(own)), *symbols).terms())
        except sympy.PolynomialError:
            return False, float("nan")
        if set(terms) != set(truth):
            return False, float("nan")
        worst = max(worst, *(abs(float(terms[power]) / value - 1) for power, value in truth.items()))
    return True, worst
