"""Plane and standing waves of two coordinates, c*sin(k*x - w*t + p) and c*sin(k*x + p)*sin(w*t + q), of many periods.

Nothing smooth follows a wave of many periods, so no stand-in shows its structure. Its spectrum does: over a grid of
both rates at once the sums of y*exp(i*(k*x + w*t)) are four products of matrices. A peak that chance would not make (as
in the periodogram of Lomb 1976 and Scargle 1982, where the power of noise is exponentially distributed) is a plane
wave; two of one size are a standing wave.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Float, Symbol

from ..rows import spread_rows
from ..univariate.tuning import Tuned, as_product, tuned

__all__ = ["plane_wave_forms"]

Array = NDArray[np.float64]

_STEP = 1.2  # of the phase over half a range: less than half a line's width, pi
_MOST = 800.0  # about 250 periods in the range
_ROWS = 3000
_CHANCE = 1e-3  # of one peak as high in noise
_ERRORS = 3.0  # standard errors that sizes and rates may be off by
_STILL = 0.1  # phase over half a range that a coordinate without part in a wave may seem to have
_ALIAS = 0.75  # of the highest power
_PAIRS = 3  # that are read


def plane_wave_forms(
    Z: Array,
    target: Array,
    weight: Array,
    symbols: Sequence[Symbol],
    expired: Callable[[], bool] = lambda: False,
) -> Iterator[Expr]:
    """One wave, or two, of two coordinates, those of the highest peaks first; constants as Float.

    Parameters
    ----------
    Z : (n, k), k of 2 or more. target, weight : (n,) the law to describe and what its squared errors count.
    symbols : of the coordinates.
    expired : says when to stop.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.uniform(0, 50, (500, 2))
    >>> x, t = sympy.symbols("x t", real=True)
    >>> form = next(plane_wave_forms(Z, 2 * np.sin(7 * Z[:, 0] - 5 * Z[:, 1]), np.ones(500), (x, t)))
    >>> (wave,) = form.atoms(sympy.sin)
    >>> [round(abs(float(number)), 9) for number in (form.coeff(wave), wave.args[0].coeff(x), wave.args[0].coeff(t))]
    [2.0, 7.0, 5.0]
    """
    rows = spread_rows(len(Z), _ROWS)
    middle, half = (Z.max(axis=0) + Z.min(axis=0)) / 2, np.ptp(Z, axis=0) / 2
    varying = np.flatnonzero(half > 0).tolist()  # a column may vary among rows that were held out only
    U = (Z[rows] - middle) / np.where(half > 0, half, 1.0)
    root = np.sqrt(weight[rows] / weight[rows].mean())
    z = target[rows] * root
    pairs = list(itertools.combinations(varying, 2))
    if not pairs:
        return
    chance = math.log(len(pairs) * 2 * (_MOST / _STEP) ** 2 / _CHANCE)
    peaks = []
    for pair in pairs:
        if expired():
            break
        peaks.append((*_peak(U[:, pair], root, z - root * (root @ z) / (root @ root)), pair))
    for power, rate, pair in sorted(peaks, key=lambda peak: -peak[0])[:_PAIRS]:
        if power < chance:
            return
        fixed, features, names = root[:, None], U[:, pair], [symbols[j] for j in pair]
        rates = rate[None, :]
        for _ in range(2):
            found = tuned(fixed, features, root, rates, z)
            yield from _written(found, middle[list(pair)], half[list(pair)], names)
            power, rate = _peak(features, root, found.residual)
            if power < chance or expired():
                break
            rates = np.vstack([found.rates, rate])


def _peak(features: Array, root: Array, z: Array) -> tuple[float, Array]:
    """Power of the highest peak, in units of the mean power of noise of the size of z, and its two rates."""
    grid = np.arange(0.0, _MOST, _STEP)
    one, two = (np.outer(feature, grid) for feature in features.T)
    weighted = (root * z)[:, None]
    cosine, sine = np.cos(one) * weighted, np.sin(one) * weighted
    right = np.cos(two), np.sin(two)
    cc, cs, sc, ss = cosine.T @ right[0], cosine.T @ right[1], sine.T @ right[0], sine.T @ right[1]
    powers = np.stack([(cc - ss) ** 2 + (sc + cs) ** 2, (cc + ss) ** 2 + (sc - cs) ** 2])
    powers[:, 0, 0] = 0.0  # the mean
    # on a lattice of points a wave has aliases, equal but for the step of the grid: the slowest is meant
    high = np.stack(np.nonzero(powers >= _ALIAS * powers.max()))
    sign, i, j = high[:, np.argmin(high[1] ** 2 + high[2] ** 2)].tolist()
    noise = float(np.sum((root * z) ** 2))
    rate = np.array([grid[i], grid[j] * (1 if sign == 0 else -1)])
    return (float(powers[sign, i, j]) / noise if noise > 0 else 0.0), rate


def _written(found: Tuned, middle: Array, half: Array, symbols: Sequence[Symbol]) -> Iterator[Expr]:
    """The waves as a sum, and as a product where two are of one size."""
    # of a size: least squares of white noise; a rate, over half a range, has sqrt(3) times that of the phase
    error = _ERRORS * math.sqrt(2 * float(np.mean(found.residual**2)) / len(found.residual))
    waves = []
    for (sine, cosine), rate in zip(found.weights[1:].reshape(-1, 2).tolist(), found.rates, strict=True):
        # phases in the middle of the data, so that a coordinate without part in a wave can be left out of it
        waves.append((math.hypot(sine, cosine), np.array([*rate, math.atan2(cosine, sine)])))
    still = max(_STILL, math.sqrt(3) * error / max(min(size for size, _ in waves), 1e-300))

    def angle(constants: Array) -> Expr:
        rate, phase = constants[:-1], float(constants[-1])
        slopes = np.where(np.abs(rate) < still, 0.0, rate) / half
        terms = [Float(slope) * symbol for slope, symbol in zip(slopes.tolist(), symbols, strict=True)]
        return sympy.Add(*terms, Float(math.remainder(phase - float(slopes @ middle), 2 * math.pi)))

    offset = Float(float(found.weights[0]))
    yield offset + sympy.Add(*[size * sympy.sin(angle(constants)) for size, constants in waves])
    product = as_product(waves, error)
    if product is not None:
        size, one, two = product
        yield offset + size * sympy.sin(angle(one)) * sympy.cos(angle(two))
