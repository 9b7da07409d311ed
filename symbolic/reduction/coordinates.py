"""Coordinates of a law: y = factor * F(z_1, ..., z_k), where every z is a short expression of the columns.

A law rarely needs its columns one by one. It may read two of them only as x - y or x/y, or carry one as a plain
power in front. Such coordinates make a problem of nine inputs one of three, on which small networks see at once what
they could not see before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Rational, Symbol

from ..printing import print_text
from ..tape import evaluate

__all__ = ["Change", "Coordinates", "combined", "powered", "start"]

Array = NDArray[np.float64]

_LARGEST = 1e100  # as for the columns of a table: its powers are numbers still


@dataclass(frozen=True)
class Coordinates:
    """y = factor * F(Z).

    Attributes
    ----------
    expressions : k expressions in the columns' symbols.
    values : (n, k) their values.
    factor : expression in the columns' symbols; 1 where there is none.
    factor_values : (n,).
    """

    expressions: tuple[Expr, ...]
    values: Array
    factor: Expr
    factor_values: Array

    @property
    def k(self) -> int:
        return len(self.expressions)

    def in_columns(self, expr: Expr, inputs: Sequence[Symbol]) -> Expr:
        """The law y = factor * F in the columns, for F given in one symbol a coordinate."""
        return self.factor * expr.xreplace(dict(zip(inputs, self.expressions, strict=True)))

    def on(self, symbols: Sequence[Symbol], X: Array) -> Coordinates | None:
        """The same coordinates on another table; None where they are not finite there."""
        columns = [evaluate(expr, symbols, X) for expr in self.expressions]
        factor = evaluate(self.factor, symbols, X)
        moved = Coordinates(
            self.expressions, np.stack(columns, axis=1) if columns else np.empty((len(X), 0)), self.factor, factor
        )
        return moved if _usable(moved) else None

    @property
    def plain(self) -> bool:
        """Whether these are the columns themselves."""
        return self.factor == 1 and all(expr.is_Symbol for expr in self.expressions)

    def text(self) -> str:
        """For notes: which coordinates, and what stands in front."""
        inside = ", ".join(print_text(expr, digits=4) for expr in self.expressions)
        front = print_text(self.factor, digits=4)
        if not self.k:
            return front
        return f"F({inside})" if self.factor == 1 else f"{f'({front})' if self.factor.is_Add else front} * F({inside})"


@dataclass(frozen=True)
class Change:
    """A proposal to write the same law with fewer coordinates.

    Attributes
    ----------
    kind : for notes ("factor", "merge", "scaling", "drop").
    coordinates : what it leads to.
    defect : how badly the gradient of the stand-in breaks the symmetry behind it; 0 is perfect.
    """

    kind: str
    coordinates: Coordinates
    defect: float


def start(symbols: Sequence[Symbol], X: Array) -> Coordinates:
    """The columns as they are.

    Examples
    --------
    >>> a, b = sympy.symbols("a b", real=True)
    >>> start((a, b), np.ones((3, 2))).text()
    'F(a, b)'
    """
    return Coordinates(tuple(symbols), X, sympy.S.One, np.ones(len(X)))


def powered(
    coordinates: Coordinates, exponents: Sequence[Fraction], pivot: int, front: Fraction = Fraction(0)
) -> Coordinates | None:
    """Remove coordinate ``pivot``: every z_i becomes z_i * z_pivot^exponents[i], the factor gets z_pivot^front.

    None where a power is not finite and real, or of a sign that would be lost.

    Examples
    --------
    >>> a, b = sympy.symbols("a b", real=True)
    >>> both = start((a, b), np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> powered(both, [Fraction(-2), Fraction(0)], 1, Fraction(1)).text()
    'b * F(a/b**2)'
    """
    base_expr, base = coordinates.expressions[pivot], coordinates.values[:, pivot]
    expressions, values = [], []
    for i, (expr, exponent) in enumerate(zip(coordinates.expressions, exponents, strict=True)):
        if i == pivot:
            continue
        raised = _power(base, exponent)
        if raised is None:
            return None
        expressions.append(expr * base_expr ** Rational(exponent))
        with np.errstate(all="ignore"):  # what is not finite is refused in the end
            values.append(coordinates.values[:, i] * raised)
    raised = _power(base, front)
    if raised is None:
        return None
    with np.errstate(all="ignore"):
        factor_values = coordinates.factor_values * raised
    table = np.stack(values, axis=1) if values else np.empty((len(base), 0))
    changed = Coordinates(
        tuple(expressions),
        table,
        coordinates.factor * base_expr ** Rational(front),
        factor_values,
    )
    return changed if _usable(changed) else None


def combined(coordinates: Coordinates, i: int, j: int, expr: Expr, values: Array) -> Coordinates | None:
    """Coordinates i and j become one, with these values; None where they are not finite or do not vary."""
    kept = [m for m in range(coordinates.k) if m not in (i, j)]
    expressions = (expr, *(coordinates.expressions[m] for m in kept))
    table = np.column_stack([values, coordinates.values[:, kept]])
    changed = Coordinates(expressions, table, coordinates.factor, coordinates.factor_values)
    return changed if _usable(changed) else None


def _power(base: Array, exponent: Fraction) -> Array | None:
    if exponent == 0:
        return np.ones_like(base)
    if exponent.denominator != 1 and base.min() <= 0:
        return None
    if exponent < 0 and (base.min() <= 0 <= base.max()):
        return None
    with np.errstate(all="ignore"):
        raised = base ** float(exponent)
    return raised if np.all(np.isfinite(raised)) else None


def _usable(coordinates: Coordinates) -> bool:
    values, factor = coordinates.values, coordinates.factor_values
    if not np.all(np.isfinite(values)) or not np.all(np.isfinite(factor)) or not np.all(factor != 0):
        return False
    size = np.abs(np.column_stack([values, factor])).max(axis=0)
    if np.any(size > _LARGEST) or np.any(size < 1 / _LARGEST):
        return False
    size = size[:-1]
    return bool(np.all(np.ptp(values, axis=0) > 1e-12 * size))
