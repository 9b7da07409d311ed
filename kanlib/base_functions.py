"""Base functions: the fixed smooth function every edge adds, weighted, to its spline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BaseFunction:
    """A function and its first and second derivatives, all elementwise."""

    name: str
    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    second: Callable[[Tensor], Tensor]

    def of_order(self, derivative: int) -> Callable[[Tensor], Tensor]:
        """The function (0), its first (1) or its second derivative (2)."""
        return (self.function, self.derivative, self.second)[derivative]


def _silu_derivative(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 + x * (1 - gate))


def _silu_second(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 - gate) * (2 + x * (1 - 2 * gate))


def _tanh_second(x: Tensor) -> Tensor:
    value = torch.tanh(x)
    return -2 * value * (1 - value**2)


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _softplus_second(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return gate * (1 - gate)


def _elu_derivative(x: Tensor) -> Tensor:
    return torch.exp(x.clamp(max=0))


def _elu_second(x: Tensor) -> Tensor:
    return torch.where(x < 0, torch.exp(x.clamp(max=0)), torch.zeros_like(x))


_TABLE = (
    BaseFunction("silu", torch.nn.functional.silu, _silu_derivative, _silu_second),
    BaseFunction("identity", lambda x: x, torch.ones_like, torch.zeros_like),
    BaseFunction("tanh", torch.tanh, lambda x: 1 - torch.tanh(x) ** 2, _tanh_second),
    BaseFunction("sin", torch.sin, torch.cos, lambda x: -torch.sin(x)),
    BaseFunction("elu", torch.nn.functional.elu, _elu_derivative, _elu_second),
    BaseFunction("softplus", _softplus, torch.sigmoid, _softplus_second),
)

BASE_FUNCTIONS: dict[str, BaseFunction] = {base.name: base for base in _TABLE}
