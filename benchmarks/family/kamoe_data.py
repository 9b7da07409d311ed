"""Regimes with curved borders: which of a few linear laws holds depends on where a row lies in the first two inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["INPUTS", "PROBLEMS", "Problem", "Rows", "draw_rows"]

INPUTS, NOISE = 4, 0.1  # inputs, uniform in [-1, 1]; the laws' values have a spread near 1

# The learning rates and the number of passes were settled with errors on laws of other seeds in view; laws and rows
# start from here.
UNSEEN = 100_000


@dataclass(frozen=True)
class Problem:
    """A number of regimes and where they are: (n, 2) inputs to regime numbers (n,)."""

    regimes: int
    regime: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Rows:
    """Inputs (n, 4), targets (n, 1) and the true regimes (n,), which no model sees."""

    X: Tensor
    y: Tensor
    regime: Tensor


def _bands(p: Tensor) -> Tensor:
    wave = p[:, 1] - 0.4 * torch.sin(torch.pi * p[:, 0])
    return (wave > -0.35).long() + (wave > 0.35).long()


PROBLEMS = {
    "circle": Problem(2, lambda p: (p.square().sum(1) > 0.64).long()),
    "four quarters": Problem(2, lambda p: (p[:, 0] * p[:, 1] > 0).long()),
    "wavy bands": Problem(3, _bands),
}


def draw_rows(problem: Problem, n: int, seed: int, stream: int) -> Rows:
    """Rows of a seed's laws: y = w_r . x + c_r + noise in regime r; stream 0, 1, 2: training, validation, test.

    The laws come from the seed alone: w_r has length 1.5, the w_r of a problem at right angles to one another.
    """
    laws = torch.Generator().manual_seed(UNSEEN + 1000 + seed)
    directions = torch.linalg.qr(torch.randn(INPUTS, INPUTS, generator=laws)).Q[:, : problem.regimes]
    constants = torch.linspace(-0.5, 0.5, problem.regimes)
    generator = torch.Generator().manual_seed(UNSEEN + 10 * seed + stream)
    X = 2 * torch.rand(n, INPUTS, generator=generator) - 1
    regime = problem.regime(X[:, :2])
    values = (1.5 * X @ directions + constants).gather(1, regime[:, None])
    return Rows(X, values + NOISE * torch.randn(n, 1, generator=generator), regime)
