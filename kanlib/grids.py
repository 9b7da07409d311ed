"""Grids that follow the data: update their range in place, or refine them into a new network."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from .bases import get_basis
from .breakpoints import data_range, quantile_grid, uniform_grid
from .checks import check_input
from .errors import InputError
from .layer import KANLayer
from .network import KAN, combine, per_layer
from .splines import refine as refine_splines
from .splines import solve_coefficients


@torch.no_grad()
def update_grid(model: KAN, x: Tensor, *, margin: float = 0.01) -> None:
    """Fit every grid to the values its inputs take on data, and refit the curves to what they were.

    Each curve becomes the nearest one that the basis has on the new grid. For Fourier series and Morlet wavelets that
    may be far off, since their functions belong to a range: size such grids before training.

    Uniform grids span the range of the data, free knots follow their quantiles, grids that repeat
    (``extrapolate="periodic"``) stay. Layers are done in order,
    each on the activations of the network as updated so far. Everything happens in place: Parameters keep
    their identity, so an optimizer keeps working (its running averages refer to the old basis, though).

    Parameters
    ----------
    model : KAN
    x : Tensor, shape (..., in_features)
        At least one row, all finite.
    margin : float
        Fraction of the range added on either side.

    Raises
    ------
    InputError
        When there are no rows or a value is not finite.

    Examples
    --------
    >>> model = KAN([1, 1])
    >>> update_grid(model, torch.tensor([[0.0], [10.0]]), margin=0.0)
    >>> model.layers[0].grid[0, [0, -1]]
    tensor([ 0., 10.])
    """
    h = model.select(x)
    for number, width in enumerate(model.widths[1:]):
        layer = model.layers[number]
        update_layer_grid(layer, h, margin=margin)
        h = combine(layer(h), width)


@torch.no_grad()
def update_layer_grid(layer: KANLayer, x: Tensor, *, margin: float = 0.01) -> None:
    """`update_grid` for a single layer."""
    if layer.repeats:
        return  # the length of its grid is a period, not the range of some data
    x = check_input("update_grid", x, layer.in_features, layer.coefficients.dtype).reshape(-1, layer.in_features)
    bad = int((~x.isfinite()).any(-1).sum())
    if bad or not len(x):
        raise InputError(
            f"update_grid got {len(x)} rows, {bad} of them with NaN or infinity; expected at least one row, "
            "all finite. Remove the bad rows first."
        )
    if layer.knots == "uniform":
        grid = uniform_grid(*data_range(x, margin), layer.grid_size)
    else:
        grid = quantile_grid(x, layer.grid_size, margin=margin)
    layer.coefficients.copy_(_refit(layer, grid))
    layer.grid.copy_(grid)


def refine(model: KAN, grid_size: int | Sequence[int]) -> KAN:
    """A new network of another grid size that computes the same; the given one stays as it is.

    Exact to rounding where a uniform grid of B-splines is cut into whole parts (knot insertion); least squares
    otherwise, which loses nothing where the fewer functions are among the more (polynomials, Fourier, wavelets), and
    a little elsewhere (Gaussians, partial fractions, hats).

    Parameters
    ----------
    model : KAN
    grid_size : int or sequence of int
        New number of cells, one for all layers or one for each.

    Examples
    --------
    >>> model, x = KAN([2, 3, 1], dtype=torch.float64), torch.rand(20, 2, dtype=torch.float64)
    >>> bool(torch.allclose(refine(model, 15)(x), model(x), rtol=0, atol=1e-12))
    True
    """
    fine = copy.deepcopy(model)
    for number, size in enumerate(per_layer("grid_size", grid_size, len(model.layers))):
        fine.layers[number] = refine_layer(model.layers[number], size)
    return fine


@torch.no_grad()
def elevate(model: KAN, degree: int) -> KAN:
    """A new network whose splines have another degree, on the same grids; the given one stays as it is.

    By least squares: splines of degree 3 have jumps in their third derivative, which one of degree 5 cannot have.

    Parameters
    ----------
    model : KAN
    degree : int, 0 to 5

    Examples
    --------
    >>> model, x = KAN([2, 1], dtype=torch.float64), torch.rand(20, 2, dtype=torch.float64)
    >>> smooth = elevate(model, 5)
    >>> smooth.layers[0].degree, bool(torch.allclose(smooth(x), model(x), atol=0.02))
    (5, True)
    """
    first = model.layers[0]
    get_basis(first.basis).check(first.grid, degree, first.extrapolate, first.knots)
    layers = len(model.layers)
    other = KAN.from_config(model.config() | {"degree": [degree] * layers}, device=model.layers[0].grid.device)
    state = model.state_dict()
    for number, layer in enumerate(model.layers):
        state[f"layers.{number}.coefficients"] = _refit(layer, layer.grid, degree).contiguous()
    other.load_state_dict(state)
    for new, old in zip(other.parameters(), model.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    return other.train(model.training)


@torch.no_grad()
def refine_layer(layer: KANLayer, grid_size: int) -> KANLayer:
    """`refine` for a single layer."""
    if grid_size < 1:
        raise InputError(f"refine got grid_size {grid_size}; expected a whole number of at least 1.")
    fine = copy.deepcopy(layer)
    if grid_size == layer.grid_size:
        return fine
    uniform = layer.knots == "uniform"
    if layer.basis == "bspline" and uniform and grid_size % layer.grid_size == 0:
        # In float64: rounding then happens once, in the new coefficients.
        factor = grid_size // layer.grid_size
        coefficients, grid = refine_splines(layer.coefficients.double(), layer.grid.double(), layer.degree, factor)
    else:
        if uniform:
            grid = uniform_grid(layer.grid[:, 0], layer.grid[:, -1], grid_size)
        else:  # new breakpoints along the curve of the old ones: cells stay dense where they were
            old = layer.grid.double()
            place = torch.linspace(0, layer.grid_size, grid_size + 1, dtype=old.dtype, device=old.device)
            below = place.floor().long().clamp(max=layer.grid_size - 1)
            grid = torch.lerp(old[:, below], old[:, below + 1], place - below)
        coefficients = _refit(layer, grid)
    learns = layer.coefficients.requires_grad
    # torch's L-BFGS views gradients as vectors, and these take the strides of their parameter
    coefficients = coefficients.to(layer.coefficients).contiguous()
    fine.coefficients = torch.nn.Parameter(coefficients, requires_grad=learns)
    fine.grid = grid.to(layer.grid)
    return fine


def _refit(layer: KANLayer, grid: Tensor, degree: int | None = None) -> Tensor:
    """Coefficients of the layer's curves on another grid, by least squares on points all over it."""
    grid, old = grid.double(), layer.grid.double()
    own, new = layer.degree, layer.degree if degree is None else degree
    basis, uniform = get_basis(layer.basis), layer.knots == "uniform"
    points = basis.sample_points(grid, max(own, new))
    # A grid that repeats has not moved, and its end, a point among them, is not its start.
    rule = "linear" if layer.repeats else layer.extrapolate
    known = basis.values(points, old, own, extrapolate=rule, uniform=uniform)
    values = torch.einsum("nif,oif->noi", known, layer.coefficients.double())
    design = basis.values(points, grid, new, uniform=uniform)
    return solve_coefficients(design, values).to(layer.coefficients.dtype)
