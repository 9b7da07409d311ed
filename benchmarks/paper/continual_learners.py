"""Who learns the five peaks: KANs by every method, with what breaks their locality, and perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from kanlib import KAN, fit

__all__ = ["LEARNERS", "PEER", "KANLearner", "Learner", "MLPLearner"]

F64 = torch.float64
GRID = 200  # cells on [-1, 1], as in the paper's example: five peaks, forty cells each
STEPS = 100
PEER = "pykan [1, 1]"


class Learner(Protocol):
    """Something that is shown rows phase after phase."""

    def learn(self, x: Tensor, y: Tensor) -> None:
        """Train on these rows (n,) and no others, from where the last phase ended."""

    def predict(self, x: Tensor) -> Tensor:
        """Values at x (n,)."""


@dataclass
class KANLearner:
    """A KAN whose grid spans all phases from the start.

    Attributes
    ----------
    base : a base function reaches everywhere, splines only k + 1 cells.
    bias_learns : whether L-BFGS and Adam may move the layers' constants, which reach everywhere too.
    """

    seed: int
    method: str = "gauss-newton"
    widths: Sequence[int] = (1, 1)
    grid_size: int = GRID
    base: str | None = None
    bias_learns: bool = False
    model: KAN = field(init=False)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        self.model = KAN(self.widths, grid_size=self.grid_size, base=self.base, generator=generator, dtype=F64)
        for layer in self.model.layers:
            # Gauss-Newton trains whole networks, and bias is not among the constants of a layer of splines.
            layer.bias.requires_grad_(self.bias_learns or self.method == "gauss-newton")

    def learn(self, x: Tensor, y: Tensor) -> None:
        """`kanlib.fit`, told to leave the grid where it is."""
        fit(self.model, x[:, None], y, method=self.method, steps=STEPS, update_grid=False, progress=False)

    def predict(self, x: Tensor) -> Tensor:
        """The network's output."""
        with torch.no_grad():
            return self.model(x[:, None])[:, 0]


class MLPLearner:
    """A perceptron 1-100-100-1 with SiLU: L-BFGS fifty steps of 20 iterations, or Adam on all rows."""

    def __init__(self, seed: int, method: str) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # nn.Linear takes no generator
            self.model = nn.Sequential(
                nn.Linear(1, 100), nn.SiLU(), nn.Linear(100, 100), nn.SiLU(), nn.Linear(100, 1)
            ).to(F64)
        self.method = method

    def learn(self, x: Tensor, y: Tensor) -> None:
        """A new optimizer every phase, as `fit` and pykan have it."""
        optimizer: torch.optim.Optimizer
        if self.method == "adam":
            optimizer, steps = torch.optim.Adam(self.model.parameters(), lr=1e-3), 20 * STEPS
        else:
            optimizer, steps = torch.optim.LBFGS(self.model.parameters(), line_search_fn="strong_wolfe"), STEPS // 2

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (self.model(x[:, None])[:, 0] - y).square().mean()
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)  # type: ignore[arg-type]

    def predict(self, x: Tensor) -> Tensor:
        """The network's output."""
        with torch.no_grad():
            return self.model(x[:, None])[:, 0]


# name -> a new learner for a seed. The first is the paper's claim, the others say what it takes.
LEARNERS: Mapping[str, Callable[[int], Learner]] = {
    "KAN [1, 1]: Gauss-Newton": lambda seed: KANLearner(seed),
    "KAN [1, 1]: L-BFGS": lambda seed: KANLearner(seed, "lbfgs"),
    "KAN [1, 1]: Adam": lambda seed: KANLearner(seed, "adam"),
    "KAN [1, 1]: L-BFGS, a bias learns": lambda seed: KANLearner(seed, "lbfgs", bias_learns=True),
    "KAN [1, 1]: with a base function": lambda seed: KANLearner(seed, base="silu"),
    "deep KAN [1, 5, 1]: Gauss-Newton": lambda seed: KANLearner(seed, widths=(1, 5, 1), grid_size=20),
    "deep KAN [1, 5, 1]: L-BFGS": lambda seed: KANLearner(seed, "lbfgs", widths=(1, 5, 1), grid_size=20),
    "MLP 1-100-100-1: L-BFGS": lambda seed: MLPLearner(seed, "lbfgs"),
    "MLP 1-100-100-1: Adam": lambda seed: MLPLearner(seed, "adam"),
}
