"""Gauss-Newton on residuals: train a KAN to satisfy equations between its value and its derivatives.

A condition asks that equation(u, x) = 0 at some points, u being the network's value, gradient and Laplacian (or
Hessian) there, for instance the two of a boundary value problem. What is minimised is

    sum over conditions of weight * mean over points of equation(u, x)^2.

The network's curves are exact in their derivatives, and :mod:`kanlib.residual_problem` assembles the Jacobian of the
equations from them. Steps are those of :mod:`kanlib.descent`.

Sources: Levenberg-Marquardt for residuals of differential equations, e.g. arXiv 2402.03864; the problem in
`benchmarks/paper/poisson.py` is that of arXiv 2404.19756, section 3.4.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .adapt import adopt, grid_stages
from .checks import check_choice, check_input
from .descent import descend
from .errors import InputError
from .grids import refine, update_layer_grid
from .methods import positive_int
from .network import KAN, combine
from .residual_problem import Condition, Residuals
from .solver_result import SolverResult
from .starts import smooth_start

__all__ = ["Condition", "fit_residuals"]

ROUND = 10  # steps after which hidden values are held against the grids they enter
MARGIN = 0.05  # how far a hidden grid then reaches beyond them: outside, a spline has no second derivative
TRIAL_ROUNDS = 2  # of the starts, before the best is chosen


def fit_residuals(
    model: KAN,
    conditions: Sequence[Condition],
    *,
    steps: int = 100,
    starts: int = 1,
    grid_schedule: Sequence[int] | None = None,
    tolerance: float = 1e-9,
    seed: int = 0,
    callback: Callable[[int, float], bool | None] | None = None,
) -> SolverResult:
    """Train ``model`` in place so that the conditions hold.

    Parameters
    ----------
    model : KAN
        Best in float64. Its first grid has to cover the points (``grid_range``).
    conditions : sequence of Condition
    steps : int
        At the most, for each grid.
    starts : int
        How many starts are tried for some steps each: the network as it is, and smooth random ones.
    grid_schedule : sequence of int, optional
        Grid sizes to go through, each from the solution on the one before.
    tolerance : float
        As for `kanlib.gauss_newton.gauss_newton`.
    seed : int
        Of the starts.
    callback : callable, optional
        Called with (step, loss) after each accepted step; a true return value ends the training.

    Returns
    -------
    SolverResult
        Its loss is the weighted sum of the mean squares.

    Raises
    ------
    InputError
        Points or equations that do not fit the network, a residual that is not finite at the start, fixed edges.

    Examples
    --------
    u'' = -sin(x) on [0, pi], zero at both ends, has the solution sin(x):

    >>> from kanlib import KAN
    >>> model = KAN([1, 1], grid_size=20, grid_range=(0, torch.pi), base=None, dtype=torch.float64)
    >>> inside = torch.linspace(0, torch.pi, 100, dtype=torch.float64)[:, None]
    >>> ends = inside[[0, -1]]
    >>> result = fit_residuals(model, [
    ...     Condition(inside, lambda u, x: u.second[:, 0] + torch.sin(x[:, 0]), second="laplacian"),
    ...     Condition(ends, lambda u, x: u.value[:, 0]),
    ... ])
    >>> bool((model(inside) - torch.sin(inside)).abs().max() < 1e-4)
    True
    """
    steps, starts = positive_int("steps", steps), positive_int("starts", starts)
    conditions = tuple(_checked(model, condition) for condition in conditions)
    if not conditions:
        raise InputError("conditions is empty; expected at least one Condition.")
    if any(layer.fixed_edges() for layer in model.layers):
        raise InputError(
            "The network has fixed edges; fit_residuals adjusts splines only. Free them (free_edge) first."
        )
    points = torch.cat([condition.points for condition in conditions])
    stages = grid_stages(model, grid_schedule)
    current, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    done = 0
    result: SolverResult | None = None

    def count(step: int, loss: float) -> bool | None:
        return callback(done + step, loss) if callback is not None else None

    for number, grid_size in enumerate(stages):
        if grid_size is not None:
            current = refine(current, grid_size)
        if number == 0:
            current = _best_of(current, conditions, points, starts, rng)
        left = steps
        while left > 0:
            rounds = min(ROUND, left) if len(current.layers) > 1 else left
            moved = len(current.layers) > 1 and _follow(current, points)
            result = _solve(current, conditions, rounds, tolerance, count)
            left -= max(1, result.n_steps)
            done += result.n_steps
            if result.status == "stopped" or (result.status != "max_steps" and not moved):
                break
        if result is not None and result.status == "stopped":
            break
    assert result is not None
    adopt(model, current)
    return SolverResult(result.status, result.message, result.loss, result.history, done)


def _best_of(model: KAN, conditions: Sequence[Condition], points: Tensor, starts: int, rng: torch.Generator) -> KAN:
    if starts == 1:
        return model
    best, lowest = model, math.inf
    for number in range(starts):
        trial = copy.deepcopy(model)
        if number:
            smooth_start(trial, points, rng)
        for _ in range(TRIAL_ROUNDS):
            _follow(trial, points)
            loss = _solve(trial, conditions, ROUND, 1e-3, None).loss
        if loss < lowest:
            best, lowest = trial, loss
    return best


@torch.no_grad()
def _follow(model: KAN, points: Tensor) -> bool:
    """Make the grids of inner layers hold the values that reach them; whether one was moved."""
    moved = False
    value = model.select(points)
    for depth, (layer, width) in enumerate(zip(model.layers, model.widths[1:], strict=True)):
        if depth:
            low, high = value.amin(0), value.amax(0)
            start, end = layer.grid[:, 0], layer.grid[:, -1]
            narrow = (high - low < 0.5 * (end - start)) & (high > low)
            if bool(((low < start) | (high > end) | narrow).any()):
                update_layer_grid(layer, value, margin=MARGIN)
                moved = True
        value = combine(layer(value), width)
    return moved


def _solve(
    model: KAN,
    conditions: Sequence[Condition],
    steps: int,
    tolerance: float,
    callback: Callable[[int, float], bool | None] | None,
) -> SolverResult:
    problem = Residuals(model, conditions)
    state = problem.at([p.pack() for p in problem.plans])
    if state is None:
        raise InputError("The residuals are not finite at the start; check the equations and the points.")
    state, result = descend(
        problem, state, max_steps=steps, tolerance=tolerance, damping=1e-3, floor=1e-30, callback=callback
    )
    problem.put(state.constants)
    return result


def _checked(model: KAN, condition: Condition) -> Condition:
    check_choice("second", condition.second, ("none", "laplacian", "hessian"))
    points = check_input("Condition", condition.points, model.in_features, model.layers[0].coefficients.dtype)
    if points.ndim != 2 or not len(points) or not bool(torch.isfinite(points).all()):
        raise InputError(
            f"The points of a condition have shape {tuple(points.shape)}; expected (n, {model.in_features}) finite "
            "numbers, at least one row."
        )
    if not 0 < condition.weight < math.inf:
        raise InputError(f"The weight of a condition is {condition.weight}; expected a finite positive number.")
    with torch.no_grad():
        found = condition.residuals(model)[0]
    if found.ndim != 2 or len(found) != len(points):
        raise InputError(
            f"An equation returned shape {tuple(found.shape)} for {len(points)} points; expected ({len(points)},) or "
            f"({len(points)}, m): one row a point."
        )
    return condition
