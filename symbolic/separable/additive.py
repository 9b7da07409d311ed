"""Laws that are a sum of functions of single coordinates under a link, each function a closed form of its own.

T(y) = sum_i f_i(z_i) is one linear least-squares problem in Chebyshev polynomials. What is left of T(y) when the
other parts are taken away is a curve of one coordinate, noise and all, and the one-dimensional solver reads it. Of two
coordinates one may also be their sum, difference, product or quotient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from sympy import Dummy, Expr, Symbol

from ..edges import fit_edges, starting_points
from ..library import LIBRARY
from ..tape import evaluate
from ..univariate.candidates import univariate_candidates
from .choices import first_choices
from .links import LINKS, Link, Linked, linked
from .separation import basis, sheared

__all__ = ["additive_forms"]

Array = NDArray[np.float64]
Pair = tuple[Expr, Array]

_DEGREES = (24, 12, 6)
_ROWS_PER_TERM = 3
_NEAR = 1.35  # times the floor: as good as anything
_EXACT = 1e-7
_MANY = 6  # parts that are read twice
_FORMS = 5  # sums that are proposed
_POINTS = 150  # of a curve that is compared with single primitives
_EACH = 3  # closed forms of a part that are combined
_FLAT = 1e-9  # relative size of a part that is nothing
_U = Dummy("u", real=True)


@dataclass(frozen=True)
class _Fit:
    """T(y) as a sum of curves."""

    parts: tuple[Pair, ...]
    target: Linked
    curves: Array  # (n, k) each with mean 0
    constant: float
    error: float  # relative to the spread of y


def additive_forms(
    Z: Array,
    target: Array,
    weight: Array,
    symbols: Sequence[Symbol],
    primitives: Sequence[str],
    floor: float = 0.0,
    expired: Callable[[], bool] = lambda: False,
) -> Iterator[Expr]:
    """Sums under a link that describe the target about as well as anything does.

    Parameters
    ----------
    Z : (n, k). target, weight : (n,) the law to describe and what its squared errors count.
    floor : error relative to the spread that cannot be improved on.

    Examples
    --------
    >>> Z = np.random.default_rng(0).uniform(0, 1, (300, 2))
    >>> x, y = sympy.symbols("x y", real=True)
    >>> forms = additive_forms(Z, np.sin(Z[:, 0]) + np.sin(Z[:, 1] ** 2), np.ones(300), (x, y), ["sin", "exp"])
    >>> sympy.nsimplify(next(forms), tolerance=1e-6)
    sin(x) + sin(y**2)
    """
    plain = [(symbol, Z[:, i]) for i, symbol in enumerate(symbols)]
    tried = (None if expired() else _fit(plain, target, weight, link) for link in LINKS)
    fits = [fit for fit in tried if fit is not None]
    limit = max(_NEAR * floor, _EXACT)
    if len(symbols) == 2 and min((fit.error for fit in fits), default=math.inf) > limit:
        for pair in sheared(Z, symbols):
            fit = None if expired() else _fit(list(pair), target, weight, LINKS[0])
            if fit is not None:
                fits.append(fit)
    good = [fit for fit in fits if fit.error <= limit]
    best = min((fit.error for fit in good), default=0.0)
    # T = y first where it is as good as any other
    good.sort(key=lambda fit: (fit.error > 2 * best + _EXACT, fit.target.link.name != "y", fit.error))
    for fit in good[:2]:
        if expired():
            return
        yield from _forms(fit, primitives, expired)


def _fit(parts: list[Pair], y: Array, weight: Array, link: Link) -> _Fit | None:
    target = linked(y, weight, link)
    if target is None:
        return None
    best: _Fit | None = None
    n, k = len(y), len(parts)
    for degree in _DEGREES:
        if _ROWS_PER_TERM * (1 + k * degree) > n:
            continue
        bases = [basis(x, degree + 1)[:, 1:] for _, x in parts]
        bases = [part - part.mean(axis=0) for part in bases]
        design = np.column_stack([np.ones(n), *bases]) * target.root[:, None]
        norms = np.linalg.norm(design, axis=0) + 1e-300
        design /= norms
        gram = design.T @ design
        gram[np.diag_indices_from(gram)] += 1e-13
        right = target.t * target.root
        solved = np.linalg.solve(gram, design.T @ right)
        solved += np.linalg.solve(gram, design.T @ (right - design @ solved))
        residual = right - design @ solved
        error = math.sqrt(float(residual @ residual) / max(n - len(solved), 1))  # per degree of freedom
        weights = solved / norms
        if best is None or error < best.error:
            curves = [part @ weights[1 + i * degree : 1 + (i + 1) * degree] for i, part in enumerate(bases)]
            best = _Fit(tuple(parts), target, np.column_stack(curves), float(weights[0]), error)
    return best


def _forms(fit: _Fit, primitives: Sequence[str], expired: Callable[[], bool]) -> Iterator[Expr]:
    sizes = fit.curves.std(axis=0)
    kept = [i for i in range(len(fit.parts)) if sizes[i] > _FLAT * sizes.max()]
    single = _single(fit, kept, primitives) if len(kept) > _MANY else None
    options = _read(fit, fit.curves, kept, primitives, expired) if single is None else single
    yield from _sums(fit, kept, options)
    if fit.error < _EXACT or not options or len(kept) > _MANY or expired():
        return
    # Curves fitted together share their errors: each part once more, with the closed forms of the others taken away.
    closed = fit.curves.copy()
    for i, forms in zip(kept, options, strict=True):
        values = evaluate(forms[0], (_U,), fit.parts[i][1][:, None])
        if np.all(np.isfinite(values)):
            closed[:, i] = values
    yield from _sums(fit, kept, _read(fit, closed, kept, primitives, expired))


def _single(fit: _Fit, kept: list[int], primitives: Sequence[str]) -> list[list[Expr]] | None:
    """One primitive for every part, all fitted at once; None where a part is none."""
    curves = fit.curves[:, kept].T
    x = np.stack([fit.parts[i][1] for i in kept])
    order = np.argsort(x, axis=1)[:, np.linspace(0, x.shape[1] - 1, _POINTS).round().astype(int)]
    points, values = (torch.from_numpy(np.take_along_axis(each, order, axis=1)) for each in (x, curves))
    options = []
    for fits in fit_edges(points, values, tuple(primitives)):
        # what noise leaves on a curve that so many rows determine
        good = [each for each in fits if each.nmse <= max(1e-10, fit.error**2)]
        if not good:
            return None
        # all of these meet the curve as well as it is known: a slow cosine is a parabola
        simplest = min(good, key=lambda each: (each.complexity, sum(starting_points(each.name)[1]), each.nmse))
        name, (a, b, c, d, p) = simplest.name, simplest.constants
        inner = sympy.Float(a) * _U + sympy.Float(b)
        options.append([sympy.Float(c) * LIBRARY[name](inner, sympy.Float(p)) + sympy.Float(d)])
    return options


def _read(
    fit: _Fit, curves: Array, kept: list[int], primitives: Sequence[str], expired: Callable[[], bool]
) -> list[list[Expr]]:
    """Closed forms in `_U` of every part, read off what the other curves leave of the target; [] where one has none."""
    left = fit.target.t - fit.constant - curves[:, kept].sum(axis=1)
    weight = fit.target.root**2 / float(np.mean(fit.target.root**2))
    options = []
    for i in kept:
        found = univariate_candidates(
            fit.parts[i][1],
            curves[:, i] + left,
            _U,
            sample_weight=weight,
            primitives=primitives,
            most=_EACH,
            expired=expired,
        )
        if not found:
            return []
        options.append([each.expr for each in found])
    return options


def _sums(fit: _Fit, kept: list[int], options: list[list[Expr]]) -> Iterator[Expr]:
    names = [fit.parts[i][0] for i in kept]
    for index in first_choices([len(each) for each in options], _FORMS if options else 0):
        chosen = [each[k].xreplace({_U: name}) for each, k, name in zip(options, index, names, strict=True)]
        yield fit.target.link.inverse(sympy.Add(*chosen) + sympy.Float(fit.constant))
