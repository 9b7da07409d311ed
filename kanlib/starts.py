"""Several random starts for a small network, of which a few Gauss-Newton steps show the best."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .adapt import adapt_grids
from .bases import get_basis
from .gauss_newton import gauss_newton
from .network import combine
from .problem import Problem, Rows
from .quadratic import stretch_grid
from .regularizers import roughness

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["TRIAL_ROUNDS", "best_of", "best_start", "smooth_start"]

TRIAL_ROUNDS, TRIAL_STEPS = 2, 10  # by then a start that leads to a good minimum has mostly shown it


@torch.no_grad()
def smooth_start(model: KAN, X: Tensor, generator: torch.Generator, *, move_grids: bool = True) -> None:
    """Make every spline edge a random parabola over its grid, and every grid as wide as the values; in place.

    Gauss-Newton steps need no small weights to start from, but smooth curves: from eleven of twelve such starts
    [2, (0, 1), 1] came within 1e-4 of y = x1*x2 in 60 steps, and from eight with the init rules meant for first-order
    methods. Base functions get weight zero; fixed edges stay as they are.

    Parameters
    ----------
    model : KAN
    X : Tensor, shape (n, in_features)
    generator : torch.Generator
    move_grids : bool
        Whether grids may be moved.

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
        points, matrix = (t.to(layer.grid) for t in get_basis(layer.basis).projection(layer.grid_size, layer.degree))
        u = 2 * points - 1
        curves = (slope * u + 0.5 * bend * (2 * u.square() - 1)) @ matrix.T / layer.in_features**0.5
        weights = torch.zeros_like(layer.weights())
        weights[..., -curves.shape[-1] :] = curves
        layer.set_weights(weights)
        layer.bias.zero_()
    if not move_grids:
        return
    value = model.select(X)
    for layer, width in zip(model.layers, model.widths[1:], strict=True):
        stretch_grid(layer, value, 0.01)
        value = combine(layer(value), width)


def best_of(model: KAN, starts: int, restart: Callable[[KAN], None], trial: Callable[[KAN], float]) -> None:
    """Leave ``model`` at the best of some starts; in place.

    Parameters
    ----------
    model : KAN
        The first start is the network as it is.
    starts : int
    restart : callable
        Gives a copy of the network other weights, in place.
    trial : callable
        Trains a copy for some steps, in place, and returns how good it has become, the lower the better; infinite
        where it came to nothing.
    """
    best, lowest = None, math.inf
    for number in range(starts):
        other = copy.deepcopy(model)
        if number:
            restart(other)
        reached = trial(other)
        if reached < lowest:
            best, lowest = other, reached
    if best is not None:
        model.load_state_dict(best.state_dict())


def best_start(
    model: KAN, problem: Problem, starts: int, generator: torch.Generator, *, margin: float, update_grid: bool
) -> None:
    """`best_of` for the squared error, compared by the validation loss, else by the objective; in place."""
    train = problem.train
    assert isinstance(train, Rows)
    weight = problem.penalties.roughness

    def trial(other: KAN) -> float:
        reached = math.inf
        for number in range(TRIAL_ROUNDS):
            if number and update_grid:
                adapt_grids(other, train.x)
            found = gauss_newton(
                other,
                train.x,
                train.y,
                sample_weight=train.weight,
                roughness=weight * other.out_features,
                max_steps=TRIAL_STEPS,
                tolerance=1e-3,
                margin=margin,
            )
            if found.status == "diverged":
                break
            reached = found.loss + (weight * float(roughness(other).detach()) if weight else 0.0)
        validation = problem.validation_loss(other)
        return reached if validation is None or reached == math.inf else validation

    best_of(model, starts, lambda other: smooth_start(other, train.x, generator, move_grids=update_grid), trial)
