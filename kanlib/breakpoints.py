"""Where the breakpoints of grids go: equally spaced, or at the quantiles of data."""

from __future__ import annotations

import torch
from torch import Tensor

from .checks import largest
from .errors import InputError


def uniform_grid(
    low: float | Tensor,
    high: float | Tensor,
    grid_size: int,
    *,
    in_features: int | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Equally spaced breakpoints from `low` to `high`, one row per input.

    Parameters
    ----------
    low, high : float or Tensor of shape (in,)
    grid_size : int
        Number of cells G.
    in_features : int, optional
        Number of rows when low and high are plain numbers.

    Returns
    -------
    Tensor, shape (in, G + 1)

    Examples
    --------
    >>> uniform_grid(0.0, 1.0, 4, in_features=1)
    tensor([[0.0000, 0.2500, 0.5000, 0.7500, 1.0000]])
    """
    if grid_size < 1:
        raise InputError(f"uniform_grid got grid_size {grid_size}; expected a whole number of at least 1.")
    # Plain numbers are compared as such, so that a grid can be made on the meta device.
    rising = high > low
    if not (bool(rising.all()) if isinstance(rising, Tensor) else rising):
        raise InputError("uniform_grid got a range that ends where it begins or before; expected low < high.")
    dtype = low.dtype if isinstance(low, Tensor) else dtype or torch.get_default_dtype()
    most = largest(dtype)
    fits = (low >= -most) & (high <= most)
    if not (bool(fits.all()) if isinstance(fits, Tensor) else fits):
        raise InputError(
            f"uniform_grid got a range that goes beyond {most:.2g}; grids of {dtype} end there. Rescale the inputs."
        )
    if not isinstance(low, Tensor):
        low = torch.full((in_features or 1,), low, dtype=dtype, device=device)
    high = torch.as_tensor(high, dtype=low.dtype, device=low.device).expand_as(low)
    steps = torch.arange(grid_size + 1, dtype=low.dtype, device=low.device) / grid_size
    return torch.lerp(low[:, None], high[:, None], steps)


def quantile_grid(x: Tensor, grid_size: int, *, margin: float = 0.0, blend: float = 0.02) -> Tensor:
    """Free breakpoints at the quantiles of data, so that every cell holds about as many points.

    Parameters
    ----------
    x : Tensor, shape (n, in)
    grid_size : int
        Number of cells G.
    margin : float
        Fraction of each input's range added on either side.
    blend : float in (0, 1]
        Share of an equally spaced grid mixed in; it keeps cells open where values repeat.

    Returns
    -------
    Tensor, shape (in, G + 1)

    Examples
    --------
    >>> quantile_grid(torch.linspace(0, 1, 101)[:, None] ** 2, 2, blend=0.1)
    tensor([[0.0000, 0.2750, 1.0000]])
    """
    low, high = data_range(x, margin)
    even = uniform_grid(low, high, grid_size)
    ordered = x.sort(dim=0).values
    place = torch.linspace(0, len(x) - 1, grid_size + 1, dtype=torch.float64, device=x.device)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(x) - 1)
    inner = torch.lerp(ordered[below], ordered[above], (place - below).to(x.dtype)[:, None]).T
    grid = torch.lerp(inner, even, blend)
    grid[:, 0], grid[:, -1] = low, high
    return grid


def data_range(x: Tensor, margin: float = 0.0) -> tuple[Tensor, Tensor]:
    """Low and high end of every column of x (n, in), widened by a fraction of the range.

    A constant column gets a range around its value as wide as the value is large, at least 1.

    Examples
    --------
    >>> data_range(torch.tensor([[0.0], [2.0]]), margin=0.5)
    (tensor([-1.]), tensor([3.]))
    """
    low, high = x.amin(0), x.amax(0)
    span = high - low
    # Below this a grid's cells vanish in rounding, or their inverse overflows: treat the column as constant.
    info = torch.finfo(x.dtype)
    flat = span <= (1e3 * info.eps * torch.maximum(low.abs(), high.abs())).clamp(min=1e4 * info.tiny)
    pad = torch.where(flat, 0.5 * torch.maximum(low.abs(), torch.ones_like(low)), margin * span)
    return low - pad, high + pad
