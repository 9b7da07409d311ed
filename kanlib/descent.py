"""Levenberg's damped steps down a sum of squares: the loop, for any problem that can linearise itself.

A step solves (N + damping * diag(scale^2)) move = J^T r with N = J^T J. The damping follows the ratio of the gain to
what the linearisation promised (Nielsen, IMM-REP-1999-05).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .solver_result import ADVICE, SolverResult

__all__ = ["SquaresProblem", "SquaresState", "descend", "diagonal_scale"]

# Accepted steps after which the squared error must be lower by this share: an objective whose penalties are weighed
# anew at every step goes on changing where the error has long come to rest.
_PATIENCE, _WORTH = 10, 1e-3


class SquaresState(Protocol):
    """A point of the search: the objective that steps lower, and the squared error that is reported."""

    objective: float

    @property
    def loss(self) -> float: ...


S = TypeVar("S", bound=SquaresState)


class SquaresProblem(Protocol[S]):
    """What the loop asks of a problem."""

    def prepare(self, state: S) -> None:
        """Called before each linearisation; may change the objective, and the state's with it."""

    def normal_equations(self, state: S) -> tuple[Tensor, Tensor, Tensor]:
        """J^T J, J^T r (r the targets minus the values) and the column norms of J."""

    def trial(self, state: S, move: Tensor) -> S | None:
        """The state one move further; None where it is not finite."""

    def settle(self, state: S) -> S:
        """An accepted state, in whatever form is best to go on from."""


def descend(
    problem: SquaresProblem[S],
    state: S,
    *,
    max_steps: int,
    tolerance: float,
    damping: float,
    floor: float = 0.0,
    patience: int | None = _PATIENCE,
    callback: Callable[[int, float], bool | None] | None = None,
) -> tuple[S, SolverResult]:
    """The last accepted state, and how the search ended.

    Parameters
    ----------
    problem, state : what is minimised, and where the search starts.
    max_steps : steps tried at the most, accepted or not.
    tolerance : the search ends when three accepted steps in a row each lower the objective by less than this fraction.
    damping : the first one.
    floor : objective at which nothing is left but rounding.
    patience : how many accepted steps may pass without a thousandth less of the squared error; None for any number.
    callback : called with (step, loss) after each accepted step; a true return value ends the search.
    """
    history = [state.loss]
    growth, small, step = 2.0, 0, 0
    lowest, since = state.loss, 0
    status = "max_steps" if state.objective > floor else "converged"
    while step < max_steps and status == "max_steps":
        problem.prepare(state)
        normal, gradient, scale = problem.normal_equations(state)
        trial: S | None = None
        while step < max_steps and trial is None:
            step += 1
            move = damped_step(normal, gradient, scale, damping)
            trial = None if move is None else problem.trial(state, move)
            if move is None or trial is None or not trial.objective < state.objective:
                trial = None
                damping, growth = damping * growth, growth * 2
                if damping > 1e10:
                    break
                continue
            predicted = float(2 * gradient @ move - move @ (normal @ move))
            gain = (state.objective - trial.objective) / max(predicted, 1e-300)
            damping = max(damping * max(1 / 3, 1 - (2 * min(gain, 1.0) - 1) ** 3), 1e-14)
            growth = 2.0
        if trial is None:
            status = "stalled" if step < max_steps else status
            continue
        small = small + 1 if state.objective - trial.objective < tolerance * state.objective else 0
        lowest, since = (trial.loss, 0) if trial.loss < (1 - _WORTH) * lowest else (lowest, since + 1)
        state = problem.settle(trial)
        history.append(state.loss)
        if callback is not None and callback(step, state.loss):
            status = "stopped"
            continue
        if small >= 3 or (patience is not None and since >= patience) or state.objective <= floor:
            status = "converged"
    return state, SolverResult(status, ADVICE[status], state.loss, tuple(history), step, damping)


def damped_step(normal: Tensor, gradient: Tensor, scale: Tensor, damping: float) -> Tensor | None:
    """Solve (N + damping diag(scale^2)) step = gradient in scaled variables; None where that is not possible."""
    scaled = normal / scale[:, None] / scale[None, :]
    scaled.diagonal().add_(damping)
    factor, info = torch.linalg.cholesky_ex(scaled)
    if int(info) != 0:
        return None
    step = torch.cholesky_solve((gradient / scale)[:, None], factor)[:, 0] / scale
    return step if bool(torch.isfinite(step).all()) else None


def diagonal_scale(normal: Tensor) -> Tensor:
    """Column norms of J from J^T J, kept away from zero."""
    scale = normal.diagonal().clamp_min(0).sqrt()
    largest = float(scale.max()) if scale.numel() else 0.0
    return scale.clamp_min(1e-8 * (largest if math.isfinite(largest) and largest > 1e-150 else 1e-150))
