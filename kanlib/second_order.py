"""The training loop of the Gauss-Newton method: a good place to start from, then the solver, with the tracker told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from .adapt import adapt_grids
from .first_order import lbfgs
from .gauss_newton import gauss_newton
from .problem import Problem, Rows
from .regularizers import roughness
from .starts import best_start
from .tracker import Tracker
from .warm_start import additive_start

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["second_order"]

# L-BFGS steps before the first Gauss-Newton step of a deep network that does not start from the additive fit.
# Variable projection fits the last layer to whatever the first ones give it, and from a random start that locks in bad
# inner functions: y = exp(sin(pi a) + b^2) was found by [2, 1, 1] from one of six starts without, from five of six with
# these steps, and from each of twelve additive starts.
WARM_UP = 20
# How far the last grid reaches beyond the hidden values, as a share of their range: of 10,000 new rows some tens exceed
# what 1,000 showed, in an empty corner of the inputs by almost a tenth.
MARGIN = 0.1
# Steps after which the grids of inner layers are held against the values that reach them.
REGRID = 12
# A grid that is about to be refined need not be fitted to the last digit.
TOLERANCE, COARSE_TOLERANCE = 1e-9, 1e-4


def second_order(
    model: KAN,
    problem: Problem,
    tracker: Tracker,
    *,
    steps: int,
    starts: int,
    generator: torch.Generator,
    adapt: Callable[[int], bool],
    update_grid: bool,
    last: bool,
) -> tuple[str, str]:
    """Minimise with :func:`kanlib.gauss_newton.gauss_newton`; the tracker's first stage looks for a good start.

    Parameters
    ----------
    starts, generator
        How many starts are tried, from random numbers of which source.
    adapt : callable
        As for `lbfgs`.
    last : bool
        Whether no finer grid follows.

    Returns
    -------
    status, advice : str
        The advice is empty where the solver has none.
    """
    assert isinstance(problem.train, Rows)
    train, first = problem.train, tracker.step
    if not tracker.history:
        stop = _record(model, problem, tracker, first, problem.loss_on(model, train))
        if stop is not None:
            return stop, ""
        if len(model.layers) > 1 and not additive_start(model, train.x, train.y, train.weight):
            status = lbfgs(model, problem, tracker, steps=min(WARM_UP, steps // 4), learning_rate=1.0, adapt=adapt)
            if status == "stopped":
                return status, ""
            tracker.restore_best()
        if starts > 1 and (len(model.layers) > 1 or model.widths[-1].products):
            best_start(model, problem, starts, generator, margin=MARGIN, update_grid=update_grid)
        if update_grid:
            adapt_grids(model, problem.sample())
        tracker.begin_stage(model)
    steps -= tracker.step - first
    tolerance = TOLERANCE if last else COARSE_TOLERANCE
    # The solver moves the last grid only.
    rounds = REGRID if update_grid and len(model.layers) > 2 else steps
    while True:
        before = tracker.step
        status, advice = _gauss_newton(model, problem, tracker, min(rounds, steps), tolerance)
        steps -= tracker.step - before
        if status != "max_steps" or steps <= 0 or tracker.step == before:
            return status, advice
        adapt_grids(model, problem.sample())


def _gauss_newton(model: KAN, problem: Problem, tracker: Tracker, steps: int, tolerance: float) -> tuple[str, str]:
    assert isinstance(problem.train, Rows)
    train, first = problem.train, tracker.step
    stop: str | None = None

    def record(step: int, loss: float) -> bool:
        nonlocal stop
        stop = _record(model, problem, tracker, first + step, loss)
        return stop is not None

    found = gauss_newton(
        model,
        train.x,
        train.y,
        sample_weight=train.weight,
        # The solver adds up the outputs' squared errors where "mse" averages them.
        roughness=problem.penalties.roughness * model.out_features,
        max_steps=steps,
        tolerance=tolerance,
        margin=MARGIN,
        callback=record,
    )
    if stop is None and found.status != "diverged":
        # A network that is linear in all constants is solved without a single step.
        if tracker.history["train_loss"][-1] != found.loss:
            record(max(1, found.n_steps), found.loss)
        tracker.step = max(tracker.step, first + found.n_steps)
    if stop is not None:
        return stop, ""
    return ("converged" if found.status == "stalled" else found.status), found.message


def _record(model: KAN, problem: Problem, tracker: Tracker, step: int, loss: float) -> str | None:
    penalty = 0.0
    if problem.penalties.roughness:
        with torch.no_grad():
            penalty = problem.penalties.roughness * float(roughness(model))
    return tracker.record(
        model,
        step=step,
        train_loss=loss,
        objective=loss + penalty,
        validation_loss=problem.validation_loss(model),
    )
