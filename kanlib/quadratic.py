"""What the Gauss-Newton solver asks of curves besides the fit, as rows of a least-squares problem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .bases import get_basis
from .jacobian import LayerPlan

if TYPE_CHECKING:
    from .layer import KANLayer

__all__ = ["difference_rows", "penalty_root", "spline_columns", "stretch_grid"]


def stretch_grid(layer: KANLayer, value: Tensor, margin: float) -> None:
    """Map each row of breakpoints affinely onto the range of ``value``'s column and the margin, in place.

    A grid that repeats stays: its length is a period.
    """
    if layer.repeats:
        return
    grid = layer.grid
    low, high = value.amin(dim=0), value.amax(dim=0)
    # A node that does not vary still needs a cell of some width.
    flat = (high - low) <= 1e-12 * (1 + high.abs() + low.abs())
    low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    low, high = low - margin * (high - low), high + margin * (high - low)
    unit = (grid - grid[:, :1]) / (grid[:, -1:] - grid[:, :1])
    grid.copy_(low[:, None] + unit * (high - low)[:, None])


def spline_columns(p: LayerPlan) -> Tensor:
    """Which of a layer's constants are coefficients of the basis, shape (n_constants,)."""
    n_edges, n_features = p.out_index.numel(), p.layer.weights().shape[-1]
    place = torch.arange(p.n_constants, device=p.owner.device)
    base = n_features - p.layer.coefficients.shape[-1]  # comes first on every edge
    return (place < n_edges * n_features) & (place % n_features >= base)


def difference_rows(p: LayerPlan) -> Tensor:
    """What a calm curve makes small on every learned edge, as the basis has it (`Basis.difference_rows`); unit rows.

    Of splines the differences of order degree + 1 of the coefficients, zero for a polynomial.
    """
    layer = p.layer
    n_edges, n_features, n_basis = p.out_index.numel(), layer.weights().shape[-1], layer.coefficients.shape[-1]
    rows = get_basis(layer.basis).difference_rows(n_basis, layer.degree).to(layer.grid)
    rows = torch.nn.functional.pad(rows, (n_features - n_basis, 0))  # the base function, if any, comes first
    result = rows.new_zeros(n_edges * len(rows), p.n_constants)
    if n_edges and len(rows):
        result[:, : n_edges * n_features] = torch.block_diag(*[rows] * n_edges)
    return result


def penalty_root(p: LayerPlan, roughness: float) -> Tensor:
    """R with |R c|^2 = roughness * sum over edges of int f''(u)^2 du, on the grid's unit interval."""
    layer = p.layer
    weights = layer.weights().detach()
    n_edges, n_features = p.out_index.numel(), weights.shape[-1]
    if roughness <= 0 or n_edges == 0:
        return weights.new_zeros(0, p.n_constants)
    unit = (layer.grid - layer.grid[:, :1]) / (layer.grid[:, -1:] - layer.grid[:, :1])
    energy = get_basis(layer.basis).roughness(unit, layer.degree, uniform=layer.knots == "uniform")
    values, vectors = torch.linalg.eigh(energy)
    roots = math.sqrt(roughness) * values.clamp_min(0).sqrt()[:, :, None] * vectors.transpose(1, 2)
    n_basis = roots.shape[-1]
    result = weights.new_zeros(n_edges * n_basis, p.n_constants)
    for e, i in enumerate(p.in_index.tolist()):
        start = e * n_features + n_features - n_basis  # the base function, if any, comes first
        result[e * n_basis : (e + 1) * n_basis, start : start + n_basis] = roots[i]
    return result
