"""What a fit remembers while it runs: the history, the best state, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .progress import progress_bar

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["Snapshot", "Tracker"]

# A loss this many times the first one (or one, if that is larger) counts as divergence.
GROWTH_LIMIT = 1e8


class Snapshot:
    """The values of all parameters and buffers of a network, to go back to.

    Values are copied in place on restoring, so optimizers and references keep working.
    """

    def __init__(self, model: KAN) -> None:
        self.model = model
        self.values = [tensor.detach().clone() for tensor in _tensors(model)]

    def restore(self) -> KAN:
        """Write the values back and return the network they belong to."""
        with torch.no_grad():
            for tensor, value in zip(_tensors(self.model), self.values, strict=True):
                tensor.copy_(value)
        return self.model


class Tracker:
    """Keeps one row of history a step, the best state so far, and the count of steps since.

    Parameters
    ----------
    patience : int or None
        Stop after this many steps without a better value.
    callback : callable or None
        Called with the row (a dict) after every step; a true return value stops the fit.
    progress : bool
        Show a bar on stderr.
    total : int
        Steps at the most, for the bar.
    """

    def __init__(
        self,
        *,
        patience: int | None,
        callback: Callable[[Mapping[str, float]], Any] | None,
        progress: bool,
        total: int,
    ) -> None:
        self.patience, self.callback = patience, callback
        self.history: dict[str, list[float]] = {}
        self.best_value = math.inf
        self.best_step = 0
        self.best: Snapshot | None = None
        self.first_value: float | None = None
        self.step = 0
        self.stage_best_step = 0
        self.stage_best_value = math.inf
        self.started = time.perf_counter()
        self.bar = _bar(total) if progress else None

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def begin_stage(self, model: KAN) -> None:
        """Start counting patience anew; the state at the start is the first to go back to."""
        if self.best is None:
            self.best = Snapshot(model)
        self.stage_best_step, self.stage_best_value = self.step, math.inf

    def record(
        self,
        model: KAN,
        *,
        step: int,
        train_loss: float,
        objective: float,
        validation_loss: float | None = None,
    ) -> str | None:
        """Add a row; the answer is the status to stop with, or None to go on.

        The validation loss decides which state is best; without one, the objective does.
        """
        value = objective if validation_loss is None else validation_loss
        row: dict[str, float] = {"step": step, "train_loss": train_loss, "objective": objective}
        if validation_loss is not None:
            row["validation_loss"] = validation_loss
        row["grid_size"] = max(layer.grid_size for layer in model.layers)
        row["seconds"] = self.seconds
        self.step = step
        finite = all(math.isfinite(loss) for loss in (value, train_loss)) and _all_finite(model)
        if not finite:
            return "diverged"
        for key, entry in row.items():
            self.history.setdefault(key, []).append(entry)
        if self.bar is not None:
            self.bar.update(step - self.bar.n)
            self.bar.set_postfix_str(f"loss {value:.3g}", refresh=False)
        if self.first_value is None:
            self.first_value = value
        if value < self.stage_best_value:
            self.stage_best_value, self.stage_best_step = value, step
        # At equal value the later state: it is the one on the finer grid.
        if value < self.best_value or (value == self.best_value and self.best and self.best.model is not model):
            self.best_value, self.best_step, self.best = value, step, Snapshot(model)
        if value > GROWTH_LIMIT * max(abs(self.first_value), 1.0):
            return "diverged"
        if self.callback is not None and self.callback(row):
            return "stopped"
        if self.patience is not None and step - self.stage_best_step >= self.patience:
            return "early_stopped"
        return None

    def restore_best(self) -> KAN:
        """Put the best state back and return the network that holds it."""
        assert self.best is not None
        return self.best.restore()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _tensors(model: KAN) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _all_finite(model: KAN) -> bool:
    with torch.no_grad():
        return all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())


def _bar(total: int) -> Any:
    return progress_bar(total=total, desc="fit", unit="step", leave=False, dynamic_ncols=True)
