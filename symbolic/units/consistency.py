"""Whether a formula agrees with the units: sums of like terms, functions of pure numbers, the output's own unit.

A fitted constant may carry a dimension of its own; it is then an unknown vector of exponents, and the formula is
consistent when all its sums, functions and its output can be right at once (Kennedy 1996, *Relational Parametricity and
Units of Measure*, unifies units so).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Add, Expr, Float, Mul, Pow, Symbol

from kanlib.errors import FormulaError, InputError

from ..formula import Formula
from ..printing import print_text
from .table import Dimension, Units, as_fraction

__all__ = ["Consistency", "check", "dimension_of"]

_ZERO = Fraction(0)


@dataclass(frozen=True)
class Consistency:
    """Whether a formula agrees with the units.

    Attributes
    ----------
    consistent : bool
    reason : which part does not agree, and why; "" where all agree.
    dimensions : (constant, exponents (k,) of the base dimensions) of the fitted constants, None where the units leave
        it open.
    units : that the formula was held against.
    """

    consistent: bool
    reason: str = ""
    dimensions: tuple[tuple[Expr, Dimension | None], ...] = ()
    units: Units | None = None

    def __bool__(self) -> bool:
        return self.consistent

    @property
    def constants(self) -> tuple[tuple[str, str], ...]:
        """The dimensions for people: (constant, text) by name, such as ("g", "length/time**2"), "any" where open."""
        if self.units is None:
            return ()
        texts = ((key, "any" if found is None else self.units.text(found)) for key, found in self.dimensions)
        return tuple(sorted((print_text(key), text) for key, text in texts))


@dataclass(frozen=True)
class _Form:
    """A dimension with unknowns: a vector, plus multiples of the unknown vectors of constants."""

    vector: Dimension
    unknown: tuple[tuple[Expr, Fraction], ...] = ()

    def plus(self, other: _Form, factor: Fraction = Fraction(1)) -> _Form:
        total = dict(self.unknown)
        for key, multiple in other.unknown:
            total[key] = total.get(key, _ZERO) + factor * multiple
        vector = tuple(a + factor * b for a, b in zip(self.vector, other.vector, strict=True))
        return _Form(vector, tuple((key, multiple) for key, multiple in total.items() if multiple))


class _Walk:
    """Dimensions of the parts of one expression, and what they demand of its constants."""

    def __init__(self, units: Units, symbols: Sequence[Symbol], values: Mapping[Symbol, Any], free: bool) -> None:
        if len(symbols) != len(units.names):
            raise InputError(f"Got {len(symbols)} symbols and units of {len(units.names)} columns; expected as many.")
        self.units, self.values, self.free = units, values, free
        self.one = _Form((_ZERO,) * len(units.base))
        self.known: dict[Expr, _Form] = {s: _Form(units.column(index)) for index, s in enumerate(symbols)}
        self.columns = set(symbols)
        self.solved: dict[Expr, _Form] = {}

    def resolved(self, form: _Form) -> _Form:
        while any(key in self.solved for key, _ in form.unknown):
            rest = _Form(form.vector, tuple(pair for pair in form.unknown if pair[0] not in self.solved))
            for key, multiple in form.unknown:
                if key in self.solved:
                    rest = rest.plus(self.solved[key], multiple)
            form = rest
        return form

    def equal(self, a: _Form, b: _Form) -> bool:
        """Demand that two dimensions are the same; False where no choice of the constants makes them so."""
        rest = self.resolved(a.plus(b, Fraction(-1)))
        if not rest.unknown:
            return rest == self.one
        key, multiple = rest.unknown[0]
        others = _Form(rest.vector, rest.unknown[1:])
        self.solved[key] = self.one.plus(others, -1 / multiple)
        return True

    def text(self, form: _Form) -> str:
        form = self.resolved(form)
        constants = "".join(f" and a power of {print_text(key, 4)}" for key, _ in form.unknown)
        return f"dimension {self.units.text(form.vector)}{constants}" if form != self.one else "no dimension"

    def visit(self, expr: Expr) -> _Form:
        if expr not in self.known:
            self.known[expr] = self.build(expr)
        return self.known[expr]

    def build(self, expr: Expr) -> _Form:
        if isinstance(expr, Symbol) or not expr.free_symbols:
            fitted = isinstance(expr, Symbol) or expr.has(Float)
            return _Form(self.one.vector, ((expr, Fraction(1)),)) if fitted and self.free else self.one
        if isinstance(expr, (Add, sympy.Max, sympy.Min, sympy.atan2)):
            self.alike(expr)
            return self.one if isinstance(expr, sympy.atan2) else self.visit(expr.args[0])
        if isinstance(expr, Mul):
            total = self.one
            for factor in expr.args:
                total = total.plus(self.visit(factor))
            return total
        if isinstance(expr, Pow):
            return self.power(expr)
        if isinstance(expr, (sympy.Abs, sympy.sign)):
            inside = self.visit(expr.args[0])
            return inside if isinstance(expr, sympy.Abs) else self.one
        for argument in expr.args:
            self.pure(argument, f"the argument of {expr.func.__name__}", expr)
        return self.one

    def alike(self, expr: Expr) -> None:
        first = expr.args[0]
        for other in expr.args[1:]:
            if not self.equal(self.visit(first), self.visit(other)):
                a, b = print_text(first, 4), print_text(other, 4)
                raise FormulaError(
                    f"{a} has {self.text(self.visit(first))}, {b} has {self.text(self.visit(other))}; they cannot be "
                    f"added or compared in {print_text(expr, 4)}."
                )

    def pure(self, part: Expr, role: str, whole: Expr) -> None:
        if not self.equal(self.visit(part), self.one):
            raise FormulaError(
                f"{print_text(part, 4)}, {role} in {print_text(whole, 4)}, has {self.text(self.visit(part))}; it must "
                "be a pure number."
            )

    def power(self, expr: Expr) -> _Form:
        base, exponent = expr.args
        number = exponent.xreplace(dict(self.values))
        if number.is_number and number.is_real:
            return self.one.plus(self.visit(base), as_fraction(number))
        self.pure(exponent, "an exponent", expr)
        if self.free and not exponent.free_symbols & self.columns:
            inside = self.resolved(self.visit(base))
            # x**c with c not known: some dimension, which a constant in front can make up for
            return self.one if inside == self.one else _Form(self.one.vector, ((expr, Fraction(1)),))
        self.pure(base, "a base with a variable exponent", expr)
        return self.one


def dimension_of(
    expr: Expr, units: Units, symbols: Sequence[Symbol], *, free_constants: bool = False
) -> Dimension | None:
    """The dimension of an expression.

    Terms of a sum must agree, a power multiplies by its exponent, all functions but Abs take and give pure numbers.

    Parameters
    ----------
    expr : in the ``symbols``; any further symbol is a fitted constant, as is a Float.
    symbols : symbol j is column j of ``units``.
    free_constants : fitted constants may have any dimension, each one; otherwise they are pure numbers. Exact numbers
        (2, pi) and exponents are always pure.

    Returns
    -------
    Dimension, or None where constants leave it open.

    Raises
    ------
    FormulaError
        The expression is not consistent; the message names the part.

    Examples
    --------
    >>> x, t = sympy.symbols("x t", real=True)
    >>> units = Units.parse(["m", "s"], "m/s")
    >>> units.text(dimension_of(sympy.sqrt(x) / t, units, (x, t)))
    'sqrt(length)/time'
    >>> dimension_of(x + t, units, (x, t))
    Traceback (most recent call last):
    kanlib.errors.FormulaError: t has dimension time, x has dimension length; they cannot be added or compared in t + x.
    """
    walk = _Walk(units, symbols, {}, free_constants)
    form = walk.resolved(walk.visit(sympy.sympify(expr, strict=True)))
    return None if form.unknown else form.vector


def check(
    formula: Formula | Expr, units: Units, symbols: Sequence[Symbol] = (), *, free_constants: bool = False
) -> Consistency:
    """Whether a formula agrees with the units of the inputs and gives the unit of the output.

    Parameters
    ----------
    formula : a `Formula`, or an expression as in `dimension_of`.
    symbols : the columns; those of the formula by default.

    Examples
    --------
    >>> x, t, g = sympy.symbols("x t g", real=True)
    >>> units = Units.parse({"t": "s"}, "m")
    >>> check(g * t**2, units, (t,)).reason
    'g*t**2 has dimension time**2; the output has dimension length.'
    >>> check(g * t**2, units, (t,), free_constants=True).constants
    (('g', 'length/time**2'),)
    """
    if isinstance(formula, Formula):
        symbols = tuple(symbols) or formula.symbols
        expr, values = formula.form, {s: sympy.sympify(value) for s, value in formula.values.items()}
    else:
        expr, values = sympy.sympify(formula, strict=True), {}
    walk = _Walk(units, symbols, values, free_constants)
    try:
        form = walk.visit(expr)
    except FormulaError as error:
        return Consistency(False, str(error))
    if not walk.equal(form, _Form(units.output)):
        return Consistency(
            False, f"{print_text(expr, 4)} has {walk.text(form)}; the output has {walk.text(_Form(units.output))}."
        )
    fitted = [key for key, found in walk.known.items() if found.unknown == ((key, Fraction(1)),) and not key.args]
    forms = [(key, walk.resolved(walk.known[key])) for key in fitted]
    return Consistency(True, "", tuple((key, None if form.unknown else form.vector) for key, form in forms), units)
