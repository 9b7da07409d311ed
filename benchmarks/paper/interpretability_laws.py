"""The laws of part 8, and what counts as having found one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.special import j0
from sympy import Expr, Symbol

from kanlib.symbolic import Formula
from kanlib.symbolic.deadline import within
from kanlib.symbolic.tape import evaluate

__all__ = ["BESSEL", "COLUMNS", "EXAMPLES", "Example", "is_exact", "new_error", "relations"]

Array = NDArray[np.float64]
ROWS = 1500
AGREEMENT = 1e-9  # of the spread of y, on new points


@dataclass(frozen=True)
class Example:
    """A law in given ranges.

    Attributes
    ----------
    symbols : the columns, real.
    truth : the law, or None where the library has no function for it (then ``values`` says what it is).
    ranges : of every column, uniform.
    title : LaTeX.
    """

    name: str
    symbols: tuple[Symbol, ...]
    truth: Expr | None
    ranges: tuple[float, float]
    title: str
    values: Callable[[Array], Array] | None = None

    def law(self, X: Array) -> Array:
        """Its values (n,) on a table (n, columns)."""
        if self.values is not None:
            return self.values(X)
        assert self.truth is not None
        return evaluate(self.truth, self.symbols, X)

    def sample(self, n: int, seed: int) -> tuple[Array, Array]:
        """Rows and values without noise."""
        X = np.random.default_rng(seed).uniform(*self.ranges, (n, len(self.symbols)))
        return X, self.law(X)


def _examples() -> tuple[Example, ...]:
    x = sympy.symbols("x1:5", real=True)
    u, v = sympy.symbols("u v", real=True)
    a, b, c, d = x
    sin, pi = sympy.sin, sympy.pi
    deep = sympy.exp((sin(pi * (a**2 + b**2)) + sin(pi * (c**2 + d**2))) / 2)
    unit = (-1.0, 1.0)
    return (
        Example("product", x[:2], a * b, unit, r"x_1\,x_2"),
        Example("quotient", x[:2], a / b, (0.2, 1.0), r"x_1/x_2"),
        Example("norm", x[:2], sympy.sqrt(a**2 + b**2), unit, r"\sqrt{x_1^2+x_2^2}"),
        Example("distance", x, sympy.sqrt((a - b) ** 2 + (c - d) ** 2), unit, r"\sqrt{(x_1-x_2)^2+(x_3-x_4)^2}"),
        Example(
            "phase transition", x[:3], sympy.tanh(5 * (a**4 + b**4 + c**4 - 1)), unit, r"\tanh 5(x_1^4+x_2^4+x_3^4-1)"
        ),
        Example("deep law", x, deep, unit, r"\exp\frac{\sin\pi(x_1^2+x_2^2)+\sin\pi(x_3^2+x_4^2)}{2}"),
        Example("velocities", (u, v), (u + v) / (1 + u * v), (-0.9, 0.9), r"(u+v)/(1+uv)"),
    )


# arXiv 2404.19756, section 4.1 with figure 4.1, section 3.1 (the deep law), section 3.3 (velocities); the norm is ours.
EXAMPLES = _examples()
BESSEL = Example(
    "special function",
    sympy.symbols("x1 x2", real=True),
    None,
    (-1.0, 1.0),
    r"\exp(J_0(20x_1)+x_2^2)",
    lambda X: np.exp(j0(20 * X[:, 0]) + X[:, 1] ** 2),
)

# The unsupervised example of section 4.1: six columns, no target.
COLUMNS = sympy.symbols("x1:7", real=True)


def relations(seed: int, n: int = ROWS) -> Array:
    """The six columns: x3 = exp(sin(pi x1) + x2^2), x5 = x4^3, and x6, which belongs to none."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 6))
    X[:, 2] = np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
    X[:, 4] = X[:, 3] ** 3
    return X


def new_error(formula: Formula | None, X: Array, y: Array) -> float:
    """Root mean squared error on new points over the spread of y; NaN without a formula."""
    if formula is None:
        return float("nan")
    return float(np.sqrt(np.mean((formula.predict(X) - y) ** 2)) / np.std(y))


def is_exact(formula: Formula | None, truth: Expr, symbols: Sequence[Symbol], X: Array, y: Array) -> bool:
    """Whether SymPy proves formula = truth, and no value on the new points X differs by 1e-9 of the spread of y.

    Examples
    --------
    >>> x, = symbols = sympy.symbols("x,", real=True)
    >>> X = np.linspace(0.1, 0.9, 20)[:, None]
    >>> f = Formula(sympy.exp(sympy.log(x**2) / 2), {}, symbols, names=("x",), target="y")
    >>> is_exact(f, sympy.Abs(x), symbols, X, X[:, 0]), is_exact(f, x, symbols, X, X[:, 0] + 1e-6)
    (True, False)
    """
    if formula is None or not np.max(np.abs(formula.predict(X) - y)) < AGREEMENT * np.std(y):
        return False
    expr = formula.expr.xreplace(dict(zip(formula.symbols, symbols)))
    return within(20.0, _is_zero, expr - truth) is True


def _is_zero(difference: Expr) -> bool:
    steps: tuple[Callable[[Expr], Expr], ...] = (sympy.expand, sympy.expand_trig, sympy.simplify)
    for step in steps:
        difference = step(difference)
        if difference == 0:
            return True
    return False
