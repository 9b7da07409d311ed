"""Laws of two coordinates: T(y) = sum_r a_r(u) b_r(v), u and v the coordinates or one of them and their combination.

Of such a sum the rank and the spaces of the a_r and the b_r are found by alternating least squares, in milliseconds
and without knowing any function. Primitives that lie in the two spaces then make a short linear problem.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, Float, Symbol

from .library import LIBRARY
from .links import LINKS, Link, linked
from .subspace import Member, members
from .univariate import univariate_candidates

__all__ = ["basis", "bivariate_forms", "sheared"]

Array = NDArray[np.float64]
Pair = tuple[tuple[Expr, Array], tuple[Expr, Array]]

_SIZES = ((18, 18), (44, 12), (12, 44))  # basis functions of u and of v
_SWEEPS, _STARTS = 40, 2
_COARSE = 11  # basis functions a side of the fit that starts the alternation
_MOST_RANK = 3
_ENOUGH = 1e-4  # relative error of curves that tell one primitive from another
_NOISY = 1e-3
_EXACT = 1e-6  # relative error at which a rank is right
_ROWS = 900  # rows that decide on ranks
_NEAR = 1.3  # times the floor: the coordinates as they are will do
_GOOD = 2.0  # times the smallest error: a rank and a link worth a look
_CURVE = 100
_TERMS = 3  # primitives beside the constant that are combined on one side
_FORMS = 12


@dataclass(frozen=True)
class _Separated:
    """One fit: which coordinates, which link, and the curves of both sides on the rows."""

    u: tuple[Expr, Array]
    v: tuple[Expr, Array]
    link: Link
    rank: int
    error: float  # relative to the spread of the target, in units of y
    left: Array  # (n, rank) a_r(u)
    right: Array  # (n, rank)


def bivariate_forms(
    Z: Array,
    target: Array,
    weight: Array,
    symbols: Sequence[Symbol],
    primitives: Sequence[str],
    floor: float = 0.0,
    expired: Callable[[], bool] = lambda: False,
) -> Iterator[Expr]:
    """Forms of two inputs worth fitting, constants as Float.

    Parameters
    ----------
    Z : (n, 2). target, weight : (n,) the law to describe and what its squared errors count.
    floor : error relative to the spread that cannot be improved on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.uniform(0.5, 2, (300, 2))
    >>> y = 1 + Z[:, 0] + 2 * np.sqrt(Z[:, 0]) * np.cos(Z[:, 1])
    >>> r, d = sympy.symbols("r d", real=True)
    >>> form = next(bivariate_forms(Z, y, np.ones(300), (r, d), ["identity", "square", "sqrt", "exp", "sin"]))
    >>> sorted(part.func.__name__ for part in form.atoms(sympy.sin, sympy.cos, sympy.Pow))
    ['Pow', 'sin']
    """
    rows = np.unique(np.linspace(0, len(Z) - 1, min(len(Z), _ROWS)).round().astype(int))
    few = (target[rows], weight[rows])
    fits = _fits(_plain(Z[rows], symbols), *few, LINKS, _MOST_RANK, expired)
    limit = max(_NEAR * floor, 10 * _EXACT)
    if not any(fit.error <= limit and fit.rank == 1 for fit in fits):
        fits += _fits(sheared(Z[rows], symbols), *few, LINKS[:3:2], 1, expired)
    best = min((fit.error for fit in fits), default=math.inf)
    good = [fit for fit in fits if fit.error <= max(_GOOD * best, _ENOUGH)]
    good.sort(key=lambda fit: (fit.rank, fit.link.name != "y", fit.error))
    for fit in good[:3]:
        if expired():
            return
        yield from _forms(fit, *few, primitives)


def _fits(
    pairs: list[Pair],
    y: Array,
    weight: Array,
    links: Sequence[Link],
    most_rank: int,
    expired: Callable[[], bool],
) -> list[_Separated]:
    """All coordinates and links, until one is exact."""
    fits: list[_Separated] = []
    for u, v in pairs:
        for link in links:
            if expired():
                return fits
            found = _separated(u, v, y, weight, link, most_rank)
            fits += found
            if found and found[-1].error < _EXACT:
                # a smooth law is a sum of several products too; another link may do with fewer
                most_rank = found[-1].rank - 1
                if not most_rank:
                    return fits
    return fits


def _plain(Z: Array, symbols: Sequence[Symbol]) -> list[Pair]:
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


def _separated(
    u: tuple[Expr, Array], v: tuple[Expr, Array], y: Array, weight: Array, link: Link, most_rank: int
) -> list[_Separated]:
    """The smallest ranks that describe T(y) about as well as higher ones."""
    target = linked(y, weight, link)
    if target is None:
        return []
    t, root = target.t, target.root
    found = []
    for rank in range(1, most_rank + 1):
        best: _Separated | None = None
        for (p, q), logarithms in itertools.product(_SIZES, (False, True)):
            spans = [_spans(u[1]), _spans(v[1])]
            if 3 * rank * (p + q) > len(y) or (logarithms and not any(spans)):
                continue
            P = basis(np.log(np.abs(u[1])) if logarithms and spans[0] else u[1], p)
            Q = basis(np.log(np.abs(v[1])) if logarithms and spans[1] else v[1], q)
            fit = _alternate(P, Q, t, root, rank)
            if fit is not None and (best is None or fit[0] < best.error):
                best = _Separated(u, v, target.link, rank, *fit)
        if best is not None:
            found.append(best)
            if best.error < _EXACT:
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


def _alternate(P: Array, Q: Array, t: Array, root: Array, rank: int) -> tuple[float, Array, Array] | None:
    """Alternating least squares for sum_r a_r b_r; the first factor starts at smooth functions of its input."""
    rng = np.random.default_rng(0)
    best: tuple[float, Array, Array] | None = None
    right = t * root
    for start in range(_STARTS):
        smooth = P[:, : rank + 2] @ rng.normal(size=(rank + 2, rank))
        A = _tensor_start(P, Q, right, root, rank) if start == 0 else smooth
        last = math.inf
        for sweep in range(_SWEEPS):
            B = _solve(Q, A, right, root)
            A = _solve(P, B, right, root)
            scale = np.sqrt(np.mean(A**2, axis=0)) + 1e-300
            A, B = A / scale, B * scale
            error = math.sqrt(float(np.mean(((A * B).sum(axis=1) * root - right) ** 2)))
            slow = sweep > 4 and error > 0.97 * last
            last = error
            if slow:
                break
        if best is None or last < best[0]:
            best = (last, A, B)
        if last < _EXACT or rank == 1:
            break
    return best


def _tensor_start(P: Array, Q: Array, right: Array, root: Array, rank: int) -> Array:
    """The leading factors of the first input in a coarse fit by all products of both bases."""
    p, q = min(P.shape[1], _COARSE), min(Q.shape[1], _COARSE)
    design = (P[:, :p, None] * Q[:, None, :q]).reshape(len(P), -1) * root[:, None]
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] += 1e-9 * np.trace(gram) / len(gram)
    table = np.linalg.solve(gram, design.T @ right).reshape(p, q)
    left, size, _ = np.linalg.svd(table)
    return np.asarray(P[:, :p] @ (left[:, :rank] * size[:rank]))


def _solve(P: Array, others: Array, right: Array, root: Array) -> Array:
    """Least squares for the factors of one side, (n, rank), those of the other held."""
    rank = others.shape[1]
    design = (others[:, :, None] * P[:, None, :]).reshape(len(P), -1) * root[:, None]
    norms = np.linalg.norm(design, axis=0) + 1e-300
    gram = (design / norms).T @ (design / norms)
    gram[np.diag_indices_from(gram)] += 1e-12
    solved = np.linalg.solve(gram, (design / norms).T @ right)
    residual = right - (design / norms) @ solved
    solved += np.linalg.solve(gram, (design / norms).T @ residual)
    return np.asarray(P @ (solved / norms).reshape(rank, -1).T)


def _forms(fit: _Separated, y: Array, weight: Array, primitives: Sequence[str]) -> Iterator[Expr]:
    """Products of functions of the two sides, the cheapest choices first."""
    choices = [_choices(x, factors, fit, primitives) for (_, x), factors in ((fit.u, fit.left), (fit.v, fit.right))]
    if fit.rank == 1 and any(not options or options[0].left_out > 3 * fit.error + 1e-8 for options in choices):
        yield from _compositions(fit, primitives)
    pairs = sorted(itertools.product(*choices), key=lambda pair: pair[0].cost + pair[1].cost)
    for left, right in pairs[:_FORMS]:
        expr = _linear(fit, left.members, right.members, y, weight)
        if expr is not None:
            yield fit.link.inverse(expr)


@dataclass(frozen=True)
class _Choice:
    """Primitives for one side, and what of its curves they leave out."""

    members: tuple[Member, ...]
    left_out: float
    cost: float


def _choices(x: Array, factors: Array, fit: _Separated, primitives: Sequence[str]) -> list[_Choice]:
    """Sets of primitives that, with a constant, span the curves of one side; cheapest first."""
    rows = np.argsort(x)[np.linspace(0, len(x) - 1, _CURVE).round().astype(int)]
    curves = factors[rows] / np.linalg.norm(factors[rows], axis=0)
    # Noise averages out in the curves; what a basis cannot follow does not.
    tolerance = (0.3 if fit.error > _NOISY else 10.0) * fit.error + 1e-9
    found = members(x[rows], factors[rows], primitives, tolerance)
    options = []
    for size in range(min(fit.rank, _TERMS) + 1):
        for picked in itertools.combinations(found, size):
            chosen = _plain_powers(picked)
            span = np.column_stack([np.ones(len(rows)), *[member.curve(x[rows]) for member in chosen]])
            q, _ = np.linalg.qr(span / np.linalg.norm(span, axis=0))
            left_out = float(np.linalg.norm(curves - q @ (q.T @ curves)))
            if math.isfinite(left_out):
                price = 0.35 * sum(LIBRARY[member.name].complexity for member in chosen)
                options.append(_Choice(chosen, left_out, math.log(left_out + tolerance) + price))
    return sorted(options, key=lambda option: option.cost)[:_FORMS]


def _plain_powers(chosen: tuple[Member, ...]) -> tuple[Member, ...]:
    """Beside x itself, (x - b)^2 says no more than x^2."""
    if not any(member.name == "identity" for member in chosen):
        return chosen
    return tuple(replace(m, a=1.0, b=0.0) if m.name in ("identity", "square", "cube") else m for m in chosen)


def _compositions(fit: _Separated, primitives: Sequence[str]) -> Iterator[Expr]:
    """T(y) = a(u) b(v) with either factor a closed form of its own."""
    sides = []
    for (expr, x), factors in ((fit.u, fit.left), (fit.v, fit.right)):
        symbol = Dummy("u", real=True)
        # Known to the error of the fit only: noise of that size keeps long forms from describing the error.
        curve = factors[:, 0]
        blurred = curve + 2 * fit.error * float(curve.std()) * np.random.default_rng(0).normal(size=len(curve))
        found = univariate_candidates(x, blurred, symbol, primitives=primitives, most=3)
        sides.append([each.expr.xreplace({symbol: expr}) for each in found])
    for one, other in itertools.product(*sides):
        yield fit.link.inverse(one * other)


def _linear(
    fit: _Separated,
    left: tuple[Member, ...],
    right: tuple[Member, ...],
    y: Array,
    weight: Array,
) -> Expr | None:
    """T(y) as a linear combination of all products of (1, left) and (1, right)."""
    u, v = fit.u, fit.v
    terms = []
    for one, other in itertools.product((None, *left), (None, *right)):
        curve = (1.0 if one is None else one.curve(u[1])) * (1.0 if other is None else other.curve(v[1]))
        expr = _written(one, u[0]) * _written(other, v[0])
        terms.append((np.broadcast_to(curve, y.shape), expr))
    design = np.column_stack([curve for curve, _ in terms])
    if not np.all(np.isfinite(design)):
        return None
    target = linked(y, weight, fit.link)
    if target is None:
        return None
    t, root = target.t, target.root
    with np.errstate(all="ignore"):
        scaled = design * root[:, None]
        if not np.all(np.isfinite(np.sum(scaled**2, axis=0))):
            return None
    weights = _sparse(scaled, t * root)
    return sympy.Add(*[Float(float(w)) * expr for w, (_, expr) in zip(weights, terms, strict=True) if w != 0])


def _sparse(design: Array, right: Array) -> Array:
    """Least squares in which a term stays only if the description is shorter for it."""
    n = len(right)
    norms = np.linalg.norm(design, axis=0) + 1e-300
    kept = list(range(design.shape[1]))
    floor = (_EXACT * float(np.linalg.norm(right))) ** 2
    price = math.log(n) + 2.0

    def solve(columns: list[int]) -> tuple[Array, float]:
        solved = np.linalg.lstsq(design[:, columns] / norms[columns], right, rcond=1e-12)[0]
        residual = right - (design[:, columns] / norms[columns]) @ solved
        return solved, max(float(residual @ residual), floor)

    solved, rss = solve(kept)
    while len(kept) > 1:
        weakest = int(np.argmin(np.abs(solved)))
        fewer = kept[:weakest] + kept[weakest + 1 :]
        trial, more = solve(fewer)
        if n * math.log(more / rss) > price:
            break
        kept, solved, rss = fewer, trial, min(rss, more) if more > rss else more
    weights = np.zeros(design.shape[1])
    weights[kept] = solved / norms[kept]
    return weights


def _written(member: Member | None, x: Expr) -> Expr:
    if member is None:
        return sympy.S.One
    return LIBRARY[member.name](Float(member.a) * x + Float(member.b), Float(member.p))
