"""The edges of a formula along lines: where the margins of its conditions vanish, and what the formula does there.

Along one column, the others held, the zeros of every margin are bracketed on a grid, bisected, and kept where the
formula really blows up, jumps or ends. Poles narrower than a grid step that come in pairs are missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from ..formula import Formula
from ..tape import evaluate
from .conditions import conditions
from .records import REACH, Edge, digits_of

__all__ = ["Found", "Law", "window"]

Array = NDArray[np.float64]

_STEPS = 100  # of the grid in one range
_NEAR = (1e-2, 1e-3, 1e-4)  # ranges from an edge at which it is asked whether the formula blows up there

_ROUNDING = 1e-13  # of a column's range


class Found(NamedTuple):
    """An edge along column j of one of the lines."""

    line: int
    value: float
    kind: str
    part: str
    closed: bool  # the formula has a value on the edge itself


def window(low: float, high: float) -> tuple[float, float]:
    """The part of a column's axis that is looked at."""
    width = _width(low, high)
    return low - REACH * width, high + REACH * width


def _width(low: float, high: float) -> float:
    """The range of a column; one that is constant is given its own size."""
    return float(high - low) or abs(float(low)) or 1.0


def _digits(low: float, high: float) -> int:
    """For any value between two, whose own digits may be few."""
    return digits_of((low, low + (high - low) / 3, high), _width(low, high))


def _on_border(value: float, low: float, high: float) -> float:
    """The value, or the end of the data that it is but for rounding."""
    near = min((low, high), key=lambda end: abs(value - end))
    return float(near if abs(value - near) <= _ROUNDING * max(high - low, abs(near)) else value)


class Law:
    """A formula over the box of its data, low and high (d,): its conditions, and their zeros along lines."""

    def __init__(self, formula: Formula, low: Array, high: Array) -> None:
        self.low, self.high = low.tolist(), high.tolist()
        self.digits = [_digits(a, b) for a, b in zip(self.low, self.high, strict=True)]
        self.expr, self.symbols, self.names = formula.expr, formula.symbols, formula.names
        self.used = formula.used
        self.conditions = conditions(self.expr)
        self.read = {condition.text: condition.margin.free_symbols for condition in self.conditions}

    def value(self, table: Array) -> Array:
        return evaluate(self.expr, self.symbols, table)

    def along(self, expr: Expr, lines: Array, j: int, values: Array) -> Array:
        """An expression with column j of each line replaced; values and result (m,) or (m, N)."""
        table = np.repeat(lines, values[0].size, axis=0)
        table[:, j] = values.ravel()
        return evaluate(expr, self.symbols, table).reshape(values.shape)

    def edge(self, line: Array, j: int, found: Found) -> Edge:
        """What is told of an edge of this line."""
        read = self.read.get(found.part, set(self.symbols))
        columns = [j, *(k for k in self.used if k != j and self.symbols[k] in read)]
        return Edge(
            column=self.names[j],
            value=found.value,
            kind=found.kind,
            part=found.part,
            others=tuple((self.names[k], float(line[k])) for k in columns[1:]),
            digits=tuple(self.digits[k] for k in columns),
            closed=found.closed,
        )

    def edges(self, lines: Array, j: int) -> list[Found]:
        """Every edge along column j of every line, in no order."""
        low, high = self.low[j], self.high[j]
        first, last = window(low, high)
        width = _width(low, high)
        grid = np.linspace(first, last, int((2 * REACH + 1) * _STEPS) + 1)
        values = np.tile(grid, (len(lines), 1))
        found: list[Found] = []
        for condition in self.conditions:
            if self.symbols[j] not in condition.margin.free_symbols:
                continue
            margin = self.along(condition.margin, lines, j, values)
            index, places = self._zeros(condition.margin, lines, j, grid, margin)
            if not len(index):
                continue
            kinds = self._kinds(lines[index], j, places, width, condition.kind)
            domain = np.array([kind == "domain" for kind in kinds], dtype=bool)
            places[domain] = [_on_border(place, low, high) for place in places[domain].tolist()]
            at = self.along(self.expr, lines[index], j, places[:, None])[:, 0]
            found += [
                Found(int(line), float(place), kind, condition.text, kind == "domain" and bool(np.isfinite(value)))
                for line, place, kind, value in zip(index, places, kinds, at, strict=True)
                if kind
            ]
        return found + self._overflows(lines, j, grid, self.along(self.expr, lines, j, values), found)

    def _zeros(self, margin: Expr, lines: Array, j: int, grid: Array, g: Array) -> tuple[Any, Array]:
        """Lines and places where a margin changes its sign, or touches zero."""
        known = np.isfinite(g)
        positive = g >= 0
        i, k = np.nonzero(known[:, 1:] & known[:, :-1] & (positive[:, 1:] != positive[:, :-1]))
        a, b, left = grid[k], grid[k + 1], positive[i, k]
        for _ in range(60 if len(i) else 0):
            middle = 0.5 * (a + b)
            same = (self.along(margin, lines[i], j, middle[:, None])[:, 0] >= 0) == left
            a, b = np.where(same, middle, a), np.where(same, b, middle)
        # a double zero lies an order below one of its neighbours on any grid
        size = np.abs(g)
        centre, around = size[:, 1:-1], np.maximum(size[:, :-2], size[:, 2:])
        lowest = (centre <= size[:, :-2]) & (centre <= size[:, 2:]) & (centre <= 0.2 * around)
        steady = (positive[:, 1:-1] == positive[:, :-2]) & (positive[:, 1:-1] == positive[:, 2:])
        ti, tk = np.nonzero(lowest & steady & np.isfinite(around))
        c, e = grid[tk], grid[tk + 2]
        for _ in range(90 if len(ti) else 0):
            third = (e - c) / 3
            lower = np.abs(self.along(margin, lines[ti], j, np.stack([c + third, e - third], axis=1)))
            c, e = np.where(lower[:, 0] > lower[:, 1], c + third, c), np.where(lower[:, 0] > lower[:, 1], e, e - third)
        places = 0.5 * (c + e)
        if len(ti):
            touch = np.abs(self.along(margin, lines[ti], j, places[:, None])[:, 0]) <= 1e-9 * around[ti, tk]
            ti, places = ti[touch], places[touch]
        found = np.concatenate([0.5 * (a + b), places])
        found[np.abs(found) < 1e-12 * (grid[-1] - grid[0])] = 0.0  # not -3e-21
        return np.concatenate([i, ti]), found

    def _kinds(self, lines: Array, j: int, places: Array, width: float, kind: str) -> list[str]:
        """What the formula really does at each zero; "" where it passes it unharmed."""
        steps = width * np.array([*_NEAR, *(-near for near in _NEAR)])
        f = self.along(self.expr, lines, j, places[:, None] + steps).reshape(-1, 2, 3)
        with np.errstate(all="ignore"):
            finite = np.isfinite(f)
            whole = np.logical_and.reduce(finite, axis=2)  # a value at every step on this side
            before, after = np.abs(f[..., 1] - f[..., 0]), np.abs(f[..., 2] - f[..., 1])
            if kind == "domain":
                # a value on one side only; on both where zero is only touched: log(x**2) does not end there, it bursts
                both = whole[:, 0] & whole[:, 1]
                bursts = both & np.logical_or.reduce(after > 0.5 * before, axis=1)
                ends = ~both & np.logical_or.reduce(finite.reshape(-1, 6), axis=1)
                return np.where(ends, "domain", np.where(bursts, "pole", "")).tolist()
            grows = whole & (after > 1.2 * before) & (after > 1e-6 * np.abs(f[..., 1]))
            grows |= finite[..., 0] & np.isinf(f[..., 2])
            gap, wide = np.abs(f[:, 0, 2] - f[:, 1, 2]), np.abs(f[:, 0, 0] - f[:, 1, 0])
            jumps = (gap > 0.1 * wide) & (gap > 1e-3 * np.max(np.abs(f[..., 2]), axis=1))
        return np.where(grows[:, 0] | grows[:, 1], "pole", np.where(jumps, "jump", "")).tolist()

    def _overflows(self, lines: Array, j: int, grid: Array, f: Array, found: Sequence[Found]) -> list[Found]:
        """Where values become too large for a float before any other edge, to a step of the grid."""
        more: list[Found] = []
        step = grid[1] - grid[0]
        for line in np.flatnonzero(np.isinf(f).any(axis=1)):
            here, own = np.isinf(f[line]), lines[line, j]
            places = [edge.value for edge in found if edge.line == line]
            for side in (grid[here & (grid > own)][:1], grid[here & (grid < own)][-1:]):
                for place in side:
                    between = [value for value in places if min(own, place - step) <= value <= max(own, place + step)]
                    if not between:
                        more.append(Found(int(line), float(place), "overflow", "values too large for a float", False))
        return more
