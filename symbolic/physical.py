"""Constants of nature in fitted numbers: is 6.674e-11 the constant of gravitation, or does it only look so?

The same two questions as for integers and pi (`kanlib.symbolic.snapping`): the named value has to lie in the interval
of the fitted one, and it has to be a surprise. A name out of a table of N costs log(N) nats, its power and its factor
(2, 4*pi, 1/2) cost their length, and the fitted number saves as many nats as it has digits; a name that does not
shorten the description says nothing, as with two digits some name always fits. The values are those of CODATA as
`scipy.constants` has them, in SI units: so must the fitted numbers be. Where the units of the columns are known, the
numbers are converted, and a name whose unit the constant cannot have is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.errors import InputError

from .description import FAMILIES, candidates, exact_cost, fitted_cost
from .formula import Formula
from .physical_table import PhysicalConstant, physical_constants
from .printing import format_value, print_text
from .units import Units

if TYPE_CHECKING:
    from .priors.units import UnitConstraints

__all__ = ["Match", "PhysicalConstant", "match_physical", "physical_constants", "physical_notes"]

_WELL_KNOWN = 0.1  # relative standard error of a constant that may be one of nature
_INTERVAL = 2.5758  # standard errors either side: 99 %
_MARGIN = 1.0  # nats by which a name has to be shorter, odds of about 3 to 1, as for fractions in `snapping`
_ROUNDING = 1e-15

_RATIONAL = ("1", "2", "1/2", "3", "1/3", "4", "1/4", "3/2", "2/3", "4/3", "3/4", "8", "1/8")
_FACTORS: tuple[Expr, ...] = tuple(
    sympy.Rational(fraction) * sympy.pi**power for power in (0, 1, -1, 2, -2) for fraction in _RATIONAL
)
_POWERS = tuple(map(Fraction, ("1", "-1", "2", "-2", "1/2", "-1/2")))


@dataclass(frozen=True)
class Match:
    """A constant of nature found in a fitted number.

    Attributes
    ----------
    text : the expression, such as "2*G" or "1/(4*pi*eps0)".
    constant : PhysicalConstant
    factor, power : the expression is factor * constant**power.
    value : of the expression.
    z : by how many standard errors the fitted number differs; the constant's own uncertainty is part of them.
    nats : by how much the name is shorter than the digits.
    """

    text: str
    constant: PhysicalConstant
    factor: Expr
    power: Fraction
    value: float
    z: float
    nats: float

    def __str__(self) -> str:
        return f"{self.text} with {self.constant}, {self.z:+.1f} standard errors"


def match_physical(
    value: float,
    standard_error: float,
    names: Sequence[str] | None = None,
    *,
    factors: Sequence[Any] = _FACTORS,
) -> list[Match]:
    """Constants of nature that a fitted number is, up to a simple factor and power.

    Parameters
    ----------
    value, standard_error : the fitted constant, in SI units; an error below rounding counts as rounding.
    names : symbols ("G", "k_B") or names of the constants that come into question. All by default, and then more
        digits are needed, as one of many fits by chance more easily than one of a few.
    factors : exact numbers (int, Fraction, SymPy) allowed in front of the constant.

    Returns
    -------
    list of Match, the shortest description first; empty where no name is shorter than the digits, or where a plain
    number such as 2 or pi is shorter still.

    Raises
    ------
    InputError
        A name that is not in the table, or a factor that is not a real number other than 0.

    Examples
    --------
    >>> [match.text for match in match_physical(2.99792e8, 1e3)]
    ['c']
    >>> match_physical(0.0641, 0.008)
    []
    >>> match_physical(8.9876e9, 5e5, ["eps0", "mu0"])[0].text
    '1/(4*pi*eps0)'
    """
    size = abs(float(value))
    if not (math.isfinite(size) and size > 0 and standard_error >= 0 and math.isfinite(standard_error)):
        return []
    chosen = _chosen(names)
    table = _table(tuple(chosen), tuple(_factor(factor) for factor in factors))
    own = max(float(standard_error), _ROUNDING * size)
    error = np.hypot(own, table.uncertainty)
    z = (value - math.copysign(1.0, value) * table.value) / error
    found = []
    plain = _plain_cost(float(value), own)
    for index in np.flatnonzero(np.abs(z) <= _INTERVAL):
        constant, factor, power = table.entries[index]
        length = float(table.cost[index]) + 0.5 * float(z[index]) ** 2
        nats = fitted_cost(value, float(error[index])) - length
        if nats > _MARGIN and length < plain:
            signed = factor if value > 0 else -factor
            expr = signed * Symbol(constant.symbol, positive=True) ** sympy.Rational(power)
            exact = math.copysign(float(table.value[index]), value)
            found.append(Match(print_text(expr), constant, signed, power, exact, float(z[index]), nats))
    return sorted(found, key=lambda match: -match.nats)


def physical_notes(formula: Formula, physical: bool | Sequence[str], units: UnitConstraints | None = None) -> list[str]:
    """A note for every well determined constant of a formula that is one of nature, up to a simple factor and power.

    Parameters
    ----------
    formula : Formula
    physical : whether to look, or the names of the constants that come into question, as in `match_physical`.
    units : of the columns. The constants are converted to SI units where these are not, as far as their dimension is
        known. Columns of mixed units (cm beside m) leave conversions in the constants: then one note says so. Without
        units the columns are taken to be in SI units.

    Raises
    ------
    InputError
        A name that is not in the table.

    Examples
    --------
    >>> from kanlib.symbolic.priors.units import unit_constraints
    >>> a, t = sympy.symbols("a t", real=True)
    >>> law = Formula(a * t, {a: 29979245800.0}, (t,), covariance=np.array([[1e6]]))
    >>> physical_notes(law, ["c"])
    []
    >>> physical_notes(law, ["c"], unit_constraints(("t",), (t,), ["s"], "cm"))
    ['a = (2.99792458 ± 0.00000010)e+10 (299792458 in SI units) is c (speed of light in vacuum)']
    """
    if physical is None or physical is False:
        return []
    names = None if physical is True else [constant.symbol for constant in _chosen(physical)]
    scales: dict[str, tuple[float, dict[str, Fraction] | None]] = {}
    if units is not None:
        if not units.coherent:
            return [
                "constants of nature were not looked for: units are mixed, and no constant of the law is in SI units"
            ]
        scales = units.constants_to_si(formula)
    notes = []
    for constant in formula.constants:
        error = constant.standard_error or 0.0
        scale, dimension = scales.get(constant.symbol, (math.nan if units is not None else 1.0, None))
        if not error <= _WELL_KNOWN * abs(constant.value):
            continue
        matches = match_physical(constant.value * scale, error * scale, names)
        if dimension is not None:
            matches = [match for match in matches if dimension == _dimension(match.constant.unit, match.power)]
        if matches:
            number = constant.exact or format_value(constant.value, constant.standard_error)
            converted = "" if scale == 1.0 else f" ({constant.value * scale:.9g} in SI units)"
            notes.append(f"{constant.symbol} = {number}{converted} is {matches[0].text} ({matches[0].constant.name})")
    return notes


@lru_cache(maxsize=256)
def _dimension(unit: str, power: Fraction) -> dict[str, Fraction]:
    """Of a power of a unit, as `Units.exponents` has it."""
    units = Units.parse([unit], "")
    return units.exponents(tuple(power * exponent for exponent in units.column(0)))


def _plain_cost(value: float, error: float) -> float:
    """Nats of the shortest plain number in the interval: pi is pi, and no constant of nature."""
    costs = (cost + 0.5 * ((float(exact) - value) / error) ** 2 for exact, cost in candidates(value, _INTERVAL * error))
    return min(costs, default=math.inf)


def _chosen(names: Sequence[str] | None) -> list[PhysicalConstant]:
    table = physical_constants()
    if names is None:
        return list(table.values())
    by_name = {constant.name: constant for constant in table.values()} | table
    one = isinstance(names, str) or not isinstance(names, Iterable)
    unknown = [name for name in ([names] if one else names) if not isinstance(name, str) or name not in by_name]
    if unknown or one:
        raise InputError(
            f"Physical constants {unknown or names!r} were asked for; expected a list of symbols out of {list(table)}."
        )
    return list(dict.fromkeys(by_name[name] for name in names))


def _factor(factor: Any) -> Expr:
    number = sympy.Rational(factor) if isinstance(factor, Fraction) else sympy.sympify(factor, strict=True)
    if number.has(sympy.Float):
        number = sympy.Rational(Fraction(float(number)).limit_denominator(10_000))
    if not number.is_real or number == 0:
        raise InputError(f"A factor is {factor!r}; expected a real number other than 0, such as 2, Fraction(1, 2), pi.")
    return number


@dataclass(frozen=True)
class _Table:
    """Everything a number may be: values and uncertainties, and nats to name each."""

    entries: tuple[tuple[PhysicalConstant, Expr, Fraction], ...]
    value: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    cost: NDArray[np.float64]


@lru_cache(maxsize=16)
def _table(chosen: tuple[PhysicalConstant, ...], factors: tuple[Expr, ...]) -> _Table:
    families = dict(FAMILIES)
    longest = max(families.values())
    entries, rows = [], []
    for factor in factors:
        fraction, family = abs(factor).as_coeff_Mul()
        own = exact_cost(Fraction(int(fraction.p), int(fraction.q)), families.get(family, longest))
        short = min(own, math.log(len(factors)) + math.log(2.0))  # spelled out, or its place in the list and a sign
        for power in _POWERS:
            extra = 0.0 if power == 1 else exact_cost(power, 0.0)
            for constant in chosen:
                size = float(abs(factor)) * constant.value ** float(power)
                error = size * constant.relative_uncertainty * abs(float(power))
                entries.append((constant, abs(factor), power))
                rows.append((size, error, math.log(len(chosen)) + short + extra))
    value, uncertainty, cost = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return _Table(tuple(entries), value, uncertainty, cost)
