"""Forty negative controls: tables whose y follows no short formula of the inputs. Any formula called found is false.

Noise of six shapes with 1 to 5 inputs; noise whose size depends on x while its mean does not; the Bessel function J0
(no finite formula of elementary functions), clean and noisy; and sums of random Gaussian bumps, clean and noisy,
which are draws of a Gaussian process with a squared-exponential kernel (Rasmussen & Williams 2006, ch. 2.2).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import j0

from ..problems import Problem

__all__ = ["PROBLEMS"]

Array = NDArray[np.float64]
Target = Callable[[np.random.Generator, Array], Array]

_NOISE: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.uniform(-1.0, 1.0, n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "student-t3": lambda rng, n: rng.standard_t(3, n),
    "lognormal": lambda rng, n: rng.lognormal(0.0, 1.0, n),
    "two-valued": lambda rng, n: rng.integers(0, 2, n).astype(float),
}
_SPREADS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda X: 0.2 + np.abs(X[:, 0]),
    "exponential": lambda X: np.exp(X[:, 0]),
    "far": lambda X: 0.1 + np.sum(X**2, axis=1),
    "step": lambda X: np.where(X[:, 0] > 0, 1.0, 0.1),
}


def _pure(shape: str) -> Target:
    return lambda rng, X: _NOISE[shape](rng, len(X))


def _spread(shape: str) -> Target:
    return lambda rng, X: _SPREADS[shape](X) * rng.standard_normal(len(X))


def _bessel(noise: float) -> Target:
    return lambda rng, X: j0(X[:, 0]) + noise * rng.standard_normal(len(X))


def _bumps(width: float, noise: float) -> Target:
    def target(rng: np.random.Generator, X: Array) -> Array:
        centers = rng.uniform(-1.5, 1.5, (60, X.shape[1]))
        weights = rng.standard_normal(60)
        distances = np.sum((X[:, None, :] - centers) ** 2, axis=2)
        values = np.exp(-distances / (2 * width**2)) @ weights
        return np.asarray(values + noise * np.std(values) * rng.standard_normal(len(X)))

    return target


def _control(name: str, inputs: int, target: Target, low: float = -1.0, high: float = 1.0) -> Problem:
    names = tuple(f"x{k}" for k in range(1, inputs + 1))
    return Problem(name, "controls", names, "", ((low, high),) * inputs, sampling="control", target=target)


_INPUTS_OF_NOISE = {
    "normal": (1, 2, 3, 4, 5),
    "uniform": (1, 2, 3, 5),
    "exponential": (1, 3, 5),
    "student-t3": (1, 2, 4),
    "lognormal": (1, 2, 3),
    "two-valued": (1, 4),
}

PROBLEMS: tuple[Problem, ...] = (
    *(
        _control(f"noise-{shape}-{inputs}", inputs, _pure(shape))
        for shape, counts in _INPUTS_OF_NOISE.items()
        for inputs in counts
    ),
    *(_control(f"spread-{shape}-{inputs}", inputs, _spread(shape)) for shape in _SPREADS for inputs in (1, 3)),
    *(_control(f"bessel-j0-{high:g}", 1, _bessel(0.0), 0.0, high) for high in (10.0, 20.0, 30.0)),
    *(_control(f"bessel-j0-noise-{noise:g}", 1, _bessel(noise), 0.0, 20.0) for noise in (0.001, 0.01, 0.1)),
    *(
        _control(f"bumps-{inputs}-{width:g}-noise-{noise:g}", inputs, _bumps(width, noise))
        for inputs, width, noise in (
            (1, 0.1, 0.0),
            (1, 0.1, 0.05),
            (2, 0.3, 0.0),
            (2, 0.3, 0.05),
            (3, 0.5, 0.0),
            (3, 0.5, 0.05),
        )
    ),
)
