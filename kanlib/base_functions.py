"""Base functions: the fixed smooth function every edge adds, weighted, to its spline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BaseFunction:
    """A function and its first derivative, both elementwise."""

    name: str
    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


def _silu_derivative(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))


_TABLE = (
    BaseFunction("silu", torch.nn.functional.silu, _silu_derivative),
    BaseFunction("identity", lambda x: x, torch.ones_like),
    BaseFunction("tanh", torch.tanh, lambda x: 1 - torch.tanh(x) ** 2),
    BaseFunction("sin", torch.sin, torch.cos),
    BaseFunction("softplus", lambda x: torch.logaddexp(x, torch.zeros_like(x)), torch.sigmoid),
)

BASE_FUNCTIONS: dict[str, BaseFunction] = {base.name: base for base in _TABLE}
