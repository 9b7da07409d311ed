"""Ratios of polynomials that data without noise satisfy exactly, by a null space.

P(z) - T(y) Q(z) = 0 is linear in the coefficients of P and Q: they are the singular vector of [M_P, -T(y) M_Q] whose
singular value is a rounding error (Sanathanan & Koerner 1963, *IEEE Trans. Automatic Control* 8, 56-58, for the
equation; Gonnet, Guettel & Trefethen 2013, *SIAM Review* 55, 101-117, for its null space). All pairs of degrees are
looked at through one QR factorisation, small ones first: the first pair that fits has a null space of one dimension,
as common factors of P and Q would have let a smaller pair fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .terms import Exponents, Link, Ratio, exponent_rows, n_terms, products

__all__ = ["Basis", "Degrees", "degree_pairs", "exact_ratio", "orthonormal_basis", "usable_terms"]

Array = NDArray[np.float64]
Degrees = tuple[int, int]

_MOST_TERMS = 80
_MOST_DEGREE = 6  # of P and Q together, when there is a Q
_EXACT = 1e-11  # |P - uQ| relative to |P|: rounding errors of a well conditioned null vector
_KEPT = 1e-10  # the same while terms are dropped
_POLYNOMIAL_DEGREE = {1: 9, 2: 6, 3: 5, 4: 4, 5: 3}


def degree_pairs(k: int, rows: int) -> list[Degrees]:
    """Degrees of P and Q to try for k columns, those with few terms first.

    Examples
    --------
    >>> degree_pairs(3, 600)[:5]
    [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2)]
    """
    most = min(_MOST_TERMS, max(rows // 4, min(rows // 2, 4)))
    top = _POLYNOMIAL_DEGREE.get(k, 2)
    pairs = [(a, b) for a in range(top + 1) for b in range(_MOST_DEGREE) if b == 0 or a + b <= _MOST_DEGREE]
    sizes = {pair: n_terms(k, pair[0]) + n_terms(k, pair[1]) for pair in pairs}
    return sorted((pair for pair in pairs if sizes[pair] <= most), key=lambda pair: (sizes[pair], pair))


def usable_terms(Z: Array, degree: int) -> Exponents:
    """Monomials up to a degree that are linearly independent on the rows of Z: a 0/1 column has no square.

    Examples
    --------
    >>> usable_terms(np.array([[0.0], [1.0], [1.0], [0.0]]), 3).tolist()
    [[0], [1]]
    """
    terms = exponent_rows(Z.shape[1], degree)
    values = products(Z, terms)
    if len(Z) < len(terms):
        return terms[: len(Z)]
    norms = np.linalg.norm(values, axis=0)
    diagonal = np.abs(np.diag(np.linalg.qr(values / np.where(norms > 0, norms, 1.0), mode="r")))
    return np.asarray(terms[diagonal > 1e-11])


@dataclass(frozen=True)
class Basis:
    """Monomials of Z and an orthonormal basis of their span; the first columns span the low degrees."""

    terms: Exponents
    values: Array
    orthonormal: Array

    def count(self, degree: int) -> int:
        return int((self.terms.sum(axis=1) <= degree).sum())


def orthonormal_basis(Z: Array, degree: int) -> Basis:
    """Monomials of (n, k) scaled columns up to a degree, as they are and orthonormal."""
    terms = usable_terms(Z, degree)
    values = products(Z, terms)
    return Basis(terms, values, np.asarray(np.linalg.qr(values)[0]))


def exact_ratio(Z: Array, u: Array, sign: float, link: Link, pairs: list[Degrees], basis: Basis) -> Ratio | None:
    """The ratio P/Q with the fewest terms that equals u (n,) on all rows to rounding, or None.

    Parameters
    ----------
    Z : (n, k) columns of about unit size. u : (n,) finite. pairs : degrees to try, in this order.
    basis : `orthonormal_basis` of Z up to the highest degree in pairs.
    """
    typical = float(np.median(np.abs(u)))
    if not (np.isfinite(u).all() and typical > 0):
        return None
    # Rows with huge u must not drown the others in their rounding errors.
    row = 1.0 / np.sqrt(1.0 + (u / typical) ** 2)
    top, bottom = max(a for a, _ in pairs), max(b for _, b in pairs)
    m = basis.count(top)
    block = basis.orthonormal[:, :m] * row[:, None]
    other = basis.orthonormal[:, : basis.count(bottom)] * (-u / typical * row)[:, None]
    R: Array = np.asarray(np.linalg.qr(np.hstack([block, other]), mode="r"))
    for a, b in pairs:
        n_top, n_bottom = basis.count(a), basis.count(b)
        chosen = np.r_[0:n_top, m : m + n_bottom]
        if len(chosen) > len(u) // 3:
            continue
        part = R[:, chosen]
        _, s, vt = np.linalg.svd(part, full_matrices=False)
        size = float(np.linalg.norm(part[:, :n_top] @ vt[-1, :n_top]))
        if s[-1] < _EXACT * size:
            found = _sparse(basis.values[:, :n_top], basis.values[:, :n_bottom], u, row)
            if found is None:
                continue
            keep_p, keep_q, p, q = found
            return Ratio(link, sign, basis.terms[:n_top][keep_p], basis.terms[:n_bottom][keep_q], p, q)
    return None


def _sparse(top: Array, bottom: Array, u: Array, row: Array) -> tuple[Array, Array, Array, Array] | None:
    """Drop terms, the least important first, as long as the equation stays exact."""
    A = np.hstack([top, -u[:, None] * bottom]) * row[:, None]
    norms = np.linalg.norm(A, axis=0)
    A = A / np.where(norms > 0, norms, 1.0)
    R: Array = np.asarray(np.linalg.qr(A, mode="r"))
    n_top = top.shape[1]

    def solve(active: NDArray[np.int64]) -> tuple[float, Array, bool]:
        part = R[:, active]
        _, s, vt = np.linalg.svd(part, full_matrices=False)
        vector = vt[-1]
        mask = active < n_top
        size = float(np.linalg.norm(part[:, mask] @ vector[mask]))
        if not mask.any() or mask.all() or size == 0.0:
            return np.inf, vector, False
        return s[-1] / size, vector, len(s) > 1 and bool(s[-2] < 1e-13)

    active = np.arange(R.shape[1])
    error, vector, many = solve(active)
    if error > _KEPT:
        return None
    for threshold in (1e-4, 1e-6, 1e-8):
        fewer = active[np.abs(vector) > threshold * np.abs(vector).max()]
        other = solve(fewer)
        if other[0] < _KEPT:
            active, (error, vector, many) = fewer, other
            break
    needed: set[int] = set()
    while True:
        # In a null space of several dimensions sizes mean nothing: the highest degrees go first.
        order = active[::-1] if many else active[np.argsort(np.abs(vector))]
        trial = next((int(t) for t in order if int(t) not in needed), None)
        if trial is None:
            break
        fewer = active[active != trial]
        other = solve(fewer)
        if other[0] < _KEPT:
            active, (error, vector, many) = fewer, other
        else:
            needed.add(trial)
    coefficients = vector / norms[active]
    mask = active < n_top
    return active[mask], active[~mask] - n_top, coefficients[mask], coefficients[~mask]
