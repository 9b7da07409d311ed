"""When a problem counts as solved: three rules, reported side by side.

strict    The formula is the law, constants within 1e-3: it reads the same inputs, and either SymPy proves the
          difference zero, or there are constants within 1e-3 (relative; or 1e-6) of its fitted ones with which it gives
          the law's values to 1e-8 of their spread, in the ranges and on the widened ones. These constants are found by
          bounded least squares against the law itself, without noise. Two analytic expressions that agree so far are
          the same; whole numbers, fractions and pi in the formula are structure and stay as they are.
numeric   The formula computes the law: on ranges widened by 20 % its mean squared error, relative to the variance of
          the law there, is below 1e-8 without noise, and below 5 % of the noise's variance (relative to that of y)
          with noise; it has no pole or gap where the law has none; and at most 3 times as many nodes + 10.
r2        R^2 > 0.999 on fresh points in the ranges, against the law without noise, whatever the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import least_squares
from sympy import Expr, Symbol

from kanlib.symbolic.deadline import within
from kanlib.symbolic.printing import count_nodes
from kanlib.symbolic.tape import compile_tape, evaluate

from .problems import Data, Problem

__all__ = ["Judgement", "computes_the_law", "is_the_law", "judge", "normalized_error", "short_enough", "wilson"]

Array = NDArray[np.float64]

CONSTANT_TOLERANCE = 1e-3
NEGLIGIBLE = 1e-6  # constants may move this far whatever their size: an offset of 1e-9 is a zero of single precision
IDENTITY = 1e-8  # of the spread of the law: what remains of a correct formula's rounding and refit
EXACT_ERROR = 1e-8
NOISE_SHARE = 0.05
GOOD_R2 = 0.999


@dataclass(frozen=True)
class Judgement:
    """``r2`` is NaN and all else False or 0 where there is no formula, or no law to compare with."""

    strict: bool
    numeric: bool
    r2_solved: bool
    r2: float
    size: int
    true_size: int


def judge(formula: Expr | None, given: Problem, data: Data, noise: float, *, time_limit: float = 5.0) -> Judgement:
    """Apply all rules to what an engine found for a problem.

    Examples
    --------
    >>> from .problems import draw, problem
    >>> line = problem("demo", "line", "2*a + b", "a 0 1, b 0 1")
    >>> judge(line.truth, line, draw(line, 0.0, 0), 0.0)
    Judgement(strict=True, numeric=True, r2_solved=True, r2=1.0, size=5, true_size=5)
    """
    truth = given.truth
    size = 0 if formula is None else count_nodes(formula)
    true_size = 0 if truth is None else count_nodes(truth)
    if formula is None or truth is None:
        return Judgement(False, False, False, float("nan"), size, true_size)
    found = evaluate(formula, given.symbols, data.test)
    r2 = 1.0 - normalized_error(found, data.test_truth)
    numeric = computes_the_law(formula, given, data, noise)
    # An expression whose values are far off is not the law; this saves the refit of what cannot be.
    strict = r2 > 0.9 and is_the_law(formula, truth, given.symbols, data, time_limit=time_limit)
    return Judgement(strict, numeric, r2 > GOOD_R2, r2, size, true_size)


def computes_the_law(formula: Expr, given: Problem, data: Data, noise: float) -> bool:
    """The numeric rule; False for a control, which has no law."""
    if given.truth is None or not short_enough(count_nodes(formula), count_nodes(given.truth)):
        return False
    limit = NOISE_SHARE * noise**2 if noise > 0 else EXACT_ERROR
    return normalized_error(evaluate(formula, given.symbols, data.wide), data.wide_truth) < limit


def short_enough(size: int, true_size: int) -> bool:
    return size <= 3 * true_size + 10


def normalized_error(found: Array, truth: Array) -> float:
    """Mean squared error over the variance of the truth; inf where a value found is not finite."""
    if not np.all(np.isfinite(found)):
        return float("inf")
    with np.errstate(over="ignore"):
        return float(np.mean((found - truth) ** 2) / np.var(truth))


def is_the_law(formula: Expr, truth: Expr, symbols: tuple[Symbol, ...], data: Data, *, time_limit: float = 5.0) -> bool:
    """The strict rule.

    Parameters
    ----------
    formula, truth : expressions in ``symbols``.
    data : its points for judging, in the ranges and in the widened ones.
    time_limit : seconds for SymPy and for the refit, each.

    Examples
    --------
    >>> from .problems import draw, problem
    >>> wave = problem("demo", "wave", "2*sin(3*a)", "a 0 1")
    >>> a, = wave.symbols
    >>> data = draw(wave, 0.0, 0)
    >>> [is_the_law(f, wave.truth, (a,), data) for f in (1.9999 * sympy.sin(3.0001 * a), 1.9 * sympy.sin(3 * a))]
    [True, False]
    """
    if formula.free_symbols != truth.free_symbols:
        simpler = within(time_limit, sympy.simplify, formula)
        if simpler is None or simpler.free_symbols != truth.free_symbols:
            return False
        formula = simpler
    if not formula.atoms(sympy.Float) and within(time_limit, _proven, formula, truth):
        return True
    points = np.concatenate([data.test, data.wide])[::4]
    values = np.concatenate([data.test_truth, data.wide_truth])[::4]
    return bool(within(time_limit, _constants_exist, formula, symbols, points, values))


def _proven(formula: Expr, truth: Expr) -> bool:
    return bool(sympy.simplify(formula - truth) == 0)


def _constants_exist(formula: Expr, symbols: tuple[Symbol, ...], points: Array, values: Array) -> bool:
    """Whether constants near the formula's own make it give these values."""
    floats = sorted(formula.atoms(sympy.Float), key=float)
    parameters = tuple(sympy.Symbol(f"_constant{k}", real=True) for k in range(len(floats)))
    spread = float(np.std(values))
    if not floats:
        return _agrees(evaluate(formula, symbols, points) - values, spread)
    bound = compile_tape(formula.xreplace(dict(zip(floats, parameters))), tuple(symbols), parameters).bind(points)
    start = np.array([float(value) for value in floats])
    reach = np.maximum(CONSTANT_TOLERANCE * np.abs(start), NEGLIGIBLE)

    # In shares of what each constant may move, so that one bound fits all.
    def residual(share: Array) -> Array:
        difference = (bound.value(start + reach * share) - values) / spread
        return np.clip(np.nan_to_num(difference, nan=1e6), -1e6, 1e6)

    def jacobian(share: Array) -> Array:
        residual(share)
        rows = bound.jacobian_rows() * reach[:, None] / spread
        return np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0).T

    tolerances = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    solution = least_squares(residual, np.zeros(len(floats)), jacobian, (-1.0, 1.0), max_nfev=200, **tolerances)
    return _agrees(residual(solution.x), 1.0)


def _agrees(difference: Array, spread: float) -> bool:
    return bool(np.all(np.isfinite(difference)) and np.sqrt(np.mean(difference**2)) <= IDENTITY * spread)


def wilson(solved: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, *JASA* 22, 209-212); (0, 1) for no runs.

    Examples
    --------
    >>> [round(limit, 3) for limit in wilson(8, 10)]
    [0.49, 0.943]
    """
    if total == 0:
        return 0.0, 1.0
    share = solved / total
    center = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, center - half), min(1.0, center + half)
