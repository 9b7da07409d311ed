"""What is said about where a formula ends: edges, the range of each column, and both for the whole formula."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["REACH", "Edge", "Range", "Validity"]

REACH = 3.0
"""Ranges of a column that are looked at on either side of its data."""


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
    """

    column: str
    value: float
    kind: str
    part: str
    others: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {value:.4g}" for name, value in self.others)
        return f"{self.kind} at {self.column} = {self.value:.4g}{' with ' + where if where else ''} ({self.part})"


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
        if self.everywhere is not None and self.everywhere[0] <= low and high <= self.everywhere[1]:
            interval, edges = self.everywhere, self.edges
        else:
            rest = " with the others at their medians; at other rows it ends within the data"
        parts = {edge.part: [other for other in edges if other.part == edge.part] for edge in edges}
        said = []
        for part, ends in parts.items():
            below = "".join(f"{end.value:.4g} < " for end in ends if end.value == interval[0])
            above = "".join(f" < {end.value:.4g}" for end in ends if end.value != interval[0])
            bound = f"{self.column} > {ends[0].value:.4g}" if not above else f"{below}{self.column}{above}"
            said.append(f"finite for {bound} ({part})")
        text = "; ".join(said) or f"finite up to {REACH:.0f} ranges beyond the data"
        return f"{self.column} (data from {low:.4g} to {high:.4g}): {text}{rest}"


@dataclass(frozen=True)
class Validity:
    """Where a formula is valid around its data.

    Attributes
    ----------
    ranges : one `Range` per column the formula reads.
    inside : poles and edges within the box of the data, one example for each part of the formula: between the rows,
        the formula has no value there.
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
