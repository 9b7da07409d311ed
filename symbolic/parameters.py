"""Numbers of an expression become named constants, and constants that say the same thing become one.

A combination of constants that does not move the formula (a scale shared by two factors) shows as a Jacobian without
full rank. One constant of such a combination is fixed, at 0, 1 or -1 where that is possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Add, Expr, Float, Integer, Mul, Pow, Symbol

from .constants import covariance_matrix, refit
from .tape import compile_tape

__all__ = ["parametrize", "reduce_parameters"]

Array = NDArray[np.float64]

_ROWS = 500  # that tell which constants are redundant
_EVALUATIONS = 40  # of a refit to the formula's own values, which starts close to them


def parametrize(expr: Expr, reserved: Iterable[Symbol] = (), *, exact: bool = False) -> tuple[Expr, dict[Symbol, Any]]:
    """Replace every Float by a constant c1, c2, ..., named in reading order; exact numbers are structure.

    Equal floats become one constant: in u*log(u) the same a and b stand twice.

    Parameters
    ----------
    expr : expression with numbers in.
    reserved : symbols whose names must not be used.
    exact : name exact numbers too (2, 3/2, pi, 2*pi), all but 1, -1, integer exponents and square roots.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> parametrize(2.5 * x**2 / (0.5 + x))
    (c1*x**2/(c2 + x), {c1: 2.5, c2: 0.5})
    >>> parametrize(sympy.sin(2 * sympy.pi * x), exact=True)
    (sin(c1*x), {c1: 2*pi})
    """
    taken = {symbol.name for symbol in reserved} | {symbol.name for symbol in expr.free_symbols}
    found: dict[Symbol, Any] = {}
    marked = _mark(expr, found, {}, exact)
    if not found:
        return expr, {}
    # Printed once with marks, to see in which order the constants are read.
    read = dict.fromkeys(re.findall(r"c\d+\?", str(marked)))
    by_name = {mark.name: mark for mark in found}
    names: dict[Symbol, Symbol] = {}
    index = 0
    for name in read:
        index += 1
        while f"c{index}" in taken:
            index += 1
        names[by_name[name]] = Symbol(f"c{index}", real=True)
    return marked.xreplace(names), {symbol: found[mark] for mark, symbol in names.items()}


def _mark(expr: Expr, found: dict[Symbol, Any], floats: dict[float, Symbol], exact: bool) -> Expr:
    """The expression with marks for its numbers; ``found`` collects mark -> number."""
    if not expr.free_symbols:
        if expr.has(Float):
            value = float(expr)
            if value not in floats:
                floats[value] = _new_mark(found, value)
            return floats[value]
        return _new_mark(found, expr) if exact and expr not in (0, 1, -1) else expr
    if not expr.args:
        return expr
    if isinstance(expr, Pow) and (expr.exp.is_Integer or abs(expr.exp) == sympy.S.Half):
        return _mark(expr.base, found, floats, exact) ** expr.exp
    arguments = expr.args
    if isinstance(expr, (Add, Mul)):
        # numbers side by side are one constant: 2*pi
        numbers = [argument for argument in arguments if not argument.free_symbols]
        if len(numbers) > 1:
            arguments = (expr.func(*numbers), *[argument for argument in arguments if argument.free_symbols])
    return expr.func(*[_mark(argument, found, floats, exact) for argument in arguments])


def _new_mark(found: dict[Symbol, Any], value: Any) -> Symbol:
    mark = Symbol(f"c{len(found)}?", real=True)  # no column has a question mark in its symbol
    found[mark] = value
    return mark


def reduce_parameters(
    structure: Expr,
    values: Mapping[Symbol, float],
    symbols: Sequence[Symbol],
    X: Array,
    *,
    tolerance: float = 1e-8,
) -> tuple[Expr, dict[Symbol, float]]:
    """Fix redundant constants, so that the Jacobian has full rank and every standard error is finite.

    While the constants are not all determined by the formula's own values on X, one of the redundant ones is
    set to 0, 1 or -1 and the others are refitted to the values the formula had; when none of these works it
    is kept at its current value. The formula's values do not change (to ``tolerance``, relative to their
    spread).

    Parameters
    ----------
    structure, values : as from `network_expression`.
    symbols : symbol k is column k of X.
    X : (n, d) float table.

    Returns
    -------
    structure, values : with fewer constants.

    Examples
    --------
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> reduce_parameters(a * b * x, {a: 2.0, b: 3.0}, (x,), np.array([[1.0], [2.0], [3.0]]))
    (b*x, {b: 6.0})
    """
    values = dict(values)
    if not values:
        return structure, values
    inputs = tuple(symbols)
    start = compile_tape(structure, inputs, tuple(values)).bind(X).value(np.array(list(values.values())))
    rows = np.flatnonzero(np.isfinite(start))
    if len(rows) > _ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _ROWS).round().astype(int)]
    table, target = X[rows], start[rows]
    if not len(table):
        return structure, values
    limit = tolerance * max(float(np.std(target)), 1e-12 * float(np.max(np.abs(target))), 1e-300)
    while values:
        loose = _redundant(structure, values, inputs, table)
        if not loose:
            break
        structure, values = _fix_one(structure, values, loose, inputs, table, target, limit)
    return structure, values


def _redundant(structure: Expr, values: Mapping[Symbol, float], symbols: tuple[Symbol, ...], X: Array) -> list[Symbol]:
    bound = compile_tape(structure, symbols, tuple(values)).bind(X)
    bound.value(np.array(list(values.values())))
    covariance, rank = covariance_matrix(np.nan_to_num(bound.jacobian_rows()).T, 1.0)
    if rank == len(values):
        return []
    return [symbol for symbol, variance in zip(values, np.diag(covariance), strict=True) if not np.isfinite(variance)]


def _fix_one(
    structure: Expr,
    values: dict[Symbol, float],
    loose: Sequence[Symbol],
    symbols: tuple[Symbol, ...],
    X: Array,
    target: Array,
    limit: float,
) -> tuple[Expr, dict[Symbol, float]]:
    """Fix one of the redundant constants: 0 wherever that works, else its sign, else the other sign."""
    trials = [(symbol, 0) for symbol in loose]
    trials += [(symbol, 1 if values[symbol] > 0 else -1) for symbol in loose]
    trials += [(symbol, -1 if values[symbol] > 0 else 1) for symbol in loose]
    for symbol, value in trials:
        smaller = structure.xreplace({symbol: Integer(value)})
        # a constant may vanish together with the fixed one
        rest = {s: v for s, v in values.items() if s != symbol and s in smaller.free_symbols}
        if smaller.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
            continue
        fit = refit(smaller, tuple(rest), symbols, X, target, list(rest.values()), max_evaluations=_EVALUATIONS)
        if np.isfinite(fit.rss) and fit.rmse <= limit:
            return smaller, dict(zip(rest, map(float, fit.values), strict=True))
    symbol = loose[-1]
    fixed = structure.xreplace({symbol: Float(values[symbol])})
    return fixed, {s: v for s, v in values.items() if s != symbol and s in fixed.free_symbols}
