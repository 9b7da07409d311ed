"""The law of all tables, y = exp(sin(pi*a) + b^2), and its samples."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["TEXT", "law", "sample"]

TEXT = "y = exp(sin(pi*a) + b^2)"


def law(X: Tensor) -> Tensor:
    """X (n, 2) -> y (n,)."""
    return torch.exp(torch.sin(torch.pi * X[:, 0]) + X[:, 1] ** 2)


def sample(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points uniform in [-1, 1]^2 and the law there, float64."""
    X = 2 * torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return X, law(X)
