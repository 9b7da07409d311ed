"""Where a formula stops having a value: its poles, and the edges of its domain, around the data it was found on.

A formula is a claim beyond the table, and it says itself how far it can be carried: 1/sqrt(c**2 - v**2) ends at c. Each
denominator, logarithm, root and inverse function is a condition g > 0 or g != 0 on a part of the expression
(`kanlib.symbolic.validity.conditions`). Along one column at a time, the others held at their medians and at rows of the
table, the zeros of g are found and asked (`kanlib.symbolic.validity.scan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kanlib.errors import InputError

from ..columns import formula_table
from ..formula import Formula
from .conditions import conditions
from .records import Edge, Range, Validity, digits_of
from .scan import Found, Law, window

__all__ = ["Edge", "Range", "Validity", "conditions", "validity"]

Array = NDArray[np.float64]

_ROUNDING = 1e-13  # of a column's range
_ROWS, _BOX = 30, 30  # rows of the table, and points of their box, that lines go through


def validity(formula: Formula, X: ArrayLike | Any, *, seed: int = 0) -> Validity:
    """How far beyond its data a formula can be carried, and whether it can be between them.

    Parameters
    ----------
    formula : Formula
    X : (n, d) table, or a data frame, as for `Formula.predict`; rows where the formula has no value are left out.
    seed : of the choice of rows and points that lines are drawn through.

    Raises
    ------
    InputError
        The formula is finite in no row.

    Examples
    --------
    >>> import sympy
    >>> v = sympy.Symbol("v", real=True)
    >>> law = Formula(1 / sympy.sqrt(1 - v**2 / 9), {}, (v,))
    >>> print(validity(law, np.linspace(0, 2, 20)[:, None]))
    v (data from 0 to 2): finite for -3 < v < 3 (denominator root of 1 - v**2/9)
    """
    table = formula_table(X, formula.names, formula.used)
    used = list(formula.used)
    law = Law(formula)
    rows = table[np.isfinite(law.value(table)) & np.all(np.isfinite(table[:, used]), axis=1)]
    if not len(rows):
        raise InputError(f"The formula is finite in none of {len(table)} rows; expected rows it was fitted to.")
    rows = rows.copy()
    rows[:, [j for j in range(rows.shape[1]) if j not in used]] = 0.0
    rng = np.random.default_rng(seed)
    low, high = rows.min(axis=0), rows.max(axis=0)
    law.digits = [_digits(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    chosen = rows[rng.permutation(len(rows))[:_ROWS]]
    box = [rng.uniform(low, high, (_BOX, len(low)))]
    if len(used) <= 4:
        corners = np.tile(low, (2 ** len(used), 1))
        corners[:, used] = list(product(*[(low[j], high[j]) for j in used]))
        box.append(corners)
    lines = np.concatenate([_centre(law, rows), chosen, *box])
    alive = np.isfinite(law.value(lines))
    alive[1 + len(chosen) :] = False  # points of the box tell what is inside it, not how far rows can be carried
    ranges: list[Range] = []
    inside: dict[tuple[str, str], list[tuple[int, Edge]]] = {}
    for j in used:
        found = [
            (line, _on_border(value, low[j], high[j]) if kind == "domain" else value, kind, part)
            for line, value, kind, part in law.edges(lines, j, low[j], high[j])
        ]
        ranges.append(_range(law, lines, alive, j, (float(low[j]), float(high[j])), found))
        for line, value, kind, part in found:
            if low[j] < value < high[j] and kind != "overflow":
                inside.setdefault((part, kind), []).append((line, law.edge(lines[line], j, value, kind, part)))
    nearest = [min(edges, key=lambda pair: pair[0])[1] for edges in inside.values()]
    return Validity(tuple(ranges), tuple(nearest))


def _digits(low: float, high: float) -> int:
    """For any value between two, whose own digits may be few."""
    return digits_of((low, low + (high - low) / 3, high), high - low or abs(low) or 1.0)


def _on_border(value: float, low: float, high: float) -> float:
    """The value, or the end of the data that it is but for rounding."""
    near = min((low, high), key=lambda end: abs(value - end))
    return float(near if abs(value - near) <= _ROUNDING * max(high - low, abs(near)) else value)


def _centre(law: Law, rows: Array) -> Array:
    """The medians (1, d), or the row nearest to them where the formula has no value at the medians."""
    median = np.median(rows, axis=0)[None, :]
    if np.isfinite(law.value(median)[0]):
        return median
    distance = ((rows - median) / np.maximum(np.ptp(rows, axis=0), 1e-300)) ** 2
    return rows[[int(np.argmin(distance.sum(axis=1)))]]


def _range(
    law: Law, lines: Array, alive: NDArray[np.bool_], j: int, data: tuple[float, float], found: Sequence[Found]
) -> Range:
    """The interval of column j around every line's own value, and what all lines have in common."""
    first, last = window(*data)
    ends: list[list[tuple[float, Edge | None]]] = [[(first, None), (last, None)] for _ in lines]
    for line, value, kind, part in found:
        own = lines[line, j]
        side = int(value > own if value != own else 2 * own > data[0] + data[1])
        if (value < ends[line][1][0]) if side else (value > ends[line][0][0]):
            ends[line][side] = (value, law.edge(lines[line], j, value, kind, part))
    living = [ends[line] for line in np.flatnonzero(alive)]
    low = max((pair[0] for pair in living), key=lambda end: end[0])
    high = min((pair[1] for pair in living), key=lambda end: end[0])
    return Range(
        column=law.names[j],
        data=data,
        at_median=(ends[0][0][0], ends[0][1][0]),
        median_edges=tuple(edge for _, edge in ends[0] if edge is not None),
        everywhere=(low[0], high[0]) if low[0] < high[0] else None,
        edges=tuple(edge for _, edge in (low, high) if edge is not None),
    )
