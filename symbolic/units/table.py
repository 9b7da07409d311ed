"""The units of a table: texts such as "kg m-3", read into exponents of base dimensions and factors to SI.

`pint` knows the units; `kanlib.symbolic.units.spelling` and `kanlib.symbolic.units.readings` refuse what it reads
otherwise than people mean it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Mul, Symbol

from kanlib.errors import InputError
from kanlib.plain import short

from .readings import misunderstood
from .spelling import misread, spelled

__all__ = ["Dimension", "Units", "as_fraction", "to_base"]

Dimension = tuple[Fraction, ...]
"""One exponent per base dimension of a `Units`."""

_ZERO = Fraction(0)
_LARGEST = 100  # of an exponent


@dataclass(frozen=True)
class Units:
    """The units of a table.

    Attributes
    ----------
    base : names of the k base dimensions, such as ("length", "time").
    matrix : (k, d) exponents: ``matrix[i][j]`` is the power of base dimension i in column j.
    output : (k,) exponents of the output.
    names : of the d columns.
    factors : (d,) what a value of each column is multiplied by to be in base units (SI).
    output_factor : the same for the output.

    Examples
    --------
    >>> units = Units.parse({"v": "km/h", "t": "s"}, "m")
    >>> units.base, [units.text(units.column(j)) for j in (0, 1)]
    (('length', 'time'), ['length/time', 'time'])
    """

    base: tuple[str, ...]
    matrix: tuple[Dimension, ...]
    output: Dimension
    names: tuple[str, ...]
    factors: tuple[float, ...]
    output_factor: float

    @classmethod
    def parse(cls, inputs: Mapping[str, str] | Sequence[str], output: str) -> Units:
        """Read units as people write them: "m/s^2", "kg m-3", "µm", "J/(mol K)", "rad", "" for a pure number.

        Parameters
        ----------
        inputs : column name -> unit, or one unit per column, in the order of the table.
        output : the unit of y.

        Raises
        ------
        InputError
            A text that is no unit, or has two meanings (J/mol K); a scale with an offset (degrees Celsius) or a
            logarithmic one (decibel); pint, which knows the units, is not installed.
        """
        if isinstance(inputs, str):
            raise InputError(f"Units of the inputs are {inputs!r}; expected a list, or a dict of column name and unit.")
        named = isinstance(inputs, Mapping)
        names = [str(name) for name in inputs] if named else [f"column {i + 1}" for i in range(len(inputs))]
        texts = [*(inputs.values() if isinstance(inputs, Mapping) else inputs), output]
        read = [_read(text, f"{name!r}") for text, name in zip(texts, [*names, "the output"], strict=True)]
        base = tuple(sorted({name for dimension, _ in read for name in dimension}))
        vectors = [tuple(dimension.get(name, _ZERO) for name in base) for dimension, _ in read]
        matrix = tuple(zip(*vectors[:-1], strict=True)) if len(vectors) > 1 else tuple(() for _ in base)
        *factors, output_factor = (factor for _, factor in read)
        return cls(base, matrix, vectors[-1], tuple(names), tuple(factors), output_factor)

    def column(self, index: int) -> Dimension:
        """Exponents (k,) of one column."""
        return tuple(row[index] for row in self.matrix)

    def exponents(self, dimension: Dimension) -> dict[str, Fraction]:
        """Base dimension -> exponent, without those that are zero: the same for the same dimension in any table.

        Examples
        --------
        >>> units = Units.parse(["m", "kg"], "m/s")
        >>> {name: str(power) for name, power in units.exponents(units.output).items()}
        {'length': '1', 'time': '-1'}
        """
        return {name: power for name, power in zip(self.base, dimension, strict=True) if power}

    def text(self, dimension: Dimension) -> str:
        """A dimension for people: ``length/time**2``; "1" for a pure number."""
        powers = zip(self.base, dimension, strict=True)
        return str(Mul(*[Symbol(name, positive=True) ** sympy.Rational(p) for name, p in powers]))


@lru_cache(maxsize=1)
def _registry() -> Any:
    try:
        import pint  # a third of a second: only who has units pays
    except ImportError as error:
        raise InputError("Units were given, but pint is not installed; run pip install 'kanlib[units]'.") from error
    return pint.UnitRegistry(cache_folder=None)


def _read(text: str, column: str) -> tuple[dict[str, Fraction], float]:
    """(base dimension -> exponent, factor to base units) of a unit's text."""
    registry = _registry()
    plain = str(text).strip()
    spelling = spelled(plain)
    meant = None if spelling is None else misread(spelling)
    if meant is not None:
        raise InputError(f"The unit {plain!r} of {column} has two meanings; write {meant}.")
    quantity, exponents, factor, wrong = None, {}, math.nan, None
    try:
        if spelling is not None:
            quantity = registry.Quantity(1.0, registry.parse_units(spelling))
            wrong = misunderstood(registry, spelling, quantity.unit_items())
            if quantity._is_multiplicative:
                exponents = {name.strip("[]"): as_fraction(power) for name, power in quantity.dimensionality.items()}
                factor = float(quantity.to_base_units().magnitude)
    except Exception:  # pint has many kinds for "no unit", AssertionError among them
        quantity = None
    if quantity is None:
        raise InputError(
            f"The unit {short(repr(text))} of {column} is not known; expected one such as 'm/s^2', 'kg', 'J/(mol*K)', "
            "or '' for a pure number, without a number in front."
        )
    if wrong is not None:
        raise InputError(f"The unit {plain!r} of {column} would be read as {wrong[0]}; write {wrong[1]}.")
    if not quantity._is_multiplicative:
        raise InputError(
            f"The unit {text!r} of {column} does not start at zero or is logarithmic, so products with it mean "
            "nothing; convert the column (to kelvin, say) or write 'delta_degC' for a difference."
        )
    if not 0.0 < factor < math.inf or any(abs(power) > _LARGEST for power in exponents.values()):
        raise InputError(f"The unit {text!r} of {column} has powers beyond {_LARGEST}; expected a unit of measurement.")
    return exponents, factor


def as_fraction(number: Any) -> Fraction:
    """An exponent as a fraction: the shortest within 1e-9, or what the float says where none has a small denominator.

    Examples
    --------
    >>> str(as_fraction(0.3333333333333333)), str(as_fraction(sympy.Rational(-3, 2)))
    ('1/3', '-3/2')
    """
    if isinstance(number, sympy.Rational):
        return Fraction(int(number.p), int(number.q))
    value = Fraction(float(number)) if not isinstance(number, Fraction) else number
    short = value.limit_denominator(1000)
    return short if abs(short - value) < Fraction(1, 10**9) else value


def to_base(units: Units) -> tuple[NDArray[np.float64], float]:
    """Factors that bring a table to one system of units, (d,) for X and one for y: ``X * factors``.

    Examples
    --------
    >>> to_base(Units.parse(["cm", "m", "degree"], "km"))[0].round(4).tolist()
    [0.01, 1.0, 0.0175]
    """
    return np.array(units.factors, dtype=np.float64), units.output_factor
