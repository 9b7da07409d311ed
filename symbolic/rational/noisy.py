"""Sparse ratios of polynomials from data with noise: a linear start, descent on y itself, terms dropped one by one.

The equation P - u Q = 0 has the noisy y on both sides. Its rows are weighted by 1/|Q| of the solution before
(Sanathanan & Koerner 1963), which makes the residual that of P/Q; Levenberg-Marquardt steps on y itself then remove the
bias that is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..description import constants_cost
from .descent import Fit, State, Table
from .exact import Basis, Degrees, orthonormal_basis
from .terms import LINKS, Link, Ratio

__all__ = ["dense_ratios", "smoothed", "working_response"]

Array = NDArray[np.float64]

_FIRST_STEPS = 3


def dense_ratios(
    table: Table, links: Sequence[tuple[Link, float]], pairs: list[Degrees], most: int, expired: Callable[[], bool]
) -> list[Ratio]:
    """The most promising ratios with all terms of their degrees, after some descent on y.

    Parameters
    ----------
    table : the rows to use, a few hundred. links : with the sign of y. pairs : degrees to try. most : how many to keep.
    """
    basis = orthonormal_basis(table.Z, max(max(pair) for pair in pairs))
    n, entries, smooth = len(table.y), [], smoothed(table, basis)
    for link, sign in links:
        if expired():
            break
        for p, q in _linear_starts(table, smooth, link, sign, pairs, basis):
            fit = Fit(table, link, sign, basis.orthonormal[:, : len(p)], basis.orthonormal[:, : len(q)])
            entries.append((fit, fit.descend(p, q, _FIRST_STEPS)[0]))

    def cost(entry: tuple[Fit, State], per_constant: float) -> float:
        state = entry[1]
        return 0.5 * n * math.log(max(state.rss, 1e-300) / n) + per_constant * (len(state.p) + len(state.q))

    # A law with few terms may need high degrees: that its dense form has many constants must not count too much, so
    # one half is chosen with a small penalty (Akaike's), the other with that of the description length.
    dear = constants_cost(1, n)
    for keep, steps in ((3 * most, 2 * _FIRST_STEPS), (most, 0)):
        finite = [entry for entry in entries if math.isfinite(entry[1].rss)]
        entries = sorted(finite, key=lambda entry: cost(entry, dear))[: keep // 3]
        for entry in sorted(finite, key=lambda entry: cost(entry, 1.0)):
            link = entry[0].link
            same = sum(link is other[0].link for other in entries)
            # most laws have no link
            if len(entries) < keep and entry not in entries and same < keep // (2 if link is LINKS[0] else 5):
                entries.append(entry)
        if steps and not expired():
            entries = [(fit, fit.descend(state.p, state.q, steps)[0]) for fit, state in entries]
    triangle = np.linalg.lstsq(basis.values, basis.orthonormal, rcond=None)[0]  # orthonormal -> monomials
    ratios = []
    for fit, state in entries:
        i, j = len(state.p), len(state.q)
        p, q = triangle[:i, :i] @ state.p, triangle[:j, :j] @ state.q
        ratios.append(Ratio(fit.link, fit.sign, basis.terms[:i], basis.terms[:j], p, q))
    return ratios


def smoothed(table: Table, basis: Basis) -> Array:
    """Values of the polynomial in the basis, of the degree that describes y (n,) shortest: y with less noise."""
    n = len(table.y)
    best, values = np.inf, table.y
    for degree in range(1, int(basis.terms.sum(axis=1).max()) + 1):
        m = basis.count(degree)
        if m > n // 4:
            break
        weighted = basis.orthonormal[:, :m] * table.root[:, None]
        fitted = basis.orthonormal[:, :m] @ np.linalg.lstsq(weighted, table.y * table.root, rcond=1e-12)[0]
        rss = float(np.sum(((table.y - fitted) * table.root) ** 2))
        length = 0.5 * n * math.log(max(rss, 1e-300) / n) + constants_cost(m, n)
        if length < best:
            best, values = length, fitted
    return values


def working_response(link: Link, sign: float, y: Array, smooth: Array) -> tuple[Array, Array, Array]:
    """(u, dy/du, response): T at smooth values of y, and to first order at y itself, so that noise leaves no bias.

    This is the response generalised linear models are iterated with (McCullagh & Nelder, *Generalized Linear Models*,
    1989, sec. 2.5). Rows whose smooth value lies outside the domain of T have slope 0.
    """
    with np.errstate(all="ignore"):
        u = link.forward(sign * smooth)
        slope = np.nan_to_num(link.slope(u), nan=0.0, posinf=0.0, neginf=0.0)
        if link.one_sign:
            slope = np.where(sign * smooth > 0, slope, 0.0)
        size = np.abs(slope[slope != 0])
        if len(size):  # a few rows must not decide everything
            slope = np.clip(slope, -10.0 * float(np.median(size)), 10.0 * float(np.median(size)))
        response = np.where(slope != 0, u + (sign * y - sign * smooth) / np.where(slope != 0, slope, 1.0), u)
    return u, slope, response


def _linear_starts(
    table: Table, smooth: Array, link: Link, sign: float, pairs: list[Degrees], basis: Basis
) -> Iterator[tuple[Array, Array]]:
    """For every pair of degrees the best of three linear solutions, in the orthonormal basis.

    The first takes y as it is and coefficients of unit norm, right without noise. The second has the mean of Q fixed at
    1 (Levy 1959); noise biases it towards Q = 1, a safe start, as it has no poles. The third is the second with the
    noise taken out of what multiplies Q.
    """
    m, m_bottom = basis.count(max(a for a, _ in pairs)), basis.count(max(b for _, b in pairs))
    triangles, responses = [], (table.y, table.root)
    for y in (table.y, smooth):
        u, slope, response = working_response(link, sign, table.y, y)
        row = table.root * np.abs(slope)
        rows = np.isfinite(u) & np.isfinite(response) & (row > 0)
        if rows.sum() < len(u) / 2:
            continue
        responses = np.where(rows, response, 0.0), np.where(rows, row, 0.0)
        typical = float(np.sqrt(np.average(u[rows] ** 2, weights=row[rows] ** 2))) or 1.0
        other = basis.orthonormal[:, :m_bottom] * (-u / typical)[:, None]
        # q_0 multiplies the constant column, which is the only one where y itself may stay
        first = -basis.orthonormal[:, :1] * (response / typical)[:, None]
        block = np.hstack([basis.orthonormal[:, :m], first, other[:, 1:]]) * row[:, None]
        triangles.append((np.asarray(np.linalg.qr(block[rows], mode="r")), typical, y is table.y))
    for a, b in pairs:
        n_top, n_bottom = basis.count(a), basis.count(b)
        chosen = np.r_[0:n_top, m : m + n_bottom]
        best, start = np.inf, None
        if len(chosen) > len(table.y) // 4:
            continue
        for R, typical, raw in triangles:
            part = R[:, chosen]
            others = np.delete(part, n_top, axis=1)
            vectors = [np.insert(np.linalg.lstsq(others, -part[:, n_top], rcond=1e-10)[0], n_top, 1.0)]
            if raw and b > 0:
                vectors.append(np.linalg.svd(part, full_matrices=False)[2][-1])
            for vector in vectors:
                p, q = vector[:n_top], vector[n_top:] / typical
                with np.errstate(all="ignore"):
                    fitted = basis.orthonormal[:, :n_top] @ p / (basis.orthonormal[:, :n_bottom] @ q)
                    residual = table.root * (table.y - sign * link.inverse(fitted))
                    rss = float(residual @ residual)
                if rss < best:
                    best, start = rss, (p, q)
        if start is not None:
            yield start
            top, bottom = basis.orthonormal[:, :n_top], basis.orthonormal[:, :n_bottom]
            below = bottom @ start[1]
            if below.min() < 0 < below.max():
                yield _without_poles(top, bottom, start[1], responses)


def _without_poles(top: Array, bottom: Array, q: Array, response: tuple[Array, Array]) -> tuple[Array, Array]:
    """(p, q) with q moved towards a constant until Q has one sign on the rows: descent does not cross poles.

    ``response`` is u and the weight of its rows; P is fitted to it anew.
    """
    u, row = response
    for part in (0.85, 0.7, 0.5, 0.3, 0.0):
        moved = q.copy()
        moved[1:] *= part
        below = bottom @ moved
        one_sign = below.min() * below.max() > 0 and np.abs(below).min() > 0.02 * abs(below.mean())
        if part == 0.0 or one_sign:
            break
    if not moved.any():
        moved[0], below = 1.0, bottom[:, 0]
    weighted = top * (row / below)[:, None]
    return np.linalg.lstsq(weighted, u * row, rcond=1e-12)[0], moved
