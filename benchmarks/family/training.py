"""How every contestant is trained: one loop for the KANs and for what they are compared with.

Adam with a cosine schedule on mini-batches, and the state with the lowest validation loss counts. Data and first
weights come from the seed.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Trained", "evaluate", "n_parameters", "train"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Trained:
    """What a training gave: the best validation loss, in which pass, and the seconds. The module holds that state."""

    validation_loss: float
    epoch: int
    seconds: float


def n_parameters(module: nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def train(
    module: nn.Module,
    train_rows: tuple[Tensor, Tensor],
    validation_rows: tuple[Tensor, Tensor],
    loss: Loss,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 1e-2,
    weight_decay: float = 0.0,
    seed: int = 0,
) -> Trained:
    """Train in place.

    Parameters
    ----------
    train_rows, validation_rows : (inputs, targets), tensors with rows first.
    loss : callable
        (output, target) -> scalar; its value on the validation rows decides which state is kept.
    """
    X, y = train_rows
    generator = torch.Generator().manual_seed(seed)
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    best, kept, when = math.inf, copy.deepcopy(module.state_dict()), -1
    start = time.perf_counter()
    for epoch in range(epochs):
        module.train()
        for rows in torch.randperm(len(X), generator=generator).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss(module(X[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
        schedule.step()
        reached = evaluate(module, validation_rows, loss)
        if reached < best:
            best, kept, when = reached, copy.deepcopy(module.state_dict()), epoch
    module.load_state_dict(kept)
    return Trained(best, when, time.perf_counter() - start)


@torch.no_grad()
def evaluate(module: nn.Module, rows: tuple[Tensor, Tensor], loss: Loss, chunk: int = 4096) -> float:
    """The loss on rows, in evaluation mode."""
    module.eval()
    X, y = rows
    total = sum(float(loss(module(a), b)) * len(a) for a, b in zip(X.split(chunk), y.split(chunk), strict=True))
    return total / len(X)
