"""The contestants of the mixtures: gates of one kind each over the same experts, and single networks of equal size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kanlib.architectures.kamoe import KAMoE, load_balance
from kanlib.architectures.parts import fit_grids, linear
from kanlib.layer import KANLayer
from kanlib.network import KAN

from .kamoe_data import INPUTS
from .training import n_parameters
from .trials import matched_width, perceptron

__all__ = ["BALANCE", "MODELS", "MixtureInTraining", "new_model", "squared_error"]

HIDDEN, GRID = 4, {"grid_size": 5, "degree": 3}
BALANCE = 0.01  # weight of the load-balancing term, for every mixture
MODELS = (
    *("KAMoE (GRKAN gate)", "KAMoE (one KAN layer as gate)", "mixture, GRN gate", "mixture, linear gate"),
    *("one MLP", "one KAN"),
)


class GRN(nn.Module):
    """LayerNorm-free gated residual network with linear maps, as GRKAN has KAN layers (arXiv 1912.09363)."""

    def __init__(self, outputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = linear(INPUTS, hidden, generator=generator)
        self.second = linear(hidden, hidden, generator=generator)
        self.gate = linear(hidden, 2 * outputs, generator=generator)
        self.skip = linear(INPUTS, outputs, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        eta = self.second(nn.functional.elu(self.first(x)))
        y: Tensor = self.skip(x) + nn.functional.glu(self.gate(eta), dim=-1)
        return y


class MixtureInTraining(nn.Module):
    """A mixture that gives its gate weights beside its output while it is trained, for the load-balancing term."""

    def __init__(self, mixture: KAMoE) -> None:
        super().__init__()
        self.mixture = mixture

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Output, in training mode with the weights."""
        return self.mixture(x, return_gates=True) if self.training else self.mixture(x)

    def gates(self, x: Tensor) -> Tensor:
        """Weights of the experts."""
        return self.mixture.gates(x)


def squared_error(output: Tensor | tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    """Mean squared error, plus the load-balancing term where there are weights."""
    if isinstance(output, tuple):
        return nn.functional.mse_loss(output[0], y) + BALANCE * load_balance(output[1])
    return nn.functional.mse_loss(output, y)


def new_model(name: str, regimes: int, X: Tensor, generator: torch.Generator) -> nn.Module:
    """A model of that name with first weights from the generator, and grids sized by the training inputs."""

    def mixture(**gate: object) -> MixtureInTraining:
        experts = [linear(INPUTS, 1, generator=generator) for _ in range(regimes)]
        return MixtureInTraining(KAMoE(experts, **gate))  # type: ignore[arg-type]

    def grkan() -> MixtureInTraining:
        return mixture(in_features=INPUTS, hidden_features=HIDDEN, generator=generator, **GRID)

    parameters = n_parameters(grkan())
    widths: dict[str, Callable[[int], nn.Module]] = {
        "mixture, GRN gate": lambda h: mixture(gate=GRN(regimes, h, generator)),
        "one MLP": lambda h: perceptron([INPUTS, h, h, 1], generator),
        "one KAN": lambda h: KAN([INPUTS, h, 1], generator=generator, **GRID),  # type: ignore[arg-type]
    }
    if name in widths:
        width = matched_width(lambda h: n_parameters(widths[name](h)), parameters, 40)
        generator.manual_seed(generator.initial_seed())  # what the counting drew does not count
        model = widths[name](width)
    elif name == "mixture, linear gate":
        model = mixture(gate=linear(INPUTS, regimes, generator=generator))
    elif name == "KAMoE (one KAN layer as gate)":
        model = mixture(gate=KANLayer(INPUTS, regimes, generator=generator, **GRID))  # type: ignore[arg-type]
    else:
        model = grkan()
    if any(isinstance(part, KANLayer) for part in model.modules()):
        fit_grids(model, X)
    return model
