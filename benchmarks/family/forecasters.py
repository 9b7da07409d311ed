"""What forecasts: recurrent networks of one size with a linear head, ridge regression, and two naive rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from kanlib.architectures.parts import fit_grids, linear
from kanlib.architectures.tkan import TKAN

from .series import HORIZONS, Array, Rows

__all__ = ["NETWORKS", "Forecaster", "ridge"]


class Forecaster(nn.Module):
    """A recurrent layer over the window, and a linear map from its last hidden state to all horizons."""

    def __init__(self, recurrent: nn.Module, hidden_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.head = linear(hidden_size, len(HORIZONS), generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.recurrent(x)
        forecast: Tensor = self.head(hidden[:, -1] if hidden.ndim == 3 else hidden)
        return forecast


def _tkan(candidate: Literal["sigmoid", "tanh"]) -> Callable[[Tensor, int], Forecaster]:
    def new(windows: Tensor, seed: int) -> Forecaster:
        generator = torch.Generator().manual_seed(seed)
        layer = TKAN(1, 16, sub_features=6, candidate=candidate, return_sequences=False, generator=generator)
        fit_grids(layer, windows[:: max(1, len(windows) // 200)])
        return Forecaster(layer, 16, generator)

    return new


def _torch(kind: type[nn.GRU] | type[nn.LSTM], hidden_size: int) -> Callable[[Tensor, int], Forecaster]:
    def new(windows: Tensor, seed: int) -> Forecaster:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = kind(1, hidden_size, batch_first=True)
        return Forecaster(layer, hidden_size, torch.Generator().manual_seed(seed))

    return new


# Each makes a network of about 1,450 parameters from training windows and a seed.
NETWORKS: dict[str, Callable[[Tensor, int], Forecaster]] = {
    "TKAN": _tkan("sigmoid"),
    "TKAN, tanh candidate": _tkan("tanh"),
    "GRU": _torch(nn.GRU, 20),
    "LSTM": _torch(nn.LSTM, 17),
}


def ridge(training: Rows, validation: Rows, test: Rows) -> tuple[Array, int]:
    """Forecasts of the test rows by a regression on the window, its penalty chosen by validation; its constants."""

    def flat(rows: Rows) -> tuple[Array, Array]:
        return rows[0][..., 0].double().numpy(), rows[1].double().numpy()

    (X, y), (X_val, y_val), (X_test, _) = flat(training), flat(validation), flat(test)
    models = [Ridge(alpha).fit(X, y) for alpha in np.logspace(-4, 4, 17)]
    best = min(models, key=lambda model: float(np.square(model.predict(X_val) - y_val).mean()))
    return best.predict(X_test), best.coef_.size + best.intercept_.size
