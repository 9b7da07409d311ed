"""The rival for differential equations: a tanh network that is asked for its Laplacian, trained by either method.

Value, gradient and Laplacian are carried forward through the layers together (the forward Laplacian, Li et al., Nature
Machine Intelligence 6 (2024) 209); rows of the Jacobian are assembled as in `kanlib.residual_problem`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kanlib.derivatives import Derivatives
from kanlib.descent import diagonal_scale
from kanlib.residuals import Condition

from .net_training import NetSquares, NetState

__all__ = ["TanhNetwork", "TanhSquares"]


class TanhNetwork(nn.Module):
    """[d, *hidden, 1] with tanh, float64."""

    def __init__(self, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        pairs = pairwise(widths)
        self.layers = nn.ModuleList([nn.Linear(n, m, dtype=torch.float64) for n, m in pairs])
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.normal_(generator=generator).mul_(layer.in_features**-0.5)
                layer.bias.normal_(generator=generator).mul_(0.5)

    def through(self, x: Tensor) -> list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]:
        """For each linear layer what enters and what leaves it: values, slopes (n, d, nodes), Laplacians."""
        d = x.shape[-1]
        first = torch.eye(d, dtype=x.dtype, device=x.device).expand(len(x), d, d)
        jet: tuple[Tensor, ...] = (x, first, torch.zeros_like(x))
        passed = []
        for number, layer in enumerate(self.layers):
            value, slope, bend = jet
            sums = (layer(value), slope @ layer.weight.T, bend @ layer.weight.T)
            passed.append((jet, sums))
            if number + 1 < len(self.layers):
                t = torch.tanh(sums[0])
                dt = 1 - t.square()
                bent = dt * sums[2] - 2 * t * dt * sums[1].square().sum(1)
                jet = (t, dt[:, None] * sums[1], bent)
        return passed

    def derivatives(self, x: Tensor) -> Derivatives:
        """Value (n, 1), gradient (n, 1, d) and Laplacian (n, 1)."""
        value, slope, bend = self.through(x)[-1][1]
        return Derivatives(value, slope.movedim(-1, -2), bend)

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


class TanhSquares(NetSquares):
    """Conditions on a tanh network as a least-squares problem."""

    net: TanhNetwork

    def __init__(self, net: TanhNetwork, conditions: Sequence[Condition]) -> None:
        super().__init__(net)
        self.conditions = conditions

    def residuals(self) -> Tensor:
        return torch.cat([self.residual(c, self.net.derivatives(c.points)) for c in self.conditions])

    def residual(self, condition: Condition, found: Derivatives) -> Tensor:
        """Of one condition, weighted."""
        residual = condition.equation(found, condition.points).reshape(-1)
        return residual * math.sqrt(condition.weight / len(condition.points))

    def normal_equations(self, state: NetState) -> tuple[Tensor, Tensor, Tensor]:
        size = len(state.weights)
        normal, gradient = state.weights.new_zeros(size, size), state.weights.new_zeros(size)
        for condition in self.conditions:
            passed = self.net.through(condition.points)
            value, slope, bend = passed[-1][1]
            residual = self.residual(condition, Derivatives(value, slope.movedim(-1, -2), bend))
            sums = [tensor for _, jet in passed for tensor in jet]
            found = torch.autograd.grad(residual.sum(), sums, allow_unused=True)
            zeros = [torch.zeros_like(tensor) if given is None else given for tensor, given in zip(sums, found)]
            with torch.no_grad():
                blocks = []
                for number, (jet, _) in enumerate(passed):
                    on_value, on_slope, on_bend = zeros[3 * number : 3 * number + 3]
                    weight = on_value[:, :, None] * jet[0][:, None] + on_bend[:, :, None] * jet[2][:, None]
                    weight += torch.einsum("nko,nki->noi", on_slope, jet[1])
                    blocks += [weight.flatten(1), on_value]
                rows = torch.cat(blocks, dim=1)
                normal.addmm_(rows.T, rows)
                gradient.addmv_(rows.T, residual, alpha=-1)
        return normal, gradient, diagonal_scale(normal)
