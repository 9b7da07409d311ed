"""B-splines as a basis: local, k + 1 of them at a point (`kanlib.splines` has the mathematics)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kanlib.splines import check_spline, greville, local_basis, roughness_matrix, spread

from .protocol import Basis, Extrapolate

__all__ = ["BSpline"]


class BSpline(Basis):
    """B-splines of degree k on the grid, uniform or with any breakpoints.

    Source: C. de Boor, A Practical Guide to Splines, Springer 1978.
    """

    name = "bspline"
    knots = ("uniform", "free")

    def _values(
        self, x: Tensor, grid: Tensor, degree: int, derivative: int, extrapolate: Extrapolate, uniform: bool
    ) -> Tensor:
        assert extrapolate != "periodic"
        cell, values = local_basis(x, grid, degree, derivative=derivative, extrapolate=extrapolate, uniform=uniform)
        return spread(cell, values, grid.shape[1] - 1 + degree)

    def roughness(self, grid: Tensor, degree: int, *, uniform: bool = True) -> Tensor:
        return roughness_matrix(grid, degree, uniform=uniform)

    def complexity(self, grid_size: int, degree: int) -> int:
        return degree + 1

    def projection(self, grid_size: int, degree: int) -> tuple[Tensor, Tensor]:
        return greville(grid_size, degree), torch.eye(grid_size + degree, dtype=torch.float64)

    def sample_points(self, grid: Tensor, degree: int) -> Tensor:
        """Some in every cell, breakpoints and both ends among them."""
        share = torch.linspace(0, 1, 4 * (degree + 1) + 1, dtype=grid.dtype, device=grid.device)[:-1]
        points = torch.lerp(grid[:, :-1, None], grid[:, 1:, None], share).flatten(1)  # (in, G * per cell)
        return torch.cat([points, grid[:, -1:]], dim=1).T

    def constant(self, size: int) -> Tensor:
        return torch.ones(size, dtype=torch.float64)  # they sum to one

    def difference_rows(self, size: int, degree: int) -> Tensor:
        """Differences of order degree + 1 of the coefficients: zero for a polynomial."""
        rows = torch.eye(size, dtype=torch.float64).diff(n=degree + 1, dim=0)
        return rows / math.comb(2 * degree + 2, degree + 1) ** 0.5

    def check(self, grid: Tensor, degree: int, extrapolate: str, knots: str) -> None:
        super().check(grid, degree, extrapolate, knots)
        check_spline(grid, degree)
