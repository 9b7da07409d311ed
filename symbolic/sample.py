"""The rows a network of the search is trained on, and those it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """Rows to train on and rows to judge by; the target standardised by the training rows (scale * t + shift).

    Where ``set_aside`` is false the rows were too few to spare any, and both are the same. With weights (mean 1 on the
    training rows) a squared error of t counts that many times; ``units`` turns such an error into one relative to y.
    """

    X: Tensor
    t: Tensor
    X_held: Tensor
    t_held: Tensor
    scale: float
    shift: float
    set_aside: bool = True
    weight: Tensor | None = None
    weight_held: Tensor | None = None
    units: float = 1.0

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @cached_property
    def n_distinct(self) -> int:
        """Rows with different inputs: replicates tell about the noise, not about the curve."""
        return int(torch.unique(self.X, dim=0).shape[0])

    @property
    def n_inputs(self) -> int:
        return self.X.shape[1]
