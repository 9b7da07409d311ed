"""The constants of a form from nothing but the data: least squares from many starts.

Constants the form is linear in are solved for exactly (Golub & Pereyra 1973, *SIAM J. Numer. Anal.* 10, 413-432); for
the others the size to draw from is read off the form itself. In a*exp(-b*t) the constant b has the dimension 1/t, so
1/(size of t) is what it must be near, whatever the units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from ..constants import Refit, refit
from ..deadline import within
from ..tape import BoundTape, compile_tape
from ..units import Units, check

__all__ = ["multi_start", "spread_rows"]

Array = NDArray[np.float64]

_DRAWS = 10  # guesses for one start that is refined
_FEW_ROWS = 200  # rows that guesses are compared on
_KEPT = 3  # different optima
_EXACT = 1e-20  # sum of squares, relative to y's, at which nothing is left to be better at
_HUGE = 700.0  # logarithm of about the largest float
_SECONDS = 5.0


def spread_rows(n: int, most: int) -> NDArray[np.int64]:
    """Indices of at most so many of n rows, evenly spread.

    Examples
    --------
    >>> spread_rows(9, 3).tolist()
    [0, 4, 8]
    """
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def multi_start(
    structure: Expr,
    constants: tuple[Symbol, ...],
    symbols: Sequence[Symbol],
    X: Array,
    y: Array,
    weight: Array | None = None,
    *,
    n_starts: int = 30,
    seed: int = 0,
    expired: Callable[[], bool] = lambda: False,
) -> list[Refit]:
    """Fit all constants of a form without start values: at most three different optima, best first.

    Parameters
    ----------
    structure : in the input ``symbols`` and the ``constants``.
    X, y : (n, d) table and (n,) target; symbol j is column j.
    weight : (n,) row weights.
    n_starts : how many of the best guesses are refined.
    seed : of the guesses.
    expired : asked between fits.

    Returns
    -------
    list of Refit
        Empty where no guess gives finite values, or rows are fewer than constants.

    Examples
    --------
    >>> w, x = sympy.symbols("w x", real=True)
    >>> X = np.linspace(0, 3, 50)[:, None]
    >>> multi_start(sympy.sin(w * x), (w,), (x,), X, np.sin(7 * X[:, 0]))[0].values.round(9).tolist()
    [7.0]
    """
    inputs = tuple(symbols)
    if len(constants) > len(y):
        return []
    guesses = _guesses(structure, constants, inputs, X, y, weight, n_starts, np.random.default_rng(seed), expired)
    fits: list[Refit] = []
    for guess in guesses[:n_starts]:
        if fits and expired():
            break
        fit = refit(structure, constants, inputs, X, y, guess, weight, max_evaluations=30 * (len(constants) + 1))
        if math.isfinite(fit.rss) and np.all(np.isfinite(fit.values)):
            fits.append(fit)
        if fits and fits[-1].rss <= _EXACT * float(y @ y if weight is None else y @ (weight * y)):
            break  # nothing is left to be better at
    best: list[Refit] = []
    for fit in sorted(fits, key=lambda found: found.rss):
        if len(best) < _KEPT and not any(np.allclose(fit.rss, other.rss, rtol=1e-6, atol=0.0) for other in best):
            best.append(fit)
    return best


def _guesses(
    structure: Expr,
    constants: tuple[Symbol, ...],
    inputs: tuple[Symbol, ...],
    X: Array,
    y: Array,
    weight: Array | None,
    n_starts: int,
    rng: np.random.Generator,
    expired: Callable[[], bool],
) -> list[Array]:
    """Values of the constants, closest to y first: the linear ones solved for, the others drawn by their size."""
    straight = within(_SECONDS, _linear, structure, constants) or []
    bent = [i for i in range(len(constants)) if i not in straight]
    rows = spread_rows(len(y), _FEW_ROWS)
    root = np.ones(len(rows)) if weight is None else np.sqrt(weight[rows])
    bound = compile_tape(structure, inputs, constants).bind(X[rows])
    scales = _scales(structure, constants, inputs, X, y)
    found: list[tuple[float, int, Array]] = []
    draws = 1 if not bent else _DRAWS * n_starts * min(len(bent), 4)
    for index in range(draws):
        if found and expired():
            break
        theta = np.zeros(len(constants))
        for i in bent:
            theta[i] = _drawn(scales[i], rng)
        loss = _solve_linear(bound, theta, straight, y[rows], root)
        if math.isfinite(loss):
            found.append((loss, index, theta))
    return [theta for _, _, theta in sorted(found, key=lambda each: each[:2])]


def _linear(structure: Expr, constants: tuple[Symbol, ...]) -> list[int]:
    """Constants that the form is linear in, all together."""
    chosen: list[int] = []
    for i, constant in enumerate(constants):
        slope = sympy.diff(structure, constant)
        if not slope.free_symbols & {constant, *(constants[k] for k in chosen)}:
            chosen.append(i)
    return chosen


def _solve_linear(bound: BoundTape, theta: Array, straight: Sequence[int], y: Array, root: Array) -> float:
    """Set the linear constants of ``theta`` to their least-squares values; the weighted sum of squares that is left."""
    rest = (y - bound.value(theta)) * root
    if straight and np.all(np.isfinite(rest)):
        columns = bound.jacobian_rows()[list(straight)].T * root[:, None]
        with np.errstate(all="ignore"):
            size = np.linalg.norm(columns, axis=0)
        if not np.all(np.isfinite(size)):
            return math.inf
        size[size == 0.0] = 1.0
        step = np.linalg.lstsq(columns / size, rest, rcond=1e-12)[0]
        theta[list(straight)] = step / size
        rest = rest - (columns / size) @ step
    with np.errstate(all="ignore"):
        loss = float(rest @ rest)
    return loss


def _scales(
    structure: Expr, constants: Sequence[Symbol], inputs: Sequence[Symbol], X: Array, y: Array
) -> list[tuple[float, float, Array | None]]:
    """For each constant: its size by the columns' sizes, by their spreads, and a column it may be a value of.

    Every column and y is taken to have a unit of its own; what dimension a constant must have then says what its size
    is. A form that does not agree with that (x + sin(x)) says nothing: size 1.
    """
    bases = tuple(f"s{j}" for j in range(len(inputs) + 1))  # the last one is the output
    one = [tuple(Fraction(int(i == j)) for j in range(len(bases))) for i in range(len(bases))]
    columns = tuple(symbol.name for symbol in inputs)
    units = Units(bases, tuple(row[:-1] for row in one), one[-1], columns, (1.0,) * len(inputs), 1.0)
    found = within(_SECONDS, lambda: check(structure, units, inputs, free_constants=True))
    dimensions = dict(found.dimensions) if found else {}
    table = np.column_stack([X, y])
    largest = np.maximum(np.max(np.abs(table), axis=0), np.finfo(float).tiny)
    sizes = largest * np.sqrt(np.mean((table / largest) ** 2, axis=0))
    spreads = largest * (table / largest).std(axis=0)
    scales: list[tuple[float, float, Array | None]] = []
    for constant in constants:
        dimension = dimensions.get(constant) or (Fraction(0),) * len(bases)
        exponents = np.array(dimension, dtype=np.float64)
        by_size, by_spread = (
            math.exp(np.clip(exponents @ np.log(np.where(each > 0, each, 1.0)), -_HUGE, _HUGE))
            for each in (sizes, spreads)
        )
        column = table[:, one.index(dimension)] if dimension in one else None
        scales.append((by_size, by_spread, column))
    return scales


def _drawn(scale: tuple[float, float, Array | None], rng: np.random.Generator) -> float:
    """A value of about the size a constant has: within thirty times of it, or a value of its column."""
    by_size, by_spread, column = scale
    kind, sign, exponent = int(rng.integers(3)), rng.choice([-1.0, 1.0]), rng.uniform(-1.5, 1.5)
    if kind == 2 and column is not None:
        return float(column[rng.integers(len(column))])
    return float(sign * (by_size if kind == 0 else by_spread) * 10.0**exponent)
