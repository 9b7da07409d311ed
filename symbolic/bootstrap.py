"""Errors of the constants without the straight-line approximation: refits on resampled rows.

Standard errors of nonlinear least squares take the formula to be straight in its constants within their errors. Where
constants nearly say the same (a*exp(b*x) over a short range), it is not, and the errors, their symmetry and the
intervals are wrong together. The bootstrap (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, ch. 9 and
14) refits the formula to data drawn from the data: rows with replacement ("pairs": right for errors of any size per
row), or the formula's own values plus residuals drawn with replacement ("residuals": for designed inputs, errors of
equal size up to the weights).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from sympy import Symbol

from kanlib.errors import InputError

from .conditioning import condition_number, fitted_constants, near_degenerate
from .constants import Refit, refit
from .formula import Formula
from .printing import format_value
from .tape import compile_tape

__all__ = ["Bootstrap", "bootstrap_constants", "condition_number", "near_degenerate"]

Array = NDArray[np.float64]

_FEWEST = 20  # refits below which quantiles of them mean nothing


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The constants of a formula, over resampled data.

    Attributes
    ----------
    symbols : names of the p fitted constants.
    estimates : (p,) fitted to the data themselves.
    values : (n, p) one row per refit that came to an end.
    standard_errors : (p,) standard deviation of the values; NaN with fewer than two.
    intervals : (p, 2) lower and upper ends; NaN with fewer than 20 values.
    confidence : of the intervals.
    failed : number of refits that did not converge or did not determine all constants. Many of them say that the
        data do not carry the formula.
    """

    symbols: tuple[str, ...]
    estimates: Array
    values: Array
    standard_errors: Array
    intervals: Array
    confidence: float
    failed: int

    def __str__(self) -> str:
        lines = [
            f"{symbol} = {format_value(float(value), float(error))}, {self.confidence:.0%} from {low:.6g} to {high:.6g}"
            for symbol, value, error, (low, high) in zip(
                self.symbols, self.estimates, self.standard_errors, self.intervals, strict=True
            )
        ]
        tried = len(self.values) + self.failed
        return "\n".join([*lines, f"{len(self.values)} of {tried} refits on resampled data converged"])


def bootstrap_constants(
    formula: Formula,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    n: int = 200,
    seed: int = 0,
    method: Literal["pairs", "residuals"] = "pairs",
    interval: Literal["percentile", "bca"] = "percentile",
    confidence: float = 0.95,
    expired: Callable[[], bool] = lambda: False,
) -> Bootstrap:
    """Distribution of the fitted constants of a formula over data drawn from the data.

    Parameters
    ----------
    formula : its values are where the fit, and every refit, starts. Exact constants stay exact.
    X : (n, d). y : (n,). sample_weight : (n,), inverse error variances up to a factor.
    n : number of refits. 200 do for standard errors, 1000 for intervals (each costs about one evaluation of the formula
        times 10 to 100).
    seed : of the draws.
    method : what is drawn, rows ("pairs") or residuals ("residuals", scaled up by their leverage).
    interval : quantiles of the values ("percentile"), or these corrected for bias and skewness ("bca": Efron 1987,
        *JASA* 82, 171-185, the acceleration from the linearised influence of the rows).
    confidence : of the intervals.
    expired : asked before every refit; True ends the draws early, with what there is.

    Raises
    ------
    InputError
        A method, interval or confidence there is not; shapes that do not belong together.

    Examples
    --------
    >>> import sympy
    >>> a, x = sympy.symbols("a x", real=True)
    >>> X = np.linspace(1, 2, 50)[:, None]
    >>> y = 3.0 * X[:, 0] + 0.1 * np.random.default_rng(0).normal(size=50)
    >>> found = bootstrap_constants(Formula(a * x, {a: 3.0}, (x,)), X, y)
    >>> bool(found.intervals[0, 0] < 3.0 < found.intervals[0, 1]), found.failed
    (True, 0)
    """
    if method not in ("pairs", "residuals") or interval not in ("percentile", "bca"):
        raise InputError(
            f"bootstrap_constants got method {method!r} and interval {interval!r}; expected 'pairs' or 'residuals', "
            "and 'percentile' or 'bca'."
        )
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}; expected a number between 0 and 1, such as 0.95.")
    table, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    structure = formula.form
    symbols, start = fitted_constants(formula)
    first = refit(structure, symbols, formula.symbols, table, target, start, sample_weight)
    weight = np.ones(len(target)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    influence, leverage = _influence(formula, symbols, first, table, weight)
    draw = _pairs if method == "pairs" else _residuals
    rng = np.random.default_rng(seed)
    values: list[Array] = []
    failed = 0
    for _ in range(n if symbols else 0):
        if expired():
            break
        new_target, new_weight = draw(rng, first, target, weight, leverage)
        fit = refit(structure, symbols, formula.symbols, table, new_target, first.values, new_weight)
        if fit.converged and fit.rank == len(symbols):
            values.append(fit.values)
        else:
            failed += 1
    drawn = np.array(values, dtype=np.float64).reshape(len(values), len(symbols))
    return Bootstrap(
        symbols=tuple(symbol.name for symbol in symbols),
        estimates=first.values,
        values=drawn,
        standard_errors=np.std(drawn, axis=0, ddof=1) if len(drawn) > 1 else np.full(len(symbols), np.nan),
        intervals=_intervals(drawn, first.values, influence if interval == "bca" else None, confidence),
        confidence=confidence,
        failed=failed,
    )


def _pairs(
    rng: np.random.Generator, first: Refit, target: Array, weight: Array, leverage: Array
) -> tuple[Array, Array]:
    """Rows drawn with replacement: how often each is drawn multiplies its weight."""
    rows = np.flatnonzero(weight > 0)
    counts = np.bincount(rng.choice(rows, size=len(rows)), minlength=len(target))
    return target, counts * weight


def _residuals(
    rng: np.random.Generator, first: Refit, target: Array, weight: Array, leverage: Array
) -> tuple[Array, Array]:
    """The formula's values plus residuals drawn with replacement, in units of each row's error.

    A residual of leverage h is smaller than its error by sqrt(1 - h), which is undone first.
    """
    rows = np.flatnonzero(weight > 0)
    scaled = first.residual[rows] * np.sqrt(weight[rows] / np.maximum(1.0 - leverage[rows], 1e-3))
    new = target.copy()
    new[rows] += rng.choice(scaled - scaled.mean(), size=len(rows)) / np.sqrt(weight[rows]) - first.residual[rows]
    return new, weight


def _influence(
    formula: Formula, symbols: tuple[Symbol, ...], first: Refit, X: Array, weight: Array
) -> tuple[Array, Array]:
    """Linearised pull (p, n) of every row on every constant, and its leverage (n,)."""
    bound = compile_tape(formula.form, formula.symbols, symbols).bind(X)
    bound.value(first.values)
    rows = np.nan_to_num(bound.jacobian_rows(), nan=0.0, posinf=0.0, neginf=0.0) * np.sqrt(weight)
    scale = np.linalg.norm(rows, axis=1, keepdims=True)
    scale[scale == 0] = 1.0
    inverse = np.linalg.pinv(rows / scale)  # (n, p)
    residual = np.where(weight > 0, first.residual, 0.0) * np.sqrt(weight)
    leverage = np.clip(np.sum(inverse * (rows / scale).T, axis=1), 0.0, 1.0)
    return (inverse.T / scale) * residual, leverage


def _intervals(values: Array, estimates: Array, influence: Array | None, confidence: float) -> Array:
    """Quantiles (p, 2) of the values, at levels corrected for bias and skewness where an influence is given."""
    tails = np.array([0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    found = np.full((len(estimates), 2), np.nan)
    if len(values) < _FEWEST:
        return found
    for k, estimate in enumerate(estimates):
        levels = tails
        if influence is not None:
            n = len(values)
            below = np.clip(np.mean(values[:, k] < estimate), 0.5 / n, 1 - 0.5 / n)
            bias = ndtri(below)
            spread = np.sum(influence[k] ** 2) ** 1.5
            skewness = np.sum(influence[k] ** 3) / (6.0 * spread) if spread > 0 else 0.0
            z = bias + ndtri(tails)
            levels = ndtr(bias + z / np.maximum(1.0 - skewness * z, 1e-3))
        found[k] = np.quantile(values[:, k], levels)
    return found
