"""From a network whose edges are primitives to one expression with the fewest constants that say the same.

Every edge brings four or five constants, and most combinations of them are redundant: in c*(a*x + b)**2 the
scale a can move into c, biases of several edges add up to one. Standard errors mean nothing before such
gauges are fixed. It is done in two steps: SymPy merges numbers while the expression is built from floats
(`canonical`), and what is left is found in numbers (`kanlib.symbolic.parameters.reduce_parameters`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
from sympy import Add, Expr, Float, Integer, Mul, Pow, Symbol

from kanlib.errors import FormulaError, InputError
from kanlib.primitives import PRIMITIVES

from .library import LIBRARY
from .parameters import parametrize, reduce_parameters

if TYPE_CHECKING:
    from kanlib.network import KAN

__all__ = ["canonical", "network_expression", "parametrize", "reduce_parameters"]


def network_expression(model: KAN, symbols: Sequence[Symbol], output: int = 0) -> tuple[Expr, dict[Symbol, float]]:
    """The formula a network computes, when every edge its output depends on is fixed to a primitive.

    Masked edges are absent. Constants that are exactly 0, 1 or -1 count as chosen, not fitted, and become
    part of the structure; redundant ones are merged as far as algebra goes (see `reduce_parameters` for the
    rest).

    Parameters
    ----------
    model : network of sum and product nodes.
    symbols : one symbol per original column (``model.in_features``).
    output : which output.

    Returns
    -------
    structure : expression in ``symbols`` and the constants c1, c2, ...
    values : constant -> its value in the network.

    Raises
    ------
    FormulaError
        An edge that matters is still a spline.
    InputError
        Another number of symbols than columns, or no such output.

    Examples
    --------
    >>> import torch
    >>> from kanlib.network import KAN
    >>> model = KAN([1, 1], dtype=torch.float64)
    >>> model.layers[0].fix_edge(0, 0, "square", (2.0, 3.0, 0.5, 0.25, 1.0))
    >>> network_expression(model, (Symbol("x", real=True),))
    (c1 + c2*(c3 + x)**2, {c1: 0.25, c2: 2.0, c3: 1.5})
    """
    if len(symbols) != model.in_features or not 0 <= output < model.out_features:
        raise InputError(
            f"network_expression got {len(symbols)} symbols and output {output} for a network with "
            f"{model.in_features} columns and {model.out_features} outputs; expected one symbol per column "
            "and an output that exists."
        )
    return parametrize(canonical(_Composer(model, symbols).node(len(model.layers), output)), symbols)


class _Composer:
    """Walks a network from its output back to the columns, so that only edges that matter are looked at."""

    def __init__(self, model: KAN, symbols: Sequence[Symbol]) -> None:
        self.model = model
        self.columns = [symbols[int(index)] for index in model.input_index]
        self.known: dict[tuple[int, int], Expr] = {}
        self.numbers: set[float] = set()

    def number(self, value: float) -> Expr:
        """A constant, moved by rounding errors if it has been seen before: `parametrize` ties equal floats."""
        if value not in (0.0, 1.0, -1.0) and math.isfinite(value):
            step = 0
            while value in self.numbers:
                step += 1
                value *= 1.0 + step * 2e-15
            self.numbers.add(value)
        return _number(value)

    def node(self, level: int, index: int) -> Expr:
        """Value of a node: level 0 are the inputs, level l the nodes layer l - 1 leads to."""
        if level == 0:
            return self.columns[index]
        if (level, index) not in self.known:
            self.known[level, index] = self._node(level, index)
        return self.known[level, index]

    def _node(self, level: int, index: int) -> Expr:
        width = self.model.widths[level]
        if index < width.sums:
            return self._subnode(level, index)
        first = width.sums + sum(width.products[: index - width.sums])
        arity = width.products[index - width.sums]
        return Mul(*[self._subnode(level, first + factor) for factor in range(arity)])

    def _subnode(self, level: int, j: int) -> Expr:
        layer = self.model.layers[level - 1]
        terms = [self.number(layer.bias[j].item())]
        fixed = layer.fixed_edges()
        for i in range(layer.in_features):
            if not bool(layer.mask[j, i]):
                continue
            name = fixed.get((i, j))
            if name is None:
                raise FormulaError(
                    f"Edge (layer {level - 1}, input {i}, output {j}) is a spline; a formula needs every edge that "
                    "reaches the output fixed to a primitive: call fix_edge on it, mask it, or use symbolify."
                )
            a, b, c, d, p = (self.number(value) for value in layer.edge_constants[j, i].tolist())
            terms.append(d)
            if c != 0:
                inner = canonical(a * self.node(level - 1, i) + b) if a != 0 else b
                terms.append(c * _apply(name, inner, p))
        return canonical(Add(*terms))


def _apply(name: str, u: Expr, p: Expr) -> Expr:
    if name == "saturation":
        # u/(1+u) holds u twice; 1 - 1/(1+u) is the same with one scale less to fix
        return 1 - 1 / (1 + u)
    return LIBRARY[name](u, p if PRIMITIVES[name].has_exponent else sympy.S.One)


def _number(value: float) -> Expr:
    """Exact 0, 1 and -1 are choices and stay exact; any other number is a Float, to be fitted."""
    if not math.isfinite(value):
        raise FormulaError(f"A constant of the network is {value}; expected finite numbers: train it again.")
    return Integer(int(value)) if value in (0.0, 1.0, -1.0) else Float(value)


@lru_cache(maxsize=4096)
def canonical(expr: Expr) -> Expr:
    """Move numeric factors out of powers, logarithms and absolute values, to merge with those outside.

    (2.0*x + 3.0)**2 becomes 4.0*(x + 1.5)**2, log(2.0*x + 3.0) becomes log(x + 1.5) + 0.693; SymPy itself
    merges sums, products, nested linear functions and exp(x + 1.5). Valid over the reals wherever the
    original is.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> canonical(3.0 * (2.0 * x + 3.0) ** 2)
    12.0*(x + 1.5)**2
    """
    if not expr.args:
        return expr
    arguments = [canonical(argument) for argument in expr.args]
    if isinstance(expr, Mul):
        return _product(arguments)
    rebuilt = expr.func(*arguments)
    if not rebuilt.free_symbols:
        return rebuilt
    if isinstance(rebuilt, Pow) and rebuilt.exp.is_number and not isinstance(rebuilt.base, Symbol):
        exponent = rebuilt.exp
        factor, rest = _scale(rebuilt.base, keep_sign=not exponent.is_Integer)
        front = _power(float(factor), float(exponent))
        return _checked(Float(front) * rest**exponent, rebuilt) if factor != 1 and front != 0.0 else rebuilt
    if isinstance(rebuilt, sympy.log):
        factor, rest = _scale(rebuilt.args[0], keep_sign=True)
        return _checked(sympy.log(rest) + Float(math.log(factor)), rebuilt) if factor != 1 else rebuilt
    if isinstance(rebuilt, (sympy.Abs, sympy.sign)):
        factor, rest = _scale(rebuilt.args[0], keep_sign=True)
        if factor != 1:
            return rebuilt.func(rest) * (factor if isinstance(rebuilt, sympy.Abs) else 1)
    return rebuilt


def _product(factors: list[Expr]) -> Expr:
    """Product with the scale of every factor that is a sum taken out, and put in front."""
    if sum(not factor.is_number for factor in factors) < 2:
        return Mul(*factors)
    front: Expr = sympy.S.One
    rest: list[Expr] = []
    for factor in factors:
        scale, remainder = _scale(factor, keep_sign=False) if isinstance(factor, Add) else (sympy.S.One, factor)
        front, rest = front * scale, [*rest, remainder]
    body = Mul(*rest)
    coefficient, body = body.as_coeff_Mul()
    front = front * coefficient
    # unevaluated: SymPy would multiply the number back into the first sum
    return Mul(front, *Mul.make_args(body), evaluate=False) if front != 1 else body


def _checked(result: Expr, otherwise: Expr) -> Expr:
    """The result unless a number in it overflowed or vanished."""
    numbers = [float(number) for number in result.atoms(Float)]
    return result if all(math.isfinite(number) and number != 0.0 for number in numbers) else otherwise


def _power(base: float, exponent: float) -> float:
    """The power, or 0 where it is beyond a double's range."""
    try:
        return base**exponent
    except OverflowError:
        return 0.0


def _scale(expr: Expr, keep_sign: bool) -> tuple[Expr, Expr]:
    """(k, rest) with expr = k*rest and rest free of a fitted scale; k > 0 when the sign must stay."""
    factor, rest = _split(expr, keep_sign)
    # SymPy's numbers go on where a double overflows or vanishes: such a scale stays where it is.
    return (factor, rest) if 0.0 < abs(float(factor)) < math.inf else (sympy.S.One, expr)


def _split(expr: Expr, keep_sign: bool) -> tuple[Expr, Expr]:
    if isinstance(expr, Mul):
        coefficient, rest = expr.as_coeff_Mul()
        if not isinstance(coefficient, Float):
            return sympy.S.One, expr
        return (-coefficient, -rest) if keep_sign and coefficient < 0 else (coefficient, rest)
    if not isinstance(expr, Add):
        return sympy.S.One, expr
    parts = [term.as_coeff_Mul() for term in expr.as_ordered_terms()]
    varying = [(coefficient, rest) for coefficient, rest in parts if not rest.is_number]
    if not varying or any(not isinstance(coefficient, Float) for coefficient, _ in parts):
        return sympy.S.One, expr  # an exact coefficient fixes the scale already
    factor = varying[0][0]
    if keep_sign:
        factor = abs(factor)
    terms = []
    for coefficient, rest in parts:
        ratio = coefficient / factor
        terms.append((Integer(int(ratio)) if coefficient in (factor, -factor) else ratio) * rest)
    return factor, Add(*terms)
