"""From a network with masked edges to the smallest one of the same function; no data are needed.

Forwards, what no edge reaches is constant: its value goes through the curves it feeds into their nodes' biases, and a
constant factor of a product scales another factor. Backwards, what feeds nothing is dropped. Both are exact, so the
small network agrees with the masked one to rounding.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .errors import InputError
from .network import KAN, Width

if TYPE_CHECKING:
    from .layer import KANLayer

__all__ = ["compact", "show_widths"]


@dataclass
class _Node:
    """A node while the network shrinks: the sums it multiplies (one for a sum node), and its value if constant.

    A row of None stands for a factor of one, which keeps a product where it is among the outputs.
    """

    rows: list[int | None]
    constant: float | None = None
    needed: bool = False


def compact(model: KAN) -> KAN:
    """A network without the masked edges' dead nodes and inputs, which computes the same; the given one stays as it is.

    Parameters
    ----------
    model : KAN

    Returns
    -------
    KAN
        It takes the same columns (``input_index`` says which it uses) and keeps grids, names, dtype and device. Edges
        that are masked inside the rectangle of what is left stay masked.

    Raises
    ------
    InputError
        If no path leads from an input to an output: the network is a constant.

    Examples
    --------
    >>> model = KAN([2, 5, 1], dtype=torch.float64)
    >>> for j in range(1, 5):
    ...     model.layers[1].mask_edge(j, 0)
    >>> small, x = compact(model), torch.rand(10, 2, dtype=torch.float64)
    >>> show_widths(small.widths), torch.allclose(small(x), model(x))
    ('[2, 1, 1]', True)
    """
    work = copy.deepcopy(model)
    with torch.no_grad():
        nodes = _fold_constants(work)
        _mark_needed(work, nodes)
        return _build(work, nodes)


def show_widths(widths: tuple[Width, ...]) -> str:
    """Widths as one writes them.

    Examples
    --------
    >>> show_widths((Width(2), Width(1, (2, 3)), Width(1)))
    '[2, (1, [2, 3]), 1]'
    """
    shown = [f"({width.sums}, {list(width.products)})" if width.products else str(width.sums) for width in widths]
    return f"[{', '.join(shown)}]"


def _fold_constants(model: KAN) -> list[list[_Node]]:
    """Let constants flow forwards into biases and scales of ``model``, in place; the nodes of every level."""
    levels = [[_Node([i]) for i in range(model.widths[0].size)]]
    for layer, width in zip(model.layers, model.widths[1:], strict=True):
        _fold_inputs(layer, levels[-1])
        is_output = layer is model.layers[-1]
        levels.append(_fold_factors(layer, width, is_output))
    return levels


def _fold_inputs(layer: KANLayer, inputs: list[_Node]) -> None:
    """Move what constant inputs contribute into the bias, and mask their edges."""
    columns = [i for i, node in enumerate(inputs) if node.constant is not None]
    if not columns:
        return
    x = (layer.grid[:, 0] + layer.grid[:, -1]) / 2
    x[columns] = x.new_tensor([inputs[i].constant for i in columns])
    layer.bias.add_(layer.edges(x[None])[0][:, columns].sum(dim=1))
    layer.mask[:, columns] = False


def _fold_factors(layer: KANLayer, width: Width, is_output: bool) -> list[_Node]:
    """The nodes behind a layer, with constant factors multiplied into the others."""
    dead = (~layer.mask.any(dim=1)).tolist()
    nodes = [_Node([j], float(layer.bias[j]) if dead[j] else None) for j in range(width.sums)]
    start, all_sums = width.sums, True
    for arity in width.products:
        rows = list(range(start, start + arity))
        start += arity
        moving = [j for j in rows if not dead[j]]
        scale = math.prod(float(layer.bias[j]) for j in rows if dead[j])
        if not moving or scale == 0.0:
            # Nothing times anything finite: the other factors no longer matter.
            layer.mask[rows] = False
            layer.bias[rows[0]] = scale
            node = _Node([rows[0]], scale)
        else:
            if len(moving) < arity:
                _scale_row(layer, moving[0], scale)
            node = _Node(list(moving))
        # Sums come before products. A hidden node may move there, an output has to keep its number.
        if is_output and len(node.rows) == 1 and not all_sums:
            node.rows.append(None)
        all_sums = all_sums and len(node.rows) == 1
        nodes.append(node)
    return nodes


def _scale_row(layer: KANLayer, j: int, scale: float) -> None:
    layer.coefficients[j] *= scale
    if layer.base_weight is not None:
        layer.base_weight[j] *= scale
    layer.bias[j] *= scale
    layer.edge_constants[j, :, 2:4] *= scale  # c and d of c * f(a*x + b) + d


def _mark_needed(model: KAN, levels: list[list[_Node]]) -> None:
    """Mark, from the outputs backwards, the nodes something depends on."""
    for node in levels[-1]:
        node.needed = True
    for layer, inputs, outputs in zip(reversed(model.layers), reversed(levels[:-1]), reversed(levels[1:]), strict=True):
        rows = [j for node in outputs if node.needed for j in node.rows if j is not None]
        for i, feeds in enumerate(layer.mask[rows].any(dim=0).tolist()):
            inputs[i].needed = feeds
        if not any(node.needed for node in inputs):
            raise InputError(
                "No path of edges leads from an input to an output: the network is a constant. Keep more edges."
            )


def _build(model: KAN, levels: list[list[_Node]]) -> KAN:
    """A new network of the nodes that are needed, with their tensors."""
    widths: list[list[object]] = []
    order: list[list[int]] = []  # of the nodes at each level, sums first
    for level in levels:
        needed = [n for n, node in enumerate(level) if node.needed]
        sums = [n for n in needed if len(level[n].rows) == 1]
        products = [n for n in needed if len(level[n].rows) > 1]
        widths.append([len(sums), [len(level[n].rows) for n in products]])
        order.append(sums + products)
    config = {**model.config(), "widths": widths, "input_index": [model.used_inputs[i] for i in order[0]]}
    small = KAN.from_config(config, device=model.layers[0].grid.device)
    for depth, (new, old) in enumerate(zip(small.layers, model.layers, strict=True)):
        rows = [j for n in order[depth + 1] for j in levels[depth + 1][n].rows]
        _copy_part(new, old, rows, order[depth])
    return small.train(model.training)


def _copy_part(new: KANLayer, old: KANLayer, rows: list[int | None], columns: list[int]) -> None:
    """Copy some rows (nodes) and columns (inputs) of a layer; a row of None gets no edges and a bias of one."""
    taken = torch.tensor([0 if j is None else j for j in rows], device=old.mask.device)
    column_index = torch.tensor(columns, device=old.mask.device)
    one = torch.tensor([j is None for j in rows], device=old.mask.device)

    def part(tensor: Tensor) -> Tensor:
        return tensor[taken][:, column_index]

    new.grid.copy_(old.grid[column_index])
    new.mask.copy_(part(old.mask) & ~one[:, None])
    new.coefficients.copy_(part(old.coefficients))
    new.edge_constants.copy_(part(old.edge_constants))
    new.bias.copy_(torch.where(one, 1.0, old.bias[taken]))
    if old.base_weight is not None and new.base_weight is not None:
        new.base_weight.copy_(part(old.base_weight))
    for (i, j), name in old.fixed_edges().items():
        if bool(old.mask[j, i]) and i in columns and j in rows:
            new.fix_edge(columns.index(i), rows.index(j), name, old.edge_constants[j, i].tolist())
    for mine, theirs in zip(new.parameters(), old.parameters(), strict=True):
        mine.requires_grad_(theirs.requires_grad)
