"""Hats as a basis: broken lines."""

from __future__ import annotations

import torch
from torch import Tensor

from kanlib.errors import InputError
from kanlib.splines import local_basis, spread

from .protocol import Basis, Extrapolate

__all__ = ["PiecewiseLinear"]


class PiecewiseLinear(Basis):
    """Hats: one at each of G + k evenly spaced points, falling to zero at the next; curves are broken lines.

    They are B-splines of degree 1 on G + k - 1 cells. Their second derivative is zero wherever it exists: a penalty on
    roughness does nothing to them, and equations with second derivatives cannot be solved by them.
    """

    name = "piecewise_linear"

    def _values(
        self, x: Tensor, grid: Tensor, degree: int, derivative: int, extrapolate: Extrapolate, uniform: bool
    ) -> Tensor:
        assert extrapolate != "periodic"
        size = grid.shape[1] - 1 + degree
        # Not by uniform_grid, which looks at numbers: this runs in compiled code and on the meta device.
        share = torch.arange(size, dtype=grid.dtype, device=grid.device) / (size - 1)
        nodes = torch.lerp(grid[:, :1], grid[:, -1:], share)
        cell, values = local_basis(x, nodes, 1, derivative=derivative, extrapolate=extrapolate, uniform=True)
        return spread(cell, values, size)

    def roughness(self, grid: Tensor, degree: int, *, uniform: bool = True) -> Tensor:
        size = grid.shape[1] - 1 + degree
        return grid.new_zeros(len(grid), size, size)

    def complexity(self, grid_size: int, degree: int) -> int:
        return 2

    def projection(self, grid_size: int, degree: int) -> tuple[Tensor, Tensor]:
        size = grid_size + degree
        return torch.linspace(0, 1, size, dtype=torch.float64), torch.eye(size, dtype=torch.float64)

    def constant(self, size: int) -> Tensor:
        return torch.ones(size, dtype=torch.float64)

    def difference_rows(self, size: int, degree: int) -> Tensor:
        """Second differences of the values at the nodes: zero for a straight line."""
        return torch.eye(size, dtype=torch.float64).diff(n=2, dim=0) / 6**0.5

    def check(self, grid: Tensor, degree: int, extrapolate: str, knots: str) -> None:
        super().check(grid, degree, extrapolate, knots)
        if grid.shape[1] - 1 + degree < 2:
            raise InputError("piecewise_linear got one function; expected two at least. Take a larger grid or degree.")
