"""How the rivals are trained: any torch module, by L-BFGS or by kanlib's damped steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kanlib.descent import descend

__all__ = ["METHODS", "NetProblem", "NetSquares", "NetState", "minimise"]

METHODS = ("lbfgs", "gauss-newton")


@dataclass
class NetState:
    """Weights, and the loss there."""

    weights: Tensor
    objective: float

    @property
    def loss(self) -> float:
        """The objective: nothing else is added to it."""
        return self.objective


class NetProblem(ABC):
    """A loss of the weights of a module, with a quadratic model of it for `kanlib.descent.descend`."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @abstractmethod
    def loss(self) -> Tensor:
        """What is minimised, at the weights as they are; in torch's graph."""

    @abstractmethod
    def normal_equations(self, state: NetState) -> tuple[Tensor, Tensor, Tensor]:
        """As `kanlib.descent.SquaresProblem` has it: half the curvature, minus half the slopes, and their scale."""

    def put(self, weights: Tensor) -> None:
        nn.utils.vector_to_parameters(weights, self.net.parameters())

    @torch.no_grad()
    def at(self, weights: Tensor) -> NetState | None:
        self.put(weights)
        objective = float(self.loss())
        return NetState(weights, objective) if math.isfinite(objective) else None

    def now(self) -> NetState:
        """The state of the weights as they are."""
        state = self.at(nn.utils.parameters_to_vector(self.net.parameters()).detach().clone())
        assert state is not None
        return state

    def prepare(self, state: NetState) -> None:
        self.put(state.weights)

    def settle(self, state: NetState) -> NetState:
        return state

    def trial(self, state: NetState, move: Tensor) -> NetState | None:
        return self.at(state.weights + move)


class NetSquares(NetProblem):
    """A least-squares problem."""

    @abstractmethod
    def residuals(self) -> Tensor:
        """All residuals (targets minus values), their squares adding up to the loss; in torch's graph."""

    def loss(self) -> Tensor:
        return self.residuals().square().sum()


def minimise(problem: NetProblem, method: str, steps: int, late: Callable[[], bool]) -> None:
    """Train in place by one of `METHODS`, until ``late()``, the steps are over, or no more is gained."""
    if method == "gauss-newton":
        state, _ = descend(
            problem,
            problem.now(),
            max_steps=steps,
            tolerance=1e-6,
            damping=1e-2,
            patience=None,
            callback=lambda step, loss: late(),
        )
        problem.put(state.weights)
        return
    if method != "lbfgs":
        raise ValueError(f"method is {method!r}; expected one of {METHODS}.")
    optimizer = torch.optim.LBFGS(
        problem.net.parameters(),
        max_iter=20,
        max_eval=200,
        history_size=50,
        tolerance_grad=1e-14,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = problem.loss()
        loss.backward()
        return loss

    for _ in range(-(-steps // 20)):  # in pieces, to look at the clock; the optimizer remembers
        optimizer.step(closure)
        if late():
            break
