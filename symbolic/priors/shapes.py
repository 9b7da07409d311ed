"""What is known of a law's shape: rising or falling in a column, curved one way, bounded. And whether a formula agrees.

The claims are about the box of the data. They are asked at the rows, where the exact slope is known (one backward sweep
of `kanlib.symbolic.tape`), and along lines through some of the rows, from end to end of a column, where the values
themselves are compared: a pole or a jump has the right slope on both sides and breaks the claim all the same. Holding a
fitted function to such claims on a grid is common practice (Bladek & Krawiec 2019, *Solving symbolic regression
problems with formal constraints*; Kronberger et al. 2022, *Evolutionary Computation* 30, 69-98); it proves nothing
between the points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.errors import InputError
from kanlib.plain import short

from ..tape import compile_tape, evaluate

__all__ = ["ShapeConstraints", "shape_constraints"]

Array = NDArray[np.float64]

_LINES = 30  # rows that lines are drawn through
_STEPS = 64  # of a line
_ROWS = 2000  # rows at which slopes are looked at
_SLOPE = 1e-6  # of the formula's spread over the column's range: a slope that is zero but for rounding
_STEP = 1e-9  # of the formula's spread: a difference between neighbouring points that is none
_BEYOND = 1e-6  # of the formula's spread: how far it may pass a bound, since constants are fitted


@dataclass(frozen=True)
class ShapeConstraints:
    """Claims about a law on the box of its data.

    Attributes
    ----------
    names : the columns, in the order of the table.
    monotone : (column index, sign) pairs; +1 where the law never falls, -1 where it never rises.
    curved : (column index, sign) pairs; +1 convex, -1 concave.
    low, high : bounds of the output; infinite where there is none.
    """

    names: tuple[str, ...]
    monotone: tuple[tuple[int, int], ...] = ()
    curved: tuple[tuple[int, int], ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def __bool__(self) -> bool:
        return bool(self.monotone or self.curved) or self.low > -math.inf or self.high < math.inf

    def refuses(
        self, expr: Expr, symbols: Sequence[Symbol], X: Array, *, slack: float = 1.0, seed: int = 0
    ) -> str | None:
        """The claim a formula breaks, and where; None where it breaks none.

        Points where the formula has no value are passed over: whether it may have such is another question.

        Parameters
        ----------
        expr : in the ``symbols``, without further constants.
        symbols : symbol j is column j of X.
        X : (n, d) table.
        slack : times the tolerances, for a formula whose constants are not final.
        seed : of the choice of rows.

        Examples
        --------
        >>> import sympy
        >>> x = sympy.Symbol("x", real=True)
        >>> rising = shape_constraints(("x",), monotone={"x": "increasing"})
        >>> X = np.linspace(0, 1, 20)[:, None]
        >>> rising.refuses(sympy.sin(x), (x,), X) is None
        True
        >>> rising.refuses(-(x**3), (x,), X)
        'it is not increasing in x: its slope is -3 at x = 1'
        """
        if not self:
            return None
        rng = np.random.default_rng(seed)
        rows = X if len(X) <= _ROWS else X[rng.permutation(len(X))[:_ROWS]]
        values = evaluate(expr, symbols, rows)
        finite = values[np.isfinite(values)]
        spread = float(np.ptp(finite)) if len(finite) else 0.0
        size = float(np.abs(finite).max()) if len(finite) else 0.0
        for j, sign in self.monotone:
            slope = _slope(expr, symbols, j, rows)
            width = float(np.ptp(X[:, j])) or 1.0
            worst = int(np.argmin(wrong := np.where(np.isfinite(slope), sign * slope, math.inf)))
            if wrong[worst] < -slack * (_SLOPE * spread + 1e-12 * size) / width:
                place = self._place(expr, symbols, rows[worst])
                return f"it is not {_DIRECTION[sign]} in {self.names[j]}: its slope is {slope[worst]:.3g} at {place}"
        some = rows[rng.permutation(len(rows))[:_LINES]]
        rounding = slack * (_STEP * spread + 1e-13 * size)
        margin = slack * _BEYOND * (spread + 1e-6 * size)
        reason = self._beyond(expr, symbols, rows, values, margin)
        for j, table, f in _lines(expr, symbols, some, X) if reason is None else ():
            for claims, difference, name in ((self.monotone, 1, _DIRECTION), (self.curved, 2, _CURVE)):
                for sign in (sign for column, sign in claims if column == j):
                    with np.errstate(invalid="ignore"):  # a value that is infinite is compared like others
                        steps = sign * np.diff(f, difference, axis=1)
                    wrong = np.where(np.isnan(steps), math.inf, steps)
                    line, k = np.unravel_index(int(np.argmin(wrong)), wrong.shape)
                    if wrong[line, k] < -rounding:
                        place = self._place(expr, symbols, table[line, k + difference - 1])
                        return f"it is not {name[sign]} in {self.names[j]} around {place}"
            reason = self._beyond(expr, symbols, table.reshape(-1, X.shape[1]), f.ravel(), margin)
            if reason is not None:
                break
        return reason

    def _beyond(self, expr: Expr, symbols: Sequence[Symbol], table: Array, values: Array, margin: float) -> str | None:
        """The bound that is passed, with the furthest point."""
        for bound, sign, word in ((self.low, 1, "below"), (self.high, -1, "above")):
            inside = np.where(np.isnan(values), math.inf, sign * values)  # an infinite value is beyond every bound
            worst = int(np.argmin(inside))
            if math.isfinite(bound) and inside[worst] < sign * bound - margin:
                place = self._place(expr, symbols, table[worst])
                return f"it is {values[worst]:.4g} at {place}, {word} the bound {bound:g}"
        return None

    def _place(self, expr: Expr, symbols: Sequence[Symbol], row: Array) -> str:
        read = [j for j, symbol in enumerate(symbols) if symbol in expr.free_symbols]
        return ", ".join(f"{self.names[j]} = {row[j]:.4g}" for j in read) or "every row"


_DIRECTION = {1: "increasing", -1: "decreasing"}
_CURVE = {1: "convex", -1: "concave"}


def shape_constraints(
    names: Sequence[str],
    *,
    monotone: Mapping[str, str] | None = None,
    convex: Mapping[str, str] | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    y: Array | None = None,
) -> ShapeConstraints:
    """Read what a user knows of the shape.

    Parameters
    ----------
    names : the columns.
    monotone : column -> "increasing" or "decreasing" (equal values are allowed).
    convex : column -> "convex" or "concave".
    bounds : (low, high) of the output; None or an infinity where there is no bound.
    y : (n,) target, to see whether the bounds are meant for it.

    Raises
    ------
    InputError
        A name that is no column, a word that is not known, bounds in the wrong order or that the data contradict.

    Examples
    --------
    >>> shape_constraints(("t", "T"), monotone={"t": "decreasing"}, bounds=(0, None)).low
    0.0
    """
    names = tuple(names)
    low, high = _bounds(bounds)
    if y is not None and not low <= float(np.median(y)) <= high:
        raise InputError(
            f"bounds are ({low:g}, {high:g}), but half of y lies beyond, its median is {np.median(y):.4g}; give the "
            "bounds in the unit of y, or leave them out."
        )
    return ShapeConstraints(
        names,
        _claims("monotone", monotone, names, {word: sign for sign, word in _DIRECTION.items()}),
        _claims("convex", convex, names, {word: sign for sign, word in _CURVE.items()}),
        low,
        high,
    )


def _claims(
    what: str, claims: Mapping[str, str] | None, names: tuple[str, ...], words: Mapping[str, int]
) -> tuple[tuple[int, int], ...]:
    if claims is not None and not isinstance(claims, Mapping):
        raise InputError(f"{what} is {claims!r}; expected a dict such as {{{names[0]!r}: {next(iter(words))!r}}}.")
    found = []
    for column, word in (claims or {}).items():
        if column not in names:
            raise InputError(f"{what} names the column {column!r}; expected one of {', '.join(map(repr, names))}.")
        if not isinstance(word, str) or word not in words:
            raise InputError(f"{what}[{column!r}] is {word!r}; expected {' or '.join(map(repr, words))}.")
        found.append((names.index(column), words[word]))
    return tuple(found)


def _bounds(bounds: tuple[float | None, float | None] | None) -> tuple[float, float]:
    try:
        first, last = (None, None) if bounds is None else bounds
        low = -math.inf if first is None else float(first)
        high = math.inf if last is None else float(last)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"bounds are {short(repr(bounds))}; expected (low, high), with None where there is no bound."
        ) from None
    if not low < high:
        raise InputError(f"bounds are {bounds!r}; expected (low, high) with low < high.")
    return low, high


def _slope(expr: Expr, symbols: Sequence[Symbol], j: int, table: Array) -> Array:
    """The exact derivative (n,) by column j: the column becomes a parameter, one value a row."""
    others = [k for k in range(len(symbols)) if k != j]
    bound = compile_tape(expr, tuple(symbols[k] for k in others), (symbols[j],)).bind(table[:, others])
    bound.value(table[:, [j]].T)
    return bound.jacobian_rows()[0]


def _lines(expr: Expr, symbols: Sequence[Symbol], rows: Array, X: Array) -> Iterator[tuple[int, Array, Array]]:
    """For each column a formula reads: its index, the points (m, N, d) of a line through every row, and the values."""
    for j, symbol in enumerate(symbols):
        if symbol not in expr.free_symbols:
            continue
        table = np.repeat(rows[:, None, :], _STEPS + 1, axis=1)
        table[:, :, j] = np.linspace(X[:, j].min(), X[:, j].max(), _STEPS + 1)
        yield j, table, evaluate(expr, symbols, table.reshape(-1, X.shape[1])).reshape(len(rows), -1)
