"""Derivatives from a measured trajectory: the field of an ODE can then be fitted without solving anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from scipy.interpolate import UnivariateSpline
from torch import Tensor

from kanlib.data import as_tensor, finite
from kanlib.errors import InputError

__all__ = ["SmoothTrajectory", "smooth_derivatives"]

DEGREE = 5


class SmoothTrajectory(NamedTuple):
    """States and their derivatives at the measured times, (T, n) each, and how far off the derivatives may be."""

    states: Tensor
    derivatives: Tensor
    errors: Tensor


def smooth_derivatives(t: ArrayLike, y: ArrayLike, noise: float | Sequence[float] = 0.0) -> SmoothTrajectory:
    """States and derivatives by smoothing splines of degree 5, for ``kanlib.fit(field, states, derivatives)``.

    The errors are the differences from the derivatives of splines of degree 4: an estimate of their size, row by row;
    they are largest at the two ends. They are smooth, not random. `kanlib.symbolic.symbolify` takes what is smooth
    for part of the law, so add white noise of their size to the derivatives it is given: then it does not describe
    what is not known.

    Parameters
    ----------
    t : array, shape (T,), increasing, T >= 6
    y : array, shape (T, n)
    noise : float or one for each column
        Standard deviation of the noise in y; with 0 the splines go through the points.

    Returns
    -------
    SmoothTrajectory
        float64.

    Raises
    ------
    InputError
        When shapes do not fit, times do not increase, or noise is negative.

    Examples
    --------
    >>> t = torch.linspace(0, 3, 40, dtype=torch.float64)
    >>> smooth = smooth_derivatives(t, torch.sin(t)[:, None])
    >>> bool((smooth.derivatives[:, 0] - torch.cos(t)).abs().max() < 1e-5)
    True
    """
    times = finite(as_tensor(t, "t"), "t", torch.float64).cpu()
    states = finite(as_tensor(y, "y"), "y", torch.float64).cpu()
    if times.ndim != 1 or len(times) <= DEGREE or states.ndim != 2 or len(states) != len(times):
        raise InputError(
            f"smooth_derivatives got t of shape {tuple(times.shape)} and y of shape {tuple(states.shape)}; "
            f"expected (T,) and (T, n), at least {DEGREE + 1} times."
        )
    if not bool((times[1:] > times[:-1]).all()):
        raise InputError("smooth_derivatives got times that do not increase; expected increasing ones. Sort the rows.")
    deviations = torch.as_tensor(noise, dtype=torch.float64).expand(states.shape[1])
    if not bool((deviations >= 0).all()):
        raise InputError(f"smooth_derivatives got noise {noise!r}; expected standard deviations, zero or more.")
    smooth, first, other = [], [], []
    for column, deviation in zip(states.T.numpy(), deviations.tolist()):
        # The residuals' sum of squares that noise of this size leaves.
        budget = len(times) * deviation**2
        best, lower = (UnivariateSpline(times.numpy(), column, k=k, s=budget) for k in (DEGREE, DEGREE - 1))
        smooth.append(torch.from_numpy(best(times.numpy())))
        first.append(torch.from_numpy(best.derivative()(times.numpy())))
        other.append(torch.from_numpy(lower.derivative()(times.numpy())))
    derivatives = torch.stack(first, dim=-1)
    return SmoothTrajectory(torch.stack(smooth, dim=-1), derivatives, (derivatives - torch.stack(other, dim=-1)).abs())
