"""Rates of waves, refined together: sums of sin(r.f) and cos(r.f) in features f, everything linear eliminated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tuned", "as_product", "tuned", "wave_design"]

Array = NDArray[np.float64]

_STEPS = 25
_ALIKE = 0.02  # of their size, between two waves that make a product


class Tuned(NamedTuple):
    """Waves after refinement.

    Attributes
    ----------
    rates : (k, f).
    weights : of the fixed columns, then of a sine and a cosine for each wave.
    residual : (n,) what is left of z.
    """

    rates: Array
    weights: Array
    residual: Array


def wave_design(fixed: Array, features: Array, root: Array, rates: Array) -> Array:
    """The fixed columns (n, m), then a sine and a cosine of features (n, f) @ rate for each of the rates (k, f)."""
    angles = [features @ rate for rate in rates]
    return np.hstack([fixed, *[np.stack([np.sin(a) * root, np.cos(a) * root], axis=1) for a in angles]])


def tuned(fixed: Array, features: Array, root: Array, rates: Array, z: Array) -> Tuned:
    """Damped Gauss-Newton on the rates (Golub & Pereyra 1973, variable projection in Kaufman's form).

    Parameters
    ----------
    fixed : (n, m) columns whose weights are fitted too, times root.
    features : (n, f). root : (n,) of the rows' weights.
    rates : (k, f) to start from.
    z : (n,) what the waves are to add up to, times root.

    Examples
    --------
    >>> u = np.linspace(-1.0, 1.0, 200)[:, None]
    >>> found = tuned(np.ones((200, 1)), u, np.ones(200), np.array([[30.4]]), 2.0 + np.sin(31.0 * u[:, 0]))
    >>> round(float(found.rates[0, 0]), 9), found.weights.round(9).tolist()
    (31.0, [2.0, 1.0, 0.0])
    """

    def solved(trial: Array) -> tuple[float, Array, Array, Array]:
        design = wave_design(fixed, features, root, trial)
        weights: Array = np.asarray(np.linalg.lstsq(design, z, rcond=1e-10)[0], dtype=np.float64)
        residual = z - design @ weights
        return float(residual @ residual), design, weights, residual

    error, design, weights, residual = solved(rates)
    first, damping = fixed.shape[1], 1e-3
    for _ in range(_STEPS):
        columns = []
        for k in range(len(rates)):
            i = first + 2 * k
            slope = weights[i] * design[:, i + 1] - weights[i + 1] * design[:, i]
            columns += [slope * feature for feature in features.T]
        q = np.linalg.qr(design)[0]
        jacobian = np.stack(columns, axis=1)
        jacobian = jacobian - q @ (q.T @ jacobian)
        normal = jacobian.T @ jacobian
        normal += damping * np.diag(np.diag(normal)) + 1e-30 * np.eye(len(normal))
        step = np.linalg.lstsq(normal, jacobian.T @ residual, rcond=1e-14)[0].reshape(len(rates), -1)
        trial = rates + step
        new = solved(trial)
        if new[0] < error:
            gained = new[0] < 0.999999 * error
            rates, (error, design, weights, residual) = trial, new
            damping /= 10
            if not gained:
                break
        else:
            damping *= 10
            if damping > 1e4:
                break
    return Tuned(rates, weights, residual)


def as_product(waves: Sequence[tuple[float, Array]], error: float = 0.0) -> tuple[float, Array, Array] | None:
    """c, f, g of c*sin(f)*cos(g), which two waves of one size add up to; None for others.

    Parameters
    ----------
    waves : (size, constants of the angle) of sines; angles are linear in their constants.
    error : by which sizes may differ beside a fiftieth.

    Examples
    --------
    sin(5*x + 1) + sin(3*x) = 2*sin(4*x + 0.5)*cos(x + 0.5)

    >>> size, one, other = as_product([(1.0, np.array([5.0, 1.0])), (1.0, np.array([3.0, 0.0]))])
    >>> size, one.tolist(), other.tolist()
    (2.0, [4.0, 0.5], [1.0, 0.5])
    """
    if len(waves) != 2:
        return None
    (size, one), (other, two) = waves
    if abs(size - other) >= max(_ALIKE * size, error):
        return None
    return size + other, (one + two) / 2, (one - two) / 2
