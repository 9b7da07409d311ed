"""The rival of every table: a multilayer perceptron, trained by L-BFGS or by damped Gauss-Newton steps.

The steps are kanlib's own (`kanlib.descent`); only the Jacobian differs. A row of it is assembled as in any layered
network: the output's sensitivity to a node, from one backward pass for all rows at once, times what enters the node.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from kanlib.descent import diagonal_scale

from .net_training import NetSquares, NetState, minimise

__all__ = ["MLPRun", "MLPSquares", "best_mlp", "fit_mlp", "perceptron", "slope_rows", "through"]

STEPS = {"lbfgs": 1000, "gauss-newton": 300}


@dataclass(frozen=True)
class MLPRun:
    """A trained network: it predicts (n,) from (n, d); what it cost; how many weights it has."""

    predict: Callable[[Tensor], Tensor]
    widths: tuple[int, ...]
    method: str
    parameters: int
    seconds: float

    def rmse(self, X: Tensor, y: Tensor) -> float:
        """Root mean squared error on other rows."""
        return float((self.predict(X) - y).square().mean().sqrt())


def fit_mlp(
    X: Tensor,
    y: Tensor,
    hidden: Sequence[int],
    method: str,
    *,
    seed: int = 0,
    steps: int | None = None,
    seconds: float = math.inf,
) -> MLPRun:
    """Train [d, *hidden, 1] with tanh on standardised rows, float64.

    Parameters
    ----------
    X : Tensor, shape (n, d)
    y : Tensor, shape (n,)
    hidden : widths of the hidden layers.
    method : "lbfgs" (strong Wolfe line search, 1,000 iterations by default) or "gauss-newton" (300 steps).
    seconds : after which training ends with what it has.
    """
    start = time.perf_counter()
    mean, scale = X.mean(0), X.std(0).clamp_min(1e-12)
    level, size = y.mean(), y.std().clamp_min(1e-300)
    inputs, target = (X - mean) / scale, (y - level) / size
    widths = (X.shape[1], *hidden, 1)
    net = perceptron(widths, torch.Generator().manual_seed(seed))

    def late() -> bool:
        return time.perf_counter() - start > seconds

    minimise(MLPSquares(net, inputs, target), method, STEPS.get(method, 0) if steps is None else steps, late)

    @torch.no_grad()
    def predict(new: Tensor) -> Tensor:
        return net((new - mean) / scale)[:, 0] * size + level

    parameters = sum(parameter.numel() for parameter in net.parameters())
    return MLPRun(predict, widths, method, parameters, time.perf_counter() - start)


def best_mlp(
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    method: str,
    *,
    seed: int,
    shapes: Sequence[Sequence[int]] = ((20, 20), (20, 20, 20)),
    seconds: float = 30.0,
) -> tuple[float, MLPRun]:
    """The best of some shapes *on the test rows*, which favours the rival: its error, and the run (all its seconds)."""
    runs = [fit_mlp(*train, hidden, method, seed=seed, seconds=seconds / len(shapes)) for hidden in shapes]
    errors = [run.rmse(*test) for run in runs]
    best = min(range(len(runs)), key=lambda k: errors[k] if math.isfinite(errors[k]) else math.inf)
    chosen = runs[best]
    total = sum(run.seconds for run in runs)
    return errors[best], MLPRun(chosen.predict, chosen.widths, method, chosen.parameters, total)


def perceptron(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers with tanh between them, float64, their weights drawn for inputs of unit size."""
    layers: list[nn.Module] = []
    for number, (n, m) in enumerate(pairwise(widths)):
        linear = nn.Linear(n, m, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.normal_(generator=generator).mul_(n**-0.5)
            linear.bias.normal_(generator=generator).mul_(0.5)
        layers += [linear, nn.Tanh()] if number < len(widths) - 2 else [linear]
    return nn.Sequential(*layers)


def through(layers: nn.Sequential, X: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """What enters every linear layer and what leaves it; the last that leaves is the output."""
    inputs, sums, value = [], [], X
    for module in layers:
        if isinstance(module, nn.Linear):
            inputs.append(value)
            sums.append(module(value))
            value = sums[-1]
        else:
            value = module(value)
    return inputs, sums


def slope_rows(inputs: Sequence[Tensor], sensitivities: Sequence[Tensor]) -> Tensor:
    """Rows of slopes by the weights, in the order of the parameters, from what a backward pass gave at the sums."""
    blocks = []
    for x, sensitivity in zip(inputs, sensitivities):
        blocks += [(sensitivity[:, :, None] * x[:, None, :]).flatten(1), sensitivity]
    return torch.cat(blocks, dim=1)


class MLPSquares(NetSquares):
    """The mean squared error of a perceptron of linear layers with functions of one number between them."""

    def __init__(self, net: nn.Sequential, X: Tensor, y: Tensor) -> None:
        super().__init__(net)
        self.layers, self.X, self.y = net, X, y

    def residuals(self) -> Tensor:
        return (self.y - self.layers(self.X)[:, 0]) / len(self.y) ** 0.5

    def normal_equations(self, state: NetState) -> tuple[Tensor, Tensor, Tensor]:
        inputs, sums = through(self.layers, self.X)
        found = torch.autograd.grad(sums[-1].sum(), sums)
        with torch.no_grad():
            rows = slope_rows(inputs, found) / len(self.y) ** 0.5
            residual = (self.y - sums[-1][:, 0]) / len(self.y) ** 0.5
            normal = rows.T @ rows
            return normal, rows.T @ residual, diagonal_scale(normal)
