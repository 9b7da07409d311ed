"""Wavelets as bases: a mother function at dyadic scales, from coarse to fine.

Level j has 2^(j+1) + 1 wavelets of scale 2^-j at distances 2^-j, ends included. The G + k functions are the first of
these; within a level the places of coarser levels come first.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from .protocol import UnitBasis

__all__ = ["DoG", "MexicanHat", "Morlet"]


def dyadic(size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Centres and scales of the first wavelets.

    Examples
    --------
    >>> dyadic(4)
    ((-1.0, 1.0, 0.0, -1.0), (1.0, 1.0, 1.0, 0.5))
    """
    centres: list[float] = []
    scales: list[float] = []
    level = 0
    while len(centres) < size:
        count = 2 ** (level + 1)
        # ends, the middle, quarters, eighths, ...: m / count has the denominator count / gcd(m, count)
        places = sorted(range(count + 1), key=lambda m: count // math.gcd(m, count))
        centres += [2.0 * m / count - 1.0 for m in places]
        scales += [0.5**level] * (count + 1)
        level += 1
    return tuple(centres[:size]), tuple(scales[:size])


class _Wavelets(UnitBasis):
    @abstractmethod
    def mother(self, v: Tensor, derivative: int) -> Tensor:
        """The mother wavelet or its first or second derivative."""

    def functions(self, u: Tensor, size: int, derivative: int = 0) -> Tensor:
        centres, scales = (u.new_tensor(numbers) for numbers in dyadic(size))
        return self.mother((u.unsqueeze(-1) - centres) / scales, derivative) / scales**derivative


class MexicanHat(_Wavelets):
    """psi(v) = (1 - v^2) exp(-v^2 / 2), the negative second derivative of a Gaussian, with peak 1.

    Source: Wav-KAN, arXiv 2405.12832.
    """

    name = "mexican_hat"

    def mother(self, v: Tensor, derivative: int) -> Tensor:
        s = v.square()
        factor = (1.0 - s, v * (s - 3.0), -3.0 + s * (6.0 - s))[derivative]
        return factor * torch.exp(-s / 2)


class Morlet(_Wavelets):
    """psi(v) = cos(5 v) exp(-v^2 / 2), the real Morlet wavelet.

    Source: Wav-KAN, arXiv 2405.12832.
    """

    name = "morlet"

    def mother(self, v: Tensor, derivative: int) -> Tensor:
        c, s = torch.cos(5.0 * v), torch.sin(5.0 * v)
        factor = (c, -5.0 * s - v * c, (v.square() - 26.0) * c + 10.0 * v * s)[derivative]
        return factor * torch.exp(-v.square() / 2)


class DoG(_Wavelets):
    """psi(v) = -v exp((1 - v^2) / 2), the derivative of a Gaussian, with peak 1.

    Source: Wav-KAN, arXiv 2405.12832, there without the normalisation.
    """

    name = "dog"

    def mother(self, v: Tensor, derivative: int) -> Tensor:
        s = v.square()
        factor = (-v, s - 1.0, v * (3.0 - s))[derivative]
        return factor * torch.exp(-s / 2) * math.exp(0.5)
