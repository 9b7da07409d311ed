"""A smooth stand-in for the unknown law: a polynomial of all inputs, fitted by least squares.

It is never shown and never becomes a formula. It answers two questions about structure fast: how well can y be
described by these inputs at all (its error on rows it has not seen), and which way is its gradient. Chebyshev
polynomials of total degree as high as the rows can bear; inputs enter as they are or by their logarithm, y as it is or
by its logarithm, whichever predicts better. A law of fewer inputs affords a higher degree, so that a coordinate that
rightly replaces two others shows as a drop of the error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .polynomials import (
    Box,
    chebyshev,
    highest_degree,
    least_squares,
    powers_up_to,
    products,
    stand_in_rows,
    trimmed_error,
)

__all__ = ["STYLES", "Style", "Surrogate", "fit_surrogate"]

Array = NDArray[np.float64]
Style = tuple[bool, bool]

STYLES: tuple[Style, ...] = tuple((log_y, log_z) for log_y in (False, True) for log_z in (False, True))
"""(logarithm of y, logarithms of the inputs)"""

_SHARES = (1.0, 0.6, 0.35, 0.2)  # of the highest degree, tried in turn: with noise fewer terms predict better


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
    box: Box
    sign: float

    def predict(self, Z: Array) -> Array:
        """F at Z, (n,)."""
        basis, _ = chebyshev(self.box.unit(Z), self.degree)
        with np.errstate(all="ignore"):
            raw = products(basis, powers_up_to(Z.shape[1], self.degree)) @ self.coefficients
            return np.asarray(self.sign * np.exp(raw) if self.style[0] else raw)

    def gradient(self, Z: Array) -> Array:
        """Derivatives of F by the inputs, (n, k)."""
        basis, slopes = chebyshev(self.box.unit(Z), self.degree)
        powers = powers_up_to(Z.shape[1], self.degree)
        gradient = np.empty(Z.shape)
        with np.errstate(all="ignore"):
            for column in range(Z.shape[1]):
                derived = basis.copy()
                derived[:, column] = slopes[:, column]
                gradient[:, column] = products(derived, powers) @ self.coefficients
            gradient *= self.box.slope(Z)
            return gradient * self.predict(Z)[:, None] if self.style[0] else gradient


def fit_surrogate(
    Z: Array,
    y: Array,
    factor: Array,
    styles: Sequence[Style] = STYLES,
    degrees: Sequence[int] | None = None,
    spread: float | None = None,
) -> Surrogate | None:
    """The best of the styles and degrees by the errors of left-out rows; None where the rows cannot bear a parabola.

    Parameters
    ----------
    Z : (n, k) inputs. y, factor : (n,).
    styles : pairs (logarithm of y, logarithms of the inputs) to try; all by default.
    degrees : to try, where the rows can bear them; a few from high to low by default.
    spread : of y, which errors are relative to; its standard deviation by default.

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
        for found in _fits(Z, y, factor, rows, (log_y, log_z), degrees, spread or float(y.std()) or 1.0):
            if best is None or found.error < best.error:
                best = found
    return best


def _fits(
    Z: Array,
    y: Array,
    factor: Array,
    rows: NDArray[np.int64],
    style: Style,
    degrees: Sequence[int] | None,
    spread: float,
) -> Iterator[Surrogate]:
    log_y, log_z = style
    k = Z.shape[1]
    highest = highest_degree([range(k)], len(rows))
    if highest < 2:
        return
    box = Box.around(Z, log_z)
    unit = box.unit(Z)
    target = y / factor
    sign = float(np.sign(target[0])) if log_y else 1.0
    right = np.log(np.abs(target)) if log_y else target
    weight = np.abs(y if log_y else factor) / spread
    wanted = [round(share * highest) for share in _SHARES] if degrees is None else [min(d, highest) for d in degrees]
    for degree in sorted({max(2, d) for d in wanted}, reverse=True):
        powers = powers_up_to(k, degree)
        basis, _ = chebyshev(unit, degree)
        features = products(basis, powers)
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


def _has_logarithm(Z: Array) -> bool:
    return bool(np.any(np.all(Z > 0, axis=0) | np.all(Z < 0, axis=0)))
