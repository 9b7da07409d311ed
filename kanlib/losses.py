"""The loss of a fit: named or any callable, and the form of target each one wants.

The one rule that matters: prediction and target meet in shapes that cannot broadcast silently. A target of shape
(n,) never meets a prediction of shape (n, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .data import as_tensor, finite
from .errors import InputError, InputTypeError

__all__ = ["LOSSES", "Loss", "as_loss"]

LossFunction = Callable[[Tensor, Tensor], Tensor]


def _mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared error of every row, averaged over the outputs: shape (n,)."""
    return (prediction - target).square().mean(dim=1)


def _cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Minus the log probability of every row's class: shape (n,)."""
    return functional.cross_entropy(prediction, target, reduction="none")


# Each gives one value a row, so that rows can be weighted.
LOSSES: dict[str, LossFunction] = {"mse": _mse, "cross_entropy": _cross_entropy}


@dataclass(frozen=True)
class Loss:
    """A loss and its convention for targets.

    Attributes
    ----------
    name : str
        "mse", "cross_entropy", or "custom".
    function : callable
        One value a row for a named loss, a scalar for a custom one.
    """

    name: str
    function: LossFunction

    def __call__(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The scalar loss; ``weight`` (n,) has a mean of one over all rows of the data."""
        if self.name == "custom":
            value = self.function(prediction, target)
            if not isinstance(value, Tensor) or value.numel() != 1:
                got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise InputError(f"The loss returned {got}; expected a scalar tensor. Average over rows and outputs.")
            return value.reshape(())
        rows = self.function(prediction, target)
        return (rows if weight is None else rows * weight).mean()

    def target(self, y: Any, n_rows: int, out_features: int, *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Bring targets into the form this loss compares with predictions of shape (n, out_features).

        * "mse": real numbers of shape (n, out_features); (n,) is accepted where there is one output.
        * "cross_entropy": int64 classes of shape (n,), from 0 to out_features - 1.
        * a callable: real numbers as (n, columns), (n,) becoming (n, 1); integers of shape (n,) stay int64 classes
          of shape (n,) where there are several outputs.

        Raises
        ------
        InputError
            If lengths, shapes or values do not fit.
        """
        t = as_tensor(y, "y")
        if t.ndim == 0 or len(t) != n_rows:
            arrived = "no rows (a scalar)" if t.ndim == 0 else f"{len(t)} rows"
            raise InputError(f"y has {arrived}, X has {n_rows}; expected one target for each row of X.")
        if self.name == "cross_entropy":
            return _classes(t, out_features, device)
        whole = not t.is_floating_point() and t.dtype != torch.bool
        if self.name == "custom" and whole and t.ndim == 1 and out_features > 1:
            return t.to(device=device, dtype=torch.int64)
        if t.ndim == 1:
            t = t[:, None]
        if t.ndim != 2 or (self.name == "mse" and t.shape[1] != out_features):
            raise InputError(
                f"y has shape {tuple(t.shape)}, the network gives ({n_rows}, {out_features}); expected equal shapes. "
                f"Build the network with as many outputs as y has columns."
            )
        return finite(t, "y", dtype, device)


def as_loss(loss: str | LossFunction) -> Loss:
    """Look a named loss up, or wrap a callable.

    Examples
    --------
    >>> as_loss("mse")(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [1.0]]))
    tensor(2.)
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise InputError(f"loss is {loss!r}; expected one of {sorted(LOSSES)} or a callable (prediction, target).")
        return Loss(loss, LOSSES[loss])
    if not callable(loss):
        raise InputTypeError(f"loss is a {type(loss).__name__}; expected a name or a callable (prediction, target).")
    return Loss("custom", loss)


def _classes(t: Tensor, out_features: int, device: torch.device) -> Tensor:
    if t.ndim == 2 and t.shape[1] == 1:
        t = t[:, 0]
    if t.ndim != 1:
        raise InputError(
            f"y has shape {tuple(t.shape)}; cross_entropy wants one class a row, shape ({len(t)},). "
            "Turn one-hot rows into classes with argmax(axis=1)."
        )
    classes = t.to(device=device, dtype=torch.int64)
    if bool((classes.to(t.dtype) != t.to(device)).any()):
        raise InputError("y has values that are not whole numbers; cross_entropy wants classes 0, 1, 2, ...")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= out_features:
        raise InputError(
            f"y has classes from {low} to {high}, the network has {out_features} outputs; expected classes from 0 to "
            f"{out_features - 1}. Number the classes from zero and build one output for each."
        )
    return classes
