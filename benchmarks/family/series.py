"""Series to forecast: a made one with several seasons, and two measured ones that come with statsmodels.

Rows are windows: the last 45 values, and what comes 1, 3, 6, 12 and 15 steps later. Training, validation and test
follow each other in time, and no target of one part lies in another. Everything is standardised by mean and standard
deviation of the training stretch, and told relative to the window's last value, for all contestants alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["HORIZONS", "SERIES", "WINDOW", "Rows", "Series", "load"]

WINDOW = 45
HORIZONS = (1, 3, 6, 12, 15)
TRAINING, VALIDATION = 0.7, 0.15

Array = NDArray[np.float64]
Rows = tuple[Tensor, Tensor]  # windows (n, 45, 1), targets (n, 5)


@dataclass(frozen=True)
class Series:
    """A series with the length of its season in steps.

    Attributes
    ----------
    values : (n,), in the units of the source.
    ends : where the training and the validation stretch end.
    """

    name: str
    values: Array
    season: int

    @property
    def ends(self) -> tuple[int, int]:
        """Index of the first value after training, and of the first after validation."""
        n = len(self.values)
        return round(TRAINING * n), round((TRAINING + VALIDATION) * n)

    @property
    def standardised(self) -> Array:
        """By mean and standard deviation of the training stretch."""
        known = self.values[: self.ends[0]]
        return (self.values - known.mean()) / known.std()

    def origins(self) -> tuple[Array, Array, Array]:
        """Index of each window's last value, for training, validation and test."""
        first, second = self.ends
        last = max(HORIZONS)
        return (
            np.arange(WINDOW - 1, first - last),
            np.arange(first - 1, second - last),
            np.arange(second - 1, len(self.values) - last),
        )

    def rows(self) -> tuple[Rows, Rows, Rows]:
        """Training, validation and test rows, relative to each window's last value, float32."""
        z = self.standardised
        return tuple(  # type: ignore[return-value]
            (
                torch.tensor(np.stack([z[t - WINDOW + 1 : t + 1] - z[t] for t in own])[..., None], dtype=torch.float32),
                torch.tensor(np.stack([z[t + np.array(HORIZONS)] - z[t] for t in own]), dtype=torch.float32),
            )
            for own in self.origins()
        )

    def seasonal_naive(self) -> Array:
        """The value one season (or two) before each target, relative to the last one: forecasts of the test rows."""
        z = self.standardised
        steps = np.array([h - self.season * -(-h // self.season) for h in HORIZONS])
        return np.stack([z[t + steps] - z[t] for t in self.origins()[2]])


def _made() -> Array:
    """Seasons of 24 and 7.3 steps, the first growing and shrinking over 168, and noise that lasts."""
    rng = np.random.default_rng(0)
    t = np.arange(720)
    swing = (1 + 0.6 * np.sin(2 * np.pi * t / 168)) * np.sin(2 * np.pi * t / 24)
    noise = np.zeros(len(t))
    for k in range(1, len(t)):
        noise[k] = 0.7 * noise[k - 1] + 0.1 * rng.standard_normal()
    return np.asarray(np.exp(0.5 * swing) + 0.4 * np.sin(2 * np.pi * t / 7.3) + noise)


def load(name: str) -> Series:
    """One of SERIES."""
    if name == "made, seasons of 24 and 7.3":
        return Series(name, _made(), 24)
    import statsmodels.api as sm  # slow to import

    if name == "sunspots, yearly":
        return Series(name, sm.datasets.sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(dtype=float), 11)
    table = sm.datasets.elnino.load_pandas().data
    return Series(name, table.drop(columns="YEAR").to_numpy(dtype=float).ravel(), 12)


SERIES = ("made, seasons of 24 and 7.3", "sunspots, yearly", "sea temperature, monthly")
