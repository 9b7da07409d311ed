"""What is said about where a formula ends: edges, the range of each column, and both for the whole formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["REACH", "Edge", "Range", "Validity", "digits_of"]

REACH = 3.0
"""Ranges of a column that are looked at on either side of its data."""

_FEWEST, _MOST = 4, 17
_READ = 1e-3  # of a column's range: what is not told apart when values are printed


def digits_of(values: Sequence[float], width: float) -> int:
    """Fewest significant digits, four at least, that keep the order of values of a column with this range.

    Examples
    --------
    >>> digits_of((0.0, 2.0, 3.0000001), 2.0), digits_of((1.99999, 2.0, 3.0), 1.0)
    (4, 6)
    """
    for digits in range(_FEWEST, _MOST):
        shown = [float(f"{value:.{digits}g}") for value in values]
        near = all(abs(a - b) <= _READ * width for a, b in zip(shown, values, strict=True))
        pairs = [(i, j) for i in range(len(values)) for j in range(i)]
        if near and all((shown[i] < shown[j], shown[i] == shown[j]) == _order(values, i, j) for i, j in pairs):
            return digits
    return _MOST


def _order(values: Sequence[float], i: int, j: int) -> tuple[bool, bool]:
    return values[i] < values[j], values[i] == values[j]


@dataclass(frozen=True)
class Edge:
    """A point where the formula ends, along one column.

    Attributes
    ----------
    column : name of the column.
    value : of that column.
    kind : "pole" (infinite), "jump", "domain" (no real value beyond), or "overflow" (too large for a float).
    part : the part of the formula that causes it, such as "denominator x - 1".
    others : (name, value) of the other columns that the part reads, on the line where it was found.
    digits : significant digits to print the value with, and then those of the others; four by default.
    closed : the formula still has its value on the edge itself, as sqrt(x) at 0 and unlike log(x).
    """

    column: str
    value: float
    kind: str
    part: str
    others: tuple[tuple[str, float], ...] = ()
    digits: tuple[int, ...] = ()
    closed: bool = False

    def __str__(self) -> str:
        own, *rest = self.digits or (_FEWEST,) * (1 + len(self.others))
        where = ", ".join(f"{name} = {value:.{k}g}" for (name, value), k in zip(self.others, rest, strict=True))
        return f"{self.kind} at {self.column} = {self.value:.{own}g}{' with ' + where if where else ''} ({self.part})"


@dataclass(frozen=True)
class Range:
    """How far a formula can be carried along one column.

    Attributes
    ----------
    column : name of the column.
    data : smallest and largest value in the table.
    at_median : the interval around the median in which the formula is finite, the other columns at their medians (or
        at the row nearest to these, if it has no value there); it ends three ranges from the data where no edge was
        found.
    median_edges : what ends it below and above; empty where nothing does.
    everywhere, edges : the same for all sampled rows at once; None where they have no interval in common.
    """

    column: str
    data: tuple[float, float]
    at_median: tuple[float, float]
    median_edges: tuple[Edge, ...]
    everywhere: tuple[float, float] | None
    edges: tuple[Edge, ...]

    def __str__(self) -> str:
        low, high = self.data
        interval, edges, rest = self.at_median, self.median_edges, ""
        if self.everywhere is not None and self._holds_the_data(*self.everywhere):
            interval, edges = self.everywhere, self.edges
        else:
            rest = " with the others at their medians; at other rows it ends within the data"
        digits = digits_of((low, high, *(edge.value for edge in edges)), high - low or abs(low) or 1.0)
        parts = {edge.part: [other for other in edges if other.part == edge.part] for edge in edges}
        said = []
        for part, ends in parts.items():
            below, above = "", ""
            for end in ends:
                # elsewhere than on the data's border an end is known to rounding only, and promises nothing
                sign = "<=" if end.closed and end.value in self.data else "<"
                value = f"{end.value:.{digits}g}"
                if end.value == interval[0]:
                    below, only = f"{value} {sign} ", f"{self.column} {sign.replace('<', '>')} {value}"
                else:
                    above = f" {sign} {value}"
            said.append(f"finite for {f'{below}{self.column}{above}' if above else only} ({part})")
        text = "; ".join(said) or f"finite up to {REACH:.0f} ranges beyond the data"
        return f"{self.column} (data from {low:.{digits}g} to {high:.{digits}g}): {text}{rest}"

    def _holds_the_data(self, first: float, last: float) -> bool:
        """Whether the formula, finite everywhere between two values, is so at all of the data, their ends included."""
        low, high = self.data
        missing = [edge.value for edge in self.edges if not edge.closed]
        return first <= low and high <= last and low not in missing and high not in missing


@dataclass(frozen=True)
class Validity:
    """Where a formula is valid around its data.

    Attributes
    ----------
    ranges : one `Range` per column the formula reads.
    inside : poles and edges within the box of the data, not on its border, one example for each part of the formula:
        between the rows, the formula has no value there.
    """

    ranges: tuple[Range, ...]
    inside: tuple[Edge, ...]

    @property
    def poles(self) -> tuple[Edge, ...]:
        """Where the formula becomes infinite or jumps, in the box or beyond it."""
        return tuple(edge for edge in self._all() if edge.kind in ("pole", "jump"))

    @property
    def domain_edges(self) -> tuple[Edge, ...]:
        """Where it has no real value any more, in the box or beyond it."""
        return tuple(edge for edge in self._all() if edge.kind == "domain")

    def _all(self) -> tuple[Edge, ...]:
        return tuple(dict.fromkeys([*self.inside, *(edge for found in self.ranges for edge in found.edges)]))

    def __str__(self) -> str:
        lines = [str(found) for found in self.ranges] or ["a constant is finite everywhere"]
        return "\n".join([*lines, *(f"within the data's box: {edge}" for edge in self.inside)])
