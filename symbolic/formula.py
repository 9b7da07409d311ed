"""A formula as an immutable record: an expression, its constants with errors, and the columns it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from kanlib.errors import FormulaError, InputError

from .columns import formula_table
from .printing import (
    count_nodes,
    format_value,
    latex_name,
    print_latex,
    print_python,
    print_text,
    round_to_error,
)
from .record import from_record, to_record
from .tape import evaluate

__all__ = ["Constant", "Formula"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Constant:
    """One constant of a formula.

    Attributes
    ----------
    symbol : its name in ``formula.structure``.
    value : as a float.
    standard_error : None for an exact constant; NaN where the data leave no degree of freedom; inf where
        they do not determine it.
    exact : the exact value as text SymPy parses ("2", "pi/2"), None for a fitted one.
    """

    symbol: str
    value: float
    standard_error: float | None
    exact: str | None

    def __str__(self) -> str:
        number = self.exact if self.exact is not None else format_value(self.value, self.standard_error)
        return f"{self.symbol} = {number}"


@dataclass(frozen=True, eq=False)
class Formula:
    """A closed formula of the columns of a table, with its constants.

    Parameters
    ----------
    structure : SymPy expression in the input symbols and the constants' symbols.
    values : constant symbol -> a float (fitted) or an exact SymPy number (Integer, Rational, pi, ...), in
        order.
    symbols : one symbol per column of the table, in the table's order, used by the formula or not.
    names : the column names; the symbols' names by default.
    covariance : (p, p) of the p fitted constants, in the order they have in ``values``.
    dof, residual_std : degrees of freedom and residual standard error of the fit.
    relative_errors : whether the errors were taken to be proportional to the value; then ``residual_std`` is relative.
    target : name of what the formula gives.

    Two formulas are equal when they have the same expression, columns and target.

    Examples
    --------
    >>> c1, s = sympy.symbols("c1 s", real=True)
    >>> f = Formula(c1 * s**2, {c1: 2.5}, (s,), names=("speed [m/s]",))
    >>> print(f)
    2.5*s**2
    >>> f.predict([[2.0]]).tolist()
    [10.0]
    >>> f.symbols_map
    {'s': 'speed [m/s]'}
    """

    structure: Expr
    values: Mapping[Symbol, Any]
    symbols: tuple[Symbol, ...]
    names: tuple[str, ...] = ()
    covariance: Array | None = None
    dof: int | None = None
    residual_std: float | None = None
    relative_errors: bool = False
    target: str = "y"

    def __post_init__(self) -> None:
        structure = sympy.sympify(self.structure, strict=True)
        values = {
            symbol: value if isinstance(value, Expr) and not isinstance(value, sympy.Float) else float(value)
            for symbol, value in self.values.items()
        }
        symbols = tuple(self.symbols)
        names = tuple(str(name) for name in self.names) or tuple(symbol.name for symbol in symbols)
        if len(names) != len(symbols) or len(set(symbols)) != len(symbols):
            raise InputError(
                f"A formula got {len(symbols)} symbols and {len(names)} names; expected one each per column."
            )
        unknown = structure.free_symbols - set(symbols) - set(values)
        if unknown:
            raise FormulaError(
                f"The formula has symbols {sorted(map(str, unknown))} that are neither columns nor constants; "
                "add them to symbols or give them a value."
            )
        fitted = [value for value in values.values() if isinstance(value, float)]
        if not all(np.isfinite(fitted)):
            raise FormulaError(f"The constants {fitted} are not all finite; refit the formula from another start.")
        covariance = None if self.covariance is None else np.array(self.covariance, dtype=np.float64)
        if covariance is not None and covariance.shape != (len(fitted), len(fitted)):
            raise InputError(
                f"The covariance has shape {covariance.shape}; expected {(len(fitted), len(fitted))}, "
                "one row per fitted constant."
            )
        if covariance is not None:
            covariance.setflags(write=False)
        for name, value in {
            "structure": structure,
            "values": values,
            "symbols": symbols,
            "names": names,
            "covariance": covariance,
        }.items():
            object.__setattr__(self, name, value)

    @cached_property
    def expr(self) -> Expr:
        """The formula with all numbers in: fitted constants as Float, exact ones exact."""
        numbers = {s: sympy.Float(v) if isinstance(v, float) else v for s, v in self.values.items()}
        return self.structure.xreplace(numbers)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """Every constant with its standard error (fitted) or its exact text."""
        errors = iter([] if self.covariance is None else np.sqrt(np.diag(self.covariance)).tolist())
        found = []
        for symbol, value in self.values.items():
            if isinstance(value, float):
                found.append(Constant(symbol.name, value, next(errors, float("nan")), None))
            else:
                found.append(Constant(symbol.name, float(value), None, print_text(value)))
        return tuple(found)

    @property
    def fitted(self) -> tuple[Symbol, ...]:
        """The constants that were fitted, not recognised as exact."""
        return tuple(symbol for symbol, value in self.values.items() if isinstance(value, float))

    @property
    def complexity(self) -> int:
        """Number of nodes: leaves, operators and functions."""
        return count_nodes(self.expr)

    @property
    def symbols_map(self) -> dict[str, str]:
        """``{symbol: column name}`` for the columns whose name a formula cannot carry as it is."""
        return {s.name: name for s, name in zip(self.symbols, self.names, strict=True) if s.name != name}

    @property
    def used(self) -> tuple[int, ...]:
        """Indices of the columns the formula reads."""
        present = self.expr.free_symbols
        return tuple(index for index, symbol in enumerate(self.symbols) if symbol in present)

    def predict(self, X: ArrayLike | Any) -> Array:
        """Values of the formula.

        Parameters
        ----------
        X : (n, d) array with the columns the formula was made for, in their order, or a data frame, whose
            columns are taken by name; columns the formula does not read may be missing there.

        Returns
        -------
        (n,) float64. NaN in rows where an input is NaN, and in rows outside the formula's real domain (the
        log of a negative number, say); infinite at a pole. No warning is given: ``np.isfinite`` tells.

        Raises
        ------
        InputError
            Another shape, or a missing column.
        InputTypeError
            Values that are not real numbers.
        """
        return evaluate(self.expr, self.symbols, formula_table(X, self.names, self.used))

    def latex(self, digits: int = 4) -> str:
        """LaTeX of the right-hand side, floats rounded to ``digits`` significant digits.

        Column names that SymPy cannot carry appear as themselves: ``beta`` as a greek letter, ``mass [kg]``
        upright.
        """
        names = {
            symbol: latex_name(symbol.name, name)
            for symbol, name in zip(self.symbols, self.names, strict=True)
            if symbol.name != name
        }
        return print_latex(self.expr, digits, names)

    def to_python(self, function_name: str = "formula") -> str:
        """Source text of a NumPy function of the columns the formula reads, for pasting elsewhere.

        Its arguments are the symbols in the order of the table; the docstring names the columns. It needs
        NumPy only.
        """
        if not function_name.isidentifier():
            raise InputError(f"function_name is {function_name!r}; expected a Python identifier such as 'formula'.")
        arguments = [self.symbols[index] for index in self.used]
        where = "".join(
            f"; {s} is {name!r}" for s, name in self.symbols_map.items() if Symbol(s, real=True) in arguments
        )
        text = " ".join(f"{self.target} = {self.text()}{where}".split())
        return print_python(self.expr, arguments, function_name, f"{text} (found by kanlib).")

    def text(self, digits: int = 4) -> str:
        """The formula with every fitted constant rounded to the digits its standard error supports.

        For reading; ``str`` keeps every digit. Constants without a standard error get ``digits`` significant
        digits.
        """
        errors = {constant.symbol: constant.standard_error for constant in self.constants}
        rounded = {
            symbol: sympy.Float(round_to_error(value, errors[symbol.name], digits))
            if isinstance(value, float)
            else value
            for symbol, value in self.values.items()
        }
        return print_text(self.structure.xreplace(rounded), digits=12)

    def summary(self) -> str:
        """A table for people: the formula, its constants with standard errors, and how well it was measured."""
        lines = [f"{self.target} = {self.text()}"]
        constants = [constant for constant in self.constants if constant.exact is None]
        if constants:
            lines.append(f"{' ' * len(self.target)} = {print_text(self.form)}")
            width = max(len(constant.symbol) for constant in constants)
            lines += [
                f"  {constant.symbol:<{width}} = {format_value(constant.value, constant.standard_error)}"
                for constant in constants
            ]
        if self.residual_std is not None and self.dof:
            unit = f" times {self.target}" if self.relative_errors else ""
            lines.append(f"residual standard error {self.residual_std:.4g}{unit} on {self.dof} degrees of freedom")
        read = {str(self.symbols[index]) for index in self.used}
        lines += [f"{symbol} is column {name!r}" for symbol, name in self.symbols_map.items() if symbol in read]
        return "\n".join(lines)

    @property
    def form(self) -> Expr:
        """The structure with the exact constants in and the fitted ones as symbols."""
        return self.structure.xreplace({s: v for s, v in self.values.items() if not isinstance(v, float)})

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts only: what the CLI writes as JSON."""
        return to_record(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Formula:
        """The formula `to_dict` described, also after a way through JSON; its text is read, never run.

        Correlations of the constants are not in the record: the covariance becomes diagonal.

        Raises
        ------
        FormulaError
            The record lacks an entry, or an entry does not make a formula.

        Examples
        --------
        >>> c1, s = sympy.symbols("c1 s", real=True)
        >>> Formula.from_dict(Formula(c1 * s**2, {c1: 2.5}, (s,)).to_dict())
        Formula(y = 2.5*s**2)
        """
        return from_record(cls, record)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex_name(self.target, self.target)} = {self.latex()}$"

    def __str__(self) -> str:
        return print_text(self.expr)

    def __repr__(self) -> str:
        return f"Formula({self.target} = {self.text()})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Formula):
            return NotImplemented
        return (self.expr, self.symbols, self.names, self.target) == (
            other.expr,
            other.symbols,
            other.names,
            other.target,
        )

    def __hash__(self) -> int:
        return hash((self.expr, self.symbols, self.names, self.target))
