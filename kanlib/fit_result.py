"""The record a fit returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["FitResult"]


@dataclass(frozen=True, repr=False, eq=False)
class FitResult:
    """What a fit did and how it ended.

    Attributes
    ----------
    status : str
        "converged" (no step improves any more), "max_steps", "early_stopped" (the validation loss, or the objective,
        did not improve for ``patience`` steps), "stopped" (by the callback), "interrupted" (by the keyboard) or
        "diverged" (a loss that is not finite or grew without bound). In every case the model holds the best state seen.
    message : str
        The same in words, with what to do about it.
    history : dict of lists, all of one length
        "step", "train_loss", "objective" (loss and penalties), "grid_size", "seconds"; "validation_loss" where there
        are validation rows. Row 0 is the state before the first step; a Gauss-Newton step that was refused has no row.
    n_steps : int
        Steps taken: Gauss-Newton steps, L-BFGS iterations, or passes over the data with Adam.
    seconds : float
    method : str
        "gauss-newton", "lbfgs" or "adam".
    best_step : int
        The step whose state was kept.
    model : KAN
        The trained network: the one that was passed in.

    Examples
    --------
    >>> import torch
    >>> from kanlib import KAN, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> result = fit(KAN([1, 1], generator=torch.Generator().manual_seed(0)), x, x**2, steps=20, progress=False)
    >>> result.train_loss < 1e-4
    True
    >>> len(result.history["train_loss"]) == len(result.history["step"])
    True
    """

    status: str
    message: str
    history: Mapping[str, list[float]]
    n_steps: int
    seconds: float
    method: str
    best_step: int
    model: KAN

    @property
    def train_loss(self) -> float:
        """The loss on the training rows of the state that was kept (NaN where none was measured)."""
        return self._kept("train_loss")

    @property
    def validation_loss(self) -> float:
        """The loss on the validation rows of the state that was kept (NaN without validation)."""
        return self._kept("validation_loss")

    def _kept(self, key: str) -> float:
        steps, values = self.history.get("step", []), self.history.get(key)
        return values[steps.index(self.best_step)] if values and self.best_step in steps else math.nan

    def __repr__(self) -> str:
        losses = f"train_loss={self.train_loss:.3g}"
        if not math.isnan(self.validation_loss):
            losses += f", validation_loss={self.validation_loss:.3g}"
        return (
            f"FitResult(status={self.status!r}, method={self.method!r}, n_steps={self.n_steps}, "
            f"{losses}, seconds={self.seconds:.2f})"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{self.message}"
