"""Sines and cosines as a basis: for what repeats, and for fast oscillation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .protocol import UnitBasis

__all__ = ["Fourier"]


class Fourier(UnitBasis):
    """1, cos(pi u), sin(pi u), cos(2 pi u), sin(2 pi u), ...: the range is one period.

    A curve whose ends differ is not in its span; the layer's base function takes up a trend. On the range from -pi to
    pi with ``extrapolate="periodic"`` these are 1, cos x, sin x, cos 2x, ... everywhere.

    Source: in KANs, GistNoesis, FourierKAN, 2024, and arXiv 2503.10632, equation 7.
    """

    name = "fourier"

    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        waves = size // 2  # sines; there are as many cosines, or one fewer
        rate = math.pi * torch.arange(1, waves + 1, dtype=u.dtype, device=u.device)
        phase = u.unsqueeze(-1) * rate
        quarter = derivative * math.pi / 2  # every derivative is a shift by a quarter of a period
        factor = rate**derivative
        pairs = torch.stack([torch.cos(phase + quarter) * factor, torch.sin(phase + quarter) * factor], dim=-1)
        constant = torch.zeros_like(u) if derivative else torch.ones_like(u)
        return torch.cat([(constant + u * 0).unsqueeze(-1), pairs.flatten(-2)], dim=-1)[..., :size]

    def constant(self, size: int) -> Tensor:
        return torch.eye(size, dtype=torch.float64)[0]
