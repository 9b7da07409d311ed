"""Grids during a fit: when they need to follow the data, which sizes they go through, and giving layers to a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .checks import largest
from .errors import InputError
from .grids import update_layer_grid
from .network import combine

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["adapt_grids", "adopt", "grid_stages"]

# A grid follows its data when more than this share of the values lies outside it ...
OUTSIDE = 0.02
# ... or when the values fill less than this share of it.
FILLED = 0.5


def adapt_grids(model: KAN, x: Tensor, *, outside: float = OUTSIDE, margin: float = 0.01, first: int = 0) -> bool:
    """Fit the grids to the values that reach them, where they do not; true if anything changed.

    A layer whose coefficients are frozen (requires_grad=False) or whose grid repeats keeps its grid.

    Parameters
    ----------
    model : KAN
    x : Tensor, shape (n, in_features)
    outside : float
        Share of the values that may lie outside a grid.
    margin : float
        How far a grid then reaches beyond them, as for `kanlib.update_grid`.
    first : int
        The first layer whose grid may move.
    """
    with torch.no_grad():
        values = model.activations(x)
        if not all(bool((value.abs() <= largest(value.dtype)).all()) for value in values):
            return False  # a divergence, which the tracker will see
        learning = [
            k >= first and layer.coefficients.requires_grad and not layer.repeats
            for k, layer in enumerate(model.layers)
        ]
        if not any(
            learns and _misfits(layer.grid, value, outside)
            for learns, layer, value in zip(learning, model.layers, values, strict=False)
        ):
            return False
        value = values[0]
        for learns, layer, width in zip(learning, model.layers, model.widths[1:], strict=True):
            if learns:
                update_layer_grid(layer, value, margin=margin)
            value = combine(layer(value), width)
    return True


def grid_stages(model: KAN, grid_schedule: Sequence[int] | None) -> tuple[int | None, ...]:
    """The grid sizes a fit goes through; None stands for the grid the model has.

    Raises
    ------
    InputError
        If the sizes do not increase, or start below the model's.
    """
    if grid_schedule is None:
        return (None,)
    sizes = tuple(int(size) for size in grid_schedule)
    present = [layer.grid_size for layer in model.layers]
    increasing = all(a < b for a, b in pairwise(sizes))
    if not sizes or not increasing or sizes[0] < max(present):
        raise InputError(
            f"grid_schedule is {tuple(grid_schedule)}, the model's grid sizes are {present}; expected increasing sizes "
            f"from {max(present)} up. Build the model with the coarsest grid."
        )
    return tuple(None if set(present) == {size} else size for size in sizes)


def adopt(model: KAN, trained: KAN) -> None:
    """Make ``model`` compute what ``trained`` computes.

    Values are copied into the Parameters that are there; only where shapes differ (a refined grid) are layers replaced.
    """
    if trained is model:
        return
    if [layer.grid.shape for layer in trained.layers] != [layer.grid.shape for layer in model.layers]:
        place = model.layers[0].grid
        for number, layer in enumerate(trained.layers):
            model.layers[number] = layer.to(device=place.device, dtype=place.dtype)
        return
    with torch.no_grad():
        for mine, new in zip(model.parameters(), trained.parameters(), strict=True):
            mine.copy_(new)
        for mine_b, new_b in zip(model.buffers(), trained.buffers(), strict=True):
            mine_b.copy_(new_b)


def _misfits(grid: Tensor, value: Tensor, most: float) -> bool:
    low, high = value.amin(dim=0), value.amax(dim=0)
    start, end = grid[:, 0], grid[:, -1]
    outside = ((value < start) | (value > end)).to(grid.dtype).mean(dim=0)
    # A column that does not vary has no range to fill.
    narrow = (high - low < FILLED * (end - start)) & (high > low)
    return bool(((outside > most) | narrow).any())
