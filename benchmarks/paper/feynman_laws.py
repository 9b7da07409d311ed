"""The 27 dimensionless laws of part 3, their ranges, and the errors that were published for some of them.

The laws are those of arXiv 2404.19756, table 2, with plain names: a, b, ... for what the paper writes as a quotient of
quantities. The paper does not give the ranges of its dimensionless variables. Here they follow the ranges pykan's
package lists for the laws with dimensions, where a variable has the same meaning (angles, widths, the slits of I.30.3),
and else are the unit interval or [-1, 1]. All stay off singularities: the denominators of I.9.18, I.13.12, II.11.27 and
II.38.3 do not reach zero, the arguments of the logarithm stay positive and those of the arcsine below 1, and
a <= 0.9 in I.29.16, whose root has a corner at a = 1. III.9.52 is finite where b = c, its values are those of sinc.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol, symbols

from kanlib.symbolic import parse_formula

__all__ = ["LAWS", "PUBLISHED", "Law", "Published"]

Array = NDArray[np.float64]
UNIT, BOTH, TURN = (0.0, 1.0), (-1.0, 1.0), (0.0, 2 * np.pi)


@dataclass(frozen=True)
class Law:
    """A law in given ranges.

    Attributes
    ----------
    name : equation number in the Feynman lectures.
    text : the law.
    ranges : column -> (low, high), uniform.
    values : the law on the columns, in NumPy.
    """

    name: str
    text: str
    ranges: dict[str, tuple[float, float]]
    values: Callable[..., Array]

    @property
    def columns(self) -> list[str]:
        return list(self.ranges)

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The columns, real."""
        return tuple(symbols(self.columns, real=True))

    @cached_property
    def truth(self) -> Expr:
        """The law as SymPy reads it."""
        return parse_formula(self.text, self.symbols)

    def sample(self, n: int, seed: int) -> tuple[Array, Array]:
        """Uniform rows (n, columns) and values (n,) without noise.

        Examples
        --------
        >>> X, y = LAWS[3].sample(5, 0)
        >>> bool(np.allclose(y, 1 + X[:, 0] * np.sin(X[:, 1])))
        True
        """
        low, high = np.array(list(self.ranges.values())).T
        X = np.random.default_rng(seed).uniform(low, high, (n, len(low)))
        return X, self.values(*X.T)


@dataclass(frozen=True)
class Published:
    """RMSE in table 2 of the paper; its networks were chosen by their test error."""

    pruned: float
    unpruned: float
    mlp: float

    @property
    def best(self) -> float:
        return min(self.pruned, self.unpruned, self.mlp)


PUBLISHED = {
    "I.6.2": Published(2.86e-5, 4.60e-5, 1.45e-4),
    "I.16.6": Published(1.19e-3, 1.53e-3, 6.20e-4),
    "I.18.4": Published(1.50e-4, 1.32e-3, 3.68e-4),
    "I.30.3": Published(1.03e-3, 1.11e-2, 1.50e-2),
    "I.37.4": Published(4.91e-6, 3.41e-4, 5.67e-4),
    "I.44.4": Published(2.43e-5, 1.10e-4, 3.99e-4),
    "II.11.7": Published(8.52e-3, 5.03e-3, 5.92e-4),
    "III.9.52": Published(3.90e-3, 2.11e-2, 9.07e-4),
}


def _bell(u: Array, s: Array) -> Array:
    return np.exp(-(u**2) / (2 * s**2)) / np.sqrt(2 * np.pi * s**2)


LAWS = (
    Law("I.6.2", "exp(-theta**2/(2*sigma**2))/sqrt(2*pi*sigma**2)", {"theta": BOTH, "sigma": (0.5, 2.0)}, _bell),
    Law(
        "I.6.2b",
        "exp(-(theta - theta1)**2/(2*sigma**2))/sqrt(2*pi*sigma**2)",
        {"theta": (-1.5, 1.5), "theta1": (-1.5, 1.5), "sigma": (0.5, 2.0)},
        lambda t, t1, s: _bell(t - t1, s),
    ),
    Law(
        "I.9.18",
        "a/((b - 1)**2 + (c - d)**2 + (e - f)**2)",
        {"a": UNIT, "b": (2.0, 3.0), "c": UNIT, "d": UNIT, "e": UNIT, "f": UNIT},
        lambda a, b, c, d, e, f: a / ((b - 1) ** 2 + (c - d) ** 2 + (e - f) ** 2),
    ),
    Law("I.12.11", "1 + a*sin(theta)", {"a": UNIT, "theta": TURN}, lambda a, t: 1 + a * np.sin(t)),
    Law("I.13.12", "a*(1/b - 1)", {"a": UNIT, "b": (0.5, 2.0)}, lambda a, b: a * (1 / b - 1)),
    Law("I.15.3x", "(1 - a)/sqrt(1 - b**2)", {"a": BOTH, "b": (-0.8, 0.8)}, lambda a, b: (1 - a) / np.sqrt(1 - b * b)),
    Law("I.16.6", "(a + b)/(1 + a*b)", {"a": (-0.8, 0.8), "b": (-0.8, 0.8)}, lambda a, b: (a + b) / (1 + a * b)),
    Law("I.18.4", "(1 + a*b)/(1 + a)", {"a": (0.5, 2.0), "b": BOTH}, lambda a, b: (1 + a * b) / (1 + a)),
    Law("I.26.2", "asin(n*sin(theta2))", {"n": (0.0, 0.99), "theta2": TURN}, lambda n, t: np.arcsin(n * np.sin(t))),
    Law("I.27.6", "1/(1 + a*b)", {"a": (0.5, 2.0), "b": (0.5, 2.0)}, lambda a, b: 1 / (1 + a * b)),
    Law(
        "I.29.16",
        "sqrt(1 + a**2 - 2*a*cos(theta1 - theta2))",
        {"a": (0.0, 0.9), "theta1": TURN, "theta2": TURN},
        lambda a, t1, t2: np.sqrt(1 + a * a - 2 * a * np.cos(t1 - t2)),
    ),
    Law(
        "I.30.3",
        "sin(n*theta/2)**2/sin(theta/2)**2",
        {"n": (0.0, 4.0), "theta": (0.4 * np.pi, 1.6 * np.pi)},
        lambda n, t: np.sin(n * t / 2) ** 2 / np.sin(t / 2) ** 2,
    ),
    Law("I.30.5", "asin(a/n)", {"a": BOTH, "n": (1.05, 1.5)}, lambda a, n: np.arcsin(a / n)),
    Law(
        "I.37.4",
        "1 + a + 2*sqrt(a)*cos(delta)",
        {"a": (0.1, 1.0), "delta": TURN},
        lambda a, d: 1 + a + 2 * np.sqrt(a) * np.cos(d),
    ),
    Law("I.40.1", "n0*exp(-a)", {"n0": UNIT, "a": BOTH}, lambda n, a: n * np.exp(-a)),
    Law("I.44.4", "n*log(a)", {"n": UNIT, "a": (0.5, 2.0)}, lambda n, a: n * np.log(a)),
    Law(
        "I.50.26",
        "cos(a) + alpha*cos(a)**2",
        {"a": TURN, "alpha": UNIT},
        lambda a, alpha: np.cos(a) + alpha * np.cos(a) ** 2,
    ),
    Law("II.2.42", "(a - 1)*b", {"a": UNIT, "b": UNIT}, lambda a, b: (a - 1) * b),
    Law(
        "II.6.15a",
        "c*sqrt(a**2 + b**2)/(4*pi)",
        {"a": (0.1, 1.0), "b": (0.1, 1.0), "c": (0.1, 1.0)},
        lambda a, b, c: c * np.hypot(a, b) / (4 * np.pi),
    ),
    Law(
        "II.11.7",
        "n0*(1 + a*cos(theta))",
        {"n0": UNIT, "a": UNIT, "theta": TURN},
        lambda n, a, t: n * (1 + a * np.cos(t)),
    ),
    Law(
        "II.11.27",
        "n*alpha/(1 - n*alpha/3)",
        {"n": UNIT, "alpha": (0.0, 2.0)},
        lambda n, alpha: n * alpha / (1 - n * alpha / 3),
    ),
    Law("II.35.18", "n0/(exp(a) + exp(-a))", {"n0": UNIT, "a": (0.0, 2.0)}, lambda n, a: n / (np.exp(a) + np.exp(-a))),
    Law("II.36.38", "a + alpha*b", {"a": UNIT, "alpha": UNIT, "b": UNIT}, lambda a, alpha, b: a + alpha * b),
    Law("II.38.3", "a/b", {"a": UNIT, "b": (0.5, 2.0)}, lambda a, b: a / b),
    Law(
        "III.9.52",
        "a*sin((b - c)/2)**2/((b - c)/2)**2",
        {"a": UNIT, "b": (0.0, np.pi), "c": (0.0, np.pi)},
        lambda a, b, c: a * np.sinc((b - c) / (2 * np.pi)) ** 2,
    ),
    Law("III.10.19", "sqrt(1 + a**2 + b**2)", {"a": UNIT, "b": UNIT}, lambda a, b: np.sqrt(1 + a * a + b * b)),
    Law(
        "III.17.37",
        "beta*(1 + alpha*cos(theta))",
        {"beta": UNIT, "alpha": UNIT, "theta": TURN},
        lambda beta, alpha, t: beta * (1 + alpha * np.cos(t)),
    ),
)
