"""Several random starts for a small network, of which a few Gauss-Newton steps show the best."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .adapt import adapt_grids
from .gauss_newton import gauss_newton
from .network import combine

if TYPE_CHECKING:
    from .network import KAN
    from .problem import Rows

__all__ = ["best_start", "smooth_start"]

TRIAL_ROUNDS, TRIAL_STEPS = 2, 10  # by then a start that leads to a good minimum has mostly shown it


@torch.no_grad()
def smooth_start(model: KAN, X: Tensor, generator: torch.Generator) -> None:
    """Make every spline edge a random parabola over its grid, and every grid as wide as the values; in place.

    Gauss-Newton steps need no small weights to start from, but smooth curves: y = x1*x2 was found by [2, (0, 1), 1]
    from nine of twelve such starts, and from five with the init rules meant for first-order methods. Base functions
    get weight zero; fixed edges stay as they are.

    Parameters
    ----------
    model : KAN
    X : Tensor, shape (n, in_features)
    generator : torch.Generator

    Examples
    --------
    >>> from kanlib import KAN
    >>> model, X = KAN([2, 3, 1]), torch.rand(50, 2)
    >>> smooth_start(model, X, torch.Generator().manual_seed(0))
    >>> float(model.out_of_grid_fraction(X)[1].max())
    0.0
    """
    for layer in model.layers:
        slope, bend = torch.randn(2, *layer.mask.shape, 1, generator=generator, dtype=torch.float64).to(layer.grid)
        u = _greville(layer.coefficients.shape[-1], layer.degree).to(layer.grid)
        curves = (slope * u + 0.5 * bend * (2 * u.square() - 1)) / layer.in_features**0.5
        weights = torch.zeros_like(layer.weights())
        weights[..., -curves.shape[-1] :] = curves
        layer.set_weights(weights)
        layer.bias.zero_()
    value = model.select(X)
    for layer, width in zip(model.layers, model.widths[1:], strict=True):
        low, high = value.amin(0), value.amax(0)
        flat = high - low <= 1e-12 * (1 + high.abs() + low.abs())
        unit = (layer.grid - layer.grid[:, :1]) / (layer.grid[:, -1:] - layer.grid[:, :1])
        span = torch.where(flat, 2.0, 1.02 * (high - low))
        layer.grid.copy_(((low + high) / 2 - span / 2)[:, None] + unit * span[:, None])
        value = combine(layer(value), width)


def best_start(model: KAN, train: Rows, starts: int, generator: torch.Generator, roughness: float) -> None:
    """Leave ``model`` at the best of ``starts`` starts after some steps: its own, and `smooth_start`s; in place."""
    best, lowest = None, _trial(own := copy.deepcopy(model), train, roughness)
    if lowest < float("inf"):
        best = own
    for _ in range(starts - 1):
        other = copy.deepcopy(model)
        smooth_start(other, train.x, generator)
        loss = _trial(other, train, roughness)
        if loss < lowest:
            best, lowest = other, loss
    if best is not None:
        model.load_state_dict(best.state_dict())


def _trial(model: KAN, train: Rows, roughness: float) -> float:
    loss = float("inf")
    for number in range(TRIAL_ROUNDS):
        if number:
            adapt_grids(model, train.x)
        found = gauss_newton(
            model,
            train.x,
            train.y,
            sample_weight=train.weight,
            roughness=roughness,
            max_steps=TRIAL_STEPS,
            tolerance=1e-3,
            margin=0.1,
        )
        if found.status == "diverged":
            break
        loss = found.loss
    return loss


def _greville(n_basis: int, degree: int) -> Tensor:
    """Greville points of uniform B-splines, the grid mapped to [-1, 1]."""
    cells = n_basis - degree
    return 2 * (torch.arange(n_basis, dtype=torch.float64) - (degree - 1) / 2) / cells - 1
