"""Short sums out of large dictionaries: monomials with positive and negative exponents, one chosen after the other.

Orthogonal least squares (Chen, Billings & Luo 1989, *Int. J. Control* 50, 1873-1896): next comes the term that
explains most of the residual after all terms have been made orthogonal to those chosen. It finds three terms among
hundreds under strong noise, where a fit of all of them at once has nothing left to tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..description import constants_cost
from .descent import Table, predicted
from .noisy import working_response
from .terms import Exponents, Link, Ratio, exponent_rows, n_terms, products

__all__ = ["forward_terms", "laurent_terms", "sparse_ratios"]

Array = NDArray[np.float64]

_MOST_PLAIN, _MOST_TERMS = 230, 450
_MOST_CHOSEN = 14
_SPARE = 2  # terms beyond the shortest description, for elimination to choose from


def laurent_terms(Z: Array) -> Exponents:
    """Exponents (m, 2k) of Z and of 1/Z: polynomials, and products of positive and negative powers where no Z is 0.

    Low exponents of few columns come first, as many as a dictionary may hold.

    Examples
    --------
    >>> terms = laurent_terms(np.array([[1.0, 0.0], [2.0, 1.0]]))
    >>> terms[5:9].tolist()  # x1**2*x2 ... and there are no negative powers of x2
    [[0, 2, 0, 0], [3, 0, 0, 0], [2, 1, 0, 0], [1, 2, 0, 0]]
    """
    size = np.abs(Z)
    # columns that come near zero have no use for negative powers: the poles would be seen
    inverted = tuple(np.flatnonzero(size.min(axis=0) > 1e-3 * size.max(axis=0)).tolist())
    return _dictionary(Z.shape[1], inverted)


@lru_cache(maxsize=32)
def _dictionary(k: int, inverted: tuple[int, ...]) -> Exponents:
    degree = max(d for d in range(1, 7) if n_terms(k, d) <= _MOST_PLAIN)
    plain = exponent_rows(k, degree)
    plain = np.hstack([plain, np.zeros_like(plain)])
    if not inverted:
        return plain
    both = exponent_rows(k + len(inverted), 4 if k + len(inverted) <= 12 else 3)
    wide = np.zeros((len(both), 2 * k), dtype=np.int64)
    wide[:, :k] = both[:, :k]
    wide[:, [k + column for column in inverted]] = both[:, k:]
    wide = wide[wide[:, k:].any(axis=1) & ~((wide[:, :k] > 0) & (wide[:, k:] > 0)).any(axis=1)]
    effort = wide.sum(axis=1) + 0.5 * np.maximum(wide - 1, 0).sum(axis=1) + 0.25 * wide[:, k:].sum(axis=1)
    return np.vstack([plain, wide[np.argsort(effort, kind="stable")][: _MOST_TERMS - len(plain)]])


def forward_terms(A: Array, b: Array, most: int) -> NDArray[np.int64]:
    """Columns of A (n, p) in the order in which orthogonal least squares chooses them to explain b (n,).

    Examples
    --------
    >>> A = np.random.default_rng(0).normal(size=(50, 20))
    >>> sorted(forward_terms(A, 3 * A[:, 4] - A[:, 17], 2).tolist())
    [4, 17]
    """
    norms = np.linalg.norm(A, axis=0)
    unit = A / np.where(norms > 0, norms, 1.0)
    # Everything orthogonalisation needs is in the inner products; they are updated as by Cholesky's method.
    gram, inner, chosen = unit.T @ unit, unit.T @ b, []
    for _ in range(min(most, A.shape[1])):
        sizes = np.diag(gram)
        gain = np.where(sizes > 1e-7, inner**2 / np.maximum(sizes, 1e-7), 0.0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        column = gram[:, best] / sizes[best]
        inner = inner - column * inner[best]
        gram = gram - np.outer(column, gram[best])
        gram[best, :] = gram[:, best] = inner[best] = 0.0
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)


def sparse_ratios(
    table: Table,
    smooth: Array,
    links: Sequence[tuple[Link, float]],
    terms: Exponents,
    most: int,
    expired: Callable[[], bool],
) -> list[Ratio]:
    """Sums of few terms for T(y) and for 1/T(y), the most promising first.

    Parameters
    ----------
    table : rows with the columns that ``terms`` is about, Z and 1/Z. smooth : (n,) y with less noise.
    links : with the sign of y. most : how many to keep.
    """
    values = products(table.Z, terms)
    one, whole = np.zeros((1, terms.shape[1]), dtype=np.int64), np.ones(1)
    n, found = len(table.y), []
    for link, sign in links:
        for inverse in (False, True):
            if expired():
                break
            for y in (table.y, smooth) if link.name != "identity" or inverse else (table.y,):
                u, slope, v = working_response(link, sign, table.y, y)
                if inverse:
                    with np.errstate(all="ignore"):
                        v, slope = 1.0 / u - (v - u) / u**2, slope * u**2
                weight = table.root * np.abs(slope)
                rows = np.isfinite(v) & np.isfinite(weight) & (weight > 0)
                if rows.sum() < n / 2:
                    continue
                chosen, c = _chosen(values[rows] * weight[rows, None], v[rows] * weight[rows])
                if not len(chosen):
                    continue
                top, bottom = ((one, whole), (terms[chosen], c)) if inverse else ((terms[chosen], c), (one, whole))
                ratio = Ratio(link, sign, top[0], bottom[0], top[1], bottom[1])
                residual = table.root * (table.y - predicted(ratio, table.Z))
                # The median: near a pole of a first guess anything happens.
                spread = float(np.median(np.nan_to_num(np.abs(residual), nan=np.inf)))
                if np.isfinite(spread):
                    found.append((n * math.log(max(spread, 1e-300)) + constants_cost(len(chosen), n), ratio))
    return [ratio for _, ratio in sorted(found, key=lambda pair: pair[0])[:most]]


def _chosen(A: Array, b: Array) -> tuple[NDArray[np.int64], Array]:
    """Terms up to a little beyond the shortest description, and their coefficients."""
    order = forward_terms(A, b, min(_MOST_CHOSEN, len(b) // 4))
    if not len(order):
        return order, np.empty(0)
    norms = np.linalg.norm(A[:, order], axis=0)
    Q = np.linalg.qr(A[:, order] / norms)[0]
    parts = Q.T @ b
    left = np.maximum(float(b @ b) - np.cumsum(parts**2), 1e-28 * float(b @ b))
    n = len(b)
    lengths = [0.5 * n * math.log(rss / n) + 1.5 * constants_cost(m + 1, n) for m, rss in enumerate(left)]
    size = min(int(np.argmin(lengths)) + 1 + _SPARE, len(order))
    order = np.sort(order[:size])
    norms = np.linalg.norm(A[:, order], axis=0)
    coefficients = np.linalg.lstsq(A[:, order] / norms, b, rcond=1e-12)[0] / norms
    return order, coefficients
