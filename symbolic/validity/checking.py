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
from ..tape import evaluate
from .conditions import conditions
from .records import Edge, Range, Validity
from .scan import Found, Law, window

__all__ = ["Edge", "Range", "Validity", "conditions", "validity"]

Array = NDArray[np.float64]

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
    finite = np.isfinite(evaluate(formula.expr, formula.symbols, table))
    rows = table[finite & np.all(np.isfinite(table[:, used]), axis=1)]
    if not len(rows):
        raise InputError(f"The formula is finite in none of {len(table)} rows; expected rows it was fitted to.")
    rows = rows.copy()
    rows[:, [j for j in range(rows.shape[1]) if j not in used]] = 0.0
    rng = np.random.default_rng(seed)
    low, high = rows.min(axis=0), rows.max(axis=0)
    law = Law(formula, low, high)
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
        found = law.edges(lines, j)
        ranges.append(_range(law, lines, alive, j, found))
        for edge in found:
            # an end of the data where the formula still has its value is no trouble between the rows
            within = low[j] < edge.value < high[j] or (edge.value in (low[j], high[j]) and not edge.closed)
            if within and edge.kind != "overflow":
                inside.setdefault((edge.part, edge.kind), []).append((edge.line, law.edge(lines[edge.line], j, edge)))
    nearest = [min(edges, key=lambda pair: pair[0])[1] for edges in inside.values()]
    return Validity(tuple(ranges), tuple(nearest))


def _centre(law: Law, rows: Array) -> Array:
    """The medians (1, d), or the row nearest to them where the formula has no value at the medians."""
    median = np.median(rows, axis=0)[None, :]
    if np.isfinite(law.value(median)[0]):
        return median
    distance = ((rows - median) / np.maximum(np.ptp(rows, axis=0), 1e-300)) ** 2
    return rows[[int(np.argmin(distance.sum(axis=1)))]]


def _range(law: Law, lines: Array, alive: NDArray[np.bool_], j: int, found: Sequence[Found]) -> Range:
    """The interval of column j around every line's own value, and what all lines have in common."""
    data = law.low[j], law.high[j]
    first, last = window(*data)
    ends: list[list[tuple[float, Edge | None]]] = [[(first, None), (last, None)] for _ in lines]
    for edge in found:
        line, value = edge.line, edge.value
        own = lines[line, j]
        side = int(value > own if value != own else 2 * own > data[0] + data[1])
        if (value < ends[line][1][0]) if side else (value > ends[line][0][0]):
            ends[line][side] = (value, law.edge(lines[line], j, edge))
    living = [ends[line] for line in np.flatnonzero(alive)]
    low = max((pair[0] for pair in living), key=lambda end: end[0])
    high = min((pair[1] for pair in living), key=lambda end: end[0])
    return Range(
        column=law.names[j],
        data=data,
        at_median=(ends[0][0][0], ends[0][1][0]),
        median_edges=tuple(end for _, end in ends[0] if end is not None),
        everywhere=(low[0], high[0]) if low[0] < high[0] else None,
        edges=tuple(end for _, end in (low, high) if end is not None),
    )
