"""Polynomials and rational functions of one variable, of y itself and of simple changes of y.

Polynomials by least squares, terms dropped backwards while the description shortens. Rational functions P/Q from the
linearised problem t*Q - P = 0: the smallest singular vector of [monomials, -t*monomials], reweighted by 1/Q so that the
residuals are those of t - P/Q (Sanathanan & Koerner, *IEEE Trans. Automatic Control* 8 (1963) 56-58). One triangular
factor of all columns serves every pair of degrees.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Symbol

from ..description import constants_cost
from .curve import CONSTANTS, Curve, Form, combination
from .families import Coordinate
from .targets import Target

__all__ = ["polynomial_forms", "rational_forms"]

Array = NDArray[np.float64]

_TERM = 2.0  # nats for the nodes of one more term


def polynomial_forms(
    curve: Curve, target: Target, inner: Coordinate, symbol: Symbol, *, degree: int = 10
) -> list[Form]:
    """Sparse polynomials in a coordinate for a target: the best terms, and the neighbours that are nearly as good.

    Monomials are scaled by the largest value, which keeps even functions even.
    """
    scale = float(np.abs(inner.values).max())
    root = target.root_weight
    powers = np.arange(min(degree, len(curve.x) // 2) + 1)
    columns = (inner.values[:, None] / scale) ** powers * root[:, None]
    z = target.values * root
    trials: dict[tuple[int, ...], tuple[float, Array]] = {}
    for highest in powers[1:]:
        terms = tuple(range(highest + 1))
        trials[terms] = _least_squares(columns, z, terms, curve)
    start = min(trials, key=lambda terms: trials[terms][0])
    terms = start
    while len(terms) > 1:
        shorter = {tuple(t for t in terms if t != gone): None for gone in terms}
        solved = {part: _least_squares(columns, z, part, curve) for part in shorter}
        terms = min(solved, key=lambda part: solved[part][0])
        trials[terms] = solved[terms]
    ranked = sorted(trials, key=lambda part: trials[part][0])
    best = trials[ranked[0]][0]
    forms: list[Form] = []
    for part in ranked[:3]:
        length, weights = trials[part]
        if length < best + 20 and any(part):
            structure, values = combination(
                [inner.expr**t for t in part], [w / scale**t for w, t in zip(weights, part, strict=True)]
            )
            forms.append(target.form(structure, values, symbol))
    return forms


def _least_squares(columns: Array, z: Array, terms: tuple[int, ...], curve: Curve) -> tuple[float, Array]:
    """(length in nats on the curve's points, weights)."""
    design = columns[:, list(terms)]
    size = np.linalg.norm(design, axis=0)
    weights = np.linalg.lstsq(design / size, z, rcond=None)[0] / size
    residual = z - design @ weights
    return _length(float(residual @ residual), len(terms), curve), weights


def _length(rss: float, n_terms: int, curve: Curve) -> float:
    return float(curve.cost(np.array(rss / curve.spread))) + constants_cost(n_terms, curve.rows) + _TERM * n_terms


def rational_forms(curve: Curve, target: Target, symbol: Symbol, *, degree: int = 4, most: int = 3) -> list[Form]:
    """Sparse rational functions for a target, the shortest descriptions on the curve's points.

    A denominator that vanishes between the points is refused.
    """
    scale = float(np.abs(curve.x).max())
    u = curve.x / scale
    powers = u[:, None] ** np.arange(degree + 1)
    columns = np.hstack([powers, -target.values[:, None] * powers]) * target.root_weight[:, None]
    size = np.linalg.norm(columns, axis=0)
    if not np.all(np.isfinite(size)) or not np.all(size > 0):
        return []
    triangle: Array = np.asarray(np.linalg.qr(columns / size, mode="r"))
    found: dict[tuple[int, ...], tuple[float, Array]] = {}
    pairs = [(p, q) for p, q in itertools.product(range(degree + 1), range(1, degree + 1))]
    for p, q in sorted(pairs, key=sum):
        terms = (*range(p + 1), *range(degree + 1, degree + 2 + q))
        found[terms] = _null_vector(curve, target, powers, columns, size, triangle, terms)
    ranked = sorted(found, key=lambda terms: found[terms][0])[:2]
    for terms in ranked:
        for _ in range(len(terms) - 2):
            parts = [tuple(t for t in terms if t != gone) for gone in terms]
            parts = [part for part in parts if part[0] <= degree < part[-1]]
            if not parts:
                break
            solved = {
                part: _null_vector(curve, target, powers, columns, size, triangle, part)
                for part in parts
                if part not in found
            }
            found.update(solved)
            terms = min(parts, key=lambda part: found[part][0])
    forms: list[Form] = []
    for terms in sorted(found, key=lambda terms: found[terms][0])[:most]:
        length, vector = found[terms]
        if not math.isfinite(length):
            continue
        above = [(v, t) for v, t in zip(vector, terms, strict=True) if t <= degree]
        below = [(v, t - degree - 1) for v, t in zip(vector, terms, strict=True) if t > degree]
        lead = below[0][0] / scale ** below[0][1]
        weights = [v / scale**t / lead for v, t in (*above, *below[1:])]
        values = dict(zip(CONSTANTS, weights, strict=False))
        used = list(values)
        numerator = Add(*[c * symbol**t for c, (_, t) in zip(used, above, strict=False)])
        rest = [c * symbol**t for c, (_, t) in zip(used[len(above) :], below[1:], strict=True)]
        forms.append(target.form(numerator / Add(symbol ** below[0][1], *rest), values, symbol))
    return forms


def _null_vector(
    curve: Curve, target: Target, powers: Array, columns: Array, size: Array, triangle: Array, terms: tuple[int, ...]
) -> tuple[float, Array]:
    """Length and coefficients of the rational function with these monomials (numbers above degree: denominator)."""
    index = list(terms)
    degree = powers.shape[1] - 1
    above = [t for t in terms if t <= degree]
    below = [t - degree - 1 for t in terms if t > degree]
    vector = np.linalg.svd(triangle[:, index])[2][-1] / size[index]
    best = (math.inf, vector)
    for _ in range(2):
        numerator = powers[:, above] @ vector[: len(above)]
        denominator = powers[:, below] @ vector[len(above) :]
        if np.any(denominator == 0) or (denominator.max() > 0) != (denominator.min() > 0):
            break
        residual = (target.values - numerator / denominator) * target.root_weight
        length = _length(float(residual @ residual), len(terms) - 1, curve)
        if not length < best[0]:
            break
        best = (length, vector)
        if curve.noise == 0 or length < _length(1e-18 * curve.spread, len(terms) - 1, curve):
            break
        weighted = columns[:, index] / denominator[:, None]
        norm = np.linalg.norm(weighted, axis=0)
        vector = np.linalg.svd(np.linalg.qr(weighted / norm, mode="r"))[2][-1] / norm
    return best
