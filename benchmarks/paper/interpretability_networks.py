"""Networks of part 8 that are read edge by edge: rapidity, a Bessel function, and the first digit of a number.

Each is trained from a seed in a second or two, always to the same curves; the picture trains them again.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j0

from kanlib import KAN, fit

from .interpretability_laws import BESSEL, EXAMPLES, ROWS

__all__ = ["bessel_miss", "bessel_network", "digit_accuracy", "digit_network", "rapidity_network", "velocities"]

Array = NDArray[np.float64]


def velocities(seed: int) -> tuple[Array, Array]:
    """Rows of the relativistic sum of two velocities."""
    return next(example for example in EXAMPLES if example.name == "velocities").sample(ROWS, seed)


def rapidity_network(seed: int) -> KAN:
    """[2, 1, 1] on the sum of velocities: one hidden node, so that it can only read g(f1(u) + f2(v))."""
    X, y = velocities(seed)
    generator = torch.Generator().manual_seed(seed)
    model = KAN([2, 1, 1], grid_size=10, base=None, input_names=["u", "v"], generator=generator, dtype=torch.float64)
    fit(model, X, y, grid_schedule=(10, 30), progress=False)
    return model


def bessel_network(seed: int) -> KAN:
    """[2, 1, 1] on exp(J0(20 x1) + x2^2), on grids fine enough for its waves."""
    X, y = BESSEL.sample(ROWS, seed)
    generator = torch.Generator().manual_seed(seed)
    model = KAN([2, 1, 1], grid_size=20, base=None, generator=generator, dtype=torch.float64)
    fit(model, X, y, grid_schedule=(20, 50, 100), progress=False)
    return model


def bessel_miss(model: KAN) -> float:
    """How far the edge of x1 is from c J0(20 x1) + d with the best c and d: the error's share of its spread."""
    x, curve = (tensor.numpy() for tensor in model.edge_curve(0, 0, 0, 1000))
    inside = np.abs(x) <= 0.98  # at the ends of the data lies a cell with few of them
    design = np.column_stack([j0(20 * x[inside]), np.ones(int(inside.sum()))])
    values = curve[inside]
    constants = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(np.std(values - design @ constants) / np.std(values))


def digit_network(seed: int) -> KAN:
    """[1, 10]: a number in [0, 1] to its first decimal digit, one output each, on a hundred cells."""
    x, digits = _digits(seed, ROWS)
    model = KAN([1, 10], grid_size=100, base=None, grid_range=(0.0, 1.0), dtype=torch.float64)
    fit(model, x[:, None], np.eye(10)[digits], update_grid=False, progress=False)
    return model


def digit_accuracy(model: KAN, seed: int) -> float:
    """The share of 10,000 new numbers whose first digit has the largest output."""
    x, digits = _digits(seed + 1000, 10_000)
    with torch.no_grad():
        return float((model(torch.from_numpy(x)[:, None]).argmax(dim=1).numpy() == digits).mean())


def _digits(seed: int, n: int) -> tuple[Array, NDArray[np.int64]]:
    x = np.random.default_rng(seed).uniform(0, 1, n)
    return x, np.floor(10 * x).astype(np.int64)
