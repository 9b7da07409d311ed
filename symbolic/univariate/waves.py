"""Sums of waves, straight and chirped, and sums of exponentials, with free rates.

Waves sin(p*x**2 + w*x + c) are taken one after the other, (p, w) from a grid, and after each all rates are refined by
Gauss-Newton steps with everything linear eliminated (orthogonal matching pursuit and variable projection). Two waves of
one size are a product: sin(u) + sin(v) = 2*sin((u + v)/2)*cos((u - v)/2).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from .curve import CONSTANTS, Curve, Form, combination
from .tuning import as_product, tuned, wave_design

__all__ = ["sums_of_exponentials", "sums_of_waves"]

Array = NDArray[np.float64]

_STARTS = 4  # first chirps to start from


def sums_of_waves(curve: Curve, symbol: Symbol, *, most: int = 3) -> list[Form]:
    """Sums of one to ``most`` sines with free frequencies and phases, with and without a line, and two chirps."""
    u = _unit(curve)[0]
    straight = np.concatenate([np.geomspace(0.4, 1.2, 6), np.arange(1.4, 80, 0.2)])
    grid = straight[:, None]
    line = np.stack([np.ones_like(u), u], axis=1)
    forms = _pursued(curve, line[:, :1], grid, most, symbol)
    forms += _pursued(curve, line, grid, min(most, 2), symbol)
    bends, slopes = np.arange(0.0, 24, 1.0), np.arange(-24, 24.1, 1.0)
    grid = np.array([(p, w) for p, w in itertools.product(bends, slopes) if p > 0 or w > 0])
    for skip in range(_STARTS):
        forms += _pursued(curve, line[:, :1], grid, 2, symbol, skip=skip)
    return forms


def _unit(curve: Curve) -> tuple[Array, Array, float, float]:
    """x on [-1, 1], root weights, and the middle and half width of the range."""
    middle, half = float(curve.x.max() + curve.x.min()) / 2, float(np.ptp(curve.x)) / 2
    return (curve.x - middle) / half, np.sqrt(curve.weight), middle, half


def _pursued(curve: Curve, fixed: Array, grid: Array, most: int, symbol: Symbol, *, skip: int = 0) -> list[Form]:
    """Waves of a grid (w, 1), or (w, 2) of chirps, one after the other; ``skip``: the next best first wave."""
    u, root, middle, half = _unit(curve)
    fixed, z = fixed * root[:, None], curve.y * root
    features = np.stack([u**2, u], axis=1)[:, -grid.shape[1] :]
    angle = grid @ features.T
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1) * root  # (w, 2, n)
    chosen = np.zeros((0, grid.shape[1]))
    forms: list[Form] = []
    for k in range(most):
        gain = _gains(waves, wave_design(fixed, features, root, chosen), z)
        best = int(np.argmax(gain))
        for _ in range(skip if k == 0 else 0):
            gain[np.max(np.abs(grid - grid[best]), axis=1) < 2.5] = -1.0
            best = int(np.argmax(gain))
        chosen = np.vstack([chosen, grid[best]])
        chosen, weights, residual = tuned(fixed, features, root, chosen, z)
        forms += _wave_forms(fixed.shape[1], weights, chosen, middle, half, symbol)
        if float(residual @ residual) < 1e-24 * curve.spread:
            break
    return forms


def _gains(waves: Array, design: Array, z: Array) -> Array:
    """What each wave of the grid explains beside what is there already."""
    q = np.linalg.qr(design)[0]
    left = z - q @ (q.T @ z)
    along = waves @ q
    gram = waves @ waves.transpose(0, 2, 1) - along @ along.transpose(0, 2, 1)
    right = waves @ left
    size = np.einsum("wii->wi", gram)
    determinant = size[:, 0] * size[:, 1] - gram[:, 0, 1] ** 2
    fine = determinant > 1e-8 * len(z) ** 2
    gain = size[:, 1] * right[:, 0] ** 2 + size[:, 0] * right[:, 1] ** 2 - 2 * gram[:, 0, 1] * right[:, 0] * right[:, 1]
    return np.where(fine, gain / np.where(fine, determinant, 1.0), -1.0)


def _wave_forms(first: int, weights: Array, rates: Array, middle: float, half: float, symbol: Symbol) -> list[Form]:
    """The sum as a form, and as a product where two waves are of one size."""
    line = [] if first == 1 else [(symbol, weights[1] / half)]
    offset = weights[0] - (weights[1] * middle / half if first == 2 else 0.0)
    base = combination([sympy.S.One, *[e for e, _ in line]], [offset, *[value for _, value in line]])
    waves, chirped = [], rates.shape[1] == 2
    for k, (*bends, w) in enumerate(rates.tolist()):
        p = bends[0] if bends else 0.0
        sine, cosine = weights[first + 2 * k], weights[first + 2 * k + 1]
        # (x - m)/h for u
        bend, slope = p / half**2, w / half - 2 * p * middle / half**2
        phase = math.atan2(cosine, sine) - w * middle / half + p * middle**2 / half**2
        waves.append((math.hypot(sine, cosine), np.array([bend, slope, phase])))
    forms = [_written(base, [(size, [(sympy.sin, angle)]) for size, angle in waves], symbol, chirped)]
    product = as_product(waves)
    if product is not None:
        size, one, two = product
        forms.append(_written(base, [(size, [(sympy.sin, one), (sympy.cos, two)])], symbol, chirped))
    return forms


def _written(base: Form, terms: list[tuple[float, list[tuple[type, Array]]]], symbol: Symbol, chirped: bool) -> Form:
    structure, values = base[0], dict(base[1])
    names = iter(c for c in CONSTANTS if c not in values)

    def constant(value: float) -> Expr:
        name = next(names)
        values[name] = float(value)
        return name

    for size, factors in terms:
        term = constant(size)
        for function, (bend, slope, phase) in factors:
            argument = constant(slope) * symbol + constant(math.remainder(float(phase), 2 * math.pi))
            term *= function(argument + constant(bend) * symbol**2 if chirped else argument)
        structure += term
    return structure, values


def sums_of_exponentials(curve: Curve, symbol: Symbol, *, most: int = 4) -> list[Form]:
    """c1*exp(a*x) + c2*exp(b*x) + d for the best pairs of rates of a grid; rates to be refined."""
    u, root, middle, half = _unit(curve)
    rates = np.concatenate([s * np.geomspace(0.2, 25, 16) for s in (-1.0, 1.0)])
    columns = np.exp(rates * u[:, None] - np.abs(rates)) * root[:, None]
    q = (root / np.linalg.norm(root))[:, None]
    columns, z = columns - q @ (q.T @ columns), curve.y * root
    z = z - q[:, 0] * float(q[:, 0] @ z)
    columns = columns / np.linalg.norm(columns, axis=0)
    gram, match = columns.T @ columns, columns.T @ z
    i, j = np.triu_indices(len(rates), 1)
    rest = 1 - gram[i, j] ** 2
    gain = (match[i] ** 2 + match[j] ** 2 - 2 * gram[i, j] * match[i] * match[j]) / np.maximum(rest, 1e-9)
    forms: list[Form] = []
    for k in np.argsort(-np.where(rest > 1e-7, gain, -1.0), kind="stable")[:most].tolist():
        pair = rates[[i[k], j[k]]]
        design = np.column_stack([np.exp(pair * u[:, None]), np.ones_like(u)]) * root[:, None]
        scale = np.linalg.norm(design, axis=0)
        weights = np.linalg.lstsq(design / scale, curve.y * root, rcond=None)[0] / scale
        own = pair / half
        factors = weights[:2] * np.exp(-pair * middle / half)
        if not np.all(np.isfinite(factors)):
            continue
        one, two, d, a, b = CONSTANTS[:5]
        structure = one * sympy.exp(a * symbol) + two * sympy.exp(b * symbol) + d
        forms.append(
            (
                structure,
                dict(zip((one, two, d, a, b), (*factors.tolist(), float(weights[2]), *own.tolist()), strict=True)),
            )
        )
    return forms
