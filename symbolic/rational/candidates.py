"""Closed forms of several inputs without a search: monomials, sparse polynomials and their ratios, under a link.

Physics is full of laws that are one monomial, or a ratio of two short polynomials under a root, an exponential or a
logarithm: (p + q)/(1 + p q), sqrt(a**2 + b**2), q/(a - b). All of these are linear problems in disguise. What is found
here are candidates: somebody else has to judge them on other rows, recognise their constants and write them nicely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Float, Symbol

from kanlib.errors import FormulaError, InputError

from ..constants import refit
from ..description import description_length, structure_cost
from .stages import Problem, stages

__all__ = ["RationalFit", "rational_candidates"]

Array = NDArray[np.float64]
Form = tuple[Expr, dict[Symbol, float]]

_EXACT = 1e-10  # relative residual at which nothing better can be found
_EVALUATIONS = 60


@dataclass(frozen=True)
class RationalFit:
    """One candidate for R in y = factor * R(Z) + noise.

    Attributes
    ----------
    expr : R in the given symbols, fitted constants as Float, exponents exact.
    rss : weighted sum of squared residuals of y on all rows.
    length : description length in nats, form included.
    """

    expr: Expr
    rss: float
    length: float


def rational_candidates(
    Z: ArrayLike,
    y: ArrayLike,
    symbols: Sequence[Symbol],
    *,
    factor: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    most: int = 10,
    expired: Callable[[], bool] = lambda: False,
) -> list[RationalFit]:
    """Monomials, sparse polynomials and ratios of them, under a link, that fit y = factor * R(Z) + noise.

    Parameters
    ----------
    Z : (n, k) finite inputs. y : (n,) finite.
    symbols : k symbols, one per column of Z.
    factor : (n,) known factor in front of R, default 1.
    sample_weight : (n,) non-negative, inverse error variances of y up to a factor.
    most : at most so many candidates.
    expired : asked between steps; when it returns True, what has been found so far is returned.

    Returns
    -------
    list of RationalFit
        Shortest description first, distinct forms, all finite on every row. A form that is exact (relative residual
        1e-10) ends the search for others. Empty when nothing fits or there are fewer than 4 rows.

    Raises
    ------
    InputError
        Shapes that do not belong together, values that are not finite, negative weights.

    Examples
    --------
    >>> import sympy
    >>> p, q = sympy.symbols("p q", real=True)
    >>> Z = np.random.default_rng(0).uniform(0.1, 0.9, (50, 2))
    >>> fits = rational_candidates(Z, (Z[:, 0] + Z[:, 1]) / (1 + Z[:, 0] * Z[:, 1]), (p, q))
    >>> sympy.nsimplify(fits[0].expr, tolerance=1e-9)
    (p + q)/(p*q + 1)
    """
    # Trial formulas overflow and leave their domain; what comes of it is looked at, warnings would say nothing new.
    with np.errstate(all="ignore"):
        data = _checked(Z, y, tuple(symbols), factor, sample_weight)
        found: dict[Expr, RationalFit] = {}
        if len(data.target) < 4:
            return []
        for stage in stages(data, tuple(symbols), expired):
            try:
                _collect(stage, tuple(symbols), data, found, expired)
            except np.linalg.LinAlgError:
                continue  # numbers too large or too small for this stage; the others may still work
            if any(fit.rss <= _EXACT**2 * data.size for fit in found.values()):
                break
    return sorted(found.values(), key=lambda each: each.length)[:most]


def _collect(
    stage: Iterator[Form],
    symbols: tuple[Symbol, ...],
    data: Problem,
    found: dict[Expr, RationalFit],
    expired: Callable[[], bool],
) -> None:
    """Refit the forms of a stage and keep the best of each form."""
    for structure, values in stage:
        if expired():
            return
        fit = _fitted(structure, values, symbols, data)
        key = structure.xreplace(dict.fromkeys(values, Float(1.5)))
        if fit is not None and (key not in found or fit.length < found[key].length):
            found[key] = fit


def _checked(
    Z: ArrayLike, y: ArrayLike, symbols: tuple[Symbol, ...], factor: ArrayLike | None, sample_weight: ArrayLike | None
) -> Problem:
    table, target = np.asarray(Z, dtype=np.float64), np.asarray(y, dtype=np.float64)
    front = np.ones(target.shape) if factor is None else np.asarray(factor, dtype=np.float64)
    weight = np.ones(target.shape) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shapes = {"y": target.shape, "factor": front.shape, "sample_weight": weight.shape}
    if table.ndim != 2 or table.shape[1] != len(symbols) or any(s != (len(table),) for s in shapes.values()):
        raise InputError(
            f"rational_candidates got Z {table.shape}, {shapes} and {len(symbols)} symbols; expected Z (n, k), one "
            "number per row in the others, and one symbol per column."
        )
    if not all(np.isfinite(each).all() for each in (table, target, front, weight)) or (weight < 0).any():
        raise InputError(
            "rational_candidates got values that are not finite, or negative weights; drop these rows first."
        )
    seen = (front != 0) & (weight > 0)
    lost = float(weight[~seen] @ target[~seen] ** 2)
    size = float(weight @ target**2)
    typical = np.sqrt(np.mean(table**2, axis=0)) if len(table) else np.ones(len(symbols))
    scale = np.exp2(np.round(np.log2(np.where(typical > 0, typical, 1.0)))).astype(np.float64)
    return Problem(
        table[seen], target[seen] / front[seen], weight[seen] * front[seen] ** 2, lost, size, scale, len(target)
    )


def _fitted(
    structure: Expr, values: dict[Symbol, float], symbols: tuple[Symbol, ...], data: Problem
) -> RationalFit | None:
    """All constants refitted to all rows; None where the form is not finite."""
    try:
        fit = refit(
            structure,
            tuple(values),
            symbols,
            data.Z,
            data.target,
            list(values.values()),
            data.weight,
            max_evaluations=_EVALUATIONS,
        )
    except (FormulaError, OverflowError):
        return None
    if not (math.isfinite(fit.rss) and np.isfinite(fit.residual).all() and np.isfinite(fit.values).all()):
        return None
    numbers = {symbol: Float(value) for symbol, value in zip(values, fit.values, strict=True)}
    rss = fit.rss + data.lost
    size = np.full(data.n, math.sqrt(data.size / data.n))
    length = description_length(rss, data.n, fit.rank, size, structure_cost(structure))
    return RationalFit(structure.xreplace(numbers), rss, length)
