"""The rival of the tables with classes: a perceptron with one output for each, by L-BFGS or damped Gauss-Newton steps.

The loss is the cross-entropy with a little weight decay, without which the weights of separable classes have no end. It
is no sum of squares, so the steps are generalised Gauss-Newton's (Schraudolph 2002, Neural Computation 14, 1723): the
outputs z are taken as linear in the weights, the loss as it curves in z. For a softmax with probabilities p that is

    sum_kl J_k^T (p_k [k = l] - p_k p_l) J_l  =  sum_k p_k (J_k - m)^T (J_k - m),      m = sum_l p_l J_l,

so each class is one backward pass of z_k - sum_l p_l z_l, its row weighted by the root of p_k.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kanlib.descent import diagonal_scale

from .mlp import STEPS, perceptron, slope_rows, through
from .net_training import NetProblem, NetState, minimise

__all__ = ["HIDDEN", "MLP_METHODS", "MLPClasses", "Perceptron"]

Array = NDArray[Any]

HIDDEN = (20, 20)
MLP_METHODS = {"MLP, L-BFGS": "lbfgs", "MLP, Gauss-Newton": "gauss-newton"}


class MLPClasses(NetProblem):
    """Cross-entropy of a perceptron, and half the decay times the squared weights; y are classes 0, 1, ..."""

    def __init__(self, net: nn.Sequential, X: Tensor, y: Tensor, decay: float) -> None:
        super().__init__(net)
        self.layers, self.X, self.y, self.decay = net, X, y, decay

    def loss(self) -> Tensor:
        weights = nn.utils.parameters_to_vector(self.net.parameters())
        return functional.cross_entropy(self.layers(self.X), self.y) + self.decay / 2 * weights.square().sum()

    def normal_equations(self, state: NetState) -> tuple[Tensor, Tensor, Tensor]:
        inputs, sums = through(self.layers, self.X)
        shares = torch.softmax(sums[-1].detach(), dim=1)
        normal = self.decay / 2 * torch.eye(len(state.weights), dtype=state.weights.dtype)
        for k, share in enumerate(shares.T):
            direction = -shares
            direction[:, k] += 1
            direction *= (share / (2 * len(self.y))).sqrt()[:, None]
            found = torch.autograd.grad(sums[-1], sums, direction, retain_graph=True)
            with torch.no_grad():
                rows = slope_rows(inputs, found)
                normal.addmm_(rows.T, rows)
        slopes = torch.autograd.grad(self.loss(), list(self.net.parameters()))
        return normal, -nn.utils.parameters_to_vector(slopes) / 2, diagonal_scale(normal)


class Perceptron:
    """A classifier [d, *hidden, classes] with tanh on standardised rows, as scikit-learn has them.

    Parameters
    ----------
    method : "lbfgs" or "gauss-newton", with the steps of `benchmarks.paper.mlp` at the most.
    starts : first weights to try; those count that end at the smallest loss on the training rows.
    seconds : after which the training of a start ends with what it has.
    """

    def __init__(
        self,
        method: str,
        *,
        hidden: Sequence[int] = HIDDEN,
        decay: float = 1e-3,
        seed: int = 0,
        starts: int = 1,
        seconds: float = math.inf,
    ) -> None:
        self.method, self.hidden, self.decay = method, hidden, decay
        self.seed, self.starts, self.seconds = seed, starts, seconds

    def fit(self, X: Array, y: Array) -> Perceptron:
        """Train on X (n, d) and classes y (n,) of any kind."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.mean_, self.scale_ = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-12)
        widths = (X.shape[1], *self.hidden, len(self.classes_))
        inputs, target = torch.from_numpy((X - self.mean_) / self.scale_), torch.from_numpy(numbers)
        lowest = math.inf
        for start in range(self.starts):
            net = perceptron(widths, torch.Generator().manual_seed(1000 * self.seed + start))
            problem = MLPClasses(net, inputs, target, self.decay)
            end = time.perf_counter() + self.seconds
            minimise(problem, self.method, STEPS[self.method], lambda end=end: time.perf_counter() > end)
            loss = problem.now().loss
            if start == 0 or loss < lowest:
                lowest, self.net_ = loss, net
        return self

    @torch.no_grad()
    def predict(self, X: Array) -> Array:
        """The class of every row."""
        return self.classes_[self.net_(torch.from_numpy((X - self.mean_) / self.scale_)).argmax(dim=1).numpy()]

    @property
    def parameters(self) -> int:
        """Weights, once trained."""
        return sum(parameter.numel() for parameter in self.net_.parameters())
