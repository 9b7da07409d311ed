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

from .adapt import adapt_grids, adopt, grid_stages
from .checks import as_generator
from .descent import descend
from .errors import InputError
from .grids import refine
from .methods import positive_int
from .network import KAN
from .residual_checks import check_problem, warn_where_free
from .residual_problem import Condition, Residuals
from .solver_result import ADVICE, SolverResult
from .starts import TRIAL_ROUNDS, best_of, smooth_start

__all__ = ["Condition", "fit_residuals"]

ROUND = 10  # steps after which hidden values are held against the grids they enter
MARGIN = 0.05  # how far a hidden grid then reaches beyond them
DAMPING = 1e-3  # the first one


def fit_residuals(
    model: KAN,
    conditions: Sequence[Condition],
    *,
    steps: int = 100,
    starts: int = 1,
    grid_schedule: Sequence[int] | None = None,
    tolerance: float = 1e-9,
    seed: int | torch.Generator = 0,
    callback: Callable[[int, float], bool | None] | None = None,
) -> SolverResult:
    """Train ``model`` in place so that the conditions hold.

    Parameters
    ----------
    model : KAN
        Best in float64. Its first grid has to cover the points (``grid_range``, or `kanlib.update_grid`).
    conditions : sequence of Condition
    steps : int
        At the most, for each grid.
    starts : int
        How many starts are tried for twenty steps each, which do not count: the network as it is, and smooth random
        ones.
    grid_schedule : sequence of int, optional
        Grid sizes to go through, each from the solution on the one before.
    tolerance : float
        As for `kanlib.gauss_newton.gauss_newton`.
    seed : int or torch.Generator
        Of the starts.
    callback : callable, optional
        Called with (step, loss) after each accepted step; a true return value ends the training. The model itself is
        updated every ten steps.

    Returns
    -------
    SolverResult
        Its loss is the weighted sum of the mean squares. The model holds the best state seen at the end of a round of
        ten steps, also after Ctrl-C (status "interrupted") or an exception of the callback or an equation.

    Raises
    ------
    InputError
        Points beyond the first grid, equations that do not fit the network or couple rows, a residual that is not
        finite at the start, fixed edges, frozen parameters.

    Warns
    -----
    DataWarning
        Fewer equations (points times columns) than constants.

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
    steps, starts, rng = positive_int("steps", steps), positive_int("starts", starts), as_generator(seed)
    n_equations = check_problem(model, conditions)
    conditions = tuple(conditions)
    points = torch.cat([condition.points for condition in conditions])
    training = _Training(model, conditions, points, tolerance, callback)
    status, message = "max_steps", ADVICE["max_steps"]
    try:
        for number, grid_size in enumerate(grid_stages(model, grid_schedule)):
            current = copy.deepcopy(model)
            if grid_size is not None:
                current = refine(current, grid_size)
            warn_where_free(current, n_equations)
            if number == 0 and starts > 1:
                best_of(
                    current, starts, lambda other: smooth_start(other, points, rng, move_grids=False), training.trial
                )
            status, message = training.run(current, steps)
            if status == "stopped":
                break
    except KeyboardInterrupt:
        status, message = "interrupted", "stopped by the keyboard; the best state so far is kept"
    return SolverResult(status, message, training.lowest, tuple(training.history), training.done)


class _Training:
    """Rounds of steps; ``model`` always holds the best state at the end of one."""

    def __init__(
        self,
        model: KAN,
        conditions: Sequence[Condition],
        points: Tensor,
        tolerance: float,
        callback: Callable[[int, float], bool | None] | None,
    ) -> None:
        self.model, self.conditions, self.points = model, conditions, points
        self.tolerance, self.callback = tolerance, callback
        self.lowest, self.done, self.damping = _loss(model, conditions), 0, DAMPING
        self.history = [self.lowest]

    def run(self, current: KAN, steps: int) -> tuple[str, str]:
        """Train a copy, with the grids of inner layers under their values; how it ended."""
        while True:
            current, moved, result = self.round(current, min(ROUND, steps), self.tolerance, self.count)
            if result is None:
                raise InputError("The residuals are not finite at the start; check the equations and the points.")
            # a damping that was found hopeless is no start for other grids
            self.damping = result.damping if result.status == "max_steps" else DAMPING
            steps -= max(1, result.n_steps)
            self.done += result.n_steps
            self.history += result.history[1:]
            if result.loss < self.lowest:
                self.lowest = result.loss
                adopt(self.model, copy.deepcopy(current))
            if result.status == "stopped" or steps <= 0 or (result.status != "max_steps" and not moved):
                return result.status, result.message

    def count(self, step: int, loss: float) -> bool | None:
        return None if self.callback is None else self.callback(self.done + step, loss)

    def round(
        self, current: KAN, steps: int, tolerance: float, callback: Callable[[int, float], bool | None] | None
    ) -> tuple[KAN, bool, SolverResult | None]:
        """Some steps, from other inner grids where values have left theirs; the network, and whether grids were moved.

        A curve that is fitted to another grid may leave the domain of an equation; then the grid stays.
        """
        other = copy.deepcopy(current)
        # For a single value outside: there a spline has no second derivative.
        if adapt_grids(other, self.points, outside=0.0, margin=MARGIN, first=1):
            result = _solve(other, self.conditions, steps, tolerance, self.damping, callback)
            if result is not None:
                return other, True, result
        return current, False, _solve(current, self.conditions, steps, tolerance, self.damping, callback)

    def trial(self, start: KAN) -> float:
        """The loss that a start reaches in some steps, in place; infinite where the equations are not finite."""
        current, loss = start, math.inf
        for _ in range(TRIAL_ROUNDS):
            current, _, found = self.round(current, ROUND, 1e-3, None)
            loss = math.inf if found is None else found.loss
        start.load_state_dict(current.state_dict())
        return loss


def _solve(
    model: KAN,
    conditions: Sequence[Condition],
    steps: int,
    tolerance: float,
    damping: float,
    callback: Callable[[int, float], bool | None] | None,
) -> SolverResult | None:
    problem = Residuals(model, conditions)
    state = problem.at([p.pack() for p in problem.plans])
    if state is None:
        return None
    state, result = descend(
        problem, state, max_steps=steps, tolerance=tolerance, damping=damping, floor=1e-30, callback=callback
    )
    problem.put(state.constants)
    return result


def _loss(model: KAN, conditions: Sequence[Condition]) -> float:
    """The loss of a network as it is; infinite where it is not finite."""
    problem = Residuals(model, conditions)
    state = problem.at([p.pack() for p in problem.plans])
    return math.inf if state is None else state.loss
