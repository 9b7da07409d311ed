"""The fields that are compared: KANs and perceptrons, each fitted first to derivatives of splines, then by a solver."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kanlib import KAN, fit
from kanlib.architectures.ode import rk4
from kanlib.architectures.ode_derivatives import smooth_derivatives
from kanlib.architectures.parts import linear

from .lotka_volterra import N_KNOWN, TIMES
from .ode_law import INNER
from .training import n_parameters, train

__all__ = ["FIELDS", "PIECE", "Pieces", "StandardisedMLP", "pieces", "train_field"]

PIECE = 6
RATES = (3e-4, 3e-3)
STARTS, ITERATIONS = 4, 500  # of the first fit, to derivatives

Rows = tuple[Tensor, Tensor]


class Pieces(nn.Module):
    """Solutions from given states (B, 2): short ones while training (B, 6, 2), else over all that is known."""

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field = field

    def forward(self, y0: Tensor) -> Tensor:
        return self.solve(y0, TIMES[:PIECE] if self.training else TIMES[:N_KNOWN])

    def solve(self, y0: Tensor, times: Tensor) -> Tensor:
        """Solutions (B, T, 2)."""
        return rk4(lambda _, y: self.field(y), y0, times)


class StandardisedMLP(nn.Module):
    """A perceptron with tanh whose inputs are standardised by the known rows.

    With `products` its outputs are multiplied in pairs, as the nodes of a KAN [2, (0, 2)] are.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, widths: Sequence[int], known: Tensor, generator: torch.Generator, products: bool = False
    ) -> None:
        super().__init__()
        self.products = products
        self.register_buffer("mean", known.mean(0))
        self.register_buffer("scale", known.std(0))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [linear(inputs, outputs, generator=generator, dtype=torch.float64), nn.Tanh()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, y: Tensor) -> Tensor:
        slope: Tensor = self.net((y - self.mean) / self.scale)
        return slope[..., ::2] * slope[..., 1::2] if self.products else slope


def pieces(known: Tensor) -> tuple[Rows, Rows]:
    """Training rows (starts, pieces that follow), and validation rows: the whole known stretch."""
    followed = known.unfold(0, PIECE, 1).transpose(1, 2)
    return (followed[:, 0], followed), (known[:1], known[None])


def _derivatives(known: Tensor) -> Rows:
    smooth = smooth_derivatives(TIMES[:N_KNOWN], known)
    return smooth.states[INNER], smooth.derivatives[INNER]


def _kan(widths: Sequence[int | tuple[int, int]], grid_size: int) -> Callable[[Tensor, int], nn.Module]:
    """A KAN after Gauss-Newton steps."""

    def new(known: Tensor, seed: int) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        model = KAN(widths, grid_size=grid_size, generator=generator, dtype=torch.float64)
        fit(model, *_derivatives(known), starts=STARTS, roughness=1e-4, seed=seed, progress=False)
        return model

    return new


def _mlp(*widths: int, products: bool = False) -> Callable[[Tensor, int], nn.Module]:
    """A perceptron after L-BFGS, the best of as many starts."""

    def new(known: Tensor, seed: int) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        networks = [StandardisedMLP(widths, known, generator, products) for _ in range(STARTS)]
        found = [_lbfgs(network, *_derivatives(known)) for network in networks]
        return min(found, key=lambda each: each[0])[1]

    return new


def _lbfgs(model: nn.Module, X: Tensor, y: Tensor) -> tuple[float, nn.Module]:
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=ITERATIONS, history_size=50, line_search_fn="strong_wolfe", tolerance_change=1e-15
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.mse_loss(model(X), y)
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return float(loss().detach()), model


FIELDS: dict[str, Callable[[Tensor, int], nn.Module]] = {
    "KAN [2, 5, 2]": _kan([2, 5, 2], 5),
    "MLP [2, 37, 2]": _mlp(2, 37, 2),
    "MLP [2, 32, 32, 2]": _mlp(2, 32, 32, 2),
    "KAN of products [2, (0, 2)]": _kan([2, (0, 2)], 3),
    "MLP of products [2, 8, 4 -> 2]": _mlp(2, 8, 4, products=True),
}


def train_field(name: str, known: Tensor, seed: int, epochs: int) -> tuple[Pieces, int, float]:
    """Both stages; the trained field, its parameters, and the learning rate that was chosen."""
    start = Pieces(FIELDS[name](known, seed))
    best = (float("inf"), start, 0.0)
    for rate in RATES:
        model = copy.deepcopy(start)
        rows = pieces(known)
        loss = nn.functional.mse_loss
        reached = train(model, *rows, loss, epochs=epochs, batch_size=8, learning_rate=rate, seed=seed)
        if reached.validation_loss < best[0]:
            best = (reached.validation_loss, model, rate)
    return best[1], n_parameters(best[1]), best[2]
