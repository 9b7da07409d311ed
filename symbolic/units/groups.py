"""The dimensionless groups of a table's columns: what units leave for a law to be written in.

The groups of Buckingham's theorem (1914, *Physical Review* 4, 345-376) are fewer than the columns, so a law is easier
to find in them. They are the kernel of the matrix of exponents, worked out in fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .table import Dimension, Units

__all__ = ["Groups", "dimensionless_groups", "power_product"]

_ZERO = Fraction(0)
_SUBSETS = 20_000  # of columns that are looked at for a short group; only tables of many columns have more


@dataclass(frozen=True)
class Groups:
    """Products of powers of the columns, by their exponents.

    Attributes
    ----------
    scale : (d,) exponents of a product with the output's unit; None where there is none, all zero where the output
        is a pure number.
    groups : exponents (d,) of independent dimensionless products; every other one is a product of powers of these.
    """

    scale: Dimension | None
    groups: tuple[tuple[int, ...], ...]


def dimensionless_groups(units: Units) -> Groups:
    """A basis of the dimensionless products of the columns, with as few columns and as small whole powers as it can.

    A column set that has one dimensionless product, which needs all of its columns, is a circuit of a matroid. Taking
    the shortest circuit that is independent of the ones before, in turn, gives the shortest basis.

    Examples
    --------
    A pendulum: its period has the unit of sqrt(l/g), and the angle is a group of its own.

    >>> found = dimensionless_groups(Units.parse({"l": "m", "g": "m/s^2", "mass": "kg", "angle": "rad"}, "s"))
    >>> [str(p) for p in found.scale], found.groups
    (['1/2', '-1/2', '0', '0'], ((0, 0, 0, 1),))
    """
    columns = [units.column(j) for j in range(len(units.names))]
    d, basis = len(columns), _pivots(units.matrix)
    circuits: list[tuple[int, ...]] = []
    chosen: list[int] = []
    for size in range(1, len(basis) + 2):
        if comb(d, size) > _SUBSETS:  # too many to look at all: those of one basis will do
            subsets = [(*basis, j) for j in range(d) if j not in basis]
        else:
            subsets = list(combinations(range(d), size))
        circuits += sorted(filter(None, (_circuit(columns, subset) for subset in subsets)), key=_effort)
        chosen = _pivots(list(zip(*circuits, strict=True)))  # the first ones that are independent
        if len(chosen) == d - len(basis):
            break
    return Groups(_scale(columns, units.output, basis), tuple(circuits[index] for index in chosen))


def power_product(X: ArrayLike, exponents: Sequence[Fraction | int]) -> NDArray[np.float64]:
    """The product of powers (n,) of the columns of a table (n, d); not finite where it has no real value.

    Examples
    --------
    >>> power_product([[9.0, 2.0], [4.0, 0.0]], (Fraction(1, 2), -1)).tolist()
    [1.5, inf]
    """
    table = np.asarray(X, dtype=np.float64)
    product = np.ones(len(table))
    with np.errstate(all="ignore"):
        for column, power in zip(table.T, exponents, strict=True):
            if power:
                product *= column ** float(power)
    return product


def _reduced(rows: Sequence[Sequence[Any]]) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form, and the columns of its pivots: the first columns that are independent."""
    table = [[Fraction(entry) for entry in row] for row in rows]
    pivots: list[int] = []
    for column in range(len(table[0]) if table else 0):
        done = len(pivots)
        pivot = next((i for i in range(done, len(table)) if table[i][column]), None)
        if pivot is None:
            continue
        table[done], table[pivot] = table[pivot], table[done]
        table[done] = [entry / table[done][column] for entry in table[done]]
        for i, row in enumerate(table):
            if i != done and row[column]:
                table[i] = [a - row[column] * b for a, b in zip(row, table[done], strict=True)]
        pivots.append(column)
    return table, pivots


def _pivots(rows: Sequence[Sequence[Any]]) -> list[int]:
    return _reduced(rows)[1]


def _solve(columns: Sequence[Dimension], target: Dimension) -> list[Fraction] | None:
    """The one combination of the columns that gives the target; None where there is none, or more than one."""
    table, pivots = _reduced(list(zip(*columns, target, strict=True)))
    if pivots != list(range(len(columns))):
        return None
    return [table[i][-1] for i in range(len(columns))]


def _circuit(columns: Sequence[Dimension], subset: Sequence[int]) -> tuple[int, ...] | None:
    """Exponents (d,) of the dimensionless product of these columns, if there is one only and it needs them all."""
    *rest, last = subset
    solution = _solve([columns[j] for j in rest], columns[last])
    if solution is None:
        return None
    powers = dict(zip(subset, [*(-p for p in solution), Fraction(1)], strict=True))
    factor = lcm(*(p.denominator for p in powers.values()))
    whole = [int(powers.get(j, _ZERO) * factor) for j in range(len(columns))]
    positive = (sum(whole), next(p for p in whole if p)) > (0, 0)
    divisor = gcd(*whole) * (1 if positive else -1)
    return tuple(p // divisor for p in whole)


def _effort(exponents: Sequence[Fraction | int]) -> tuple[int, int, Fraction]:
    """What makes a product long: its columns, the denominators and the size of its powers."""
    powers = [Fraction(p) for p in exponents]
    return len([p for p in powers if p]), lcm(*(p.denominator for p in powers)), sum(map(abs, powers), _ZERO)


def _scale(columns: Sequence[Dimension], output: Dimension, basis: Sequence[int]) -> Dimension | None:
    """The shortest product of columns with the output's unit."""
    d = len(columns)
    for size in range(len(basis) + 1):
        subsets = combinations(range(d), size) if comb(d, size) <= _SUBSETS else [tuple(basis)]
        found = []
        for subset in subsets:
            solution = _solve([columns[j] for j in subset], output)
            if solution is not None:
                powers = dict(zip(subset, solution, strict=True))
                found.append(tuple(powers.get(j, _ZERO) for j in range(d)))
        if found:
            return min(found, key=_effort)
    return None
