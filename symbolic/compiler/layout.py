"""The nodes of a formula's graph in the layers of a network.

A node lies in the first layer it can, and what is needed further on is carried by identity edges. So the network has no
more layers than the formula has compositions and products inside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kanlib.network import KAN

from .graph import Graph
from .parts import Edge, Node, Sum

__all__ = ["Layout"]


@dataclass(eq=False)
class _Slot:
    """A node in its layer: rows of (source, edge) and a bias, one row for a sum, several for a product."""

    rows: list[tuple[list[tuple[_Slot, Edge]], float]]


class Layout:
    """Puts the nodes of a graph into layers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.levels: list[list[_Slot]] = []
        self._slots: dict[tuple[Node, int, int], _Slot] = {}
        for node in graph.columns.values():
            self._slots[node, 0, 0] = self._new(0, [])

    def finish(self, root: Sum) -> None:
        """Lay out the output and all it needs."""
        node = root.edges[0].node if len(root.edges) == 1 else None
        if node is not None and len(node.factors) > 1 and root.edges[0].name == "identity" and not root.bias:
            first, *others = node.factors
            level, factors = node.level, (first.scaled(root.edges[0].c), *others)
        else:
            level, factors = root.level, (root,)
        self._new(level, [self._row(factor, level) for factor in factors])

    def _new(self, level: int, rows: list[tuple[list[tuple[_Slot, Edge]], float]]) -> _Slot:
        self.levels += [[] for _ in range(level + 1 - len(self.levels))]
        slot = _Slot(rows)
        self.levels[level].append(slot)
        return slot

    def _slot(self, node: Node, level: int, copy: int = 0) -> _Slot:
        """Where the node's value is found at a level; a copy serves a second edge into the same sum."""
        key = (node, level, copy)
        if key not in self._slots:
            if node.level == level:
                rows = [self._row(factor, level) for factor in node.factors]
            else:
                rows = [([(self._slot(node, level - 1), Edge(node))], 0.0)]
            self._slots[key] = self._new(level, rows)
        return self._slots[key]

    def _row(self, content: Sum, level: int) -> tuple[list[tuple[_Slot, Edge]], float]:
        """Edges into a sum at a level. Terms that could be had earlier are added up there, and carried as one."""
        early = [edge for edge in content.edges if edge.node.level < level - 1]
        edges = [edge for edge in content.edges if edge.node.level == level - 1]
        for group in _rounds(early):
            if len(group) == 1:
                edges += group
            else:
                node, scale, _ = self.graph.argument(Sum(group))
                edges.append(Edge(node, c=scale))
        copies: dict[Node, int] = {}
        row = []
        for edge in edges:
            copy = copies[edge.node] = copies.get(edge.node, -1) + 1
            row.append((self._slot(edge.node, level - 1, copy), edge))
        return row, content.bias

    def network(self, used: Sequence[int], names: Sequence[str]) -> KAN:
        """The KAN of what has been laid out; without any input it reads the first column and ignores it."""
        index = list(used) or [0]
        widths: list[Any] = [len(index)]
        for level in self.levels[1:]:
            level.sort(key=lambda slot: len(slot.rows) > 1)  # sums come before products
            arities = [len(slot.rows) for slot in level if len(slot.rows) > 1]
            widths.append((len(level) - len(arities), arities))
        model = KAN(
            widths,
            init="zero_spline",
            input_names=names,
            in_features=len(names),
            input_index=index,
            dtype=torch.float64,
        )
        for layer, below, level in zip(model.layers, self.levels[:-1], self.levels[1:], strict=True):
            place = {slot: number for number, slot in enumerate(below)}
            layer.mask.fill_(False)
            for j, (edges, bias) in enumerate(row for slot in level for row in slot.rows):
                with torch.no_grad():
                    layer.bias[j] = bias
                for source, edge in edges:
                    layer.fix_edge(place[source], j, edge.name, (edge.a, edge.b, edge.c, 0.0, edge.p))
                    layer.mask[j, place[source]] = True
        return model


def _rounds(edges: Sequence[Edge]) -> list[tuple[Edge, ...]]:
    """Split edges so that no node comes twice in a part: a node has one edge into a sum."""
    rounds: list[dict[Node, Edge]] = []
    for edge in edges:
        free = next((part for part in rounds if edge.node not in part), None)
        if free is None:
            rounds.append(free := {})
        free[edge.node] = edge
    return [tuple(part.values()) for part in rounds]
