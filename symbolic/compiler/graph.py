"""An expression as a graph of sums and products: what it needs of nodes and edges before they are laid out in layers.

Every part of an expression becomes a `Sum` of edges and a bias (`parts`). Only what truly composes
or multiplies costs a node, and equal parts (up to a scale and a shift) share one. A few pairs of functions are one
primitive (`fusion`).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from sympy import Add, Expr, Mul, Pow, Symbol

from kanlib.errors import FormulaError
from kanlib.primitives import PRIMITIVES

from ..deadline import within
from .fusion import fused, paired
from .parts import Edge, Node, Sum, added

__all__ = ["Graph"]

Array = NDArray[np.float64]

# Whole and half powers that are primitives.
_POWERS = {
    2.0: "square",
    3.0: "cube",
    4.0: "fourth",
    5.0: "fifth",
    -1.0: "reciprocal",
    -2.0: "reciprocal_square",
    0.5: "sqrt",
    -0.5: "reciprocal_sqrt",
}
_FUNCTIONS = {
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "atanh": "arctanh",
    "Abs": "abs",
    "sign": "sign",
    "erf": "erf",
}
_RECIPROCALS = {"cot": "tan", "sec": "cos", "csc": "sin", "coth": "tanh", "sech": "cosh", "csch": "sinh"}


class Graph:
    """Builds the sums of expressions over columns; equal parts become one node.

    Parameters
    ----------
    columns : symbol -> number of its column.
    values : the values of an expression on data, or None without data. They decide what the symbols leave open: the
        sign of the base of x**y.
    """

    def __init__(self, columns: Mapping[Symbol, int], values: Callable[[Expr], Array | None]) -> None:
        self.columns = {symbol: Node(number, 0) for symbol, number in columns.items()}
        self.values = values
        self._numbers = itertools.count(max(columns.values(), default=-1) + 1)
        self._sums: dict[Expr, Sum] = {}
        self._nodes: dict[object, tuple[Node, float]] = {}

    def sum_of(self, expr: Expr) -> Sum:
        """The sum an expression is; FormulaError names the part that no primitive expresses."""
        if expr not in self._sums:
            self._sums[expr] = self._build(expr)
        return self._sums[expr]

    def _build(self, expr: Expr) -> Sum:
        if isinstance(expr, Symbol):
            if expr not in self.columns:
                known = ", ".join(map(str, self.columns))
                raise FormulaError(f"{expr} is no column; expected {known or 'none'}: list it in symbols.")
            return Sum((Edge(self.columns[expr]),))
        if isinstance(expr, Expr) and not expr.free_symbols:
            return Sum((), _number(expr))
        if isinstance(expr, Add):
            return added(self.sum_of(term) for term in expr.args)
        if isinstance(expr, Mul):
            return self._product([self.sum_of(factor) for factor in expr.args])
        if isinstance(expr, Pow):
            return self._power(expr)
        name = type(expr).__name__
        if len(expr.args) == 1 and name in _FUNCTIONS:
            return self._apply(_FUNCTIONS[name], self.sum_of(expr.args[0]))
        if len(expr.args) == 1 and name in _RECIPROCALS:
            return self._apply("reciprocal", self._apply(_RECIPROCALS[name], self.sum_of(expr.args[0])))
        if name == "asinh":
            return self._asinh(expr.args[0])
        if name == "acosh":
            u = self.sum_of(expr.args[0])
            roots = [self._apply("sqrt", added([u, Sum((), shift)])) for shift in (-1.0, 1.0)]
            return self._apply("log", added([u, self._product(roots)]))
        raise FormulaError(
            f"{expr} has no network: {name} is no primitive; expected {', '.join((*_FUNCTIONS, *_RECIPROCALS))}, "
            "asinh, acosh, powers, sums and products: rewrite the formula with these."
        )

    def _asinh(self, argument: Expr) -> Sum:
        """2 artanh(u / (1 + sqrt(1 + u^2))), exact near 0; log(u + sqrt(1 + u^2)) where data show u to be far."""
        u = self.sum_of(argument)
        root = self._apply("hyperbola", u)
        known = self.values(argument)
        for sign in (1.0, -1.0):
            if known is not None and bool((sign * known > 0.01).all()):
                return self._apply("log", added([u.scaled(sign), root])).scaled(sign)
        ratio = self._product([u, self._apply("reciprocal", added([Sum((), 1.0), root]))])
        return self._apply("arctanh", ratio).scaled(2.0)

    def _power(self, expr: Expr) -> Sum:
        base, exponent = expr.args
        if not exponent.free_symbols:
            return self._fixed_power(self.sum_of(base), _number(exponent))
        if not self._is_positive(base):
            raise FormulaError(
                f"{expr} has no network: its base may be negative, and there the power of a varying exponent is no "
                f"real number. Declare the symbols of {base} positive, or give X where it is."
            )
        if not base.free_symbols:
            return self._apply("exp", self.sum_of(exponent).scaled(math.log(_number(base))))
        return self._apply("exp", self._product([self.sum_of(exponent), self._apply("log", self.sum_of(base))]))

    def _is_positive(self, expr: Expr) -> bool:
        if within(2.0, _least_sign, expr) == 1:
            return True
        known = self.values(expr)
        return known is not None and bool((known > 0).all())

    def _fixed_power(self, base: Sum, p: float) -> Sum:
        if p in (0.0, 1.0):
            return base if p else Sum((), 1.0)
        if p in _POWERS:
            return self._apply(_POWERS[p], base)
        if not p.is_integer():
            return self._apply("power", base, p)
        # Valid for negative bases, which `power` is not: a product of powers that are primitives.
        if p < -6:
            return self._apply("reciprocal", self._fixed_power(base, -p))
        step, largest = (-2.0, 3) if p < 0 else (5.0, 3)
        times, rest = divmod(p, step)
        whole = self._fixed_power(base, step)
        factors = [whole] * int(times) if times <= largest else [self._fixed_power(whole, times)]
        return self._product([*factors, self._fixed_power(base, rest)])

    def _apply(self, name: str, inner: Sum, p: float = 1.0) -> Sum:
        """f(inner), the affine part of inner in the constants of the edge."""
        if not inner.edges:
            u, exponent = (torch.tensor(value, dtype=torch.float64) for value in (inner.bias, p))
            value = float(PRIMITIVES[name](u, exponent))
            if not math.isfinite(value):
                raise FormulaError(
                    f"{name} of {inner.bias:g} is not finite; expected a real number: check the formula."
                )
            return Sum((), value)
        one = fused(name, inner)
        if one is not None:
            return one
        node, a, b = self.argument(inner)
        return Sum((Edge(node, name, a, b, p),))

    def argument(self, inner: Sum) -> tuple[Node, float, float]:
        """Node, a and b such that the sum is a*node + b; proportional sums have one node."""
        first = inner.edges[0]
        if len(inner.edges) == 1 and first.name == "identity":
            return first.node, first.c, inner.bias
        key = tuple(replace(edge, c=edge.c / first.c) for edge in inner.edges)
        if key not in self._nodes:
            content = Sum(key if len(key) == 1 else inner.edges)
            self._nodes[key] = (Node(next(self._numbers), content.level, (content,)), content.edges[0].c)
        node, scale = self._nodes[key]
        return node, first.c / scale, inner.bias

    def _product(self, factors: Iterable[Sum]) -> Sum:
        """A node that multiplies, with a numeric factor outside; products inside are taken in."""
        front = 1.0
        rest: list[Sum] = []
        for factor in factors:
            if not factor.edges:
                front *= factor.bias
            elif len(factor.edges) == 1 and factor.bias == 0.0:
                edge = factor.edges[0]
                front *= edge.c
                inside = edge.node.factors if edge.name == "identity" else ()
                rest += inside if len(inside) > 1 else [Sum((replace(edge, c=1.0),))]
            else:
                rest.append(factor)
        front, rest = paired(front, rest)
        if front == 0.0 or not rest:
            return Sum((), front)
        if len(rest) == 1:
            return rest[0].scaled(front)
        key = frozenset(Counter(rest).items())
        if key not in self._nodes:
            level = max(factor.level for factor in rest)
            self._nodes[key] = (Node(next(self._numbers), level, tuple(rest)), 1.0)
        return Sum((Edge(self._nodes[key][0], c=front),))


def _least_sign(expr: Expr) -> int:
    """1 or 0 where a part is positive or not negative wherever it is a real number, else -1.

    SymPy's own answer has complex values in mind: of asin(u)**2 it says nothing.
    """
    if expr.is_positive or isinstance(expr, (sympy.exp, sympy.cosh)):
        return 1
    if isinstance(expr, (Add, Mul)):
        signs = [_least_sign(part) for part in expr.args]
        return (max(signs) if isinstance(expr, Add) else min(signs)) if min(signs) >= 0 else -1
    if isinstance(expr, Pow):
        sign = _least_sign(expr.base)
        even = expr.exp.is_even or expr.exp.is_integer is False  # a root has a real value only where it is not negative
        return 1 if sign == 1 else 0 if even else sign
    if isinstance(expr, sympy.Abs):
        return max(0, _least_sign(expr.args[0]))
    return 0 if expr.is_nonnegative or isinstance(expr, (sympy.acos, sympy.acosh)) else -1


def _number(expr: Expr) -> float:
    value = float(expr) if expr.is_Float or (expr.is_Rational and abs(expr) < 1e308) else within(5.0, float, expr)
    if value is None or not math.isfinite(value):
        raise FormulaError(f"{expr} is no finite real number; expected a formula over the reals: rewrite it.")
    return value
