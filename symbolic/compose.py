"""From a network whose edges are primitives to one expression with the fewest constants that say the same.

Every edge brings four or five constants, and most combinations of them are redundant: in c*(a*x + b)**2 the
scale a can move into c, biases of several edges add up to one. Standard errors mean nothing before such
gauges are fixed. It is done in two steps: SymPy merges numbers while the expression is built from floats
(`canonical`), and what is left is found numerically, as a Jacobian without full rank, and fixed at 0, 1 or -1
(`reduce_parameters`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Add, Expr, Float, Integer, Mul, Pow, Symbol

from kanlib.errors import FormulaError, InputError
from kanlib.primitives import PRIMITIVES

from .constants import covariance_matrix, refit
from .library import LIBRARY
from .tape import compile_tape

if TYPE_CHECKING:
    from kanlib.network import KAN

__all__ = ["canonical", "network_expression", "parametrize", "reduce_parameters"]

Array = NDArray[np.float64]


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
    (c1*(c2 + x)**2 + c3, {c1: 2.0, c2: 1.5, c3: 0.25})
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
    """Move numeric factors out of powers, logarithms and absolute values, where they merge with those
    outside.

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
        return _checked(Float(float(factor) ** float(exponent)) * rest**exponent, rebuilt) if factor != 1 else rebuilt
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


def _scale(expr: Expr, keep_sign: bool) -> tuple[Expr, Expr]:
    """(k, rest) with expr = k*rest and rest free of a fitted scale; k > 0 when the sign must stay."""
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


def parametrize(expr: Expr, reserved: Iterable[Symbol] = (), *, exact: bool = False) -> tuple[Expr, dict[Symbol, Any]]:
    """Replace every Float by a constant c1, c2, ..., named in reading order; exact numbers are structure.

    Equal floats become one constant: in u*log(u) the same a and b stand twice.

    Parameters
    ----------
    expr : expression with numbers in.
    reserved : symbols whose names must not be used.
    exact : name exact numbers too (2, 3/2, pi, 2*pi), all but 1, -1, integer exponents and square roots.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> parametrize(2.5 * x**2 / (0.5 + x))
    (c1*x**2/(c2 + x), {c1: 2.5, c2: 0.5})
    >>> parametrize(sympy.sin(2 * sympy.pi * x), exact=True)
    (sin(c1*x), {c1: 2*pi})
    """
    taken = {symbol.name for symbol in reserved} | {symbol.name for symbol in expr.free_symbols}
    found: dict[Symbol, Any] = {}
    marked = _mark(expr, found, {}, exact)
    if not found:
        return expr, {}
    # Printed once with marks, to see in which order the constants are read.
    read = dict.fromkeys(re.findall(r"mark_\d+_", str(marked)))
    by_name = {mark.name: mark for mark in found}
    names: dict[Symbol, Symbol] = {}
    index = 0
    for name in read:
        index += 1
        while f"c{index}" in taken:
            index += 1
        names[by_name[name]] = Symbol(f"c{index}", real=True)
    return marked.xreplace(names), {symbol: found[mark] for mark, symbol in names.items()}


def _mark(expr: Expr, found: dict[Symbol, Any], floats: dict[float, Symbol], exact: bool) -> Expr:
    """The expression with marks for its numbers; ``found`` collects mark -> number."""
    if not expr.free_symbols:
        if expr.has(Float):
            value = float(expr)
            if value not in floats:
                floats[value] = _new_mark(found, value)
            return floats[value]
        return _new_mark(found, expr) if exact and expr not in (0, 1, -1) else expr
    if not expr.args:
        return expr
    if isinstance(expr, Pow) and (expr.exp.is_Integer or abs(expr.exp) == sympy.S.Half):
        return _mark(expr.base, found, floats, exact) ** expr.exp
    arguments = expr.args
    if isinstance(expr, (Add, Mul)):
        # numbers side by side are one constant: 2*pi
        numbers = [argument for argument in arguments if not argument.free_symbols]
        if len(numbers) > 1:
            arguments = (expr.func(*numbers), *[argument for argument in arguments if argument.free_symbols])
    return expr.func(*[_mark(argument, found, floats, exact) for argument in arguments])


def _new_mark(found: dict[Symbol, Any], value: Any) -> Symbol:
    mark = Symbol(f"mark_{len(found)}_", real=True)
    found[mark] = value
    return mark


def reduce_parameters(
    structure: Expr,
    values: Mapping[Symbol, float],
    symbols: Sequence[Symbol],
    X: Array,
    *,
    tolerance: float = 1e-8,
) -> tuple[Expr, dict[Symbol, float]]:
    """Fix redundant constants, so that the Jacobian has full rank and every standard error is finite.

    While the constants are not all determined by the formula's own values on X, one of the redundant ones is
    set to 0, 1 or -1 and the others are refitted to the values the formula had; when none of these works it
    is kept at its current value. The formula's values do not change (to ``tolerance``, relative to their
    spread).

    Parameters
    ----------
    structure, values : as from `network_expression`.
    symbols : symbol k is column k of X.
    X : (n, d) float table.

    Returns
    -------
    structure, values : with fewer constants.

    Examples
    --------
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> reduce_parameters(a * b * x, {a: 2.0, b: 3.0}, (x,), np.array([[1.0], [2.0], [3.0]]))
    (b*x, {b: 6.0})
    """
    values = dict(values)
    if not values:
        return structure, values
    inputs = tuple(symbols)
    start = compile_tape(structure, inputs, tuple(values)).bind(X).value(np.array(list(values.values())))
    rows = np.isfinite(start)
    table, target = X[rows], start[rows]
    if not len(table):
        return structure, values
    limit = tolerance * max(float(np.std(target)), 1e-12 * float(np.max(np.abs(target))), 1e-300)
    while values:
        loose = _redundant(structure, values, inputs, table)
        if not loose:
            break
        structure, values = _fix_one(structure, values, loose, inputs, table, target, limit)
    return structure, values


def _redundant(structure: Expr, values: Mapping[Symbol, float], symbols: tuple[Symbol, ...], X: Array) -> list[Symbol]:
    bound = compile_tape(structure, symbols, tuple(values)).bind(X)
    bound.value(np.array(list(values.values())))
    covariance, rank = covariance_matrix(np.nan_to_num(bound.jacobian_rows()).T, 1.0)
    if rank == len(values):
        return []
    return [symbol for symbol, variance in zip(values, np.diag(covariance), strict=True) if not np.isfinite(variance)]


def _fix_one(
    structure: Expr,
    values: dict[Symbol, float],
    loose: Sequence[Symbol],
    symbols: tuple[Symbol, ...],
    X: Array,
    target: Array,
    limit: float,
) -> tuple[Expr, dict[Symbol, float]]:
    """Fix one of the redundant constants: 0 wherever that works, else its sign, else the other sign."""
    trials = [(symbol, 0) for symbol in loose]
    trials += [(symbol, 1 if values[symbol] > 0 else -1) for symbol in loose]
    trials += [(symbol, -1 if values[symbol] > 0 else 1) for symbol in loose]
    for symbol, value in trials:
        smaller = structure.xreplace({symbol: Integer(value)})
        # a constant may vanish together with the fixed one
        rest = {s: v for s, v in values.items() if s != symbol and s in smaller.free_symbols}
        if smaller.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
            continue
        fit = refit(smaller, tuple(rest), symbols, X, target, list(rest.values()))
        if np.isfinite(fit.rss) and fit.rmse <= limit:
            return smaller, dict(zip(rest, map(float, fit.values), strict=True))
    symbol = loose[-1]
    fixed = structure.xreplace({symbol: Float(values[symbol])})
    return fixed, {s: v for s, v in values.items() if s != symbol and s in fixed.free_symbols}
