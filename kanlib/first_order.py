"""The training loops that need only gradients: L-BFGS on all rows, and Adam on mini-batches.

Both write into the network they are given and tell the tracker after every step; the tracker keeps the best state.
They answer with a status.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .errors import InputError
from .problem import Problem, Rows
from .tracker import Snapshot, Tracker

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from .network import KAN

__all__ = ["SCHEDULES", "Schedule", "adam", "lbfgs"]

Schedule = Callable[["Optimizer"], "LRScheduler"]

# The learning rate over the steps of one stage: (optimizer, steps) -> scheduler, stepped once a pass.
SCHEDULES: dict[str, Callable[[Optimizer, int], LRScheduler]] = {
    "constant": lambda optimizer, steps: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "cosine": lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
    "exponential": lambda optimizer, steps: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / steps)),
    "linear": lambda optimizer, steps: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=steps),
}

# L-BFGS has converged when this many steps in a row each lower the objective by less than this fraction.
SMALL_STEPS, SMALL_FRACTION = 5, 1e-9
# Fresh starts, each with a tenth of the learning rate, before a loss that is not finite counts as divergence.
RETRIES = 3


def lbfgs(
    model: KAN,
    problem: Problem,
    tracker: Tracker,
    *,
    steps: int,
    learning_rate: float,
    adapt: Callable[[int], bool],
) -> str:
    """Minimise with torch's L-BFGS and its strong Wolfe line search, one iteration a step.

    A step that ends in a value that is not finite is taken back and tried again, shorter and without memory.

    Parameters
    ----------
    adapt : callable
        Called with the number of steps done; true where it changed the network's grids.
    """
    assert isinstance(problem.train, Rows)
    parameters = _trainable(model)
    gradient = _Gradient(model, problem, problem.train, parameters)
    optimizer = _new_lbfgs(parameters, learning_rate)
    first = tracker.step
    stop = _record(model, problem, tracker, first, gradient) if not tracker.history else None
    good, small, retries, done = Snapshot(model), 0, 0, 0
    while stop is None and done < steps:
        if adapt(done):
            gradient.forget()
            optimizer = _new_lbfgs(parameters, learning_rate)
        before = float(gradient())
        optimizer.step(gradient)
        done += 1
        value = float(gradient())
        if not math.isfinite(value):
            good.restore()
            if retries == RETRIES:
                return "diverged"
            retries += 1
            learning_rate /= 10
            optimizer = _new_lbfgs(parameters, learning_rate)
            continue
        good, retries = Snapshot(model), 0
        stop = _record(model, problem, tracker, first + done, gradient)
        gained = before - value > SMALL_FRACTION * abs(before)
        small = 0 if gained else small + 1
        if small == SMALL_STEPS - 2:
            # Perhaps only the memory is stale: the last steps go down the gradient.
            optimizer = _new_lbfgs(parameters, learning_rate)
        if stop is None and (small >= SMALL_STEPS or value == 0.0):
            return "converged"
    return stop or "max_steps"


def adam(
    model: KAN,
    problem: Problem,
    tracker: Tracker,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int,
    schedule: str | Schedule,
    generator: torch.Generator,
    adapt: Callable[[int], bool],
) -> str:
    """Minimise with Adam; one step is one pass over the data.

    The training loss of a step is that of all rows after the pass; with a loader, whose rows are too many for
    another pass, it is the mean over the batches while they were trained on.
    """
    parameters = _trainable(model)
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    scheduler = _scheduler(optimizer, schedule, steps)
    first = tracker.step
    in_memory = problem.train if isinstance(problem.train, Rows) else None
    stop = None
    if not tracker.history and in_memory is not None:
        stop = _record_pass(model, problem, tracker, first, problem.loss_on(model, in_memory), _penalty(model, problem))
    for done in range(steps):
        if stop is not None:
            break
        adapt(done)
        loss_sum = penalty_sum = torch.zeros((), dtype=torch.float64)
        n_rows = 0
        for rows in problem.train.batches(batch_size, generator):
            optimizer.zero_grad(set_to_none=True)
            loss, objective = problem.terms(model, rows)
            objective.backward()
            optimizer.step()
            # Summed on the device; reading the number after every batch would make the GPU wait.
            loss_sum = loss_sum.to(loss.device) + loss.detach() * len(rows)
            penalty_sum = penalty_sum.to(loss.device) + (objective.detach() - loss.detach()) * len(rows)
            n_rows += len(rows)
        loss_value = float(loss_sum) / n_rows if in_memory is None else problem.loss_on(model, in_memory)
        stop = _record_pass(model, problem, tracker, first + done + 1, loss_value, float(penalty_sum) / n_rows)
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            history = tracker.history
            scheduler.step(history.get("validation_loss", history["objective"])[-1] if history else loss_value)
        else:
            scheduler.step()
    return stop or "max_steps"


class _Gradient:
    """The objective on all rows as L-BFGS asks for it, remembered for the point it was last evaluated at.

    torch's L-BFGS evaluates the starting point of every step again, which its line search has usually just seen.
    """

    def __init__(self, model: KAN, problem: Problem, rows: Rows, parameters: list[torch.nn.Parameter]) -> None:
        self.model, self.problem, self.rows, self.parameters = model, problem, rows, parameters
        self.at: list[Tensor] | None = None
        self.gradients: list[Tensor | None] = []
        self.loss, self.objective = math.nan, torch.tensor(math.nan)

    def forget(self) -> None:
        self.at = None

    def __call__(self) -> Tensor:
        known = self.at is not None and all(map(torch.equal, self.at, self.parameters))
        if not known:
            loss, objective = self.problem.terms(self.model, self.rows)
            found = torch.autograd.grad(objective, self.parameters, allow_unused=True)
            self.at = [parameter.detach().clone() for parameter in self.parameters]
            self.gradients = list(found)
            self.loss, self.objective = float(loss.detach()), objective.detach()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        return self.objective


def _record(model: KAN, problem: Problem, tracker: Tracker, step: int, gradient: _Gradient) -> str | None:
    objective = float(gradient())
    return tracker.record(
        model,
        step=step,
        train_loss=gradient.loss,
        objective=objective,
        validation_loss=problem.validation_loss(model),
    )


def _record_pass(model: KAN, problem: Problem, tracker: Tracker, step: int, loss: float, penalty: float) -> str | None:
    return tracker.record(
        model,
        step=step,
        train_loss=loss,
        objective=loss + penalty,
        validation_loss=problem.validation_loss(model),
    )


def _penalty(model: KAN, problem: Problem) -> float:
    assert isinstance(problem.train, Rows)
    if not problem.penalties:
        return 0.0
    with torch.no_grad():
        return float(problem.penalties(model, model.activations(problem.train.x)))


def _trainable(model: KAN) -> list[torch.nn.Parameter]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise InputError("No parameter of the network requires a gradient; expected at least one to train.")
    return parameters


def _new_lbfgs(parameters: list[torch.nn.Parameter], learning_rate: float) -> torch.optim.LBFGS:
    return torch.optim.LBFGS(
        parameters,
        lr=learning_rate,
        max_iter=1,
        max_eval=30,  # all of one line search: torch's default of 1.25 iterations would cut it off
        history_size=20,
        tolerance_grad=0.0,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )


def _scheduler(optimizer: Optimizer, schedule: str | Schedule, steps: int) -> LRScheduler:
    if not isinstance(schedule, str):
        return schedule(optimizer)
    return SCHEDULES[schedule](optimizer, steps)
