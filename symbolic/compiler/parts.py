"""The parts of a formula's graph: nodes, edges that apply a primitive, and sums of edges.

A formula is a `Sum` of edges c*f(a*x + b) plus a bias, where x is a column or a `Node`, and a node is again a sum or a
product of sums. Affine parts live in the constants of edges, so a sum that is only scaled or shifted is no new node.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Edge", "Node", "Sum", "added"]


@dataclass(frozen=True, eq=False)
class Node:
    """A column (no factors), a sum (one factor) or a product of sums; ``level`` layers lie below it."""

    number: int
    level: int
    factors: tuple[Sum, ...] = ()


@dataclass(frozen=True)
class Edge:
    """c * f(a*x + b), where f is the primitive ``name``, with exponent p, and x the node's value."""

    node: Node
    name: str = "identity"
    a: float = 1.0
    b: float = 0.0
    p: float = 1.0
    c: float = 1.0


@dataclass(frozen=True)
class Sum:
    """Edges that are added, and a bias. No two edges differ in c alone; an identity has a = 1 and b = 0."""

    edges: tuple[Edge, ...] = ()
    bias: float = 0.0

    @property
    def level(self) -> int:
        """Number of layers it takes. A layer has one edge for each pair of nodes, and columns cannot be doubled."""
        level = 1 + max((edge.node.level for edge in self.edges), default=0)
        twice = len({edge.node for edge in self.edges}) < len(self.edges)
        return 2 if level == 1 and twice else level

    def scaled(self, factor: float) -> Sum:
        return Sum(tuple(replace(edge, c=edge.c * factor) for edge in self.edges), self.bias * factor)


def added(sums: Iterable[Sum]) -> Sum:
    """The sum of sums: edges that differ in c alone become one, and none is left where they cancel.

    Examples
    --------
    >>> x = Node(0, 0)
    >>> total = added([Sum((Edge(x, "sin", c=2.0),), 1.0), Sum((Edge(x, "sin", c=3.0), Edge(x)))])
    >>> [(edge.c, edge.name) for edge in total.edges], total.bias
    ([(1.0, 'identity'), (5.0, 'sin')], 1.0)
    """
    scales: dict[Edge, float] = {}
    bias = 0.0
    for part in sums:
        bias += part.bias
        for edge in part.edges:
            shape = replace(edge, c=1.0)
            scales[shape] = scales.get(shape, 0.0) + edge.c
    edges = [replace(shape, c=c) for shape, c in scales.items() if c != 0.0]
    # in one order, so that equal sums are found to be equal
    edges.sort(key=lambda edge: (edge.node.number, edge.name, edge.a, edge.b, edge.p))
    return Sum(tuple(edges), bias)
