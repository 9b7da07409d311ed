"""B-splines as pure functions on tensors.

A grid is a tensor (in_features, G + 1) of increasing breakpoints, one row per input (`kanlib.breakpoints`).
A spline of degree k on it has G + k coefficients; beyond the grid the knots go on at the width of its end
cells. Only k + 1 basis functions are non-zero at a point, each a polynomial of the cell coordinate
(`kanlib.polynomials`), so no recursion runs over the batch. The right end belongs to the last cell.

Every float gives a finite value, infinities included; NaN stays NaN. Outside the grid the rule is one of

- ``"linear"``: the value and slope at the end continue (first and second derivatives follow that rule),
- ``"constant"``: the value at the end continues,
- ``"zero"``: nothing is there.

Everything is differentiable to any order in x and in the coefficients, also under `torch.func`.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from .breakpoints import quantile_grid as quantile_grid
from .breakpoints import uniform_grid as uniform_grid
from .checks import check_choice
from .errors import InputError
from .polynomials import MAX_DEGREE, UNIFORM_PIECES, free_pieces, two_scale

Extrapolate = Literal["linear", "constant", "zero"]
# How many terms of the Taylor series at the end continue outside.
_TERMS_OUTSIDE = {"linear": 2, "constant": 1, "zero": 0}


def local_basis(
    x: Tensor,
    grid: Tensor,
    degree: int,
    *,
    derivative: int = 0,
    extrapolate: Extrapolate = "linear",
    uniform: bool,
) -> tuple[Tensor, Tensor]:
    """The k + 1 basis functions that are non-zero at each point, and the cell the point is in.

    Parameters
    ----------
    x : Tensor, shape (..., in)
    grid : Tensor, shape (in, G + 1), same dtype as x
    degree : int, 0 to 5
    derivative : int
        Order of the derivative with respect to x.
    extrapolate : {"linear", "constant", "zero"}
    uniform : bool
        Whether all cells of a row have the same width; then the closed form is used.

    Returns
    -------
    cell : Tensor of int64, shape (..., in)
        Value r belongs to basis function cell + r.
    values : Tensor, shape (k + 1, ..., in)
        In this order because k + 1 long rows are worked on several times faster than short columns.
    """
    cells = grid.shape[1] - 1
    limit = torch.finfo(x.dtype).max ** 0.5  # that many cells away lines end, lest they overflow
    terms = _TERMS_OUTSIDE[extrapolate] - derivative
    pieces = None
    if uniform:
        scale = cells / (grid[:, -1] - grid[:, 0])
        position = ((x - grid[:, 0]) * scale).clamp(-limit, limit)
        left = position.detach().clamp(0, cells - 1).floor()
        t = position - left
        cell = left.long().clamp(0, cells - 1)  # as integers once more, for what NaN has become
        if derivative <= degree:
            pieces = x.new_tensor(UNIFORM_PIECES[degree, derivative])
    else:
        cell = (x.detach().unsqueeze(-1) >= grid[:, 1:-1]).sum(-1)
        row = cell + cells * torch.arange(grid.shape[0], device=x.device)
        width = grid[:, 1:] - grid[:, :-1]
        scale = width.reciprocal().flatten()[row]
        t = ((x - grid[:, :-1].flatten()[row]) * scale).clamp(-limit, limit)
        if derivative <= degree:
            pieces = free_pieces(grid, degree, derivative).flatten(0, 1).movedim(0, -1)[..., row]
    if pieces is None:
        return cell, (t * 0).expand(degree + 1, *t.shape)
    powers = _powers(t, degree - derivative, linear=terms >= 2)
    if uniform:
        values = (pieces.T @ powers.flatten(1)).view(degree + 1, *t.shape)
    else:
        values = (powers.unsqueeze(1) * pieces).sum(0)
    if derivative:
        values = values * scale**derivative
    if terms <= 0:
        values = values.masked_fill((x < grid[:, 0]) | (x > grid[:, -1]), 0.0)
    return cell, values


def _powers(t: Tensor, top: int, *, linear: bool) -> Tensor:
    """Powers 0..top of t in [0, 1] as rows; outside, their tangent lines or their values at the ends."""
    if top == 0:
        return (t * 0 + 1).unsqueeze(0)  # keeps NaN and the graph
    inside = t.clamp(0.0, 1.0)
    rows, power = [torch.ones_like(t), t if linear else inside], inside
    beyond = t - inside
    for m in range(2, top + 1):
        lower, power = power, power * inside
        rows.append(torch.addcmul(power, lower, beyond, value=m) if linear else power)
    return torch.stack(rows)


def spread(cell: Tensor, values: Tensor, size: int) -> Tensor:
    """Put local values (m, ...) at positions cell + 0..m-1 of a dense, otherwise zero (..., size)."""
    order = torch.arange(len(values), device=cell.device).view(-1, *[1] * cell.ndim)
    zeros = values.new_zeros(()).expand(*cell.shape, size)
    return zeros.scatter(-1, (cell + order).movedim(0, -1), values.movedim(0, -1))


def basis(
    x: Tensor,
    grid: Tensor,
    degree: int,
    *,
    derivative: int = 0,
    extrapolate: Extrapolate = "linear",
    uniform: bool,
) -> Tensor:
    """All G + k basis functions (or a derivative of them) at every point, dense.

    Parameters are those of `local_basis`.

    Returns
    -------
    Tensor, shape (..., in, G + k)

    Examples
    --------
    >>> grid = uniform_grid(0.0, 2.0, 2, in_features=1)
    >>> basis(torch.tensor([[0.5]]), grid, 1, uniform=True)
    tensor([[[0.5000, 0.5000, 0.0000]]])
    """
    check_spline(grid, degree)
    check_choice("extrapolate", extrapolate, get_args(Extrapolate))
    cell, values = local_basis(x, grid, degree, derivative=derivative, extrapolate=extrapolate, uniform=uniform)
    return spread(cell, values, grid.shape[1] - 1 + degree)


def evaluate(
    x: Tensor,
    grid: Tensor,
    coefficients: Tensor,
    degree: int,
    *,
    derivative: int = 0,
    extrapolate: Extrapolate = "linear",
    uniform: bool,
) -> Tensor:
    """Sum of one spline per input: y[..., j] = sum_i spline_ji(x[..., i]).

    Parameters
    ----------
    x : Tensor, shape (..., in)
    grid : Tensor, shape (in, G + 1)
    coefficients : Tensor, shape (out, in, G + k)

    Returns
    -------
    Tensor, shape (..., out)

    Examples
    --------
    >>> grid = uniform_grid(-1.0, 1.0, 4, in_features=3)
    >>> evaluate(torch.zeros(5, 3), grid, torch.ones(2, 3, 7), 3, uniform=True).shape
    torch.Size([5, 2])
    """
    values = basis(x, grid, degree, derivative=derivative, extrapolate=extrapolate, uniform=uniform)
    return torch.nn.functional.linear(values.flatten(-2), coefficients.flatten(1))


def curves(
    x: Tensor,
    grid: Tensor,
    coefficients: Tensor,
    degree: int,
    *,
    derivative: int = 0,
    extrapolate: Extrapolate = "linear",
    uniform: bool,
) -> Tensor:
    """Every spline by itself: y[..., j, i] = spline_ji(x[..., i]); parameters as for `evaluate`.

    Returns
    -------
    Tensor, shape (..., out, in)

    Examples
    --------
    >>> grid = uniform_grid(-1.0, 1.0, 4, in_features=3)
    >>> curves(torch.zeros(5, 3), grid, torch.ones(2, 3, 7), 3, uniform=True).shape
    torch.Size([5, 2, 3])
    """
    values = basis(x, grid, degree, derivative=derivative, extrapolate=extrapolate, uniform=uniform)
    return torch.einsum("...if,oif->...oi", values, coefficients)


def fit_coefficients(
    x: Tensor,
    y: Tensor,
    grid: Tensor,
    degree: int,
    *,
    extrapolate: Extrapolate = "linear",
    uniform: bool,
    tolerance: float = 1e-12,
) -> Tensor:
    """Least-squares coefficients of the splines through given points, each input by itself.

    Parameters
    ----------
    x : Tensor, shape (n, in)
    y : Tensor, shape (n, out, in)
        Values the curve of edge (i, j) should take at x[:, i].
    grid : Tensor, shape (in, G + 1)
    tolerance : float
        Singular values below this fraction of the largest count as zero: where the data leave a coefficient
        open (a cell without points) the smallest solution is taken. The work is done in float64.

    Returns
    -------
    Tensor, shape (out, in, G + k), dtype of y

    Raises
    ------
    InputError
        When the shapes do not fit together or there are no points.

    Examples
    --------
    >>> grid = uniform_grid(0.0, 1.0, 5, in_features=1)
    >>> x = torch.linspace(0, 1, 50)[:, None]
    >>> c = fit_coefficients(x, x[:, None, :] ** 2, grid, 3, uniform=True)
    >>> bool((evaluate(x, grid, c, 3, uniform=True) - x**2).abs().max() < 1e-5)
    True
    """
    if x.ndim != 2 or y.ndim != 3 or y.shape[0] != x.shape[0] or y.shape[2] != x.shape[1] or not len(x):
        raise InputError(
            f"fit_coefficients got x {tuple(x.shape)} and y {tuple(y.shape)}; expected x (n, in) and "
            "y (n, out, in) with n > 0. Give each edge its own target values."
        )
    return solve_coefficients(
        basis(x.double(), grid.double(), degree, extrapolate=extrapolate, uniform=uniform), y, tolerance
    )


def solve_coefficients(design: Tensor, y: Tensor, tolerance: float = 1e-12) -> Tensor:
    """`fit_coefficients` for any basis: its values at the points are given as ``design``, (n, in, G + k), float64."""
    left, singular, right = torch.linalg.svd(design.transpose(0, 1), full_matrices=False)
    keep = singular > tolerance * singular[:, :1]
    inverse = torch.where(keep, singular, 1.0).reciprocal() * keep
    solved = right.mT @ (inverse.unsqueeze(-1) * (left.mT @ y.double().permute(2, 0, 1)))
    return solved.permute(2, 0, 1).to(y.dtype)


def refine(coefficients: Tensor, grid: Tensor, degree: int, factor: int) -> tuple[Tensor, Tensor]:
    """Cut every cell of a uniform grid into `factor` equal ones; the curves stay the same to rounding.

    Uses the two-scale relation of uniform B-splines (knot insertion on all cells at once), not a refit.

    Parameters
    ----------
    coefficients : Tensor, shape (out, in, G + k)
    grid : Tensor, shape (in, G + 1), uniform
    factor : int, at least 1

    Returns
    -------
    coefficients : Tensor, shape (out, in, factor * G + k)
    grid : Tensor, shape (in, factor * G + 1)

    Examples
    --------
    >>> fine, grid = refine(torch.ones(1, 1, 5), uniform_grid(0.0, 1.0, 2, in_features=1), 3, 3)
    >>> fine.shape, grid.shape
    (torch.Size([1, 1, 9]), torch.Size([1, 7]))
    """
    if factor < 1 or factor != int(factor):
        raise InputError(f"refine got factor {factor}; expected a whole number of at least 1.")
    cells = grid.shape[1] - 1
    weights = coefficients.new_tensor(two_scale(degree, factor))
    matrix = coefficients.new_zeros(cells + degree, factor * cells + degree)
    for b in range(cells + degree):
        first = factor * (b - degree) + degree  # the fine basis function that starts where basis b starts
        low, high = max(first, 0), min(first + len(weights), matrix.shape[1])
        matrix[b, low:high] = weights[low - first : high - first]
    return coefficients @ matrix, uniform_grid(grid[:, 0], grid[:, -1], factor * cells)


def greville(grid_size: int, degree: int) -> Tensor:
    """Greville points of uniform B-splines, the grid mapped to [0, 1]; shape (G + k,), float64.

    A curve whose coefficients are the values of a straight line there is that line; the outer ones lie beyond the grid.

    Examples
    --------
    >>> greville(2, 3)
    tensor([-0.5000,  0.0000,  0.5000,  1.0000,  1.5000], dtype=torch.float64)
    """
    return (torch.arange(grid_size + degree, dtype=torch.float64) - (degree - 1) / 2) / grid_size


def roughness_matrix(grid: Tensor, degree: int, *, uniform: bool = False) -> Tensor:
    """Integrals over the grid of products of second derivatives: R[i, a, b] = int B_a'' B_b'' dx, exactly.

    A curve with coefficients c has the roughness c R c, the integral of its squared second derivative.

    Returns
    -------
    Tensor, shape (in, G + k, G + k)

    Examples
    --------
    >>> roughness_matrix(uniform_grid(0.0, 1.0, 4, in_features=2), 3).shape
    torch.Size([2, 7, 7])
    """
    inputs, cells = grid.shape[0], grid.shape[1] - 1
    result = grid.new_zeros(inputs, cells + degree, cells + degree)
    if degree < 2:
        return result
    width = grid[:, 1:] - grid[:, :-1]
    if uniform:
        pieces = grid.new_tensor(UNIFORM_PIECES[degree, 2]).expand(inputs, cells, degree - 1, degree + 1)
    else:
        pieces = free_pieces(grid, degree, 2)
    order = torch.arange(degree - 1, device=grid.device, dtype=grid.dtype)
    moments = 1.0 / (order[:, None] + order + 1.0)  # int_0^1 t^(p+q) dt
    local = pieces.mT @ moments @ pieces / width[..., None, None] ** 3
    for c in range(cells):
        result[:, c : c + degree + 1, c : c + degree + 1] += local[:, c]
    return result


def check_spline(grid: Tensor, degree: int) -> None:
    """Raise InputError unless grid and degree describe a spline."""
    if not 0 <= degree <= MAX_DEGREE:
        raise InputError(f"degree {degree} is not supported; expected a whole number from 0 to {MAX_DEGREE}.")
    if grid.ndim != 2 or grid.shape[1] < 2:
        raise InputError(f"the grid has shape {tuple(grid.shape)}; expected (in_features, G + 1), G at least 1.")
