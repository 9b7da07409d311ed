"""Polynomials of several inputs by least squares: Chebyshev products on the box of the data, errors of left-out rows.

What the stand-in of a law and the test for blocks of inputs are made of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from ..rows import spread_rows

__all__ = [
    "Box",
    "chebyshev",
    "highest_degree",
    "least_squares",
    "powers_up_to",
    "products",
    "stand_in_rows",
    "trimmed_error",
]

Array = NDArray[np.float64]

_HIGHEST = 24
_MOST_FEATURES = 260
_MOST_ROWS = 1500
_ROWS_PER_FEATURE = 3
_TRIMMED = 0.97  # a polynomial is wild at the corners of its box; the few rows there say nothing about structure


@dataclass(frozen=True)
class Box:
    """Inputs, or logarithms of those marked, mapped to [-1, 1]."""

    logarithmic: NDArray[np.bool_]
    low: Array
    half: Array

    @classmethod
    def around(cls, Z: Array, log_z: bool) -> Box:
        one_sign = np.all(Z > 0, axis=0) | np.all(Z < 0, axis=0)
        logarithmic = one_sign & log_z
        mapped = _logarithms(Z, logarithmic)
        low, high = mapped.min(axis=0), mapped.max(axis=0)
        return cls(logarithmic, low, np.where(high > low, (high - low) / 2, 1.0))

    def unit(self, Z: Array) -> Array:
        return np.asarray((_logarithms(Z, self.logarithmic) - self.low) / self.half - 1)

    def slope(self, Z: Array) -> Array:
        """Derivative of `unit`."""
        return np.where(self.logarithmic, 1 / np.where(self.logarithmic, Z, 1.0), 1.0) / self.half


def _logarithms(Z: Array, logarithmic: NDArray[np.bool_]) -> Array:
    with np.errstate(all="ignore"):
        return np.where(logarithmic, np.log(np.abs(np.where(logarithmic, Z, 1.0))), Z)


def stand_in_rows(n: int) -> NDArray[np.int64]:
    """The rows a stand-in of n rows is fitted to: all, or as many as are enough."""
    return spread_rows(n, _MOST_ROWS)


def trimmed_error(errors: Array) -> float:
    """Root mean square with the worst rows left aside."""
    return math.sqrt(float(np.sort(errors)[: max(1, int(_TRIMMED * len(errors)))].mean()))


def least_squares(design: Array, right: Array) -> tuple[Array, Array] | None:
    """Solution, and residuals of every row under the fit to all others (PRESS, from the leverages).

    Normal equations with one step of refinement: as exact as QR for these bases, and several times faster.
    """
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += 1e-13 * np.trace(gram) / len(gram)
    try:
        lower = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None
    solved = cho_solve((lower, True), design.T @ right, check_finite=False)
    solved += cho_solve((lower, True), design.T @ (right - design @ solved), check_finite=False)
    leverage = np.sum(solve_triangular(lower, design.T, lower=True, check_finite=False) ** 2, axis=0)
    return solved, (right - design @ solved) / np.maximum(1 - leverage, 1e-3)


def highest_degree(blocks: Sequence[Sequence[int]], rows: int) -> int:
    """The highest total degree up to 24 of polynomials of these blocks of inputs that leaves enough rows for each term.

    Examples
    --------
    >>> highest_degree([(0, 1, 2)], 1500), highest_degree([(0, 1), (2,)], 1500)
    (9, 20)
    """
    most = min(_MOST_FEATURES, rows // _ROWS_PER_FEATURE)
    degree = 1
    while degree < _HIGHEST and 1 + sum(math.comb(degree + 1 + len(b), len(b)) - 1 for b in blocks) <= most:
        degree += 1
    return degree


def chebyshev(unit: Array, degree: int) -> tuple[Array, Array]:
    """Chebyshev polynomials and their derivatives, (n, k, degree + 1), by their recursions."""
    values, slopes = np.ones((*unit.shape, degree + 1)), np.zeros((*unit.shape, degree + 1))
    if degree >= 1:
        values[..., 1], slopes[..., 1] = unit, 1.0
    for d in range(2, degree + 1):
        values[..., d] = 2 * unit * values[..., d - 1] - values[..., d - 2]
        slopes[..., d] = 2 * values[..., d - 1] + 2 * unit * slopes[..., d - 1] - slopes[..., d - 2]
    return values, slopes


def products(basis: Array, powers: NDArray[np.int64]) -> Array:
    """Products of one polynomial an input, (n, features), from `chebyshev` values and the degree of each."""
    features = basis[:, 0, powers[:, 0]]
    for column in range(1, basis.shape[1]):
        features = features * basis[:, column, powers[:, column]]
    return features


@lru_cache(maxsize=256)
def powers_up_to(k: int, degree: int) -> NDArray[np.int64]:
    """All exponents of k factors with a sum up to ``degree``, (features, k)."""
    rows: list[tuple[int, ...]] = [()]
    for _ in range(k):
        rows = [(*row, d) for row in rows for d in range(degree - sum(row) + 1)]
    return np.array(rows, dtype=np.int64).reshape(len(rows), k)
