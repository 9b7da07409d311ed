"""How large the errors of y are taken to be: equal in every row, or proportional to y.

Least squares with equal weights is right for errors of equal size. Data that span decades rarely have these; then
the largest values decide everything and the standard errors mean nothing. Both models have a likelihood, so the data
can choose: with weights w the negative log-likelihood is n/2 log(sum w r^2 / n) - 1/2 sum log w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .description import description_length

__all__ = ["EQUAL", "NoiseModel", "noise_models"]

Array = NDArray[np.float64]

_DECADE = 10.0
_SMALLEST = 1e-100  # its inverse square, the weight, is far from overflow


@dataclass(frozen=True)
class NoiseModel:
    """The size of the error of each row, up to one common factor.

    Attributes
    ----------
    name : str
    power : float
        Errors grow with |y| to this power: 0 (equal) or 1 (proportional).
    """

    name: str
    power: float

    def on(self, rows: Any) -> NoiseModel:
        """The same on some of the rows, chosen as an array is indexed: this model knows none by itself."""
        return self

    def weight(self, y: Array) -> Array | None:
        """Inverse error variances up to a factor; None for equal errors."""
        return None if self.power == 0 else np.asarray(np.abs(y) ** (-2 * self.power))

    def length(self, residuals: Array, y: Array, n_constants: int, structure: float) -> float:
        """Description length of residuals, constants and structure, comparable between noise models."""
        size = np.abs(y) ** self.power
        rss = float(np.sum((residuals / size) ** 2))
        return description_length(rss, len(y), n_constants, y / size, structure) + float(np.sum(np.log(size)))


EQUAL = NoiseModel("errors of equal size", 0.0)
_PROPORTIONAL = NoiseModel("errors proportional to y", 1.0)


def noise_models(y: Array) -> tuple[NoiseModel, ...]:
    """The models worth comparing: errors proportional to y only where y has one sign and spans a decade.

    Values that are zero to all purposes (exp(-500)) have no errors proportional to them.

    Examples
    --------
    >>> [model.name for model in noise_models(np.array([0.2, 1.0, 30.0]))]
    ['errors of equal size', 'errors proportional to y']
    >>> [model.name for model in noise_models(np.array([-1.0, 1.0, 30.0]))]
    ['errors of equal size']
    """
    size = np.abs(y)
    one_sign = bool(np.all(y > 0) or np.all(y < 0))
    spans = size.max() > _DECADE * size.min() and size.min() > _SMALLEST
    return (EQUAL, _PROPORTIONAL) if one_sign and spans else (EQUAL,)
