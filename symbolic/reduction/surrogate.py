"""A smooth stand-in for the unknown law: a polynomial of all inputs, fitted by least squares.

It is never shown and never becomes a formula. It answers two questions about structure fast: how well can y be
described by these inputs at all (its error on rows it has not seen), and which way is its gradient. Chebyshev
polynomials of total degree as high as the rows can bear; inputs enter as they are or by their logarithm, y as it is or
by its logarithm, whichever predicts better. A law of fewer inputs affords a higher degree, so that a coordinate that
rightly replaces two others shows as a drop of the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from ..rows import spread_rows

__all__ = ["STYLES", "Style", "Surrogate", "fit_surrogate", "least_squares", "stand_in_rows", "trimmed_error"]

Array = NDArray[np.float64]
Style = tuple[bool, bool]

STYLES: tuple[Style, ...] = tuple((log_y, log_z) for log_y in (False, True) for log_z in (False, True))
"""(logarithm of y, logarithms of the inputs)"""

_MOST_FEATURES = 260
_MOST_ROWS = 1500
_ROWS_PER_FEATURE = 3
_TRIMMED = 0.97  # a polynomial is wild at the corners of its box; the few rows there say nothing about structure
_SHARES = (1.0, 0.6, 0.35, 0.2)  # of the highest degree, tried in turn: with noise fewer terms predict better


@dataclass(frozen=True)
class _Box:
    """Inputs, or logarithms of those marked, mapped to [-1, 1]."""

    logarithmic: NDArray[np.bool_]
    low: Array
    half: Array

    @classmethod
    def around(cls, Z: Array, log_z: bool) -> _Box:
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


@dataclass(frozen=True)
class Surrogate:
    """A fitted stand-in for F in y = factor * F(Z).

    Attributes
    ----------
    error : root mean square of y - factor * F on left-out rows, relative to the spread of y, worst rows left aside.
    errors : (m,) the squared relative errors behind it, row by row, for paired comparisons.
    rows : (m,) the rows it was fitted to.
    style : (logarithm of y, logarithms of the inputs).
    degree : of the polynomial.
    """

    error: float
    errors: Array
    rows: NDArray[np.int64]
    style: Style
    degree: int
    coefficients: Array
    box: _Box
    sign: float

    def predict(self, Z: Array) -> Array:
        """F at Z, (n,)."""
        basis, _ = _chebyshev(self.box.unit(Z), self.degree)
        with np.errstate(all="ignore"):
            raw = _products(basis, _powers(Z.shape[1], self.degree)) @ self.coefficients
            return np.asarray(self.sign * np.exp(raw) if self.style[0] else raw)

    def gradient(self, Z: Array) -> Array:
        """Derivatives of F by the inputs, (n, k)."""
        basis, slopes = _chebyshev(self.box.unit(Z), self.degree)
        powers = _powers(Z.shape[1], self.degree)
        gradient = np.empty(Z.shape)
        with np.errstate(all="ignore"):
            for column in range(Z.shape[1]):
                derived = basis.copy()
                derived[:, column] = slopes[:, column]
                gradient[:, column] = _products(derived, powers) @ self.coefficients
            gradient *= self.box.slope(Z)
            return gradient * self.predict(Z)[:, None] if self.style[0] else gradient


def stand_in_rows(n: int) -> NDArray[np.int64]:
    """The rows a stand-in of n rows is fitted to: all, or as many as are enough."""
    return spread_rows(n, _MOST_ROWS)


def trimmed_error(errors: Array) -> float:
    """Root mean square with the worst rows left aside."""
    return math.sqrt(float(np.sort(errors)[: max(1, int(_TRIMMED * len(errors)))].mean()))


def fit_surrogate(
    Z: Array,
    y: Array,
    factor: Array,
    styles: Sequence[Style] = STYLES,
    degrees: Sequence[int] | None = None,
) -> Surrogate | None:
    """The best of the styles and degrees by the errors of left-out rows; None where the rows cannot bear a parabola.

    Parameters
    ----------
    Z : (n, k) inputs. y, factor : (n,).
    styles : pairs (logarithm of y, logarithms of the inputs) to try; all by default.
    degrees : to try, where the rows can bear them; a few from high to low by default.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.uniform(1, 2, (300, 2))
    >>> fit_surrogate(Z, Z[:, 0] * np.exp(-Z[:, 1]), np.ones(300)).error < 1e-6
    True
    """
    rows = stand_in_rows(len(y))
    Z, y, factor = Z[rows], y[rows], factor[rows]
    with np.errstate(all="ignore"):
        target = y / factor
    if not np.all(np.isfinite(target)) or not np.all(np.isfinite(Z)):
        return None
    one_sign = bool(np.all(target > 0) or np.all(target < 0))
    best: Surrogate | None = None
    tried: set[Style] = set()
    for log_y, log_z in styles:
        log_z = log_z and _has_logarithm(Z)
        if (log_y and not one_sign) or (log_y, log_z) in tried:
            continue
        tried.add((log_y, log_z))
        for found in _fits(Z, y, factor, rows, (log_y, log_z), degrees):
            if best is None or found.error < best.error:
                best = found
    return best


def _fits(
    Z: Array, y: Array, factor: Array, rows: NDArray[np.int64], style: Style, degrees: Sequence[int] | None
) -> Iterator[Surrogate]:
    log_y, log_z = style
    k = Z.shape[1]
    highest = _highest_degree(k, len(rows))
    if highest < 2:
        return
    box = _Box.around(Z, log_z)
    unit = box.unit(Z)
    spread = float(y.std()) or 1.0
    target = y / factor
    sign = float(np.sign(target[0])) if log_y else 1.0
    right = np.log(np.abs(target)) if log_y else target
    weight = np.abs(y if log_y else factor) / spread
    wanted = [round(share * highest) for share in _SHARES] if degrees is None else [min(d, highest) for d in degrees]
    for degree in sorted({max(2, d) for d in wanted}, reverse=True):
        powers = _powers(k, degree)
        basis, _ = _chebyshev(unit, degree)
        features = _products(basis, powers)
        fit = least_squares(features * weight[:, None], right * weight)
        if fit is None:
            continue
        solved, left_out = fit
        with np.errstate(all="ignore"):
            raw = features @ solved
            values = sign * np.exp(raw) if log_y else raw
            # what the row's own value is predicted as by the others
            others = right - left_out / weight
            predicted = factor * (sign * np.exp(others) if log_y else others)
            errors = ((y - predicted) / spread) ** 2
        errors = np.where(np.isfinite(errors), errors, 1e30)
        if np.all(np.isfinite(values)):
            yield Surrogate(trimmed_error(errors), errors, rows, style, degree, solved, box, sign)


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


def _highest_degree(k: int, rows: int) -> int:
    """The highest total degree up to 24 that leaves enough rows for each term."""
    most = min(_MOST_FEATURES, rows // _ROWS_PER_FEATURE)
    degree = 1
    while degree < 24 and math.comb(degree + 1 + k, k) <= most:
        degree += 1
    return degree


def _has_logarithm(Z: Array) -> bool:
    return bool(np.any(np.all(Z > 0, axis=0) | np.all(Z < 0, axis=0)))


def _chebyshev(unit: Array, degree: int) -> tuple[Array, Array]:
    """Chebyshev polynomials and their derivatives, (n, k, degree + 1), by their recursions."""
    values, slopes = np.ones((*unit.shape, degree + 1)), np.zeros((*unit.shape, degree + 1))
    if degree >= 1:
        values[..., 1], slopes[..., 1] = unit, 1.0
    for d in range(2, degree + 1):
        values[..., d] = 2 * unit * values[..., d - 1] - values[..., d - 2]
        slopes[..., d] = 2 * values[..., d - 1] + 2 * unit * slopes[..., d - 1] - slopes[..., d - 2]
    return values, slopes


def _products(basis: Array, powers: NDArray[np.int64]) -> Array:
    features = basis[:, 0, powers[:, 0]]
    for column in range(1, basis.shape[1]):
        features = features * basis[:, column, powers[:, column]]
    return features


@lru_cache(maxsize=256)
def _powers(k: int, degree: int) -> NDArray[np.int64]:
    """All exponents of k factors with a sum up to ``degree``, (features, k)."""
    rows: list[tuple[int, ...]] = [()]
    for _ in range(k):
        rows = [(*row, d) for row in rows for d in range(degree - sum(row) + 1)]
    return np.array(rows, dtype=np.int64).reshape(len(rows), k)
