"""Units as a constraint on the search: which formulas they refuse, and the coordinates they suggest.

Formulas are written in the user's own units; nothing is converted. Columns of mixed units (cm beside m) are allowed,
with a note, because the law then carries the conversion as a constant of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Add, Dummy, Expr, Mul, Pow, Rational, Symbol

from kanlib.errors import InputError
from kanlib.plain import short

from ..formula import Formula
from ..reduction.coordinates import Coordinates
from ..units import Consistency, Groups, Units, check, dimensionless_groups

__all__ = ["UnitConstraints", "unit_constraints"]

Array = NDArray[np.float64]

_SAME = 1e-9  # of logarithms of units: rounding


@dataclass(frozen=True)
class UnitConstraints:
    """The units of a table, and what they say about laws.

    Attributes
    ----------
    units : of all columns and of the output.
    symbols : of all columns.
    free_constants : whether fitted constants may carry a dimension.
    groups : dimensionless products of the columns; None where constants may carry a dimension, since then a law need
        not be a law of these.
    notes : what the user should know.
    """

    units: Units
    symbols: tuple[Symbol, ...]
    free_constants: bool
    groups: Groups | None
    notes: tuple[str, ...]

    def refuses(self, formula: Formula) -> str | None:
        """The part of a formula that the units do not allow; None where they allow all of it.

        Where constants may carry a dimension, one that was recognised as 2 or 981/100 may too; 1 is no constant.
        """
        found = self._check(formula)
        return None if found else found.reason

    def constants_to_si(self, formula: Formula) -> dict[str, tuple[float, dict[str, Fraction] | None]]:
        """Constant -> (what its value is multiplied by to be in SI units, its dimension), of a formula that agrees.

        Dimensions are those of `Units.exponents`. The factor is NaN where the dimension is left open (None) and units
        differ from SI, or where units are mixed.
        """
        choice = _choice(self.units)
        plain = choice is not None and not np.any(np.abs(choice) > _SAME)
        dimensions = dict(self._check(formula).dimensions)
        pure = (Fraction(0),) * len(self.units.base)
        found = {}
        for symbol in formula.values:
            dimension = dimensions.get(symbol) if self.free_constants else pure
            scale = 1.0 if plain else math.nan
            if dimension is not None and choice is not None and not plain:
                with np.errstate(over="ignore", under="ignore"):
                    scale = float(np.exp(np.array(dimension, dtype=np.float64) @ choice))
            found[symbol.name] = (scale, None if dimension is None else self.units.exponents(dimension))
        return found

    @property
    def coherent(self) -> bool:
        """Whether no column needs a conversion beside another, so that laws have the same form as in SI units."""
        return _choice(self.units) is not None

    def _check(self, formula: Formula) -> Consistency:
        expr = formula.form
        if self.free_constants:
            exact = {s: v for s, v in formula.values.items() if not isinstance(v, float)}
            powers = {s for part in formula.structure.atoms(Pow) for s in part.exp.free_symbols}
            # an exponent is a number, and must be known to be one
            expr = formula.structure.xreplace({s: v for s, v in exact.items() if s in powers})
            numbers = {s: v for s, v in formula.values.items() if s in powers and isinstance(v, float)}
            expr = _inside_logarithms(expr.xreplace({s: sympy.Float(v) for s, v in numbers.items()}), self.symbols)
        return check(expr, self.units, self.symbols, free_constants=self.free_constants)

    def coordinates(self, X: Array, symbols: Sequence[Symbol] | None = None) -> list[Coordinates]:
        """The dimensionless groups as coordinates, with a product of the output's unit in front; at most one change.

        Parameters
        ----------
        X : (n, k) table.
        symbols : of its columns; those of the whole table by default. Columns that are left aside (constant ones) drop
            out of the products: the law takes them as constants.
        """
        kept = self.symbols if symbols is None else tuple(symbols)
        if self.groups is None or self.groups.scale is None:
            return []
        products = [self._product(powers, kept) for powers in self.groups.groups]
        expressions = tuple(dict.fromkeys(product for product in products if product.free_symbols))
        factor = self._product(self.groups.scale, kept)
        n = len(X)
        made = Coordinates(expressions, np.empty((n, len(expressions))), factor, np.ones(n)).on(kept, X)
        return [] if made is None or made.plain else [made]

    def _product(self, powers: Sequence[Any], kept: Sequence[Symbol]) -> Expr:
        pairs = zip(self.symbols, powers, strict=True)
        return Mul(*[symbol ** Rational(power) for symbol, power in pairs if power and symbol in kept])


def unit_constraints(
    names: Sequence[str],
    symbols: Sequence[Symbol],
    units: Mapping[str, str] | Sequence[str],
    output_unit: str | None,
    *,
    dimensionless_constants: bool = False,
    constant: Sequence[int] = (),
) -> UnitConstraints:
    """Read the units of a table.

    Parameters
    ----------
    names, symbols : of the d columns.
    units : column -> unit, or one a column.
    output_unit : of y; "" for a pure number.
    dimensionless_constants : whether all constants of the law are pure numbers: every quantity with a unit that it
        depends on is a column.
    constant : columns that are the same in every row. A law takes them as constants, so these may then carry a
        dimension.

    Raises
    ------
    InputError
        Units that are not known, missing, or of no column; with dimensionless constants, an output that no product of
        columns has the unit of.

    Examples
    --------
    >>> m, a, F = sympy.symbols("m a F", real=True)
    >>> known = unit_constraints(("m", "a"), (m, a), {"m": "kg", "a": "m/s^2"}, "N")
    >>> known.refuses(Formula(m * a, {}, (m, a))) is None
    True
    >>> known.refuses(Formula(m + a, {}, (m, a)))
    'a has dimension length/time**2, m has dimension mass; they cannot be added or compared in a + m.'
    """
    if output_unit is None:
        raise InputError("units were given without output_unit; give the unit of y too, '' for a pure number.")
    if isinstance(units, Mapping):
        unknown = [name for name in units if name not in names]
        missing = [name for name in names if name not in units]
        if unknown or missing:
            wrong = f"units of {unknown}, which are no columns" if unknown else f"no units of {missing}"
            raise InputError(f"units has {wrong}; expected one for each of {list(names)}, '' for a pure number.")
        texts = [str(units[name]) for name in names]
    else:
        if isinstance(units, str) or not isinstance(units, (Sequence, np.ndarray)) or len(units) != len(names):
            arrived = short(repr(units))
            raise InputError(f"units is {arrived}; expected one for each of {list(names)}, '' for a pure number.")
        texts = [str(unit) for unit in units]
    read = Units.parse(dict(zip(names, texts, strict=True)), output_unit)
    notes = []
    if _choice(read) is None:
        shown = [f"{name} in {text}" for name, text in zip([*names, "the output"], [*texts, output_unit], strict=True)]
        odd = [text for text, factor in zip(shown, [*read.factors, read.output_factor], strict=True) if factor != 1]
        notes.append(
            f"units are mixed ({', '.join(odd)}): a law carries the conversion as a constant; convert the columns to "
            "have it without"
        )
    carried = [names[j] for j in constant if any(read.column(j))]
    free = not dimensionless_constants or bool(carried)
    if dimensionless_constants and carried:
        notes.append(f"constants may carry a dimension, since {', '.join(carried)} is the same in every row")
    groups = dimensionless_groups(read) if dimensionless_constants else None
    if groups is not None and groups.scale is None:
        raise InputError(
            f"no product of the columns has the unit {output_unit!r} of y, and constants were said to be pure numbers; "
            "add the column that is missing, correct a unit, or leave dimensionless_constants out."
        )
    return UnitConstraints(read, tuple(symbols), free, groups, tuple(notes))


def _choice(units: Units) -> Array | None:
    """Logarithms (k,) of the units chosen for the base dimensions, as in cm, g, s; None where there is no one choice.

    With one choice laws have the same form in these units as in SI. The logarithms of the factors are that choice
    times the exponents.
    """
    exponents = np.array([*(units.column(j) for j in range(len(units.names))), units.output], dtype=np.float64)
    logarithms = np.log(np.array([*units.factors, units.output_factor]))
    if not exponents.shape[1]:
        return None if np.any(logarithms) else np.zeros(0)
    choice = np.linalg.lstsq(exponents, logarithms, rcond=None)[0]
    return choice if np.max(np.abs(exponents @ choice - logarithms)) < _SAME else None


def _inside_logarithms(expr: Expr, columns: Sequence[Symbol]) -> Expr:
    """log(x) + c as log(k*x), which it is: so a formula is written after its scale was moved out of the logarithm."""
    if not expr.args:
        return expr
    arguments = [_inside_logarithms(argument, columns) for argument in expr.args]
    if isinstance(expr, Add) and any(_is_constant(argument, columns) for argument in arguments):
        arguments = [
            argument.replace(sympy.log, lambda u: sympy.log(u * Dummy("k", real=True)))
            if any(isinstance(factor, sympy.log) for factor in Mul.make_args(argument))
            else argument
            for argument in arguments
        ]
    return expr.func(*arguments)


def _is_constant(expr: Expr, columns: Sequence[Symbol]) -> bool:
    """A fitted number, which may have any value."""
    return not expr.free_symbols & set(columns) and bool(expr.free_symbols or expr.has(sympy.Float))
