"""Where everything of a network's picture goes, in inches: pure geometry, no drawing.

The data flow from left to right, so that names of any length stand beside their nodes and every box reads like a
plot: its input enters at the left, its output leaves at the right. Between two columns of nodes every edge has a
box of its own; the boxes of one input stand together. While they fit, they stand in one column, and smooth wires
run from node to box to node. Larger stages put the boxes of an input in two rows (or one) of several columns: the
input's wire runs between the rows and branches to the boxes, their outputs leave on rails outside the rows, so no
wire ever crosses a box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .curves import Array, EdgeKey

Point = tuple[float, float]

MAX_SINGLE = 16  # boxes in one column that are never folded
MAX_ROWS = 44  # rows of boxes before a folded stage uses one row an input


@dataclass(frozen=True)
class Placement:
    """Positions in inches, y upwards; boxes are (left, bottom, width, height)."""

    width: float
    height: float
    boxes: dict[EdgeKey, tuple[float, float, float, float]]
    wires: dict[EdgeKey, tuple[Array, Array]]  # node to box, box to subnode: (n, 2) each
    nodes: list[dict[int, Point]]
    subnodes: list[dict[int, Point]]
    joints: list[tuple[Array, tuple[int, int]]]  # subnode to product node: (n, 2), (layer of nodes, node)
    radius: float


@dataclass
class _Stage:
    """The boxes between two columns of nodes."""

    layer: int
    blocks: dict[int, list[EdgeKey]]
    rows: int  # rows of boxes an input has when folded; 0 for one column
    columns: int
    box: tuple[float, float]
    cell: tuple[float, float]  # of one box with its label and gaps
    label: float
    height: float = 0.0
    block_height: dict[int, float] = field(default_factory=dict)


def s_curve(start: Point, end: Point, n: int = 40) -> Array:
    """A smooth path with horizontal ends."""
    t = np.linspace(0.0, 1.0, n)
    (x0, y0), (x1, y1) = start, end
    ease = t * t * (3.0 - 2.0 * t)
    return np.stack([x0 + (x1 - x0) * t, y0 + (y1 - y0) * ease], axis=1)


def _plan(
    layer: int,
    blocks: dict[int, list[EdgeKey]],
    labels: Mapping[EdgeKey, tuple[float, float]],
    crowd: int,
    *,
    fold: bool,
) -> _Stage:
    # Boxes shrink gently as the whole picture gets crowded.
    box_w = float(np.interp(crowd, [1, 4, 12, 24, 60], [0.95, 0.86, 0.66, 0.52, 0.46]))
    box_h = 0.66 * box_w
    sizes = [labels[key] for keys in blocks.values() for key in keys if key in labels]
    label_h = max((h for _, h in sizes), default=0.0)
    label_h = label_h + 0.06 if label_h else 0.0
    cell_w = max([box_w] + [w + 0.10 for w, _ in sizes])
    cell_h = box_h + label_h + 0.30 * box_h
    if not fold:
        stage = _Stage(layer, blocks, 0, 1, (box_w, box_h), (cell_w, cell_h), label_h)
        for i, keys in blocks.items():
            stage.block_height[i] = len(keys) * cell_h
        gap = 0.35 * cell_h
    else:
        rows = 2 if 2 * len(blocks) <= MAX_ROWS else 1
        columns = max((math.ceil(len(keys) / rows) for keys in blocks.values()), default=1)
        stage = _Stage(layer, blocks, rows, columns, (box_w, box_h), (cell_w, box_h + label_h), label_h)
        rails = 0.05 + 0.026 * (columns - 1)
        for i in blocks:
            stage.block_height[i] = rows * (box_h + label_h + rails) + 0.16
        gap = 0.10
    stage.height = sum(stage.block_height.values()) + gap * max(len(blocks) - 1, 0)
    return stage


def _plans(
    by_block: Sequence[dict[int, list[EdgeKey]]], labels: Mapping[EdgeKey, tuple[float, float]], crowd: int
) -> list[_Stage]:
    """One column of boxes for every stage that is short, or no taller so than the rest of the picture is anyway."""
    single = [_plan(l, blocks, labels, crowd, fold=False) for l, blocks in enumerate(by_block)]
    folded = [_plan(l, blocks, labels, crowd, fold=True) for l, blocks in enumerate(by_block)]
    short = [
        sum(map(len, s.blocks.values())) <= MAX_SINGLE or max(map(len, s.blocks.values()), default=1) == 1
        for s in single
    ]
    tallest = max(s.height if ok else f.height for s, f, ok in zip(single, folded, short, strict=True))
    return [
        s if ok or s.height <= max(f.height, tallest) else f for s, f, ok in zip(single, folded, short, strict=True)
    ]


def _spread(extents: Sequence[float], height: float, limit: float = 1e9) -> list[float]:
    """Centres, from the top down, of pieces of the given extents with equal gaps, filling `height`."""
    free = height - sum(extents)
    gap = min(free / len(extents), limit) if extents else 0.0
    y = height / 2 + (sum(extents) + gap * (len(extents) - 1)) / 2
    centres = []
    for extent in extents:
        centres.append(y - extent / 2)
        y -= extent + gap
    return centres


def place(
    keys: Sequence[EdgeKey],
    nodes: Sequence[Sequence[int]],
    arities: Sequence[Sequence[tuple[int, ...]]],
    labels: Mapping[EdgeKey, tuple[float, float]],
    margins: tuple[float, float],
) -> Placement:
    """Lay out nodes, boxes and wires.

    Parameters
    ----------
    keys : sequence of EdgeKey
        The live edges.
    nodes : sequence of sequences of int
        The live nodes of every layer of nodes.
    arities : per layer of nodes, per node
        The subnodes a node combines; more than one makes it a product.
    labels : mapping of EdgeKey to (width, height)
        The sizes in inches of the formulas that stand below their boxes.
    margins : (float, float)
        Room for the names at the left and right.
    """
    n_layers = len(nodes) - 1
    by_block: list[dict[int, list[EdgeKey]]] = [{i: [] for i in nodes[l]} for l in range(n_layers)]
    for key in keys:
        by_block[key.layer].setdefault(key.i, []).append(key)
    crowd = max([1] + [min(sum(map(len, b.values())), 6 * len(b)) for b in by_block])
    stages = _plans(by_block, labels, crowd)
    out_subnodes = sum(len(arities[-1][n]) for n in nodes[-1])
    height = max([s.height for s in stages] + [0.42 * out_subnodes, 0.42 * max(map(len, nodes)), 0.75])
    radius = 0.085

    # The blocks of a stage decide where its input nodes stand; the last nodes spread on their own.
    y_nodes: list[dict[int, float]] = []
    for stage in stages:
        extents = list(stage.block_height.values())
        # A formula below a box takes room, but node and box stay on one level.
        lift = 0.0 if stage.rows else stage.label / 2
        y_nodes.append({i: y + lift for i, y in zip(stage.blocks, _spread(extents, height), strict=True)})
    last = _spread([0.3] * len(nodes[-1]), height, limit=1.6)
    y_nodes.append({n: y + lift for n, y in zip(nodes[-1], last, strict=True)})

    boxes: dict[EdgeKey, tuple[float, float, float, float]] = {}
    wires: dict[EdgeKey, tuple[Array, Array]] = {}
    joints: list[tuple[Array, tuple[int, int]]] = []
    node_points: list[dict[int, Point]] = [{i: (margins[0] + radius, y) for i, y in y_nodes[0].items()}]
    subnode_points: list[dict[int, Point]] = [{}]
    x = margins[0] + radius
    for stage in stages:
        l = stage.layer
        y_sub = _subnode_heights(nodes[l + 1], arities[l + 1], y_nodes[l + 1], height)
        fan_in = float(np.clip(0.11 * height, 0.42, 0.9)) if not stage.rows else 0.25 if stage.rows == 2 else 0.4
        fan_out = float(np.clip(0.19 * height, 0.45, 2.4))
        column = stage.cell[0] + (0.26 if stage.rows else 0.0)
        x_boxes = x + fan_in
        x_end = x_boxes + stage.columns * column
        x_sub = x_end + fan_out
        products = any(len(arities[l + 1][n]) > 1 for n in nodes[l + 1])
        x_next = x_sub + (0.5 if products else 0.0)
        node_points.append({n: (x_next, y) for n, y in y_nodes[l + 1].items()})
        points: dict[int, Point] = {}
        for n in nodes[l + 1]:
            for s in arities[l + 1][n]:
                points[s] = (x_sub if len(arities[l + 1][n]) > 1 else x_next, y_sub[s])
                if len(arities[l + 1][n]) > 1:
                    joints.append((s_curve(points[s], node_points[-1][n]), (l + 1, n)))
        subnode_points.append(points)
        for i, block in stage.blocks.items():
            _wire_block(stage, block, node_points[l][i], (x_boxes, column, x_end), points, boxes, wires)
        x = x_next
    return Placement(x + radius + margins[1], height, boxes, wires, node_points, subnode_points, joints, radius)


def _subnode_heights(
    nodes: Sequence[int], arities: Sequence[tuple[int, ...]], y_nodes: Mapping[int, float], height: float
) -> dict[int, float]:
    """Subnodes stand around their node, closer together than the nodes themselves."""
    ys = sorted(y_nodes.values())
    room = min([height] + [b - a for a, b in pairwise(ys)])
    result = {}
    for n in nodes:
        group = arities[n]
        step = min(0.5, 0.8 * room / len(group)) if len(group) > 1 else 0.0
        for k, s in enumerate(group):
            result[s] = y_nodes[n] + step * ((len(group) - 1) / 2 - k)
    return result


def _wire_block(
    stage: _Stage,
    block: Sequence[EdgeKey],
    node: Point,
    xs: tuple[float, float, float],
    targets: Mapping[int, Point],
    boxes: dict[EdgeKey, tuple[float, float, float, float]],
    wires: dict[EdgeKey, tuple[Array, Array]],
) -> None:
    """Place the boxes of one input and draw their wires in and out."""
    x_boxes, column, x_end = xs
    (box_w, box_h), (cell_w, cell_h) = stage.box, stage.cell
    trunk = node[1] if stage.rows != 1 else node[1] + stage.block_height[block[0].i] / 2 - 0.08
    for index, key in enumerate(block):
        if not stage.rows:
            c, top = 0, node[1] - stage.label / 2 + (len(block) / 2 - index) * cell_h - 0.15 * box_h
            above = True
        else:
            # The upper row first, then the lower one; with one row the input's wire runs above it.
            per_row = math.ceil(len(block) / stage.rows)
            c, above = index % per_row, stage.rows == 2 and index < per_row
            top = trunk + 0.08 + cell_h if above else trunk - 0.08
        left = x_boxes + c * column + (column - cell_w) / 2 + (cell_w - box_w) / 2
        boxes[key] = (left, top - box_h, box_w, box_h)
        middle = top - box_h / 2
        enter, leave = (left, middle), (left + box_w, middle)
        cell_left = x_boxes + c * column
        target = targets[key.j]
        if not stage.rows:
            first = [s_curve(node, (cell_left, middle)), np.array([enter])]
            second = [np.array([leave]), s_curve((x_end, middle), target)]
        else:
            slot = (column - cell_w) / 2
            entry = s_curve(node, (x_boxes - slot, trunk)) if stage.rows == 1 else np.array([node])
            first = [entry, s_curve((cell_left - slot, trunk), (cell_left + slot, middle)), np.array([enter])]
            last = c == stage.columns - 1
            rail = 0.035 + 0.026 * (stage.columns - 2 - c)
            y_rail = top + rail if above else top - cell_h - rail
            bend = s_curve((cell_left + column - slot, middle), (cell_left + column + slot, y_rail))
            if last:
                second = [np.array([leave]), s_curve((x_end, middle), target)]
            else:
                second = [np.array([leave]), bend, s_curve((x_end + slot, y_rail), target)]
        wires[key] = (np.concatenate(first), np.concatenate(second))
