"""What a basis is: functions of one variable on a range that follows the data, and what training asks of them.

A basis has no state: the range, the number of functions and the rule outside come with every call, as a `KANLayer`
keeps them. All have G + k functions for a grid of G cells and degree k, so that networks of different bases have the
same number of coefficients. Splines use the grid's breakpoints; every other basis only its two ends, which become -1
and 1 of its own coordinate u.

Outside the range the rule is the layer's: "linear" continues value and slope at the end, "constant" the value, "zero"
gives nothing, and "periodic" repeats the range. Every float32 and float64 gives a finite value, infinities included
(not for "periodic"); a curve at NaN is NaN.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kanlib.checks import check_choice
from kanlib.errors import InputError

__all__ = ["Basis", "Extrapolate", "UnitBasis"]

Extrapolate = Literal["linear", "constant", "zero", "periodic"]
# Gauss points of the integral of squared curvature, on each of as many panels as there are functions.
_QUADRATURE = 24


class Basis(ABC):
    """Functions of one variable.

    Attributes
    ----------
    name : str
        What `KANLayer(basis=...)` calls it.
    knots : tuple of str
        Which kinds of grids it has a use for.
    """

    name: str
    knots: tuple[str, ...] = ("uniform",)

    def values(
        self,
        x: Tensor,
        grid: Tensor,
        degree: int,
        *,
        derivative: int = 0,
        extrapolate: Extrapolate = "linear",
        uniform: bool = True,
    ) -> Tensor:
        """All functions, or a derivative of them with respect to x, at every point.

        Parameters
        ----------
        x : Tensor, shape (..., in)
        grid : Tensor, shape (in, G + 1)
            Increasing; the range of input i is from grid[i, 0] to grid[i, -1].
        degree : int
        derivative : int, 0 to 2
        extrapolate : {"linear", "constant", "zero", "periodic"}
        uniform : bool
            Whether the grid's cells are of equal width.

        Returns
        -------
        Tensor, shape (..., in, G + degree)

        Examples
        --------
        >>> from kanlib.bases import BASES
        >>> BASES["chebyshev"].values(torch.tensor([[0.5]]), torch.tensor([[-1.0, 1.0]]), degree=2)
        tensor([[[ 1.0000,  0.5000, -0.5000]]])
        """
        if extrapolate == "periodic":
            start = grid[:, 0]
            x = start + torch.remainder(x - start, grid[:, -1] - start)
            extrapolate = "linear"
        return self._values(x, grid, degree, derivative, extrapolate, uniform)

    @abstractmethod
    def _values(
        self, x: Tensor, grid: Tensor, degree: int, derivative: int, extrapolate: Extrapolate, uniform: bool
    ) -> Tensor:
        """`values` without the periodic rule."""

    @abstractmethod
    def roughness(self, grid: Tensor, degree: int, *, uniform: bool = True) -> Tensor:
        """Integrals over the range of products of second derivatives, shape (in, G + k, G + k).

        A curve with coefficients c has the roughness c R c, the integral of its squared second derivative.
        """

    @abstractmethod
    def complexity(self, grid_size: int, degree: int) -> int:
        """How many functions are non-zero at a point: what a value costs at least."""

    @abstractmethod
    def projection(self, grid_size: int, degree: int) -> tuple[Tensor, Tensor]:
        """Where to ask a smooth curve, and how its values there become coefficients.

        Returns
        -------
        points : Tensor, shape (P,), float64
            The range mapped to [0, 1]; of splines some lie outside.
        matrix : Tensor, shape (G + k, P), float64
        """

    def sample_points(self, grid: Tensor, degree: int) -> Tensor:
        """Points all over the range, enough to know a curve by: shape (P, in).

        By default four times as many as functions, denser at the ends.
        """
        points = torch.from_numpy(np.polynomial.chebyshev.chebpts1(4 * (grid.shape[1] - 1 + degree)))
        return torch.lerp(grid[:, :1], grid[:, -1:], ((points + 1) / 2).to(grid)).T

    def constant(self, size: int) -> Tensor | None:
        """Coefficients of the function 1, shape (size,), float64; None where it is not among the curves."""
        return None

    def difference_rows(self, size: int, degree: int) -> Tensor:
        """Rows that a calm curve makes small, in unit length; what data leave open is settled by them.

        Shape (m, size), float64. By default the coefficients themselves.
        """
        return torch.eye(size, dtype=torch.float64)

    def check(self, grid: Tensor, degree: int, extrapolate: str, knots: str) -> None:
        """Raise InputError unless these describe functions of this basis."""
        if knots not in self.knots:
            known = " or ".join(map(repr, self.knots))
            raise InputError(f"knots {knots!r} mean nothing to the basis {self.name!r}; expected {known}.")
        check_choice("extrapolate", extrapolate, get_args(Extrapolate))
        if grid.ndim != 2 or grid.shape[1] < 2:
            raise InputError(f"the grid has shape {tuple(grid.shape)}; expected (in_features, G + 1), G at least 1.")
        if degree < 0 or grid.shape[1] - 1 + degree < 1:
            raise InputError(f"degree {degree} is not supported; expected a whole number of zero or more.")


class UnitBasis(Basis):
    """A basis that is given on u in [-1, 1] and needs nothing of a range but its ends."""

    @abstractmethod
    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        """The functions, or their first or second derivative in u: shape (..., size) for u (...) in [-1, 1]."""

    def _values(
        self, x: Tensor, grid: Tensor, degree: int, derivative: int, extrapolate: Extrapolate, uniform: bool
    ) -> Tensor:
        start, end = grid[:, 0], grid[:, -1]
        size = grid.shape[1] - 1 + degree
        scale = 2.0 / (end - start)
        limit = torch.finfo(x.dtype).max ** 0.5  # as far as lines go on
        u = ((x - start) * scale - 1.0).clamp(-limit, limit)
        inside = u.clamp(-1.0, 1.0)
        values = self.functions(inside, size, derivative)
        if extrapolate == "linear" and derivative == 0:
            beyond = (u - inside).unsqueeze(-1)
            # (2, size), at both ends; a list of numbers would be copied to the device in every pass
            ends = torch.linspace(-1.0, 1.0, 2, dtype=u.dtype, device=u.device)
            slopes = self.functions(ends, size, 1)
            values = values + beyond.clamp(max=0.0) * slopes[0] + beyond.clamp(min=0.0) * slopes[1]
        elif derivative:
            values = values * scale.unsqueeze(-1) ** derivative
        kept = {"linear": 1, "constant": 0, "zero": -1}[extrapolate]  # the highest derivative that goes on outside
        if derivative > kept:
            values = values.masked_fill(((x < start) | (x > end)).unsqueeze(-1), 0.0)
        return values

    def roughness(self, grid: Tensor, degree: int, *, uniform: bool = True) -> Tensor:
        energy = torch.from_numpy(_energy(self, grid.shape[1] - 1 + degree)).to(grid)
        # int f_xx^2 dx = (2 / width)^3 int f_uu^2 du
        return energy * (2.0 / (grid[:, -1] - grid[:, 0]))[:, None, None] ** 3

    def complexity(self, grid_size: int, degree: int) -> int:
        return grid_size + degree

    def projection(self, grid_size: int, degree: int) -> tuple[Tensor, Tensor]:
        size = grid_size + degree
        points = torch.from_numpy(np.polynomial.chebyshev.chebpts1(4 * size))
        return (points + 1) / 2, torch.linalg.pinv(self.functions(points, size), rtol=1e-10)


@lru_cache(maxsize=256)
def _energy(basis: UnitBasis, size: int) -> NDArray[np.float64]:
    """Integrals over [-1, 1] of products of second derivatives: they depend on nothing else, and every step asks."""
    places, weights = np.polynomial.legendre.leggauss(_QUADRATURE)
    middles = (2 * np.arange(size) + 1) / size - 1
    points = (middles[:, None] + places / size).ravel()
    bends = basis.functions(torch.from_numpy(points), size, 2).numpy()
    energy: NDArray[np.float64] = bends.T @ (np.tile(weights / size, size)[:, None] * bends)
    return energy
