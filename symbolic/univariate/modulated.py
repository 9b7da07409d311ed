"""Products of two waves, one of them in a power of x: c*sin(p*x**2 + a)*sin(w*x + b) + d.

For fixed rates (p, w) the products of both sines and cosines are four linear terms, so a grid of rates is judged by
small least-squares problems; the 2 x 2 matrix of their weights is a product of two phases where it has rank one.
"""

from __future__ import annotations

import math

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Symbol

from .curve import CONSTANTS, Curve, Form

__all__ = ["products_of_waves"]

Array = NDArray[np.float64]

_STEP = 0.7  # of the phase over half a range
_MOST = 14.0


def products_of_waves(curve: Curve, symbol: Symbol, *, most: int = 4) -> list[Form]:
    """The best few products for each of x**2 and x**3 inside one of the sines; rates and phases to be refined.

    Examples
    --------
    >>> x = np.linspace(-1.0, 2.0, 100)
    >>> curve = Curve(x, np.sin(1.7 * x**2) * np.cos(2.3 * x), np.ones(100), 0.0, 100)
    >>> structure, values = products_of_waves(curve, Symbol("x", real=True), most=1)[0]
    >>> len(values), len(structure.atoms(sympy.sin))
    (6, 2)
    """
    x, root = curve.x, np.sqrt(curve.weight)
    slow = np.arange(_STEP, _MOST, _STEP) / (float(np.ptp(x)) / 2)
    z = curve.y * root
    found: list[tuple[int, float, float, Array]] = []
    for power in (2, 3):
        inner = x**power
        fast = np.arange(_STEP, _MOST, _STEP) / (float(np.ptp(inner)) / 2)
        one = np.stack([np.sin(np.outer(fast, inner)), np.cos(np.outer(fast, inner))])
        two = np.stack([np.sin(np.outer(slow, x)), np.cos(np.outer(slow, x))])
        # (p, w, 4, n), in the order ss, sc, cs, cc
        terms = np.einsum("ipn,jwn->pwijn", one, two).reshape(len(fast), len(slow), 4, -1)
        terms = np.concatenate([terms, np.ones_like(terms[:, :, :1])], axis=2) * root
        gram = terms @ terms.transpose(0, 1, 3, 2) + 1e-8 * np.eye(5) * len(x)
        right = terms @ z
        weights = np.linalg.solve(gram, right[..., None])[..., 0]
        gain = np.sum(weights * right, axis=2)
        for _ in range(most):
            i, j = (int(v) for v in np.unravel_index(int(np.argmax(gain)), gain.shape))
            found.append((power, float(fast[i]), float(slow[j]), weights[i, j]))
            gain[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2] = -np.inf  # the neighbours lead to the same place
    return [_form(power, p, w, terms, symbol) for power, p, w, terms in found]


def _form(power: int, p: float, w: float, weights: Array, symbol: Symbol) -> Form:
    left, size, right = np.linalg.svd(weights[:4].reshape(2, 2))
    offset, factor, rate, phase, slope, shift = CONSTANTS[:6]
    structure = offset + factor * sympy.sin(rate * symbol**power + phase) * sympy.sin(slope * symbol + shift)
    phases = (math.atan2(left[1, 0], left[0, 0]), math.atan2(right[0, 1], right[0, 0]))
    values = (float(weights[4]), float(size[0]), p, phases[0], w, phases[1])
    return structure, dict(zip((offset, factor, rate, phase, slope, shift), values, strict=True))
