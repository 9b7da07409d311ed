"""How long it takes to write a formula down, in nats: its constants, fitted or exact, and the residuals it leaves.

Formulas are compared by the length of the shortest message from which y could be rebuilt (Rissanen 1978, *Automatica*
14, 465-471): a fitted constant is as long as the data make it precise, an exact one as long as it is high.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import ArrayLike
from sympy import Expr, Function, Integer, Rational, preorder_traversal

from .constants import EXACT_FIT
from .printing import count_nodes

__all__ = [
    "FAMILIES",
    "NODE_COST",
    "candidates",
    "constants_cost",
    "description_length",
    "exact_cost",
    "fitted_cost",
    "rounding_floor",
    "structure_cost",
]

_LOG2 = math.log(2.0)
NODE_COST = _LOG2
"""Nats for one node of a formula."""

_COMMON = (sympy.exp, sympy.log, sympy.sin, sympy.cos)
_MAX_DENOMINATOR = 24

# name, value, nats to name the family; a constant is fraction * family
FAMILIES: tuple[tuple[Expr, float], ...] = (
    (Integer(1), _LOG2),
    (sympy.pi, 2.7),
    (1 / sympy.pi, 3.4),
    (sympy.pi**2, 4.1),
    (sympy.sqrt(sympy.pi), 4.1),
    (1 / sympy.sqrt(sympy.pi), 4.1),
    (1 / sympy.pi**2, 4.1),
    (sympy.sqrt(2), 2.7),
    (sympy.sqrt(3), 3.4),
    (sympy.E, 3.4),
    (1 / sympy.E, 4.1),
    (sympy.sqrt(2 * sympy.pi), 4.1),
    (1 / sympy.sqrt(2 * sympy.pi), 4.1),
    (sympy.log(2), 4.1),
)


def exact_cost(fraction: Fraction, family_cost: float = _LOG2) -> float:
    """Nats to write an exact constant: its family, its sign, and the height of its fraction.

    An integer n costs log(n) + log(1 + log(n)): long fractions are many, so each must be rarer than 1/height.

    Examples
    --------
    >>> [round(exact_cost(Fraction(*f)), 1) for f in ((1, 1), (2, 1), (1, 2), (7, 11))]
    [2.6, 3.2, 3.8, 8.2]
    """
    height = (math.log(1 + abs(fraction.numerator)), math.log(fraction.denominator))
    return family_cost + _LOG2 + sum(size + math.log1p(size) for size in height)


def fitted_cost(value: float, standard_error: float) -> float:
    """Nats to write a fitted constant to the precision the data give it.

    Examples
    --------
    >>> round(fitted_cost(0.0641, 0.0083), 1), round(fitted_cost(3.14159265, 2e-8), 1)
    (1.9, 18.3)
    """
    if not (math.isfinite(standard_error) and standard_error > 0):
        return _LOG2
    return _LOG2 + math.log1p(abs(value) / (math.sqrt(12.0) * standard_error))


def constants_cost(n_constants: int, n: int) -> float:
    """Nats for fitted constants: log(n)/2 and one bit each, with McQuarrie's small-sample correction.

    With few rows the plain k/2 log(n) lets constants in that an F-test would not; the logarithm is therefore taken
    n / (n - k - 2) times (McQuarrie 1999, *Statistics & Probability Letters* 44, 79-86).

    Examples
    --------
    >>> [round(constants_cost(1, n), 2) for n in (6, 12, 1000)]
    [2.48, 2.35, 4.16]
    """
    if n_constants == 0:
        return 0.0
    return n_constants * (0.5 * math.log(n) * n / max(n - n_constants - 2, 0.5) + _LOG2)


def description_length(rss: float, n: int, n_constants: int, y: ArrayLike, exact: float = 0.0) -> float:
    """Nats to write the residuals and the constants: n/2 log(rss/n) + `constants_cost` + exact.

    rss is bounded below by the rounding of y, so that formulas of noise-free data are told apart by their
    length only.
    """
    return 0.5 * n * math.log(max(rss, rounding_floor(y, n)) / n) + constants_cost(n_constants, n) + exact


def structure_cost(expr: Expr) -> float:
    """Nats to write the form of a formula: one bit for every node, two for exp, log, sin, cos, three for others.

    Functions that appear in many laws have short names; where cosh fits as well as exp, exp is meant.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> [round(structure_cost(e) / NODE_COST) for e in (2 * x + 1, 2 * sympy.log(x), 2 * sympy.cosh(x))]
    [5, 5, 6]
    """
    functions = [part for part in preorder_traversal(expr) if isinstance(part, Function)]
    extra = sum(1 if isinstance(part, _COMMON) else 2 for part in functions)
    return NODE_COST * (count_nodes(expr) + extra)


def rounding_floor(y: ArrayLike, n: int) -> float:
    """Sum of squares below which residuals of n rows are rounding errors of y."""
    scale = float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))
    return n * max(EXACT_FIT * scale, 1e-150) ** 2


def candidates(value: float, half_width: float) -> Iterator[tuple[Expr, float]]:
    """Exact numbers within ``half_width`` of a value, with their cost in nats, cheapest of each family first.

    Integers, fractions with denominators up to 24, and these times pi, e, sqrt(2), sqrt(3), log(2) and some
    powers.

    Examples
    --------
    >>> sorted(candidates(1.5708, 1e-4), key=lambda pair: pair[1])[0]
    (pi/2, 5.83...)
    """
    for family, cost in FAMILIES:
        size = float(family)
        centre, radius = value / size, half_width / size
        found = 0
        for denominator in range(1, (_MAX_DENOMINATOR if family == 1 else 12) + 1):
            numerator = round(centre * denominator)
            if abs(numerator) > 1e12 or abs(numerator / denominator - centre) > radius:
                continue
            fraction = Fraction(numerator, denominator)
            if fraction.denominator != denominator or (fraction == 0 and family != 1):
                continue
            yield Rational(fraction.numerator, fraction.denominator) * family, exact_cost(fraction, cost)
            found += 1
            if found == 2:  # fractions further on are longer and no nearer to being a surprise
                break
