"""A small table and networks that the tests of fit share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kanlib.fit import FitResult, fit
from kanlib.network import KAN

METHODS = ["gauss-newton", "lbfgs", "adam"]


def table(n: int = 200, *, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, 2, generator=rng, dtype=torch.float64) - 1
    y = torch.sin(3 * x[:, 0]) + x[:, 1] ** 2
    return x, y + noise * torch.randn(n, generator=rng, dtype=torch.float64)


def network(widths: tuple[Any, ...] = (2, 2, 1), seed: int = 0, **kwargs: Any) -> KAN:
    kwargs = {"grid_size": 3, "dtype": torch.float64, **kwargs}
    return KAN(list(widths), generator=torch.Generator().manual_seed(seed), **kwargs)


def quiet(model: KAN, *data: Any, **kwargs: Any) -> FitResult:
    return fit(model, *data, progress=False, **kwargs)


def state(model: KAN) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in (*model.parameters(), *model.buffers())]
