"""All constants of a formula fitted together against y, with standard errors.

Levenberg-Marquardt (MINPACK through `scipy.optimize.leastsq`) on the exact Jacobian of `symbolic.tape`,
followed by Gauss-Newton steps that carry noise-free data to the rounding floor. Standard errors are those of
nonlinear least squares, ``sqrt(diag(s^2 (J^T J)^-1))`` with ``s^2 = rss / (n - rank)`` (Seber & Wild,
*Nonlinear Regression*, 1989, ch. 2), as R's `nls` prints them; they assume independent noise of equal size
(or 1/weight) and are linear in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import leastsq
from sympy import Expr, Symbol

from kanlib.errors import InputError

from .tape import BoundTape, compile_tape

__all__ = ["EXACT_FIT", "Refit", "covariance_matrix", "refit"]

Array = NDArray[np.float64]

EXACT_FIT = 1e-14
"""Relative residual below which data count as noise-free: a few rounding errors of y and of the formula."""

_RANK_TOLERANCE = 1e-11
_HUGE = 1e100  # stands in for a residual that is not finite; its square still fits in a float


@dataclass(frozen=True)
class Refit:
    """What a refit found.

    Attributes
    ----------
    values : (p,) the constants, in the order of ``parameters``.
    standard_errors : (p,) NaN without degrees of freedom, inf for what the data do not determine.
    covariance : (p, p) of the constants.
    unit_errors : (p,) standard errors for noise of unit size, sqrt(diag((J^T W J)^-1)); what is known
        about the constants when the fit is perfect.
    residual : (n,) y - formula, unweighted.
    rss : weighted sum of squared residuals, sum(w * residual**2).
    rmse : sqrt(rss / sum(w)); with zero free constants too.
    residual_std : s, the residual standard error sqrt(rss / dof).
    dof : degrees of freedom, n - rank (rows of weight zero do not count).
    rank : number of constants (or combinations) the data determine; below p the formula has a redundant
        constant.
    converged : the solver stopped at a stationary point and every value is finite.
    message : why it stopped.
    """

    values: Array
    standard_errors: Array
    covariance: Array
    unit_errors: Array
    residual: Array
    rss: float
    rmse: float
    residual_std: float
    dof: int
    rank: int
    converged: bool
    message: str


def covariance_matrix(jacobian: Array, variance: float) -> tuple[Array, int]:
    """Covariance (p, p) of least-squares estimates and the rank of the Jacobian (n, p).

    Columns are scaled to unit length first, so that constants of very different size do not look redundant. A
    combination of constants that does not move the formula makes the variances of its members infinite.

    Examples
    --------
    >>> covariance, rank = covariance_matrix(np.array([[1.0], [1.0]]), 1.0)
    >>> covariance.round(12).tolist(), rank
    ([[0.5]], 1)
    """
    p = jacobian.shape[1]
    if p == 0:
        return np.zeros((0, 0)), 0
    with np.errstate(over="ignore"):  # a column too steep for its length to be a float is judged in the next line
        scale = np.linalg.norm(jacobian, axis=0)
    if not np.all(np.isfinite(scale)):
        return np.full((p, p), np.nan), 0
    scale[scale == 0.0] = 1.0
    # The small triangle has the singular values and the right vectors of the whole.
    _, s, vt = np.linalg.svd(np.linalg.qr(jacobian / scale, mode="r"), full_matrices=False)
    determined = s > _RANK_TOLERANCE * max(s[0], np.finfo(float).tiny)
    rank = int(determined.sum())
    root = vt[determined].T / s[determined]
    with np.errstate(all="ignore"):
        covariance = variance * (root @ root.T) / np.outer(scale, scale)
    if not np.all(np.isfinite(covariance)):
        return np.full((p, p), np.nan), 0
    if rank < p:
        # Directions the data do not see: the rest of the space spanned by the rows of vt.
        projector = vt[determined].T @ vt[determined]
        unseen = 1.0 - np.diag(projector) > 1e-8
        covariance[unseen, :] = covariance[:, unseen] = 0.0
        covariance[unseen, unseen] = np.inf
    return covariance, rank


class _Problem:
    """Weighted residuals and Jacobian for MINPACK, with trial points outside the domain made unattractive."""

    def __init__(self, bound: BoundTape, y: Array, root_weight: Array | None) -> None:
        self.bound, self.y, self.root_weight = bound, y, root_weight
        self.theta: Array | None = None

    def residual(self, theta: Array) -> Array:
        """Formula minus y, times the square root of the weight; not finite where the formula is not."""
        self.theta = theta.copy()
        difference = self.bound.value(theta) - self.y
        return difference if self.root_weight is None else difference * self.root_weight

    def guarded(self, theta: Array) -> Array:
        residual = self.residual(theta)
        if not math.isfinite(float(residual @ residual)):
            # One bad row must make the whole step look bad, so that the damping grows and the step is taken
            # back.
            residual = np.where(np.isfinite(residual), np.clip(residual, -_HUGE, _HUGE), _HUGE)
        return residual

    def rows(self, theta: Array) -> Array:
        """Jacobian (p, n) of `residual`."""
        if self.theta is None or not np.array_equal(theta, self.theta):
            self.residual(theta)
        rows = self.bound.jacobian_rows()
        if self.root_weight is not None:
            rows *= self.root_weight
        return rows

    def guarded_rows(self, theta: Array) -> Array:
        return np.nan_to_num(self.rows(theta), nan=0.0, posinf=_HUGE, neginf=-_HUGE)


def _polish(problem: _Problem, theta: Array, rss: float, steps: int = 4) -> tuple[Array, float]:
    """Undamped Gauss-Newton steps while they pay: what MINPACK's tolerances leave over on noise-free data."""
    for _ in range(steps):
        rows = problem.rows(theta)
        residual = problem.residual(theta)
        scale = np.linalg.norm(rows, axis=1)
        if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
            break
        q, r = np.linalg.qr((rows / scale[:, None]).T)
        step = np.linalg.lstsq(r, q.T @ residual, rcond=_RANK_TOLERANCE)[0] / scale
        trial = theta - step
        new = problem.residual(trial)
        new_rss = float(new @ new)
        if not new_rss < rss:
            break
        done = new_rss > 0.999 * rss
        theta, rss = trial, new_rss
        if done:
            break
    return theta, rss


def refit(
    structure: Expr,
    parameters: Sequence[Symbol],
    symbols: Sequence[Symbol],
    X: ArrayLike,
    y: ArrayLike,
    start: Sequence[float] | Array,
    sample_weight: ArrayLike | None = None,
    *,
    max_evaluations: int = 0,
) -> Refit:
    """Fit every constant of a formula against y at once, by least squares.

    Parameters
    ----------
    structure : the formula, in the input ``symbols`` and the constants ``parameters``.
    parameters : p symbols, the constants to fit.
    symbols : d symbols; symbol k is column k of X.
    X : (n, d) float table.
    y : (n,) target.
    start : (p,) first values; the formula must be finite there on every row with weight.
    sample_weight : (n,) non-negative weights, inverse noise variances up to a factor.
    max_evaluations : limit on evaluations of the formula; 0 means 200 (p + 1).

    Returns
    -------
    Refit
        Never raises for a bad start or a divergence: then ``converged`` is False and ``message`` says why.

    Raises
    ------
    InputError
        Shapes that do not belong together.
    FormulaError
        A structure that cannot be evaluated.

    Examples
    --------
    Michaelis-Menten on five points without noise:

    >>> import sympy
    >>> V, K, s = sympy.symbols("V K s", real=True)
    >>> X = np.array([[0.1], [0.2], [0.5], [1.0], [2.0]])
    >>> y = 3.0 * X[:, 0] / (0.5 + X[:, 0])
    >>> refit(V * s / (K + s), (V, K), (s,), X, y, (1.0, 1.0)).values.round(12).tolist()
    [3.0, 0.5]
    """
    table = np.asarray(X, dtype=np.float64)
    target = np.asarray(y, dtype=np.float64)
    theta = np.array(start, dtype=np.float64).reshape(-1)
    p = len(parameters)
    if table.ndim != 2 or table.shape[1] != len(symbols) or target.shape != (len(table),) or len(theta) != p:
        raise InputError(
            f"refit got X {table.shape}, y {target.shape}, {len(symbols)} symbols, {p} parameters and "
            f"{len(theta)} start values; expected X (n, number of symbols), y (n,) and one start value per parameter."
        )
    tape = compile_tape(structure, tuple(symbols), tuple(parameters))
    full, full_target, total, root_weight = table, target, float(len(target)), None
    if sample_weight is not None:
        weight = _checked_weight(sample_weight, target.shape)
        seen = weight > 0
        table, target, root_weight, total = table[seen], target[seen], np.sqrt(weight[seen]), float(weight.sum())
    problem = _Problem(tape.bind(table), target, root_weight)
    # Trial steps may overflow or leave the domain; what comes of it is looked at, warnings would say nothing new.
    with np.errstate(all="ignore"):
        theta, rss, converged, message = _solve(problem, theta, len(target), max_evaluations)
        # rank first, with unit variance: the degrees of freedom need it
        covariance, rank = covariance_matrix(problem.rows(theta).T, 1.0)
        dof = len(target) - rank
        variance = rss / dof if dof > 0 else math.nan
        unit_errors = np.sqrt(np.diag(covariance))
        covariance = covariance * variance
        np.fill_diagonal(covariance, np.where(np.isinf(unit_errors), np.inf, np.diag(covariance)))
    return Refit(
        values=theta,
        standard_errors=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        unit_errors=unit_errors,
        residual=full_target - tape.bind(full).value(theta),
        rss=rss,
        rmse=math.sqrt(rss / total) if rss >= 0 else math.nan,
        residual_std=math.sqrt(variance) if variance >= 0 else math.nan,
        dof=dof,
        rank=rank,
        converged=converged,
        message=message,
    )


def _checked_weight(sample_weight: ArrayLike, shape: tuple[int, ...]) -> Array:
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != shape or not np.all(np.isfinite(weight)) or np.any(weight < 0) or not np.any(weight):
        raise InputError(
            f"sample_weight has shape {weight.shape}; expected {shape} finite non-negative numbers, not all zero."
        )
    return weight


def _solve(problem: _Problem, theta: Array, n: int, max_evaluations: int) -> tuple[Array, float, bool, str]:
    """Levenberg-Marquardt, then polish: (values, rss, converged, message)."""
    p = len(theta)
    first = problem.residual(theta)
    rss = float(first @ first)
    if not math.isfinite(rss):
        return theta, rss, False, "the formula is not finite at the start values; start inside its domain"
    if p == 0:
        return theta, rss, True, "no free constants"
    if n < p:
        return (
            theta,
            rss,
            False,
            f"{n} rows cannot determine {p} constants; use a shorter formula or more rows",
        )
    solution: Any = leastsq(
        problem.guarded,
        theta,
        Dfun=problem.guarded_rows,
        col_deriv=True,
        full_output=True,
        ftol=1e-15,
        xtol=1e-15,
        gtol=0.0,
        maxfev=max_evaluations or 200 * (p + 1),
    )
    found, status = np.atleast_1d(np.asarray(solution[0], dtype=np.float64)), int(solution[4])
    residual = problem.residual(found)
    found_rss = float(residual @ residual)
    if not (math.isfinite(found_rss) and np.all(np.isfinite(found))) or found_rss > rss:
        return theta, rss, False, "the fit diverged; the start values are kept"
    found, found_rss = _polish(problem, found, found_rss)
    # 1-4: tolerances met; 6-8: they are below rounding, which is where noise-free data must end.
    converged = status in (1, 2, 3, 4, 6, 7, 8)
    return found, found_rss, converged, "converged" if converged else "stopped at the limit of evaluations"
