"""A law that is known in part: its form with unknown constants, or one factor of it.

A form enters the search as a candidate, a factor as coordinates. The constants of both are fitted from many starts
(`kanlib.symbolic.priors.multi_start`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from keyword import iskeyword

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, Float, Symbol

from kanlib.errors import FormulaError, InputError, InputTypeError
from kanlib.plain import short

from ..deadline import within
from ..description import description_length, structure_cost
from ..joint import Candidate
from ..parsing import free_names, parse_formula
from ..reduction.coordinates import Coordinates
from ..tape import compile_tape
from .multi_start import multi_start, spread_rows

__all__ = ["PartialLaw", "check_role", "partial_law"]

Array = NDArray[np.float64]

_ROLES = ("law", "factor")
_ROWS = 600  # rows that constants are fitted to; the finished formula is fitted to all
_STARTS = 10  # for the constants of a factor
_SECONDS = 5.0


@dataclass(frozen=True)
class PartialLaw:
    """What is known of a law y: all of its form, or one factor.

    Attributes
    ----------
    expr : in the columns' symbols and the ``constants``.
    constants : the symbols that are no columns, whose values are not known.
    role : "law": y = expr; "factor": y = expr * F, with F to be found.
    """

    expr: Expr
    constants: tuple[Symbol, ...]
    role: str

    def candidates(
        self,
        symbols: Sequence[Symbol],
        X: Array,
        y: Array,
        *,
        weight: Array | None = None,
        n_starts: int = 30,
        seed: int = 0,
        expired: Callable[[], bool] = lambda: False,
    ) -> list[Candidate]:
        """The law with its constants, best fit first, at most three optima; empty where no start is finite.

        Parameters
        ----------
        symbols : of the columns of X (n, d).
        weight : (n,) row weights.
        n_starts : how many starts are refined.
        seed : of the draws.

        Examples
        --------
        >>> a, b, t = sympy.symbols("a b t", real=True)
        >>> known = PartialLaw(a * sympy.exp(-b * t), (a, b), "law")
        >>> T = np.linspace(0, 1e-6, 40)[:, None]
        >>> best = known.candidates((t,), T, 3 * np.exp(-2e6 * T[:, 0]))[0]
        >>> {str(s): round(v, 6) for s, v in best.values.items()}
        {'a': 3.0, 'b': 2000000.0}
        """
        rows = spread_rows(len(y), _ROWS)
        seen = None if weight is None else weight[rows]
        scaled = y[rows] if seen is None else y[rows] * np.sqrt(seen)
        fits = multi_start(
            self.expr, self.constants, symbols, X[rows], y[rows], seen, n_starts=n_starts, seed=seed, expired=expired
        )
        cost = structure_cost(self.expr)
        return [
            Candidate(
                self.expr,
                dict(zip(self.constants, map(float, fit.values), strict=True)),
                fit.rmse,
                description_length(fit.rss, len(rows), fit.rank, scaled, cost),
            )
            for fit in fits
        ]

    def coordinates(
        self, symbols: Sequence[Symbol], X: Array, y: Array, *, weight: Array | None = None, seed: int = 0
    ) -> list[Coordinates]:
        """The columns with the known factor in front, y = expr * F; empty for another role, or where it is zero."""
        known = self._known(symbols, X, y, weight, seed) if self.role == "factor" else None
        if known is None:
            return []
        made = Coordinates(tuple(symbols), X, known, np.ones(len(X))).on(symbols, X)
        return [] if made is None else [made]

    def _known(self, symbols: Sequence[Symbol], X: Array, y: Array, weight: Array | None, seed: int) -> Expr | None:
        """The known factor with numbers for its constants, a polynomial standing in for F, which is not known.

        A constant in front of the factor belongs to F, which has it anyway.
        """
        expr = within(_SECONDS, _without_scale, self.expr, self.constants) or self.expr
        free = tuple(constant for constant in self.constants if constant in expr.free_symbols)
        if not free:
            return expr
        rows = spread_rows(len(y), _ROWS)
        terms = _polynomial(symbols, X[rows], most=len(rows) // 4 - len(free))
        coefficients = tuple(Dummy(f"q{i}", real=True) for i in range(len(terms)))
        rest = sympy.Add(*[q * term for q, term in zip(coefficients, terms, strict=True)])
        constants = (*coefficients, *free)
        seen = None if weight is None else weight[rows]
        fits = multi_start(expr * rest, constants, symbols, X[rows], y[rows], seen, n_starts=_STARTS, seed=seed)
        if not fits:
            return None
        values = dict(zip(constants, map(float, fits[0].values), strict=True))
        return expr.xreplace({constant: Float(values[constant]) for constant in free})


def _without_scale(expr: Expr, constants: Sequence[Symbol]) -> Expr:
    """Without the constants that are a factor in front of the whole."""
    for constant in constants:
        if not (expr / constant).has(constant):
            expr = expr.xreplace({constant: sympy.S.One})
    return expr


def _polynomial(symbols: Sequence[Symbol], X: Array, most: int) -> list[Expr]:
    """Terms up to the second degree, of columns moved to [-1, 1], or as many as the rows bear."""
    low, high = X.min(axis=0), X.max(axis=0)
    varying = [j for j in range(len(symbols)) if high[j] > low[j]]
    unit = [(2 * symbols[j] - Float(low[j] + high[j])) / Float(high[j] - low[j]) for j in varying]
    second = [u * v for i, u in enumerate(unit) for v in unit[i:]]
    terms = [sympy.S.One, *unit]
    terms += second if len(terms) + len(second) <= most else []
    return terms if len(terms) <= most else terms[:1]


def check_role(role: str) -> None:
    """Refuse what a known part of a law cannot be, with an `InputError`."""
    if role not in _ROLES:
        term = " A term of a sum, y = start + F, is taken off y before the search." if role == "term" else ""
        raise InputError(f"start_role is {role!r}; expected {' or '.join(map(repr, _ROLES))}.{term}")


def partial_law(start: str | Expr, role: str, names: Sequence[str], symbols: Sequence[Symbol]) -> PartialLaw:
    """Read the part of a law that a user knows.

    Parameters
    ----------
    start : text or expression in the column names or their symbols; every other symbol is a constant to be fitted.
        Numbers stay as they are.
    role : "law" or "factor".
    names, symbols : of the columns.

    Raises
    ------
    InputError, InputTypeError, FormulaError
        Something that is no formula, reads no column, or holds what is not evaluated over the reals.

    Examples
    --------
    >>> t = Symbol("t", real=True)
    >>> partial_law("a*exp(-b*t)", "law", ("t",), (t,)).constants
    (a, b)
    """
    check_role(role)
    columns = {str(name): symbol for name, symbol in zip(names, symbols, strict=True)}
    columns = {**{symbol.name: symbol for symbol in symbols}, **columns}
    if isinstance(start, str):
        unknown = {name: Symbol(name, real=True) for name in free_names(start)}
        expr = parse_formula(start, {**unknown, **columns})
    elif isinstance(start, Expr):
        same = {s: columns.get(s.name, Symbol(s.name, real=True)) for s in start.free_symbols}
        expr = start.xreplace(same)
    else:
        raise InputTypeError(
            f"start is {type(start).__name__}; expected a text such as 'a*exp(-b*t)' or a SymPy expression."
        )
    read = expr.free_symbols & set(symbols)
    if not read:
        raise FormulaError(
            f"start {short(str(start))!r} has none of the columns {', '.join(columns)}; name at least one."
        )
    constants = tuple(sorted(expr.free_symbols - read, key=lambda symbol: symbol.name))
    unreadable = [
        constant.name for constant in constants if not constant.name.isidentifier() or iskeyword(constant.name)
    ]
    if unreadable:
        raise FormulaError(f"start has the constant {unreadable[0]!r}; expected names such as a or k_1: rename it.")
    if expr.has(sympy.oo, sympy.zoo, sympy.nan):
        raise FormulaError(f"start is {short(str(expr))!r}; expected finite numbers.")
    compile_tape(expr, tuple(symbols), constants)  # refuses what the search cannot evaluate
    return PartialLaw(expr, constants, role)
