"""Changes of y that may make a curve simple: x**3/(exp(x) - 1) is no primitive, but x**3/y is one.

Every change T(y, x) carries the weights 1/T'(y)**2 that make its residuals mean, to first order, what they mean in y
(the delta method), so that all changes are compared on one scale, noisy or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Integer, Rational, Symbol

from ..tape import evaluate
from .curve import CONSTANTS, Curve, Form

__all__ = ["Target", "targets"]

Array = NDArray[np.float64]

_Change = tuple[str, Array, Array, Callable[[Expr], Expr], float]  # name, t, dt/dy, inverse, price


@dataclass(frozen=True)
class Target:
    """A change of y: values t and root weights r on the curve's points, and the way back from t(x) to y(x).

    ``nuisance`` (n, k) are functions of x that may be added to a form of the target for the price of their constants;
    the first is 1. A ``rate`` k says that t is y*exp(k*x), with k a constant to be fitted.
    """

    name: str
    values: Array
    root_weight: Array
    inverse: Callable[[Expr], Expr]
    nuisance: Array
    nuisance_exprs: tuple[Expr, ...]
    price: float
    rate: float = 0.0

    def form(self, structure: Expr, values: dict[Symbol, float], symbol: Symbol) -> Form:
        """The form of y from a form of t."""
        changed = self.inverse(structure)
        if self.rate == 0.0:
            return changed, values
        constant = next(c for c in CONSTANTS if c not in values)
        return changed * sympy.exp(constant * symbol), {**values, constant: -self.rate}


def _beside(symbol: Symbol, functions: frozenset[str]) -> list[tuple[Expr, ...]]:
    """What may stand beside a function of x in a sum, the constant included."""
    terms: list[tuple[Expr, ...]] = [(), (symbol,), (symbol, symbol**2), (symbol**2,), (symbol**3,)]
    terms += [(1 / symbol,), (sympy.sqrt(symbol),)]
    if "log" in functions:
        terms.append((sympy.log(symbol),))
    if "exp" in functions:
        terms += [(sympy.exp(symbol),), (sympy.exp(-symbol),)]
    if "sin" in functions:
        terms += [(sympy.sin(symbol),), (sympy.cos(symbol),)]
    return [(sympy.S.One, *part) for part in terms]


def targets(curve: Curve, symbol: Symbol, functions: frozenset[str]) -> list[Target]:
    """The changes of y that exist on this curve; the first is y itself, those with x or x**2 beside follow.

    Examples
    --------
    >>> x = np.linspace(1.0, 2.0, 20)
    >>> curve = Curve(x, 1 / x, np.ones(20), 0.0, 20)
    >>> [target.name for target in targets(curve, Symbol("x", real=True), frozenset())][:3]
    ['y', 'y, x', 'y, x, x**2']
    """
    root = np.sqrt(curve.weight)
    one = np.ones_like(curve.x)
    found = []
    for exprs in _beside(symbol, functions):
        with np.errstate(all="ignore"):
            basis = np.stack([evaluate(e, (symbol,), curve.x[:, None]) for e in exprs], axis=1)
        label = ", ".join(["y", *map(str, exprs[1:])])
        if np.all(np.isfinite(basis)) and np.all(np.ptp(basis[:, 1:], axis=0) > 0) and np.abs(basis).max() < 1e12:
            found.append(Target(label, curve.y, root, lambda g: g, basis, exprs, 2.0 * (len(exprs) - 1)))
    changes = [(*change, 0.0) for change in _changes(curve, symbol, functions)]
    if "exp" in functions:
        changes += _damped(curve)
    for name, values, slope, inverse, price, rate in changes:
        with np.errstate(all="ignore"):
            weight = root / np.abs(slope)
        if not (np.all(np.isfinite(values)) and np.all(np.isfinite(weight)) and np.ptp(values) > 0):
            continue
        found.append(Target(name, values, weight, inverse, one[:, None], (sympy.S.One,), price, rate))
    return found


def _changes(curve: Curve, symbol: Symbol, functions: frozenset[str]) -> Iterator[_Change]:
    x, y = curve.x, curve.y
    sign = 1 if y.min() > 0 else -1 if y.max() < 0 else 0
    size = np.abs(y)
    with np.errstate(all="ignore"):
        if sign:
            yield "1/y", 1 / y, -1 / y**2, lambda g: 1 / g, 1.0
            yield "y**2", y**2, 2 * y, lambda g: sign * sympy.sqrt(g), 1.0
            yield "1/y**2", 1 / y**2, -2 / y**3, lambda g: sign / sympy.sqrt(g), 2.0
            yield "sqrt(y)", np.sqrt(size), 0.5 / np.sqrt(size), lambda g: sign * g**2, 1.0
            yield "1/sqrt(y)", 1 / np.sqrt(size), 0.5 / size**1.5, lambda g: sign / g**2, 2.0
            if "exp" in functions:
                yield "log(y)", np.log(size), 1 / y, lambda g: sign * sympy.exp(g), 1.5
        if "log" in functions and np.ptp(y) < 40 and size.max() < 100:
            yield "exp(y)", np.exp(y), np.exp(y), sympy.log, 1.5
        if "asinh" in functions and size.max() < 40:
            yield "sinh(y)", np.sinh(y), np.cosh(y), sympy.asinh, 2.0
        if "sin" in functions and size.max() < 1:
            yield "asin(y)", np.arcsin(y), 1 / np.sqrt(1 - y**2), sympy.sin, 2.0
        if "tan" in functions:
            yield "atan(y)", np.arctan(y), 1 / (1 + y**2), sympy.tan, 2.5
        if sign and "log" in functions and x.min() > 0 and "exp" in functions:
            yield (
                "log(y)/x",
                np.log(size) / x,
                1 / (x * y),
                lambda g: sign * sympy.exp(sympy.expand_mul(symbol * g)),
                2.5,
            )
        powers = [Integer(p) for p in (1, 2, 3, -1, -2, -3)]
        if x.min() > 0:
            powers += [Rational(1, 2), Rational(-1, 2)]
        for p in powers:
            yield from _scaled(x ** float(p), symbol**p, y, sign, 1.0 + abs(float(p)) / 2)


def _scaled(factor: Array, power: Expr, y: Array, sign: int, price: float) -> Iterator[_Change]:
    """Changes of y with a power of x beside it."""

    yield f"y*{power}", y * factor, factor, lambda g: g / power, price
    if not sign or not (power.is_polynomial() or (1 / power).is_polynomial()):
        return
    yield f"{power}/y", factor / y, -factor / y**2, lambda g: power / g, price + 1
    if price <= 1.5:
        root = np.sqrt(np.abs(y))
        yield f"sqrt(y)*{power}", root * factor, 0.5 * factor / root, lambda g: sign * (g / power) ** 2, 2.5
        yield f"{power}/sqrt(y)", factor / root, -0.5 * factor / root**3, lambda g: sign * (power / g) ** 2, 3.0


def _damped(curve: Curve) -> list[tuple[str, Array, Array, Callable[[Expr], Expr], float, float]]:
    """y*exp(k*x) for a few rates k, natural ones and ones of the size of the range."""
    half = float(np.ptp(curve.x)) / 2
    rates = {1.0, *(round(k / half, 12) for k in (0.5, 1.0, 2.0, 4.0))}
    found = []
    for rate in sorted({*rates, *(-k for k in rates)}):
        if abs(rate) * float(np.abs(curve.x).max()) < 300:
            factor = np.exp(rate * curve.x)
            found.append((f"y*exp({rate}*x)", curve.y * factor, factor, lambda g: g, 2.0, rate))
    return found
