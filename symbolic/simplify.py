"""Shorter forms of a formula: rewritten by SymPy under a time limit, and believed only after a check in numbers.

Fitted constants are hidden behind positive symbols while SymPy works (it treats floats as inexact and is slow
with them), and columns that are positive in the data are positive for SymPy, so that log(x**2) becomes
2*log(x) only where it may. What comes back must give the same numbers on the rows of the data and a little
beyond them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy import Add, Dummy, Expr, Float, Mul, Pow, Symbol

from kanlib.errors import FormulaError

from .compose import canonical
from .deadline import within
from .printing import count_nodes
from .tape import evaluate

__all__ = ["rational_form", "same_values", "signed", "simplify_formula"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-9
_LARGE = 150  # nodes beyond which only the cheap rules are tried


def simplify_formula(expr: Expr, symbols: Sequence[Symbol], X: ArrayLike, *, time_limit: float = 1.0) -> Expr:
    """An equivalent expression with as few nodes as the rules find, or the expression itself.

    Parameters
    ----------
    expr : numbers in; its symbols among ``symbols``.
    symbols : symbol k is column k of X.
    X : (n, d) table on which, and slightly beyond which, the forms must agree.
    time_limit : seconds for all of it. Never exceeded by more than about half a second.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> X = np.array([[1.0, 2.0], [2.0, 5.0], [3.0, 1.0]])
    >>> simplify_formula(sympy.log(x * y) - sympy.log(y), (x, y), X)
    log(x)
    """
    end = time.monotonic() + time_limit
    table = np.asarray(X, dtype=np.float64)
    points = _points(table)
    best = signed(expr, symbols, table)
    for _ in range(3):
        improved = False
        for candidate in _forms(best, symbols, table, end):
            if _rank(candidate) < _rank(best) and same_values(expr, candidate, symbols, points):
                best, improved = candidate, True
        if not improved or time.monotonic() > end:
            break
    return signed(best, symbols, table)


def signed(expr: Expr, symbols: Sequence[Symbol], X: Array) -> Expr:
    """Without the absolute values of what has one sign on all rows: |t - x| of x < t is t - x.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> signed(abs(x - 3), (x,), np.array([[1.0], [2.0]]))
    3 - x
    """
    for part in expr.atoms(sympy.Abs):
        values = evaluate(part.args[0], symbols, X)
        if np.all(values >= 0) or np.all(values <= 0):
            expr = expr.xreplace({part: part.args[0] if np.all(values >= 0) else -part.args[0]})
    return expr


def _rank(expr: Expr) -> tuple[int, int, int]:
    """What makes one form shorter than another: nodes, then fitted numbers, then characters."""
    return count_nodes(expr), len(expr.atoms(Float)), len(str(expr))


def _points(X: Array) -> Array:
    """Up to 200 rows of the data, and as many spread a little beyond; positive columns stay positive."""
    rows = X[np.all(np.isfinite(X), axis=1)]
    if not len(rows):
        return rows
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 200)).astype(int)]
    low, high = rows.min(axis=0), rows.max(axis=0)
    spread = high - low
    # A fixed generator: the check is the same every time.
    beyond = np.random.default_rng(0).uniform(low - 0.1 * spread, high + 0.1 * spread, size=rows.shape)
    return np.vstack([rows, np.where(low > 0, np.maximum(beyond, 0.5 * low), beyond)])


def same_values(one: Expr, other: Expr, symbols: Sequence[Symbol], points: ArrayLike) -> bool:
    """Whether ``other`` has the values of ``one`` where that is finite, to 1e-9 of their size and spread.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> same_values(sympy.sqrt(x**2), x, (x,), [[1.0], [2.0]]), same_values(abs(x), x, (x,), [[-1.0], [2.0]])
    (True, False)
    """
    table = np.asarray(points, dtype=np.float64)
    try:
        expected, got = evaluate(one, symbols, table), evaluate(other, symbols, table)
    except (FormulaError, OverflowError):
        return False
    finite = np.isfinite(expected)
    if not finite.any() or not np.all(np.isfinite(got[finite])):
        return False
    size = np.abs(expected[finite])
    allowed = _TOLERANCE * (size + min(float(np.std(expected[finite])), float(np.median(size)) + 1e-300))
    return bool(np.all(np.abs(expected[finite] - got[finite]) <= allowed))


def _forms(expr: Expr, symbols: Sequence[Symbol], X: Array, end: float) -> Iterator[Expr]:
    """Rewritten forms, with the original symbols and numbers back in."""
    yield canonical(expr.xreplace({Float(1.0): sympy.S.One, Float(-1.0): sympy.S.NegativeOne}))
    signs = _assumptions(symbols, X)
    hidden, numbers = _hide_floats(expr.xreplace(signs))
    back = {symbol: original for original, symbol in signs.items()}
    for rule in _rules(hidden):
        left = end - time.monotonic()
        if left <= 0:
            return
        rewritten = within(min(left, 0.5), rule, hidden)
        if rewritten is None or not isinstance(rewritten, Expr) or rewritten.has(sympy.I, sympy.nan, sympy.zoo):
            continue
        shown = within(0.5, lambda e=rewritten: canonical(e.xreplace(numbers).xreplace(back)))
        if shown is not None:
            yield shown


def _assumptions(symbols: Sequence[Symbol], X: Array) -> dict[Symbol, Symbol]:
    """symbol -> the same symbol, positive where its column is."""
    signs = {}
    for symbol, column in zip(symbols, X.T, strict=True):
        values = column[np.isfinite(column)]
        if len(values) and values.min() > 0:
            signs[symbol] = Symbol(symbol.name, positive=True)
    return signs


def _hide_floats(expr: Expr) -> tuple[Expr, dict[Symbol, Expr]]:
    """Floats behind positive symbols, signs left in sight."""
    numbers: dict[Any, Symbol] = {}
    for number in sorted(expr.atoms(Float), key=float):
        size = abs(number)
        if size not in numbers:
            numbers[size] = Dummy(f"k{len(numbers)}", positive=True)
    visible = {number: numbers[abs(number)] * (1 if number > 0 else -1) for number in expr.atoms(Float)}
    return expr.xreplace(visible), {symbol: number for number, symbol in numbers.items()}


def _rules(expr: Expr) -> list[Callable[[Expr], Expr]]:
    """Rules worth trying on this expression, the cheap ones first."""
    rules: list[Callable[[Expr], Expr]] = [lambda e: e, _plain_roots, rational_form, sympy.powsimp, _merge_exponentials]
    if expr.has(sympy.log):
        rules += [sympy.logcombine, lambda e: sympy.powsimp(sympy.expand_log(e))]
    if count_nodes(expr) > _LARGE:
        return rules
    rules += [sympy.expand, sympy.factor_terms, sympy.factor, sympy.cancel, sympy.powdenest]
    if expr.has(sympy.exp):
        rules.append(lambda e: sympy.expand(e, deep=False))
    if expr.has(sympy.sin, sympy.cos, sympy.tan, sympy.sinh, sympy.cosh, sympy.tanh):
        rules += [lambda e: sympy.trigsimp(sympy.expand(e)), sympy.trigsimp, lambda e: sympy.expand_trig(e)]
    return rules


def _plain_roots(expr: Expr) -> Expr:
    """Roots of a reciprocal as reciprocals of a root: both are real where u > 0, and nowhere else.

    Examples
    --------
    >>> u = Symbol("u", real=True)
    >>> _plain_roots(sympy.sqrt(1 / (1 - u**2)))
    1/sqrt(1 - u**2)
    """
    return expr.replace(
        lambda e: isinstance(e, Pow) and isinstance(e.base, Pow) and e.base.exp == -1 and e.exp.is_Rational,
        lambda e: Pow(e.base.base, -e.exp),
    )


def _merge_exponentials(expr: Expr) -> Expr:
    """exp(u)*exp(v) as exp(u + v), x**a*x**b as x**(a + b), also in the arguments of functions."""
    return sympy.powsimp(expr, deep=True, combine="exp")


def rational_form(expr: Expr) -> Expr:
    """Every sum with denominators as one fraction with its numerator multiplied out.

    Examples
    --------
    >>> s = Symbol("s", real=True)
    >>> rational_form(2 - 1 / (s + 1))
    (2*s + 1)/(s + 1)
    """
    if not expr.args:
        return expr
    rebuilt = expr.func(*[rational_form(argument) for argument in expr.args])
    if isinstance(rebuilt, Add) and any(_has_denominator(term) for term in rebuilt.args):
        numerator, denominator = sympy.fraction(sympy.together(rebuilt))
        return sympy.expand(numerator) / denominator
    return rebuilt


def _has_denominator(term: Expr) -> bool:
    return any(isinstance(f, Pow) and f.exp.is_Rational and f.exp.is_negative for f in Mul.make_args(term))
