"""Links that make a law separable: T(y) = F(Z), with T among a few functions that have an inverse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

__all__ = ["LINKS", "Link", "Linked", "linked"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """y = inverse(T)."""

    name: str
    forward: Callable[[Array], Array]
    slope: Callable[[Array], Array]  # |dT/dy|
    inverse: Callable[[Expr], Expr]
    needs_sign: bool
    largest: float = math.inf  # |y| must be smaller


LINKS = (
    Link("y", lambda y: y, np.ones_like, lambda t: t, False),
    Link("y^2", lambda y: y * y, lambda y: 2 * np.abs(y), sympy.sqrt, True),
    Link("log y", np.log, lambda y: 1 / y, sympy.exp, True),
    Link("1/y", lambda y: 1 / y, lambda y: 1 / y**2, lambda t: 1 / t, True),
    Link("sqrt y", np.sqrt, lambda y: 0.5 / np.sqrt(y), lambda t: t**2, True),
    Link("exp y", np.exp, np.exp, sympy.log, False, 20.0),
    Link("sin y", np.sin, np.cos, sympy.asin, False, 0.5 * math.pi),
    Link("tan y", np.tan, lambda y: 1 + np.tan(y) ** 2, sympy.atan, False, 0.5 * math.pi),
)


@dataclass(frozen=True)
class Linked:
    """The target under a link.

    Attributes
    ----------
    t : (n,) T(y), or T(-y) where y is negative throughout.
    root : (n,) what an error of t counts, so that the root mean square of root * error is relative to the spread of y.
    link : with the inverse that gives back the sign of y.
    """

    t: Array
    root: Array
    link: Link


def linked(y: Array, weight: Array, link: Link) -> Linked | None:
    """Apply a link to a target; None where it is not defined on all rows.

    Examples
    --------
    >>> squared = linked(np.array([-1.0, -2.0]), np.ones(2), LINKS[1])
    >>> squared.t.tolist(), squared.link.inverse(sympy.Symbol("u"))
    ([1.0, 4.0], -sqrt(u))
    """
    sign = 1.0
    if link.needs_sign:
        if not (np.all(y > 0) or np.all(y < 0)):
            return None
        sign = float(np.sign(y[0]))
    if np.max(np.abs(y)) >= link.largest:
        return None
    with np.errstate(all="ignore"):
        t = link.forward(sign * y)
        root = np.sqrt(weight) / link.slope(sign * y)  # errors count as errors of y
        mean = np.average(y, weights=weight)
        spread = math.sqrt(float(np.average((y - mean) ** 2, weights=weight)))
        root = root / math.sqrt(float(weight.mean())) / (spread or 1.0)
    if not np.all(np.isfinite(t)) or not np.all(np.isfinite(root)):
        return None
    signed = link if sign > 0 else replace(link, inverse=lambda u: -link.inverse(u))
    return Linked(t, root, signed)
