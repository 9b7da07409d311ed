"""The peer of the layer table: efficient-kan's published algorithm, written anew from its description.

efficient-kan evaluates every B-spline of every input densely by the recursion of Cox and de Boor on a grid buffer of
one row per input, multiplies spline weights by a scale per edge (its option `enable_standalone_scale_spline`, on by
default), and adds a linear map of SiLU(x). Two matrix products make the sum over the inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["EfficientKANLayer", "cox_de_boor"]


def cox_de_boor(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """All B-splines at every point, dense: x (batch, in), knots (in, G + 2k + 1) -> (batch, in, G + k)."""
    x = x.unsqueeze(-1)
    values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rise = (x - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
        fall = (knots[:, k + 1 :] - x) / (knots[:, k + 1 :] - knots[:, 1:-k])
        values = rise * values[..., :-1] + fall * values[..., 1:]
    return values


class EfficientKANLayer(nn.Module):
    """A layer of the published algorithm; parameters are small random numbers, which is all a timing needs."""

    knots: Tensor

    def __init__(
        self, in_features: int, out_features: int, grid_size: int = 5, degree: int = 3, *, seed: int = 0
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.degree = degree
        width = 2.0 / grid_size
        row = torch.arange(-degree, grid_size + degree + 1) * width - 1.0
        self.register_buffer("knots", row.expand(in_features, -1).contiguous())
        shape = (out_features, in_features)
        self.base_weight = nn.Parameter(0.1 * torch.randn(shape, generator=generator))
        self.spline_weight = nn.Parameter(0.1 * torch.randn((*shape, grid_size + degree), generator=generator))
        self.spline_scale = nn.Parameter(torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        """x (batch, in) -> (batch, out)."""
        base = nn.functional.linear(nn.functional.silu(x), self.base_weight)
        weight = (self.spline_weight * self.spline_scale.unsqueeze(-1)).flatten(1)
        return base + nn.functional.linear(cox_de_boor(x, self.knots, self.degree).flatten(1), weight)
