"""A sum of polynomials, one for each block of inputs, by one linear least-squares fit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..reduction.polynomials import Box, chebyshev, least_squares, powers_up_to, products, trimmed_error

__all__ = ["Blocked", "Blocks", "fit_blocks"]

Array = NDArray[np.float64]
Blocks = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Blocked:
    """constant + sum of polynomials of total degree up to ``degree``.

    Attributes
    ----------
    blocks : indices of the inputs of each polynomial.
    degree : int
    constant : float
    coefficients : (features,) block after block.
    powers : (features, k) degree of each input in each feature.
    error : root mean square on left-out rows, worst rows left aside, in units of the weighted target.
    """

    blocks: Blocks
    degree: int
    constant: float
    coefficients: Array
    powers: NDArray[np.int64]
    error: float
    box: Box

    def parts(self, Z: Array) -> Array:
        """What each block contributes, (n, blocks)."""
        features = products(chebyshev(self.box.unit(Z), self.degree)[0], self.powers)
        ends = np.cumsum([0, *(len(_powers(block, Z.shape[1], self.degree)) for block in self.blocks)])
        each = [features[:, a:b] @ self.coefficients[a:b] for a, b in itertools.pairwise(ends)]
        return np.stack(each, axis=1)


def fit_blocks(Z: Array, t: Array, root: Array, blocks: Blocks, degree: int) -> Blocked | None:
    """The best fit with the inputs as they are or their logarithms; None where the rows cannot bear it.

    Parameters
    ----------
    Z : (n, k). t, root : (n,) the target, and what an error of it counts.
    blocks : indices of the inputs of each polynomial. degree : of all of them.

    Examples
    --------
    >>> Z = np.random.default_rng(0).uniform(1, 2, (200, 3))
    >>> y = Z[:, 0] * Z[:, 1] + Z[:, 2] ** 2
    >>> errors = [fit_blocks(Z, y, np.ones(200), blocks, 2).error for blocks in ([(0, 1), (2,)], [(0,), (1, 2)])]
    >>> errors[0] < 1e-9, errors[1] > 1e-3
    (True, True)
    """
    powers = np.concatenate([_powers(block, Z.shape[1], degree) for block in blocks])
    best: Blocked | None = None
    one_sign = np.all(Z > 0, axis=0) | np.all(Z < 0, axis=0)
    for logarithms in (False, True) if one_sign.any() else (False,):
        box = Box.around(Z, logarithms)
        features = products(chebyshev(box.unit(Z), degree)[0], powers)
        fit = least_squares(np.column_stack([np.ones(len(Z)), features]) * root[:, None], t * root)
        if fit is None or not np.all(np.isfinite(fit[1])):
            continue
        solved, left_out = fit
        error = trimmed_error(left_out**2)
        if math.isfinite(error) and (best is None or error < best.error):
            best = Blocked(blocks, degree, float(solved[0]), solved[1:], powers, error, box)
    return best


def _powers(block: Sequence[int], k: int, degree: int) -> NDArray[np.int64]:
    """Degrees of all k inputs in the terms of one block, the constant left out."""
    own = powers_up_to(len(block), degree)
    own = own[own.sum(axis=1) > 0]
    powers = np.zeros((len(own), k), dtype=np.int64)
    powers[:, list(block)] = own
    return powers
