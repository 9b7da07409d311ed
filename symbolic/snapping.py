"""Which constants are exact: recognising 2, 1/2, pi.

Every constant is known as a value with an interval. Two questions decide whether an exact number may replace it:

1. Do the data allow it? The candidate must lie within the constant's 99 % interval (Student's t, plus rounding),
   and the fit with it, all other constants refitted, tells by how much the residuals grow.
2. Would it be a surprise? 1/16 lies within 0.0641 +- 0.0083 and so do dozens of other fractions: nothing is learnt.
   That 3.14159265 +- 2e-8 contains pi would be a strange accident. The exact measure is the length of a
   description: a fitted constant needs about log(|value| / precision) nats, with precision sqrt(12) standard
   errors, an exact one needs as many as its height (numerator and denominator) and its family (pi, e, sqrt(2))
   cost. The exact number is taken only if it makes formula plus data shorter, n/2 log(rss) included (Rissanen
   1978; Bartlett, Desmond and Ferreira 2022, arXiv 2211.11461, eq. 6).

Whether a constant is needed at all is asked in `dropping`.

For noise-free data both measures work unchanged, with the residuals bounded below by the rounding of y.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit
from sympy import Expr, Symbol

from .constants import Refit, refit
from .description import (
    candidates,
    description_length,
    fitted_cost,
    rounding_floor,
    structure_cost,
)
from .formula import Formula

__all__ = ["Fitted", "fitted", "formula_length", "loss", "prepare", "snap", "with_fit"]

Array = NDArray[np.float64]

_EVALUATIONS = 100  # of a refit that starts near its optimum
_CONFIDENCE = 0.99
# An exact number that costs more than this (all but small integers, halves, thirds, and pi) must be the shorter
# story by a margin, odds of about 3 to 1: there are so many of them that one nearly always fits.
_FANCY_COST, _FANCY_MARGIN = 5.0, 1.0
_CLEAR_SURPRISE = 8.0  # nats: several constants at once need better evidence than one


class Fitted:
    """A formula, its constants refitted to the data, and the tools to change one of them."""

    def __init__(self, formula: Formula, X: Array, y: Array, sample_weight: Array | None) -> None:
        self.formula, self.X, self.y, self.sample_weight = formula, X, y, sample_weight
        # y in units of the noise, which is what rss is in too
        self.scaled_y = y if sample_weight is None else (y * np.sqrt(sample_weight))[sample_weight > 0]
        self.free = list(formula.fitted)
        start = [formula.values[symbol] for symbol in self.free]
        self.result: Refit = refit(
            self.with_exact(), self.free, formula.symbols, X, y, start, sample_weight, max_evaluations=_EVALUATIONS
        )

    def with_exact(self) -> Expr:
        exact = {s: v for s, v in self.formula.values.items() if not isinstance(v, float)}
        return self.formula.structure.xreplace(exact)

    @property
    def n(self) -> int:
        return self.result.dof + self.result.rank

    def intervals(self) -> dict[Symbol, tuple[float, float]]:
        """symbol -> (value, standard error), for noise not below the rounding of y."""
        noise = max(self.result.residual_std, math.sqrt(rounding_floor(self.scaled_y, 1)))
        return {
            symbol: (float(value), max(noise * float(error), 1e-15 * abs(float(value)), 1e-300))
            for symbol, value, error in zip(self.free, self.result.values, self.result.unit_errors, strict=True)
        }

    def length(self, fit: Refit) -> float:
        """n/2 log(rss): the part of the description that the residuals take."""
        return description_length(fit.rss, self.n, 0, self.scaled_y)

    def replaced(self, exact: Mapping[Symbol, Expr]) -> tuple[Formula, Refit] | None:
        """The formula with these constants exact and the others refitted; None where that makes no sense."""
        values: dict[Symbol, Any] = dict(self.formula.values)
        values.update(zip(self.free, map(float, self.result.values), strict=True))
        values.update(exact)
        structure = self.formula.structure.xreplace({s: v for s, v in exact.items() if v in (0, 1, -1)})
        values = {s: v for s, v in values.items() if s in structure.free_symbols}
        free = [s for s, v in values.items() if isinstance(v, float)]
        numbers = structure.xreplace({s: v for s, v in values.items() if not isinstance(v, float)})
        # sqrt(c) with c = -1, 1/c with c = 0
        if numbers.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
            return None
        start = [values[s] for s in free]
        fit = refit(
            numbers,
            free,
            self.formula.symbols,
            self.X,
            self.y,
            start,
            self.sample_weight,
            max_evaluations=_EVALUATIONS,
        )
        if not math.isfinite(fit.rss):
            return None
        return with_fit(self.formula, structure, values, fit), fit


def loss(distance: float, error: float) -> float:
    """Nats by which the residuals grow when a constant of a straight formula is moved by ``distance``."""
    z = distance / error
    return 0.5 * z * z


def with_fit(formula: Formula, structure: Expr, values: Mapping[Symbol, Any], fit: Refit) -> Formula:
    """The same columns with a structure and constants from a refit; exact values stay."""
    fitted = iter(map(float, fit.values))
    numbers = {s: next(fitted) if isinstance(v, float) else v for s, v in values.items()}
    return replace(
        formula,
        structure=structure,
        values=numbers,
        covariance=fit.covariance,
        dof=fit.dof,
        residual_std=fit.residual_std,
    )


def fitted(formula: Formula, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Formula:
    """The formula with its free constants refitted, with their covariance; unchanged values where the fit fails."""
    fit = prepare(formula, X, y, sample_weight)
    return with_fit(formula, formula.structure, formula.values, fit.result)


def formula_length(formula: Formula, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Nats to write y by a formula: residuals, fitted constants, and one bit for every node. Smaller is better."""
    fit = prepare(formula, X, y, sample_weight)
    structure = structure_cost(fit.formula.form)
    return description_length(fit.result.rss, fit.n, len(fit.free), fit.scaled_y, structure)


def prepare(formula: Formula, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Fitted:
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return Fitted(formula, np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64), weight)


def _options(fit: Fitted) -> list[tuple[float, Symbol, Expr]]:
    """(nats expected to be saved, constant, exact number), the most surprising first."""
    quantile = float(stdtrit(fit.result.dof, 0.5 + 0.5 * _CONFIDENCE))
    options: list[tuple[float, Symbol, Expr]] = []
    for symbol, (value, error) in fit.intervals().items():
        if not math.isfinite(error):
            continue
        free_cost = fitted_cost(value, error)
        half_width = quantile * error + 1e-13 * abs(value)
        for exact, cost in candidates(value, half_width):
            lost = loss(float(exact) - value, error)
            margin = _FANCY_MARGIN if cost > _FANCY_COST else 0.0
            options.append((free_cost - cost - lost - margin, symbol, exact))
    return sorted(options, key=lambda option: -option[0])


def _all_at_once(fit: Fitted) -> Fitted:
    """The constants that are a strong surprise, as on data without noise, two or more by one refit instead of many."""
    if len(fit.free) < 4 or fit.result.dof <= 0:
        return fit
    best: dict[Symbol, Expr] = {}
    saved = 0.0
    for expected, symbol, exact in _options(fit):
        if expected > _CLEAR_SURPRISE and symbol not in best:
            best[symbol] = exact
            value, error = fit.intervals()[symbol]
            saved += expected + loss(float(exact) - value, error)  # what the residuals lose is measured below
    changed = fit.replaced(best) if len(best) >= 2 else None
    if changed is None or saved + fit.length(fit.result) - fit.length(changed[1]) <= 0:
        return fit
    return Fitted(changed[0], fit.X, fit.y, fit.sample_weight)


def snap(
    formula: Formula,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    deadline: float = math.inf,
) -> Formula:
    """Replace fitted constants by exact numbers where the data single them out (see the module's text).

    One constant at a time, the most surprising first; after each, the others are refitted and judged again.

    Parameters
    ----------
    formula : its fitted constants are refitted first; exact ones stay.
    X : (n, d). y : (n,). sample_weight : (n,), optional.
    deadline : value of ``time.monotonic()`` after which nothing further is tried.

    Returns
    -------
    Formula
        Snapped constants hold exact SymPy numbers in ``values``; the rest have new values and errors.

    Examples
    --------
    >>> a, x = sympy.symbols("a x", real=True)
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> print(snap(Formula(sympy.sin(a * x), {a: 3.1}, (x,)), X, np.sin(np.pi * X[:, 0])))
    sin(pi*x)
    """
    fit = _all_at_once(prepare(formula, X, y, sample_weight))
    while fit.free and fit.result.dof > 0 and time.monotonic() < deadline:
        now = fit.length(fit.result)
        options = _options(fit)
        accepted = None
        for expected, symbol, exact in options[:8]:
            if expected < -1.0:
                break
            changed = fit.replaced({symbol: exact})
            if changed is None:
                continue
            value, error = fit.intervals()[symbol]
            saved = expected + loss(float(exact) - value, error)
            if saved + now - fit.length(changed[1]) > 0:
                accepted = changed[0]
                break
        if accepted is None:
            break
        fit = Fitted(accepted, fit.X, fit.y, fit.sample_weight)
    return with_fit(fit.formula, fit.formula.structure, fit.formula.values, fit.result)
