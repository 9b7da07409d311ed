"""Scale and offset of hidden nodes, which a solved spline layer ignores: kept where numbers have digits.

The grid of the last layer follows the values it receives, so that a hidden node may be multiplied by anything, and a
sum moved by anything, without a change of the output. Nothing else keeps a node from drifting away until its values
have no digits left for what varies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .bases import get_basis
from .jacobian import LayerPlan, Trace

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["rescaled"]

SMALL, LARGE = 0.3, 3.0  # sizes that are left alone
FAR = 10.0  # times a sum's size, from which its offset is taken off
# A base function has a scale and a place of its own; but far out it is a straight line (SiLU at 1e13), and then nothing
# holds the node either.
FAR_WITH_BASE = 1e3


def rescaled(model: KAN, plans: Sequence[LayerPlan], passed: Trace, constants: Sequence[Tensor]) -> list[Tensor] | None:
    """The constants with hidden nodes of unit size and no far offset; None where there is nothing to do.

    With a base function in the last layer, or rows outside a first grid that goes on as zero, the output may change.
    """
    if len(plans) < 2 or plans[-1].fixed or plans[-2].fixed:
        return None
    nodes, p, sums = passed.subnodes[-2], plans[-2], model.widths[-2].sums
    size = nodes.std(dim=0, correction=0)
    flat = size <= 1e-12  # a node that does not vary has no size
    size = torch.where(flat, 1.0, size)
    level = nodes.mean(dim=0)
    level[sums:] = 0.0  # the offset of a factor is not free
    with_base = plans[-1].layer.base is not None
    level = torch.where(flat | (level.abs() < (FAR_WITH_BASE if with_base else FAR) * size), 0.0, level)
    # A bias that is no constant of the solver is not scaled: it would become another offset of a factor.
    kept = p.layer.bias.detach() != 0
    kept[:sums] = False
    kept[p.bias_nodes] = False
    scale = torch.ones_like(size) if with_base else torch.where(kept, 1.0, size)
    if bool(((scale > SMALL) & (scale < LARGE) & (level == 0)).all()):
        return None
    values = constants[-2].clone()
    for node in level.nonzero()[:, 0].tolist():
        values -= level[node] * _constant(p, node)
    return [*constants[:-2], values / scale[p.owner], constants[-1]]


def _constant(p: LayerPlan, node: int) -> Tensor:
    """What added to the layer's constants adds 1 to a node: to its bias, or to one of its curves."""
    unit = p.layer.bias.new_zeros(p.n_constants)
    biases = (p.bias_nodes == node).nonzero()[:, 0]
    edges = (p.out_index == node).nonzero()[:, 0]
    if len(biases):
        unit[p.n_constants - p.bias_nodes.numel() + int(biases[0])] = 1.0
    elif len(edges):
        n_features, n_basis = p.layer.weights().shape[-1], p.layer.coefficients.shape[-1]
        end = (int(edges[0]) + 1) * n_features
        constant = get_basis(p.layer.basis).constant(n_basis)
        assert constant is not None  # else there would be a bias
        unit[end - n_basis : end] = constant.to(unit)
    return unit
