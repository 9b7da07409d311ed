"""Functions f with their starts (a, b), and changes of x: the two tables behind `warps`.

The argument of f is a*u + b on a coordinate u that runs from -1 to 1. Constants that would move nothing are fixed: a
power or a logarithm needs no scale, an exponential no shift.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.special import erf
from sympy import Expr, Symbol

__all__ = ["Coordinate", "Family", "coordinates", "families"]

Array = NDArray[np.float64]
Values = Callable[[Array], Array]


@dataclass(frozen=True)
class Family:
    """f, f', the form, starts (s, 2) of (a, b) on [-1, 1], and which of them move.

    ``ray``: the argument is +-u + b with b > 1, moved on a logarithmic scale of b - 1.
    """

    name: str
    needs: str
    function: Values
    derivative: Values
    build: Callable[[Expr], Expr]
    starts: Array
    moves: tuple[bool, bool]
    price: float
    ray: bool = False


@dataclass(frozen=True)
class Coordinate:
    """A change of x: its values, and the expression."""

    values: Array
    expr: Expr
    price: float


def coordinates(x: Array, symbol: Symbol, functions: frozenset[str]) -> list[Coordinate]:
    """The changes of x that are finite on the data and not constant to rounding, x first whatever its size."""
    trials: list[tuple[Array, Expr, float]] = [(x, symbol, 0.0)]
    with np.errstate(all="ignore"):
        trials += [(x**2, symbol**2, 1.5), (x**3, symbol**3, 2.0)]
        trials += [(1 / x, 1 / symbol, 1.5), (1 / x**2, symbol ** (-2), 2.0)]
        if x.min() >= 0:
            trials += [(np.sqrt(x), sympy.sqrt(symbol), 1.5)]
            if "log" in functions:
                trials += [(np.log(x), sympy.log(symbol), 1.5)]
        if "exp" in functions:
            trials += [(np.exp(x), sympy.exp(symbol), 2.0), (np.exp(-x), sympy.exp(-symbol), 2.5)]
    found = []
    for values, expr, price in trials:
        if (
            np.all(np.isfinite(values))
            and np.ptp(values) > 1e-6 * np.abs(values).max()
            and (expr == symbol or np.ptp(values) < 1e12)
        ):
            found.append(Coordinate(values, expr, price))
    return found


def _affine(scales: tuple[float, ...], centres: tuple[float, ...]) -> Array:
    return np.array([(a, -a * u) for a, u in itertools.product(scales, centres)])


def _onto(ends: list[float]) -> Array:
    """(a, b) that map [-1, 1] onto every interval between two different ends, in both directions."""
    return np.array([((high - low) / 2, (high + low) / 2) for low, high in itertools.permutations(ends, 2)])


@cache
def families() -> tuple[Family, ...]:
    scales, centres = (0.4, 0.8, 1.4, 2.4, 4.0, 7.0, 12.0), (-1.3, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.3)
    rays = np.array([(sign, 1 + 10.0**k) for k in np.linspace(-4, 1.5, 16) for sign in (1.0, -1.0)])
    shifts = np.array([(1.0, b) for b in np.linspace(-3, 3, 21)])
    rates = np.array([(s * a, 0.0) for a in np.geomspace(0.15, 25, 24) for s in (1.0, -1.0)])
    waves = np.concatenate([np.geomspace(0.1, 1, 8), np.arange(1.35, 60, 0.45)])
    phases = np.array([(w, p) for w in waves for p in (0.0, np.pi / 2)])
    both, shift, rate = (True, True), (False, True), (True, False)

    def positive_power(p: float) -> tuple[Values, Values]:
        return (lambda z: z**p), (lambda z: p * z ** (p - 1))

    half, minus_half = positive_power(0.5), positive_power(-0.5)
    return (
        Family("identity", "", lambda z: z, np.ones_like, lambda u: u, np.array([(1.0, 0.0)]), (False, False), 0.0),
        Family("sin", "sin", np.sin, np.cos, sympy.sin, phases, both, 3.0),
        Family("exp", "exp", np.exp, np.exp, sympy.exp, rates, rate, 2.0),
        Family("log", "log", np.log, lambda z: 1 / z, sympy.log, rays, shift, 2.0, True),
        Family("sqrt", "", *half, sympy.sqrt, rays, shift, 2.0, True),
        Family("reciprocal_sqrt", "", *minus_half, lambda u: 1 / sympy.sqrt(u), rays, shift, 3.0, True),
        Family("reciprocal", "", lambda z: 1 / z, lambda z: -1 / z**2, lambda u: 1 / u, rays, shift, 2.0, True),
        Family(
            "reciprocal_square", "", lambda z: z**-2, lambda z: -2 * z**-3, lambda u: u ** (-2), rays, shift, 2.5, True
        ),
        Family("square", "", np.square, lambda z: 2 * z, lambda u: u**2, shifts, shift, 2.0),
        Family("cube", "", lambda z: z**3, lambda z: 3 * z**2, lambda u: u**3, shifts, shift, 2.0),
        Family("tanh", "tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2, sympy.tanh, _affine(scales, centres), both, 3.5),
        Family("arctan", "atan", np.arctan, lambda z: 1 / (1 + z * z), sympy.atan, _affine(scales, centres), both, 3.5),
        Family(
            "erf",
            "erf",
            erf,
            lambda z: 2 / np.sqrt(np.pi) * np.exp(-z * z),
            sympy.erf,
            _affine(scales, centres),
            both,
            4.0,
        ),
        Family(
            "gaussian",
            "exp",
            lambda z: np.exp(-z * z),
            lambda z: -2 * z * np.exp(-z * z),
            lambda u: sympy.exp(-(u**2)),
            _affine(scales, centres),
            both,
            4.0,
        ),
        Family("sinh", "sinh", np.sinh, np.cosh, sympy.sinh, _affine(scales[:5], centres), both, 3.5),
        Family("cosh", "cosh", np.cosh, np.sinh, sympy.cosh, _affine(scales[:5], centres), both, 3.5),
        Family(
            "arcsinh",
            "asinh",
            np.arcsinh,
            lambda z: 1 / np.sqrt(1 + z * z),
            sympy.asinh,
            _affine((*scales, 25.0), centres),
            both,
            4.0,
        ),
        Family(
            "tan",
            "tan",
            np.tan,
            lambda z: 1 + np.tan(z) ** 2,
            sympy.tan,
            _onto([-1.54, -1.4, -1.0, -0.5, 0.0, 0.5, 1.0, 1.4, 1.54]),
            both,
            3.5,
        ),
        Family(
            "arcsin",
            "asin",
            np.arcsin,
            lambda z: 1 / np.sqrt(1 - z * z),
            sympy.asin,
            _onto([-0.999, -0.95, -0.7, -0.35, 0.0, 0.35, 0.7, 0.95, 0.999]),
            both,
            3.5,
        ),
        Family(
            "arctanh",
            "atanh",
            np.arctanh,
            lambda z: 1 / (1 - z * z),
            sympy.atanh,
            _onto([-0.999, -0.95, -0.7, 0.0, 0.7, 0.95, 0.999]),
            both,
            4.0,
        ),
    )
