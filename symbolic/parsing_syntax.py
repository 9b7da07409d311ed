"""The syntax tree of a formula's text to a SymPy expression: what a formula may hold, and the walk that builds it.

Numbers are worked out in floats beside SymPy, one step ahead of it. So what has no finite real value (``1/0``,
``sqrt(-1)``, ``9**9**9``) is refused before SymPy, which is exact and would take for ever, is asked.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from collections.abc import Callable, Mapping
from typing import NamedTuple

import sympy
from sympy import Add, Expr, Float, Integer, Mul, Symbol
from sympy.core.parameters import distribute

from kanlib.errors import FormulaError
from kanlib.plain import short

__all__ = ["CONSTANTS", "FUNCTIONS", "Builder", "Value"]

_MAX_DEPTH = 120
_MAX_TOWER = 30  # of ** within each other: SymPy's questions about signs take several times as long for every ten more
_MAX_POWER = 10_000  # of a whole exponent
_MAX_BITS = 1_100  # of the exact numbers a power could make: floats end at 1024


class Value(NamedTuple):
    """A part of the formula, and its value when it holds no column."""

    expr: Expr
    number: float | None


FUNCTIONS: dict[str, tuple[Callable[[Expr], Expr], Callable[[float], float]]] = {
    "exp": (sympy.exp, math.exp),
    "log": (sympy.log, math.log),
    "ln": (sympy.log, math.log),
    "sqrt": (sympy.sqrt, math.sqrt),
    "sin": (sympy.sin, math.sin),
    "cos": (sympy.cos, math.cos),
    "tan": (sympy.tan, math.tan),
    "cot": (sympy.cot, lambda u: 1 / math.tan(u)),
    "sec": (sympy.sec, lambda u: 1 / math.cos(u)),
    "csc": (sympy.csc, lambda u: 1 / math.sin(u)),
    "asin": (sympy.asin, math.asin),
    "acos": (sympy.acos, math.acos),
    "atan": (sympy.atan, math.atan),
    "sinh": (sympy.sinh, math.sinh),
    "cosh": (sympy.cosh, math.cosh),
    "tanh": (sympy.tanh, math.tanh),
    "coth": (sympy.coth, lambda u: 1 / math.tanh(u)),
    "asinh": (sympy.asinh, math.asinh),
    "acosh": (sympy.acosh, math.acosh),
    "atanh": (sympy.atanh, math.atanh),
    "Abs": (sympy.Abs, abs),
    "abs": (sympy.Abs, abs),
    "sign": (sympy.sign, lambda u: math.copysign(1.0, u) if u else 0.0),
    "erf": (sympy.erf, math.erf),
}
CONSTANTS = {"pi": Value(sympy.pi, math.pi), "E": Value(sympy.E, math.e)}
_ADVICE = {ast.BitXor: "a power is written x**2", ast.FloorDiv: "a quotient is written x/y"}


class Builder:
    """Walks the syntax tree; every kind of node that a formula may hold has its branch, the rest is refused."""

    def __init__(self, text: str, columns: Mapping[str, Symbol | Value]) -> None:
        self.text, self.columns = text, columns

    def build(self, node: ast.expr, depth: int = 0, tower: int = 0) -> Value:
        """What a node stands for; depth and tower are the levels, and the powers, that it lies within."""
        if depth > _MAX_DEPTH or tower > _MAX_TOWER:
            levels = f"{_MAX_DEPTH} levels" if depth > _MAX_DEPTH else f"{_MAX_TOWER} powers within each other"
            raise FormulaError(f"{short(self.text)!r} is nested deeper than {levels}; write it in parts.")
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            value = self.build(node.operand, depth + 1, tower)
            return value if isinstance(node.op, ast.UAdd) else self._apply(node, operator.neg, operator.neg, value)
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth, tower)
        if isinstance(node, ast.Call):
            return self._call(node, depth, tower)
        raise self._error(node, "expected numbers, columns, + - * / **, parentheses and functions: take it out")

    def _number(self, node: ast.Constant) -> Value:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._error(node, "expected a number such as 2 or 0.5")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self._error(node, "expected numbers below 1.8e308")
        return Value(Integer(value) if isinstance(value, int) else Float(value), number)

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.columns:
            found = self.columns[node.id]
            return found if isinstance(found, Value) else Value(found, None)
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        if node.id in FUNCTIONS:
            raise self._error(node, f"expected its argument: {node.id}(...)")
        known = list(self.columns)
        shown = f"{', '.join(known[:20])}{', ...' if len(known) > 20 else ''}" if known else "none"
        raise self._error(node, f"expected a column ({shown}), pi or E" + _nearest(node.id, [*known, *CONSTANTS]))

    def _operation(self, node: ast.BinOp, depth: int, tower: int) -> Value:
        if isinstance(node.op, ast.Pow):
            base, exponent = (self.build(part, depth + 1, tower + 1) for part in (node.left, node.right))
            return self._power(node, base, exponent)
        kind = next((kind for kind in ((ast.Add, ast.Sub), (ast.Mult, ast.Div)) if isinstance(node.op, kind)), None)
        if kind is None:
            raise self._error(node, f"expected + - * / **: {_ADVICE.get(type(node.op), 'take it out')}")
        # Python nests a long sum to the left; it is one level here.
        chain: list[ast.BinOp] = [node]
        while isinstance(left := chain[-1].left, ast.BinOp) and isinstance(left.op, kind):
            chain.append(left)
        first = self.build(chain[-1].left, depth + 1, tower)
        links = [(link, self.build(link.right, depth + 1, tower)) for link in reversed(chain)]
        return self._sum(node, first, links) if kind[0] is ast.Add else self._product(node, first, links)

    def _sum(self, node: ast.BinOp, first: Value, links: list[tuple[ast.BinOp, Value]]) -> Value:
        terms = [first]
        for link, term in links:
            minus = isinstance(link.op, ast.Sub)
            terms.append(self._apply(link, operator.neg, operator.neg, term) if minus else term)
        return self._apply(node, Add, lambda *numbers: math.fsum(numbers), *terms)

    def _product(self, node: ast.BinOp, first: Value, links: list[tuple[ast.BinOp, Value]]) -> Value:
        """Numbers one after the other, as they are written; the rest at once, since SymPy sorts every product anew."""
        number, factors = Value(Integer(1), 1.0), []
        for link, factor in [(None, first), *links]:
            divided = link is not None and isinstance(link.op, ast.Div)
            if factor.expr.is_Number:
                step = operator.truediv if divided else operator.mul
                number = self._apply(link or node, step, step, number, factor)
            elif divided:
                factors.append(self._apply(link or node, lambda u: 1 / u, lambda u: 1 / u, factor))
            else:
                factors.append(factor)
        return self._apply(node, Mul, lambda *numbers: math.prod(numbers), number, *factors)

    def _power(self, node: ast.BinOp, base: Value, exponent: Value) -> Value:
        if exponent.number is not None and base.expr not in (0, 1, -1) and not isinstance(base.expr, Float):
            self._in_proportion(node, base.expr, abs(exponent.number))
        self._logarithms(node, exponent.expr, base.expr)
        return self._apply(node, _distributed(operator.pow), math.pow, base, exponent)

    def _in_proportion(self, node: ast.expr, base: Expr, power: float) -> None:
        """Refuse a power that makes exact numbers beyond all floats; SymPy would work out every digit.

        A power is taken of each factor of a product, and of the base of a power; a sum stays as it is.
        """
        bits = 0
        for factor in Mul.make_args(base):
            if isinstance(factor, sympy.Rational):
                bits = max(abs(factor.p).bit_length() - 1, factor.q.bit_length() - 1)
            elif isinstance(factor, sympy.Pow) and factor.exp.is_number:
                self._in_proportion(node, factor.base, power * abs(float(factor.exp)))
        if power > _MAX_POWER or (power > 1 and bits * power > _MAX_BITS):
            advice = f"expected powers up to {_MAX_POWER}, and of short numbers: write the value as a decimal"
            raise self._error(node, advice)

    def _logarithms(self, node: ast.expr, exponent: Expr, base: Expr) -> None:
        """Refuse exp(10**7*log(3*x)), which SymPy takes for the power it is, and 2**(10**7*log(3*x)/log(2)).

        It does so where a term of the exponent is a number times one logarithm, and nowhere else.
        """
        for term in Add.make_args(exponent):
            factors = Mul.make_args(term)
            logarithms = [factor for factor in factors if isinstance(factor, sympy.log)]
            if len(logarithms) == 1:
                power = Mul(*[factor for factor in factors if factor is not logarithms[0]], sympy.log(base))
                if power.is_number and power.is_extended_real:  # a zero or negative base has no logarithm
                    self._in_proportion(node, logarithms[0].args[0], abs(float(power)))

    def _call(self, node: ast.Call, depth: int, tower: int) -> Value:
        if not isinstance(node.func, ast.Name):
            raise self._error(node, "expected a function by its name, such as exp(x); a product is written 2*(x + 1)")
        name = node.func.id
        if name not in FUNCTIONS:
            if name in self.columns or name in CONSTANTS:
                raise self._error(node, f"{name} is no function: a product is written {name}*(...)")
            known = ", ".join(FUNCTIONS)
            raise self._error(node, f"expected one of the functions {known}" + _nearest(name, list(FUNCTIONS)))
        if len(node.args) != 1 or node.keywords:
            raise self._error(node, f"expected one argument: {name}(x)")
        function, numeric = FUNCTIONS[name]
        argument = self.build(node.args[0], depth + 1, tower)
        if function is sympy.exp:
            self._logarithms(node, argument.expr, sympy.E)
        return self._apply(node, _distributed(function), numeric, argument)

    def _apply(
        self, node: ast.expr, symbolic: Callable[..., Expr], numeric: Callable[..., float], *values: Value
    ) -> Value:
        """One step, in numbers first where all are known: what has no finite real value never reaches SymPy."""
        numbers = [value.number for value in values if value.number is not None]
        number = None
        if len(numbers) == len(values):
            try:
                number = numeric(*numbers)
            except (ArithmeticError, ValueError):
                number = math.nan
            if not math.isfinite(number) or (number == 0.0 and numeric is math.pow and numbers[0] != 0.0):
                raise self._error(node, "expected parts with a finite real value: leave it out or write its value")
        return Value(symbolic(*[value.expr for value in values]), number)

    def _error(self, node: ast.expr, advice: str) -> FormulaError:
        part = ast.get_source_segment(self.text, node) or self.text
        return FormulaError(f"The formula has {short(part)!r}; {advice}{'' if advice.endswith('?') else '.'}")


def _distributed(function: Callable[..., Expr]) -> Callable[..., Expr]:
    """The function as SymPy has it, with sums in its argument multiplied out where its own rules ask for that.

    cos(-x - 1) is cos of the negative argument to SymPy. Without multiplying out, that is -(-x - 1), whose negative it
    takes next, and so on for ever.
    """

    def apply(*arguments: Expr) -> Expr:
        with distribute(True):
            return function(*arguments)

    return apply


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {found[0]}?" if found else ""
