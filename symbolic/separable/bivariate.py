"""Laws of two coordinates: T(y) = sum_r a_r(u) b_r(v), u and v the coordinates or one of them and their combination.

Of such a sum `separation` finds the rank and the spaces of the a_r and the b_r, without knowing any function.
Primitives that lie in the two spaces then make a short linear problem.
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

from ..library import LIBRARY
from ..rows import spread_rows
from ..univariate.candidates import univariate_candidates
from .links import LINKS, linked
from .separation import EXACT_RANK, Separated, plain, separated, sheared
from .subspace import Member, members

__all__ = ["bivariate_forms"]

Array = NDArray[np.float64]

_MOST_RANK = 3
_ENOUGH = 1e-4  # relative error of curves that tell one primitive from another
_NOISY = 1e-3
_ROWS = 900  # rows that decide on ranks
_NEAR = 1.3  # times the floor: the coordinates as they are will do
_GOOD = 2.0  # times the smallest error: a rank and a link worth a look
_CLOSE = 1.15  # the same under noise, which hides what a rank too low leaves out
_SMALL = 1e-3  # of a factor, in whose rows the other cannot be seen
_CURVE = 100
_TERMS = 3  # primitives beside the constant that are combined on one side
_FORMS = 12


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
    rows = spread_rows(len(Z), _ROWS)
    few = (target[rows], weight[rows])
    fits = separated(plain(Z[rows], symbols), *few, LINKS, _MOST_RANK, expired)
    limit = max(_NEAR * floor, 10 * EXACT_RANK)
    if not any(fit.error <= limit and fit.rank == 1 for fit in fits):
        fits += separated(sheared(Z[rows], symbols), *few, LINKS[:3:2], 1, expired)
    best = min((fit.error for fit in fits), default=math.inf)
    good = [fit for fit in fits if fit.error <= max((_GOOD if best < _NOISY else _CLOSE) * best, _ENOUGH)]
    plainly = {fit.link.name for fit in good if fit.rank == 1 and fit.offset is None}
    good = [fit for fit in good if fit.offset is None or fit.link.name not in plainly]
    good.sort(key=lambda fit: (fit.rank + 0.5 * (fit.offset is not None), fit.link.name != "y", fit.error))
    for fit in good[:3]:
        if expired():
            return
        yield from _forms(fit, *few, primitives, expired)


def _forms(
    fit: Separated, y: Array, weight: Array, primitives: Sequence[str], expired: Callable[[], bool]
) -> Iterator[Expr]:
    """Products of functions of the two sides, the cheapest choices first."""
    choices = [_choices(x, factors, fit, primitives) for (_, x), factors in ((fit.u, fit.left), (fit.v, fit.right))]
    unlike = any(not options or options[0].left_out > 3 * fit.error + 1e-8 for options in choices)
    if fit.rank == 1 and (unlike or (fit.offset is not None and fit.error > _NOISY)):
        yield from _compositions(fit, y, weight, primitives, expired)
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


def _choices(x: Array, factors: Array, fit: Separated, primitives: Sequence[str]) -> list[_Choice]:
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
            if not np.all(np.isfinite(span)):
                continue
            q, _ = np.linalg.qr(span / np.linalg.norm(span, axis=0))
            left_out = float(np.linalg.norm(curves - q @ (q.T @ curves)))
            if math.isfinite(left_out):
                price = sum(member.price for member in chosen)
                options.append(_Choice(chosen, left_out, math.log(left_out + tolerance) + price))
    return sorted(options, key=lambda option: option.cost)[:_FORMS]


def _plain_powers(chosen: tuple[Member, ...]) -> tuple[Member, ...]:
    """Beside x itself, (x - b)^2 says no more than x^2."""
    if not any(member.name == "identity" for member in chosen):
        return chosen
    return tuple(replace(m, a=1.0, b=0.0) if m.name in ("identity", "square", "cube") else m for m in chosen)


def _compositions(
    fit: Separated, y: Array, weight: Array, primitives: Sequence[str], expired: Callable[[], bool]
) -> Iterator[Expr]:
    """T(y) = a(u) b(v), or with a constant beside, with either factor a closed form of its own.

    What is left when the other factor is taken away is a curve of one coordinate, noise and all.
    """
    target = linked(y, weight, fit.link)
    if target is None:
        return
    constant = fit.offset or 0.0
    sides = []
    for (expr, x), factors in ((fit.u, fit.right), (fit.v, fit.left)):
        symbol, other = Dummy("u", real=True), factors[:, 0]
        says = np.abs(other) > _SMALL * float(np.abs(other).max())
        own, counts = (target.t[says] - constant) / other[says], (target.root[says] * other[says]) ** 2
        found = univariate_candidates(
            x[says], own, symbol, sample_weight=counts, primitives=primitives, most=3, expired=expired
        )
        sides.append([each.expr.xreplace({symbol: expr}) for each in found])
    for one, another in itertools.product(*sides):
        yield fit.link.inverse(one * another + Float(constant))


def _linear(
    fit: Separated,
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
    floor = (EXACT_RANK * float(np.linalg.norm(right))) ** 2
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
