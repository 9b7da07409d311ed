"""Bases of one bump, moved along the range: Gaussians and partial fractions."""

from __future__ import annotations

import torch
from torch import Tensor

from .protocol import UnitBasis

__all__ = ["Gaussian", "Rational"]


def _spaced(n: int, like: Tensor, beyond: float = 0.0) -> tuple[Tensor, float]:
    """n points at distances h, the outer ones ``beyond`` * h outside of [-1, 1] where there are enough, and h."""
    if n == 1:
        return like.new_zeros(1), 1.0
    cells = n - 1 - 2 * beyond
    if cells < 1:
        cells, beyond = n - 1, 0.0
    h = 2.0 / cells
    end = 1.0 + beyond * h
    return torch.linspace(-end, end, n, dtype=like.dtype, device=like.device), h


class Gaussian(UnitBasis):
    """exp(-v^2), v = (u - c_m) / h, with centres c_m at distances h, one beyond each end of the range.

    As cubic B-splines do, they go on beyond the ends: without it smooth curves are missed there, and with twenty
    functions and no constant exp(x) / (1 + x^2) by 2e-2 of its spread in place of 3e-4.

    Source: FastKAN, arXiv 2405.06721, there with the outer centres on the ends.
    """

    name = "gaussian"

    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        centres, h = _spaced(size, u, beyond=1.0)
        v = (u.unsqueeze(-1) - centres) / h
        factor = (1.0, -2.0 * v, 4.0 * v.square() - 2.0)[derivative]
        return torch.exp(-v.square()) * factor / h**derivative


class Rational(UnitBasis):
    """Partial fractions 1 / (1 + v^2) and v / (1 + v^2), v = (u - c_m) / w, and the constant if their number is odd.

    These are the real rational functions with simple poles at c_m + iw and c_m - iw, w one and a half times the
    distance between the centres. The poles are fixed, so that curves stay linear in their coefficients; the outer ones
    lie half a distance beyond the ends.

    Source: B. Gustavsen and A. Semlyen, Rational approximation of frequency domain responses by vector fitting, IEEE
    Transactions on Power Delivery 14, 1999; other rational bases in KANs are in arXiv 2406.14495.
    """

    name = "rational"

    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        constant = torch.zeros_like(u) if derivative else torch.ones_like(u)
        parts = [(constant + u * 0).unsqueeze(-1)] if size % 2 else []
        if size > 1:
            centres, h = _spaced(size // 2, u, beyond=0.5)
            h *= 1.5
            v = (u.unsqueeze(-1) - centres) / h
            square = v.square()
            q = 1.0 / (1.0 + square)
            even, odd = (
                (q, v * q),
                (-2.0 * v * q**2, (1.0 - square) * q**2),
                ((6.0 * square - 2.0) * q**3, v * (2.0 * square - 6.0) * q**3),
            )[derivative]
            parts += [even / h**derivative, odd / h**derivative]
        return torch.cat(parts, dim=-1)

    def constant(self, size: int) -> Tensor | None:
        return torch.eye(size, dtype=torch.float64)[0] if size % 2 else None
