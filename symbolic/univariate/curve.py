"""The curve of one variable on which forms are screened: rows of the table, or a spline through all of them.

Changes of y and x bend noise, and a few hundred points are enough to tell forms apart; so noisy data are first replaced
by a regression spline. How far off a form may then be is known from the noise: `Curve.cost`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_lsq_spline
from sympy import Add, Dummy, Expr, Symbol

__all__ = ["CONSTANTS", "Curve", "Form", "combination", "screening_curve"]

Array = NDArray[np.float64]

Form = tuple[Expr, dict[Symbol, float]]
"""A structure with constants of `CONSTANTS`, and their first values."""

CONSTANTS: tuple[Symbol, ...] = tuple(Dummy(f"c{k}", real=True) for k in range(1, 40))
"""Constants of proposed forms; the same for all, so that compiled structures are found again."""

_POINTS = 240
_NOISY = 2e-3  # residuals relative to the spread of y from which a spline takes the place of the rows
_ROUNDING = 1e-27


@dataclass(frozen=True)
class Curve:
    """Points of y(x) in ascending x and their weights.

    ``noise`` is the residual of a row relative to the spread of y, 0 where the points are rows of the table;
    ``rows`` is how many rows stand behind the points.
    """

    x: Array
    y: Array
    weight: Array
    noise: float
    rows: int

    @property
    def spread(self) -> float:
        mean = float(self.weight @ self.y) / float(self.weight.sum())
        return float(self.weight @ (self.y - mean) ** 2)

    def cost(self, nmse: Array) -> Array:
        """Nats for the residuals of the rows, from a form's squared error on the points relative to the spread."""
        return 0.5 * self.rows * np.log(np.maximum(nmse, _ROUNDING) + self.noise**2)


def screening_curve(x: Array, y: Array, weight: Array | None) -> Curve:
    """Up to 240 points: rows of the table or, where these are noisy, points of a regression spline through all."""
    order = np.argsort(x, kind="stable")
    xs, ys = x[order], y[order]
    ws = np.ones_like(ys) if weight is None else weight[order]
    smooth = _smoothed(xs, ys, ws)
    if smooth is not None and smooth.noise > _NOISY:
        return smooth
    rows = np.unique(np.linspace(0, len(xs) - 1, min(len(xs), _POINTS)).round().astype(np.int64))
    return Curve(xs[rows], ys[rows], ws[rows], 0.0, len(rows))


def _smoothed(x: Array, y: Array, weight: Array) -> Curve | None:
    """The regression spline whose number of knots the corrected AIC prefers (Hurvich & Tsai 1989)."""
    n = len(x)
    low, width = x[0], x[-1] - x[0]
    u = (x - low) / width
    root = np.sqrt(weight)
    best: tuple[float, Array, Array, Array, float] | None = None
    worse = 0
    for pieces in (1, 2, 4, 7, 12, 20, 34, 56, 90, 140):
        inner = np.unique(np.quantile(u, np.arange(1, pieces) / pieces))
        inner = inner[(inner > 1e-9) & (inner < 1 - 1e-9)]
        size = len(inner) + 4
        if size > n / 3:
            break
        knots = np.concatenate([np.zeros(4), inner, np.ones(4)])
        try:
            spline = make_lsq_spline(u, y, knots, w=root)
        except (ValueError, np.linalg.LinAlgError):  # a piece without rows
            break
        residual = (y - spline(u)) * root
        rss = float(residual @ residual)
        score = n * math.log(rss / n + 1e-300) + n * (n + size) / (n - size - 2)
        if best is None or score < best[0]:
            points = np.unique(np.quantile(u, np.linspace(0.0, 1.0, min(_POINTS, n))))
            best, worse = (score, points, np.asarray(spline(points)), residual, rss / (n - size)), 0
        else:
            worse += 1
            if worse == 3:
                break
    if best is None:
        return None
    _, points, values, _, variance = best
    mean = float(weight @ y) / float(weight.sum())
    noise = math.sqrt(variance * n / float(weight @ (y - mean) ** 2))
    return Curve(low + width * points, values, np.ones_like(points), noise, n)


def combination(exprs: Sequence[Expr], weights: Sequence[float] | Array) -> Form:
    """The form c1*f1 + c2*f2 + ...

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> structure, values = combination([x, x**2], [3.0, 4.0])
    >>> structure.xreplace(values)
    4.0*x**2 + 3.0*x
    """
    used = CONSTANTS[: len(exprs)]
    structure = Add(*[c * e for c, e in zip(used, exprs, strict=True)])
    return structure, dict(zip(used, map(float, weights), strict=True))
