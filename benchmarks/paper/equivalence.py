"""Whether two decision functions have the same zero set, with the same sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from sympy import Expr, Symbol

from kanlib.symbolic.deadline import within
from kanlib.symbolic.tape import evaluate

__all__ = ["Comparison", "compare"]

POINTS = 100_000
NEAR = 0.01  # share of the box on the other side that is still called near


@dataclass(frozen=True)
class Comparison:
    """``verdict``: "exact", "near" (less than 1 % of the box on another side) or "no"; ``share``: that share."""

    verdict: str
    share: float


def compare(
    found: Expr,
    edge: Expr,
    symbols: tuple[Symbol, ...],
    box: Sequence[tuple[float, float]],
    *,
    time_limit: float = 10.0,
) -> Comparison:
    """Compare a formula with the exact edge: by points of a box, and, where these agree, by SymPy.

    Exact means both: no point of the box lies on another side, and the formula is zero on all of the edge, solved for
    a symbol in which it is linear, by simplification. The first alone could miss a small difference, the second alone
    a zero elsewhere.

    Parameters
    ----------
    found, edge : expressions in ``symbols``, positive on the same side.
    box : the range of each symbol.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> box = ((0.0, 1.0), (0.0, 1.0))
    >>> edge = y - x
    >>> [compare(f, edge, (x, y), box).verdict for f in ((y - x) * sympy.exp(x), y - 1.001 * x, x - y, y - x**2)]
    ['exact', 'near', 'no', 'no']
    """
    low, high = np.array(box).T
    points = low + (high - low) * np.random.default_rng(0).random((POINTS, len(symbols)))
    sides = [evaluate(expr, symbols, points) > 0 for expr in (found, edge)]
    share = float(np.mean(sides[0] != sides[1]))
    if share == 0 and within(time_limit, _zero_on, found, edge, symbols):
        return Comparison("exact", share)
    return Comparison("near" if share < NEAR else "no", share)


def _zero_on(found: Expr, edge: Expr, symbols: tuple[Symbol, ...]) -> bool:
    for symbol in symbols:
        rate = sympy.diff(edge, symbol)
        if rate != 0 and symbol not in rate.free_symbols:
            place = sympy.simplify(symbol - edge / rate)  # where the linear function is zero
            return bool(sympy.simplify(found.subs(symbol, place).rewrite(sympy.exp)) == 0)
    raise ValueError(f"{edge} is linear in none of {symbols}; expected an edge that can be solved for one of them.")
