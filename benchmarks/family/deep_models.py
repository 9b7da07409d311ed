"""Who goes deep: residual KANs and plain stacks of the same layers, a residual perceptron, and a shallow KAN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from kanlib import KAN, KANLayer
from kanlib.architectures.deep import GRID_RANGE, DeepKAN
from kanlib.architectures.parts import fit_grids, layer_norm, linear
from kanlib.architectures.variance import preserve_variance

__all__ = ["CONTESTANTS", "DEPTH", "Contestant", "PlainStack", "ResidualMLP", "growth"]

DEPTH = 20  # layers between the first and the last
WIDTH = 8
MLP_WIDTH = 17
SHALLOW_WIDTH = 128  # as many numbers as the deep ones have


class PlainStack(nn.Module):
    """The layers of a deep KAN, one after another, with nothing between them."""

    def __init__(self, in_features: int, generator: torch.Generator, init: str | None, centred: bool = False) -> None:
        super().__init__()
        widths = [in_features, *[WIDTH] * (DEPTH + 1), 1]
        self.layers = nn.ModuleList(
            KANLayer(a, b, grid_range=GRID_RANGE, generator=generator) for a, b in pairwise(widths)
        )
        if init is None:
            for k, layer in enumerate(self.layers):
                ends = k in (0, DEPTH + 1)
                preserve_variance(
                    cast("KANLayer", layer),
                    balance="forward" if ends else "average",
                    centred=centred,
                    generator=generator,
                )

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_features) to (n, 1)."""
        return self.activations(x)[-1]

    def activations(self, x: Tensor) -> list[Tensor]:
        """What every layer gives."""
        values: list[Tensor] = []
        for layer in self.layers:
            x = layer(x)
            values.append(x)
        return values


class ResidualMLP(nn.Module):
    """The same gated residual blocks around perceptrons: cos(theta) x + sin(theta) W2 silu(W1 norm(x))."""

    def __init__(self, in_features: int, generator: torch.Generator, width: int = MLP_WIDTH) -> None:
        super().__init__()
        self.first = linear(in_features, width, generator=generator)
        self.norms = nn.ModuleList(layer_norm(width) for _ in range(DEPTH + 1))
        self.perceptrons = nn.ModuleList(
            nn.Sequential(
                linear(width, width, generator=generator), nn.SiLU(), linear(width, width, generator=generator)
            )
            for _ in range(DEPTH)
        )
        self.angles = nn.Parameter(torch.full((DEPTH,), math.asin(math.sqrt(0.5 / DEPTH))))
        self.last = linear(width, 1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_features) to (n, 1)."""
        return self.activations(x)[-1]

    def activations(self, x: Tensor) -> list[Tensor]:
        """Values after the first layer and after every block, and the output."""
        values: list[Tensor] = [self.first(x)]
        for norm, perceptron, angle in zip(self.norms, self.perceptrons, self.angles.unbind()):
            values.append(angle.cos() * values[-1] + angle.sin() * perceptron(norm(values[-1])))
        return [*values, self.last(self.norms[-1](values[-1]))]


@dataclass(frozen=True)
class Contestant:
    """How a module is made for inputs (rows and generator given), and whether its grids are fitted to the rows."""

    make: Callable[[int, torch.Generator], nn.Module]
    fitted: bool = False

    def build(self, X: Tensor, seed: int) -> nn.Module:
        """The module of a seed, for these training rows."""
        module = self.make(X.shape[1], torch.Generator().manual_seed(seed))
        if self.fitted:
            fit_grids(module, X)
        return module


def _deep(n: int, generator: torch.Generator) -> nn.Module:
    return DeepKAN(n, WIDTH, DEPTH, 1, generator=generator)


# The first is what the others are compared with. Grids of all deep ones are (-3, 3): fitted to the values that reach
# them at first, those of the plain stack would shrink with the values, and its training diverges from there.
CONTESTANTS: Mapping[str, Contestant] = {
    "DeepKAN": Contestant(_deep),
    "DeepKAN, centred": Contestant(lambda n, g: DeepKAN(n, WIDTH, DEPTH, 1, centred=True, generator=g)),
    "DeepKAN, default first weights": Contestant(
        lambda n, g: DeepKAN(n, WIDTH, DEPTH, 1, init="power_law", generator=g)
    ),
    "plain stack, default first weights": Contestant(lambda n, g: PlainStack(n, g, "power_law")),
    "plain stack, variance kept": Contestant(lambda n, g: PlainStack(n, g, None)),
    "plain stack, variance kept, centred": Contestant(lambda n, g: PlainStack(n, g, None, centred=True)),
    "residual MLP": Contestant(ResidualMLP),
    "shallow KAN": Contestant(lambda n, g: KAN([n, SHALLOW_WIDTH, 1], generator=g), fitted=True),
}


def growth(module: nn.Module, X: Tensor, y: Tensor) -> tuple[list[float], list[float], list[float]]:
    """By layer, before training: how large the values are, how large the loss's gradient, and how rows differ.

    Returns root mean squares of the values and of the gradient of the mean squared error in them, and the share of
    the mean square that is variance between rows.
    """
    values = cast("list[Tensor]", cast("Callable[[Tensor], list[Tensor]]", module.activations)(X))
    hidden = [h for h in values[:-1] if h.requires_grad]
    loss = (values[-1] - y).square().mean()
    gradients = torch.autograd.grad(loss, hidden)
    sizes = [float(h.detach().square().mean().sqrt()) for h in hidden]
    slopes = [float(g.square().mean().sqrt()) * len(X) for g in gradients]
    shares = [float((h.var(0, correction=0).mean() / h.square().mean()).detach()) for h in hidden]
    return sizes, slopes, shares
