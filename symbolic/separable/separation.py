"""Two coordinates apart: T(y) = sum_r a_r(u) b_r(v), or one product and a constant, without knowing any function.

u and v are the coordinates themselves, or one of them and their sum, difference, product or quotient. Alternating least
squares give the rank of the sum and the curves of both sides in milliseconds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from .links import Link, linked

__all__ = ["EXACT_RANK", "Pair", "Separated", "basis", "plain", "separated", "sheared"]

Array = NDArray[np.float64]
Pair = tuple[tuple[Expr, Array], tuple[Expr, Array]]

EXACT_RANK = 1e-6
"""Relative error at which a rank is right."""

_SIZES = ((18, 18), (44, 12), (12, 44))  # basis functions of u and of v
_SWEEPS, _STARTS = 40, 3
_MEET = 0.01  # relative difference of errors that are one
_COARSE = 11  # basis functions a side of the fit that starts the alternation


@dataclass(frozen=True)
class Separated:
    """One fit: which coordinates, which link, and the curves of both sides on the rows."""

    u: tuple[Expr, Array]
    v: tuple[Expr, Array]
    link: Link
    rank: int
    error: float  # relative to the spread of the target, in units of y, per degree of freedom
    left: Array  # (n, rank) a_r(u)
    right: Array  # (n, rank)
    offset: float | None = None  # beside one product; None for a plain sum of products


def separated(
    pairs: list[Pair],
    y: Array,
    weight: Array,
    links: Sequence[Link],
    most_rank: int,
    expired: Callable[[], bool],
) -> list[Separated]:
    """All coordinates and links, until one is exact."""
    fits: list[Separated] = []
    for u, v in pairs:
        for link in links:
            if expired():
                return fits
            found = _ranks(u, v, y, weight, link, most_rank)
            fits += found
            if found and found[-1].error < EXACT_RANK:
                # a smooth law is a sum of several products too; another link may do with fewer
                most_rank = found[-1].rank - 1
                if not most_rank:
                    return fits
    return fits


def plain(Z: Array, symbols: Sequence[Symbol]) -> list[Pair]:
    return [((symbols[0], Z[:, 0]), (symbols[1], Z[:, 1]))]


def sheared(Z: Array, symbols: Sequence[Symbol]) -> list[Pair]:
    """One coordinate combined with the other, which stays: a(p*q) b(q) separates in p*q and q."""
    p, q = symbols
    x, z = Z.T
    combined: list[tuple[Expr, Array]] = [(p * q, x * z), (p + q, x + z), (p - q, x - z)]
    if z.min() > 0 or z.max() < 0:
        combined.append((p / q, x / z))
    elif x.min() > 0 or x.max() < 0:
        combined.append((q / p, z / x))
    return [(one, kept) for one in combined for kept in ((p, x), (q, z))]


def _ranks(
    u: tuple[Expr, Array], v: tuple[Expr, Array], y: Array, weight: Array, link: Link, most_rank: int
) -> list[Separated]:
    """The smallest ranks that describe T(y) about as well as higher ones."""
    target = linked(y, weight, link)
    if target is None:
        return []
    t, root = target.t, target.root
    found = []
    # a constant beside one product is of rank two, but noise hides half as much of it
    for rank, offset in [(1, False), (1, True), (2, False), (3, False)]:
        if rank + offset > most_rank:
            continue
        best: Separated | None = None
        for (p, q), logarithms in itertools.product(_SIZES, (False, True)):
            spans = [_spans(u[1]), _spans(v[1])]
            if 3 * rank * (p + q) > len(y) or (logarithms and not any(spans)):
                continue
            P = basis(np.log(np.abs(u[1])) if logarithms and spans[0] else u[1], p)
            Q = basis(np.log(np.abs(v[1])) if logarithms and spans[1] else v[1], q)
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    fit = _alternate(P, Q, t, root, rank, offset)
            except np.linalg.LinAlgError:  # rows that differ by more decades than numbers have digits
                continue
            if fit is not None and (best is None or fit[0] < best.error):
                best = Separated(u, v, target.link, rank, *fit[:3], offset=fit[3] if offset else None)
        if best is not None:
            found.append(best)
            if best.error < EXACT_RANK:
                break
    return found


def _spans(x: Array) -> bool:
    """Whether a coordinate has one sign and spans so much that its logarithm is the smoother variable."""
    size = np.abs(x)
    return bool((x.min() > 0 or x.max() < 0) and size.max() > 2 * size.min())


def basis(x: Array, count: int) -> Array:
    """Chebyshev polynomials on the range of x, (n, count)."""
    half = max((x.max() - x.min()) / 2, 1e-300)
    return np.asarray(np.polynomial.chebyshev.chebvander((x - (x.max() + x.min()) / 2) / half, count - 1))


def _alternate(
    P: Array, Q: Array, t: Array, root: Array, rank: int, offset: bool
) -> tuple[float, Array, Array, float] | None:
    """Alternating least squares for sum_r a_r b_r; the first factor starts at smooth functions of its input."""
    rng = np.random.default_rng(0)
    best: tuple[float, Array, Array, float] | None = None
    right = t * root
    freedom = len(t) - rank * (P.shape[1] + Q.shape[1] - rank) - offset
    for start in range(_STARTS):
        smooth = P[:, : rank + 2] @ rng.normal(size=(rank + 2, rank))
        A = _tensor_start(P, Q, right, root, rank) if start == 0 else smooth
        last = math.inf
        for sweep in range(_SWEEPS):
            B, _ = _solve(Q, A, right, root, offset)
            A, constant = _solve(P, B, right, root, offset)
            scale = np.sqrt(np.mean(A**2, axis=0)) + 1e-300
            A, B = A / scale, B * scale
            error = math.sqrt(float(np.sum((((A * B).sum(axis=1) + constant) * root - right) ** 2)) / freedom)
            slow = sweep > 4 and error > 0.97 * last
            last = error
            if slow:
                break
        # Rows that do not fill the plane (trajectories) leave many minima; starts that meet have found the best.
        met = best is not None and abs(last - best[0]) < _MEET * best[0]
        if best is None or last < best[0]:
            best = (last, A, B, constant)
        if last < EXACT_RANK or met:
            break
    return best


def _tensor_start(P: Array, Q: Array, right: Array, root: Array, rank: int) -> Array:
    """The leading factors of the first input in a coarse fit by all products of both bases."""
    p, q = min(P.shape[1], _COARSE), min(Q.shape[1], _COARSE)
    right, root = right / root.max(), root / root.max()  # the scale of the factors is free
    design = (P[:, :p, None] * Q[:, None, :q]).reshape(len(P), -1) * root[:, None]
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += 1e-9 * np.trace(gram) / len(gram)
    table = np.linalg.solve(gram, design.T @ right).reshape(p, q)
    left, size, _ = np.linalg.svd(table)
    return np.asarray(P[:, :p] @ (left[:, :rank] * size[:rank]))


def _solve(P: Array, others: Array, right: Array, root: Array, offset: bool) -> tuple[Array, float]:
    """Least squares for the factors of one side, (n, rank), those of the other held, and for the constant if any."""
    rank = others.shape[1]
    right, root = right / root.max(), root / root.max()
    terms = (others[:, :, None] * P[:, None, :]).reshape(len(P), -1)
    design = np.column_stack([terms, *([np.ones(len(P))] if offset else [])]) * root[:, None]
    norms = np.linalg.norm(design, axis=0) + 1e-300
    gram = (design / norms).T @ (design / norms)
    gram[np.diag_indices_from(gram)] += 1e-12
    solved = np.linalg.solve(gram, (design / norms).T @ right)
    residual = right - (design / norms) @ solved
    solved += np.linalg.solve(gram, (design / norms).T @ residual)
    weights = solved / norms
    factors = np.asarray(P @ weights[: terms.shape[1]].reshape(rank, -1).T)
    return factors, float(weights[-1]) if offset else 0.0
