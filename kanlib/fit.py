"""One entry for training: choose a method, walk through the grids, keep the best state, say how it ended."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from .adapt import adapt_grids, adopt, grid_stages
from .checks import as_generator, check_trainable
from .errors import InputTypeError
from .first_order import Schedule, adam, lbfgs
from .fit_result import FitResult
from .grids import refine
from .losses import LossFunction, as_loss
from .methods import Method, choose_method, is_small, positive_int
from .network import KAN
from .problem import Problem
from .regularizers import Penalties
from .second_order import second_order
from .split import training_rows
from .threads import one_thread
from .tracker import Tracker

__all__ = ["FitResult", "fit"]


def fit(
    model: KAN,
    X: Any,
    y: Any = None,
    *,
    method: str = "auto",
    loss: str | LossFunction = "mse",
    steps: int | None = None,
    starts: int = 1,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    schedule: str | Schedule | None = None,
    l1: float = 0.0,
    entropy: float = 0.0,
    roughness: float = 0.0,
    grid_schedule: Sequence[int] | None = None,
    update_grid: bool = True,
    sample_weight: Any = None,
    validation: float | tuple[Any, Any] | None = None,
    patience: int | None = None,
    seed: int | torch.Generator = 0,
    progress: bool = True,
    callback: Callable[[Mapping[str, float]], Any] | None = None,
) -> FitResult:
    """Train a KAN in place.

    Parameters
    ----------
    model : KAN
        Trained in place. Grid refinement gives it new, finer layers (``model.layers`` is replaced); otherwise every
        Parameter keeps its identity.
    X : tensor, array, data frame, shape (n, in_features), or a loader
        Inputs, moved to the model's dtype and device. A loader (a torch DataLoader, or any object that can be iterated
        over again and again) gives batches (X, y); then leave ``y`` out.
    y : tensor, array, series, shape (n,) or (n, out_features)
        Targets. For "cross_entropy": classes 0, 1, ... of shape (n,). A callable loss gets targets as (n, columns),
        (n,) becoming (n, 1); integer targets of shape (n,) stay classes where the network has several outputs.
    method : {"auto", "gauss-newton", "lbfgs", "adam"}
        "auto" takes Gauss-Newton for the squared error without L1 and entropy, where the network has at most 2,000
        constants and rows x outputs x constants are at most 2e7; else L-BFGS where rows x constants are at most 2e8;
        else (or with a loader, ``batch_size`` or ``schedule``) Adam. The result's message says which and why.
    loss : {"mse", "cross_entropy"} or callable
        A callable takes (prediction (n, out_features), target) and returns a scalar tensor.
    steps : int, optional
        At the most, for each grid of the schedule: Gauss-Newton steps (default 100), L-BFGS iterations (200), or passes
        over the data with Adam (200).
    starts : int
        Gauss-Newton only: how many starts are tried for some twenty steps each, which do not count among ``steps``,
        before the best is trained to the end: the network as it is, and random ones. Small networks have local minima;
        from several starts one is rarely left with them. A network that is linear in all constants has none.
    batch_size : int, optional
        Rows of a mini-batch of Adam (default: a quarter of the rows, at most 256).
    learning_rate : float, optional
        Default 1 for L-BFGS, 0.01 for Adam.
    schedule : {"constant", "cosine", "exponential", "linear"} or callable, optional
        Of Adam's learning rate (default "cosine"); a callable takes the optimizer and returns a torch scheduler, which
        is stepped once a pass.
    l1, entropy, roughness : float
        Weights of the penalties (see :mod:`kanlib.regularizers`). Gauss-Newton takes ``roughness`` only.
    grid_schedule : sequence of int, optional
        Grid sizes to go through, such as (5, 10, 20), each starting from the best state on the one before.
    update_grid : bool
        Size the grids by the data before the first step, where they do not fit, and follow hidden values that leave
        them.
    sample_weight : array, shape (n,), optional
        Weights of the rows, for the named losses.
    validation : float or (X, y), optional
        A fraction of the rows to set aside at random, or rows of their own. They decide which state is best.
    patience : int, optional
        Stop after this many steps without a better validation loss (or objective, without validation).
    seed : int or torch.Generator
        Of the split and the order of the rows. The same seed on the same machine gives the same result.
    progress : bool
        Show a bar on stderr.
    callback : callable, optional
        Called after every step with the row of the history (a dict); a true return value stops the fit.

    Returns
    -------
    FitResult
        The model holds the best state seen, also after a divergence (status "diverged") or Ctrl-C ("interrupted").

    Raises
    ------
    InputError
        If data or settings are wrong: NaN, lengths or columns that do not fit, a method that cannot do what is asked.

    Notes
    -----
    A float32 network is trained in float64 by Gauss-Newton, and rounded at the end: its normal equations need the
    digits.

    A deep network's first node starts from the additive fit of y where that explains more than the network as it is;
    elsewhere the first 20 of the steps (at most a quarter) are L-BFGS steps. Both lead to a good minimum more often.
    The last grid reaches beyond the hidden values by a tenth of their range, and splines in cells without data continue
    the polynomials next to them: a faint penalty on differences of order degree + 1 (of other bases: on coefficients
    that calm curves do not need), weighed by the residuals. A grid that will be refined is left when steps gain less
    than 1e-4. :func:`kanlib.gauss_newton.gauss_newton` is the bare solver.

    Continual learning: a fit to new rows changes a network of one layer only where these rows have a say, if nothing in
    it reaches further than splines do: no base function (``base=None``), and for L-BFGS and Adam no bias that learns
    (``model.layers[0].bias.requires_grad_(False)``; Gauss-Newton leaves it alone). The grid has to span all rows to
    come from the start and must not follow the first ones (``update_grid=False``). Deep networks forget: their hidden
    values lie in the same cells whatever the rows.

    Small steps on the CPU (rows x constants up to 1e6) are taken by one thread: more would mostly wait for each other.

    Examples
    --------
    >>> import torch
    >>> from kanlib import KAN, fit
    >>> rng = torch.Generator().manual_seed(0)
    >>> X = 2 * torch.rand(200, 2, generator=rng) - 1
    >>> y = X[:, 0] ** 2 + torch.sin(3 * X[:, 1])
    >>> result = fit(KAN([2, 1], generator=rng), X, y, progress=False)
    >>> result.method, result.train_loss < 1e-3
    ('gauss-newton', True)
    """
    if not isinstance(model, KAN):
        raise InputTypeError(f"model is a {type(model).__name__}; expected a kanlib.KAN.")
    check_trainable(model)
    the_loss, penalties = as_loss(loss), Penalties(l1, entropy, roughness)
    generator = as_generator(seed)
    if patience is not None:
        patience = positive_int("patience", patience)
    train, held_out = training_rows(model, X, y, the_loss, sample_weight, validation, generator)
    chosen = choose_method(
        method,
        model,
        train,
        the_loss,
        penalties,
        steps=steps,
        starts=starts,
        learning_rate=learning_rate,
        batch_size=batch_size,
        schedule=schedule,
    )
    stages = grid_stages(model, grid_schedule)
    tracker = Tracker(patience=patience, callback=callback, progress=progress, total=chosen.steps * max(1, len(stages)))
    problem = Problem(train, held_out, the_loss, penalties)
    with one_thread() if is_small(model, train, chosen) else nullcontext():
        status, advice = _run(model, problem, chosen, stages, tracker, generator, update_grid)
    return FitResult(
        status=status,
        message=_message(chosen, advice, tracker),
        history=tracker.history,
        n_steps=tracker.step,
        seconds=tracker.seconds,
        method=chosen.name,
        best_step=tracker.best_step,
        model=model,
    )


def _run(
    model: KAN,
    problem: Problem,
    method: Method,
    stages: Sequence[int | None],
    tracker: Tracker,
    generator: torch.Generator,
    update_grid: bool,
) -> tuple[str, str]:
    """All stages, and the best state back into ``model`` whatever happens; the status and advice of the last one."""
    current, work = model, problem
    if method.name == "gauss-newton" and model.layers[0].grid.dtype != torch.float64:
        current, work = copy.deepcopy(model).double(), problem.double()
    training = model.training
    status, advice = "max_steps", ""
    try:
        for number, grid_size in enumerate(stages):
            if number:
                current = tracker.restore_best()
            if grid_size is not None:
                current = refine(current, grid_size)
            current.train()
            if update_grid and not number:
                adapt_grids(current, work.sample())
            tracker.begin_stage(current)
            status, advice = _run_stage(
                current, work, method, tracker, generator, update_grid, last=number == len(stages) - 1
            )
            if status in ("diverged", "stopped"):
                break
    except KeyboardInterrupt:
        status, advice = "interrupted", _ADVICE["interrupted"]
    finally:
        tracker.close()
        if tracker.best is not None:
            adopt(model, tracker.restore_best())
        for parameter in model.parameters():
            parameter.grad = None
        model.train(training)
    return status, advice


def _run_stage(
    model: KAN,
    problem: Problem,
    method: Method,
    tracker: Tracker,
    generator: torch.Generator,
    update_grid: bool,
    last: bool,
) -> tuple[str, str]:
    def adapt(done: int) -> bool:
        # Hidden values move most in the first steps; later a moving grid would only disturb the optimizer.
        due = update_grid and done in (5, 10, 20, 40, 80) and 2 * done <= method.steps
        return due and adapt_grids(model, problem.sample())

    if method.name == "gauss-newton":
        status, advice = second_order(
            model,
            problem,
            tracker,
            steps=method.steps,
            starts=method.starts,
            generator=generator,
            adapt=adapt,
            update_grid=update_grid,
            last=last,
        )
        return status, advice or _ADVICE[status]
    if method.name == "lbfgs":
        status = lbfgs(model, problem, tracker, steps=method.steps, learning_rate=method.learning_rate, adapt=adapt)
    else:
        status = adam(
            model,
            problem,
            tracker,
            steps=method.steps,
            learning_rate=method.learning_rate,
            batch_size=method.batch_size,
            schedule=method.schedule,
            generator=generator,
            adapt=adapt,
        )
    return status, _ADVICE[status]


_ADVICE = {
    "max_steps": "The steps ran out; raise steps if the loss still falls.",
    "converged": "No step improves the objective any more; more accuracy needs a finer grid or another shape.",
    "early_stopped": "No better value within the patience; the best state is kept.",
    "stopped": "The callback ended the fit; the best state is kept.",
    "interrupted": "Stopped by the keyboard; the best state so far is kept.",
    "diverged": "The loss or a parameter was not finite, or grew without bound; the last good state is kept. Lower "
    "learning_rate, scale inputs and targets to about one, and check that the loss is finite for any prediction.",
}


def _message(method: Method, advice: str, tracker: Tracker) -> str:
    """Advice first, then what "auto" did and which step was kept."""
    parts = [advice[:1].upper() + advice[1:].rstrip(".") + "."]
    if method.reason:
        parts.append(f"'auto' chose {method.name!r}: {method.reason}.")
    if tracker.best_step != tracker.step:
        parts.append(f"The state of step {tracker.best_step} was kept, the best of {tracker.step}.")
    return " ".join(parts)
