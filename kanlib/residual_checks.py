"""What can be wrong with a network and equations, said before the first step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import torch
from torch import Tensor

from .checks import check_choice, check_input, check_trainable
from .errors import DataWarning, InputError, InputTypeError
from .fixed_edges import has_frozen
from .jacobian import n_constants
from .network import KAN
from .residual_problem import Condition

__all__ = ["check_problem", "warn_where_free"]


def check_problem(model: KAN, conditions: Sequence[Condition]) -> int:
    """Raise InputError or InputTypeError, with what to do, where a network or conditions cannot be trained on.

    Returns how many equations there are, one a point and column.
    """
    if not isinstance(model, KAN):
        raise InputTypeError(f"model is a {type(model).__name__}; expected a kanlib.KAN.")
    check_trainable(model)
    if any(layer.fixed_edges() for layer in model.layers):
        raise InputError("The network has fixed edges, only splines are adjusted here; free them with free_edge.")
    if has_frozen(model):
        raise InputError("All constants are adjusted, some parameters have requires_grad=False; let them learn.")
    if isinstance(conditions, Condition) or not all(isinstance(each, Condition) for each in conditions):
        raise InputTypeError(
            "conditions is no sequence of Condition; expected a list such as [Condition(points, ...)]."
        )
    if not len(conditions):
        raise InputError("conditions is empty; expected at least one Condition.")
    n_equations = 0
    for condition in conditions:
        _check_condition(model, condition)
        with torch.no_grad():
            n_equations += _check_equation(model, condition)
    return n_equations


def _check_condition(model: KAN, condition: Condition) -> None:
    check_choice("second", condition.second, ("none", "laplacian", "hessian"))
    points = check_input("Condition", condition.points, model.in_features, model.layers[0].coefficients.dtype)
    if points.ndim != 2 or not len(points) or not bool(torch.isfinite(points).all()):
        raise InputError(
            f"The points of a condition have shape {tuple(points.shape)}; expected (n, {model.in_features}) finite "
            "numbers, at least one row."
        )
    if not isinstance(condition.weight, Real) or not 0 < condition.weight < math.inf:
        raise InputError(f"The weight of a condition is {condition.weight!r}; expected a finite positive number.")
    used, grid = model.select(points), model.layers[0].grid
    slack = 1e-9 * (grid[:, -1] - grid[:, 0])
    if not model.layers[0].repeats and bool(((used < grid[:, 0] - slack) | (used > grid[:, -1] + slack)).any()):
        raise InputError(
            f"Points go from {float(used.min()):.4g} to {float(used.max()):.4g}, beyond the first grid ("
            f"{float(grid.min()):.4g} to {float(grid.max()):.4g}), where splines do not bend; give the network "
            "that grid_range, or call update_grid with the points."
        )


def _check_equation(model: KAN, condition: Condition) -> int:
    n = len(condition.points)
    try:
        found = condition.residuals(model)[0]
    except TypeError as error:
        if condition.second == "none" and "NoneType" in str(error):
            raise InputError('An equation uses u.second; say second="laplacian" or "hessian".') from error
        raise
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != n:
        raise InputError(
            f"An equation returned shape {tuple(found.shape)} for {n} points; expected ({n},) or ({n}, m): one row a "
            "point."
        )
    if n > 1 and found.shape[1] == n:
        raise InputError(
            f"An equation returned ({n}, {n}) numbers for {n} points: a column met a row. u.value and u.second have a "
            "column for each output; take one, such as u.second[:, 0]."
        )
    half = replace(condition, points=condition.points[: (n + 1) // 2], weight=condition.weight * ((n + 1) // 2) / n)
    alone = half.residuals(model)[0]
    if alone.shape != found[: len(half.points)].shape or not torch.allclose(
        alone, found[: len(half.points)], rtol=1e-6, atol=1e-12, equal_nan=True
    ):
        raise InputError(
            "An equation couples its rows: half of the points give other residuals. Leave out means and sums."
        )
    return found.numel()


def warn_where_free(model: KAN, n_equations: int) -> None:
    """Warn where a network has more constants than equations: it may meet all of them and be wrong in between."""
    if n_constants(model) > n_equations:
        warnings.warn(
            f"{n_equations} equations for {n_constants(model)} constants: between the points the network may do "
            "anything. Give more points, or a smaller network.",
            DataWarning,
            stacklevel=3,
        )
