"""What a formula has to beat: the shortest polynomial in the same columns.

Any smooth curve is a polynomial with enough terms. A formula with many fitted constants that describes the data no
shorter than a polynomial does is a fit like any other, not a law.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .description import NODE_COST
from .noise import EQUAL, NoiseModel

__all__ = ["polynomial_length"]

Array = NDArray[np.float64]

_MOST_TERMS = 60
_HIGHEST = 8


def polynomial_length(
    X: Array, y: Array, columns: Sequence[int], noise: NoiseModel = EQUAL, *, one_by_one: bool = False
) -> tuple[float, int]:
    """The shortest description length a full polynomial reaches, and its degree.

    Parameters
    ----------
    X, y : (n, d), (n,).
    columns : the columns the polynomial may use, all terms up to a total degree.
    noise : size of the errors.
    one_by_one : whether to use the residuals of left-out rows (from the hat matrix) instead of those of the fit.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 30)[:, None]
    >>> polynomial_length(x, 1 - x[:, 0] + 2 * x[:, 0] ** 3, [0])[1]
    3
    """
    low, high = X.min(axis=0), X.max(axis=0)
    unit = (2 * X - low - high)[:, list(columns)] / np.where(high > low, high - low, 1.0)[list(columns)]
    weight = noise.weight(y)
    root = np.ones(len(y)) if weight is None else np.sqrt(weight / weight.mean())
    best = (math.inf, 0)
    for degree in range(_HIGHEST + 1):
        powers = [p for p in itertools.product(range(degree + 1), repeat=len(columns)) if sum(p) <= degree]
        if len(powers) > min(_MOST_TERMS, len(y) // 2):
            break
        terms = np.stack([np.prod(unit**p, axis=1) for p in powers], axis=1)
        q, r = np.linalg.qr(terms * root[:, None])
        if np.min(np.abs(np.diag(r))) < 1e-10 * np.max(np.abs(np.diag(r))):
            break  # columns with few values (replicates) carry no higher powers
        residuals = (y * root - q @ (q.T @ (y * root))) / root
        if one_by_one:
            residuals = residuals / np.maximum(1 - np.sum(q * q, axis=1), 1e-12)
        best = min(best, (noise.length(residuals, y, len(powers), NODE_COST * _nodes(powers)), degree))
        if len(columns) > 6 and degree == 1:
            break
    return best


def _nodes(powers: list[tuple[int, ...]]) -> int:
    """Nodes of the polynomial written out: a coefficient, a factor for each column, and a plus, per term."""
    nodes = -1
    for power in powers:
        nodes += 2 + sum(2 if p == 1 else 4 for p in power if p)
    return nodes
