"""The polynomial pieces of B-splines: on every cell k + 1 basis functions, each a polynomial of degree k.

Both kinds of grid come down to such pieces in the cell coordinate t = (x - left) / width in [0, 1].
On a uniform grid all cells share one table, a constant of the degree (`UNIFORM_PIECES`). On free knots
every cell has its own (`free_pieces`), made by de Boor's recursion run on polynomials, once per cell
rather than once per point.

Source: C. de Boor, A Practical Guide to Splines, 2001, chapters IX and X.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import perm

import torch
from torch import Tensor

MAX_DEGREE = 5


def _uniform_pieces(degree: int, derivative: int) -> tuple[tuple[float, ...], ...]:
    """Entry of `UNIFORM_PIECES`, by the recursion of Cox and de Boor on polynomials with rational factors."""
    pieces = [[Fraction(1)]]  # pieces[r][p]; degree 0 is the constant 1
    for k in range(1, degree + 1):
        rows = [[Fraction(0)] * (k + 1) for _ in range(k + 1)]
        for r in range(k + 1):
            if r > 0:  # (t - start) / k times the lower basis with the same start, start = r - k
                for p, value in enumerate(pieces[r - 1]):
                    rows[r][p + 1] += value / k
                    rows[r][p] += value * (k - r) / k
            if r < k:  # (end - t) / k times the lower basis that starts one cell later, end = r + 1
                for p, value in enumerate(pieces[r]):
                    rows[r][p + 1] -= value / k
                    rows[r][p] += value * (r + 1) / k
        pieces = rows
    powers = range(derivative, degree + 1)
    return tuple(tuple(float(piece[p] * perm(p, derivative)) for piece in pieces) for p in powers)


# (degree k, derivative d) -> pieces of the d-th derivative on one cell of unit width: row p, column r holds
# the factor of t^p in basis r, the one that starts k - r cells to the left. There are k + 1 - d rows.
# A table rather than a cached function, which torch.compile would trace through.
UNIFORM_PIECES = {(k, d): _uniform_pieces(k, d) for k in range(MAX_DEGREE + 1) for d in range(k + 1)}


def extended_knots(grid: Tensor, degree: int) -> Tensor:
    """Add `degree` knots on either side by repeating the width of the first and of the last cell.

    Parameters
    ----------
    grid : Tensor, shape (in, G + 1)
    degree : int

    Returns
    -------
    Tensor, shape (in, G + 1 + 2 * degree)
    """
    steps = torch.arange(1, degree + 1, dtype=grid.dtype, device=grid.device)
    first, last = grid[:, 1:2] - grid[:, :1], grid[:, -1:] - grid[:, -2:-1]
    return torch.cat([grid[:, :1] - first * steps.flip(0), grid, grid[:, -1:] + last * steps], dim=1)


def free_pieces(grid: Tensor, degree: int, derivative: int = 0) -> Tensor:
    """Pieces of the B-splines on any increasing grid, cell by cell.

    Parameters
    ----------
    grid : Tensor, shape (in, G + 1)
    degree, derivative : int

    Returns
    -------
    Tensor, shape (in, G, k + 1 - d, k + 1)
        Entry [i, c, p, r] is the factor of t^p in basis c + r of input i on cell c, t the cell coordinate.
        The derivative is with respect to t (divide by the d-th power of the cell's width for x).
    """
    knots = extended_knots(grid, degree)
    cells = grid.shape[1] - 1
    left, width = grid[:, :-1, None], (grid[:, 1:] - grid[:, :-1])[..., None]
    pieces = torch.ones_like(left)[..., None]  # (in, G, power, basis), degree 0
    for k in range(1, degree + 1):
        # The k lower bases on cell c live on knots c+1-k .. c+k; their first and last knots:
        window = knots[:, degree + 1 - k : degree + cells + k].unfold(1, 2 * k, 1)  # (in, G, 2k)
        start, end = window[..., :k], window[..., k:]
        lower = pieces / (end - start).unsqueeze(-2)
        rise = _times_linear(lower, (left - start).unsqueeze(-2), width.unsqueeze(-2))
        fall = _times_linear(lower, (end - left).unsqueeze(-2), -width.unsqueeze(-2))
        pieces = torch.nn.functional.pad(rise, (1, 0)) + torch.nn.functional.pad(fall, (0, 1))
    factors = [float(perm(p, derivative)) for p in range(derivative, degree + 1)]
    return pieces[..., derivative:, :] * torch.tensor(factors, dtype=grid.dtype, device=grid.device)[:, None]


def _times_linear(pieces: Tensor, constant: Tensor, slope: Tensor) -> Tensor:
    """Multiply every polynomial (powers in dim -2) by constant + slope * t."""
    pad = torch.nn.functional.pad
    return pad(pieces * constant, (0, 0, 0, 1)) + pad(pieces * slope, (0, 0, 1, 0))


@cache
def two_scale(degree: int, factor: int) -> tuple[float, ...]:
    """Factors a_j of B(s) = sum_j a_j B(factor * s - j) for the uniform B-spline B of a degree.

    They are the coefficients of ((1 + z + ... + z^(factor-1)))^(k+1) / factor^k.

    Examples
    --------
    >>> two_scale(1, 2)
    (0.5, 1.0, 0.5)
    """
    product = [1]
    for _ in range(degree + 1):
        product = [
            sum(product[j - m] for m in range(factor) if 0 <= j - m < len(product))
            for j in range(len(product) + factor - 1)
        ]
    return tuple(float(Fraction(value, factor**degree)) for value in product)
