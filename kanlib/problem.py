"""The training problem: rows, loss and penalties, and how they are evaluated on a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .data import as_inputs
from .errors import InputError, InputTypeError
from .losses import Loss
from .regularizers import Penalties

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["Loader", "Problem", "Rows", "predict"]

# Rows that pass through the network at once where no gradient is needed: bounds the memory, not the result.
CHUNK = 16384


@dataclass(frozen=True)
class Rows:
    """Rows in memory: inputs (n, in), targets (n, ...) and optional weights (n,) with a mean of one."""

    x: Tensor
    y: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> Rows:
        index = index.to(self.x.device)
        return Rows(self.x[index], self.y[index], None if self.weight is None else self.weight[index])

    def double(self) -> Rows:
        y = self.y.double() if self.y.is_floating_point() else self.y
        return Rows(self.x.double(), y, None if self.weight is None else self.weight.double())

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Rows]:
        """The rows in a random order, in batches; all at once, in order, where one batch holds them."""
        if batch_size >= len(self):
            yield self
            return
        order = torch.randperm(len(self), generator=generator)
        for start in range(0, len(self), batch_size):
            yield self.take(order[start : start + batch_size])


@dataclass(frozen=True)
class Loader:
    """Batches that come from outside: a DataLoader or any object that can be iterated over again and again."""

    batches_of: Iterable[Any]
    loss: Loss
    in_features: int
    out_features: int
    dtype: torch.dtype
    device: torch.device

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Rows]:
        empty = True
        for batch in self.batches_of:
            if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                raise InputTypeError(
                    f"The loader gave a {type(batch).__name__}; expected pairs (X, y). "
                    "Build it from a TensorDataset(X, y)."
                )
            empty = False
            yield self.rows(*batch)
        if empty:
            raise InputError("The loader gave no batches; expected at least one. Check its data set and drop_last.")

    def sample(self, most: int) -> Tensor:
        """The inputs of the first batches, up to ``most`` rows: enough to size the grids."""
        parts: list[Tensor] = []
        for rows in self.batches(0, torch.Generator()):
            parts.append(rows.x)
            if sum(map(len, parts)) >= most:
                break
        return torch.cat(parts)[:most]

    def rows(self, x: Any, y: Any) -> Rows:
        inputs = as_inputs(x, self.in_features, dtype=self.dtype, device=self.device)
        return Rows(inputs, self.loss.target(y, len(inputs), self.out_features, dtype=self.dtype, device=self.device))


@dataclass(frozen=True)
class Problem:
    """What is minimised, and on what.

    Attributes
    ----------
    train : Rows or Loader
    validation : Rows or None
    loss : Loss
    penalties : Penalties
    """

    train: Rows | Loader
    validation: Rows | None
    loss: Loss
    penalties: Penalties

    def terms(self, model: KAN, rows: Rows) -> tuple[Tensor, Tensor]:
        """Loss and objective (loss plus penalties) on some rows, both scalars with a gradient."""
        with torch.enable_grad():
            activations = model.activations(rows.x) if self.penalties.on_edges else None
            prediction = model(rows.x) if activations is None else activations[-1]
            loss = self.loss(prediction, rows.y, rows.weight)
            if not loss.requires_grad:
                raise InputError(
                    "The loss does not depend on the network's parameters; expected a differentiable scalar. "
                    "Keep the prediction in torch, without .item(), .detach() or NumPy."
                )
            return loss, loss + self.penalties(model, activations) if self.penalties else loss

    def loss_on(self, model: KAN, rows: Rows) -> float:
        """The loss on some rows, without penalties or gradient."""
        with torch.no_grad():
            return float(self.loss(predict(model, rows.x), rows.y, rows.weight))

    def sample(self) -> Tensor:
        """Inputs to size the grids by: all training rows in memory, or the first batches of a loader."""
        return self.train.x if isinstance(self.train, Rows) else self.train.sample(CHUNK)

    def double(self) -> Problem:
        """The same rows in float64."""
        assert isinstance(self.train, Rows)
        held_out = None if self.validation is None else self.validation.double()
        return replace(self, train=self.train.double(), validation=held_out)

    def validation_loss(self, model: KAN) -> float | None:
        return None if self.validation is None else self.loss_on(model, self.validation)


def predict(model: KAN, x: Tensor) -> Tensor:
    """The network's output for many rows, without a gradient and in bounded memory."""
    with torch.no_grad():
        return torch.cat([model(part) for part in x.split(CHUNK)])
