"""Which primitives lie in a space of curves?

A sum of products of functions of two inputs, sum_r a_r(x) b_r(z), determines the space that the a_r span but not the
a_r themselves: any mixture of them does as well, and a mixture is no primitive. So primitives f(a*x + b) + d are looked
for in the whole space, by their distance to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kanlib.primitives import PRIMITIVES

from ..edges import starting_points
from ..library import LIBRARY

__all__ = ["Member", "members"]

Array = NDArray[np.float64]

_REFINED = 2  # starts of a primitive that are refined
_PRICE = 0.35  # of a node or a constant, in the logarithm of the distance
_LEFT_OVER = 1e-5  # relative size of a direction that only errors span
_SAME = 1e-3  # curves that differ by less are one


@dataclass(frozen=True)
class Member:
    """f(a*x + b; p), which lies in the space when a constant is added.

    Attributes
    ----------
    name : of the primitive.
    a, b, p : its constants.
    distance : to the space and the constant, relative to the curve's own spread.
    cost : its log plus the price; lower is better.
    price : of its nodes and constants, as for edges.
    """

    name: str
    a: float
    b: float
    p: float
    distance: float
    cost: float
    price: float

    def curve(self, x: Array) -> Array:
        return _curve(self.name, self.a * x + self.b, self.p)


def members(x: Array, space: Array, names: Sequence[str], tolerance: float = 1e-12, most: int = 8) -> list[Member]:
    """The primitives nearest to a space of curves.

    Parameters
    ----------
    x : (m,) points, spread as the data are. space : (m, r) curves that span it.
    names : primitives to try.
    tolerance : how well the space itself is known; smaller distances are all alike.

    Returns
    -------
    list of Member
        Cheapest first, one for each primitive (two for sin, whose frequencies may differ).

    Examples
    --------
    >>> x = np.linspace(0.2, 3, 100)
    >>> mixed = np.column_stack([1 + x + np.sqrt(x), 2 + 2 * x - np.sqrt(x)])
    >>> [member.name for member in members(x, mixed, ["identity", "sqrt", "exp", "sin"])[:2]]
    ['identity', 'sqrt']
    """
    middle, half = (x.max() + x.min()) / 2, max((x.max() - x.min()) / 2, 1e-300)
    u = (x - middle) / half
    centred = space - space.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    # Without their means the curves may span one direction less; what is left of it is rounding.
    clear = singular > max(_LEFT_OVER, 30 * tolerance) * max(float(singular[0]), 1e-300)
    basis = left[:, clear]
    # An error of the curves weighs more in a direction in which they hardly differ.
    blur = tolerance * float(singular[0] / singular[clear][-1]) if clear.any() else tolerance

    def residual(name: str, abp: Array) -> Array:
        """What of the curve is outside the space, its spread being 1; huge where it is not finite."""
        curve = _curve(name, abp[0] * u + abp[1], abp[2])
        if not np.all(np.isfinite(curve)):
            return np.full(len(u), 10.0)
        largest = float(np.abs(curve).max())
        if not 1e-100 < largest < 1e100:
            return np.full(len(u), 10.0)
        curve = curve / largest - (curve / largest).mean()
        size = float(np.linalg.norm(curve))
        if size <= 1e-9 * math.sqrt(len(u)):
            return np.full(len(u), 10.0)
        curve = curve / size
        return np.asarray(curve - basis @ (basis.T @ curve))

    found: list[Member] = []
    for name in names:
        starts, moves, ray = starting_points(name)
        if name == "sin":
            starts = (*starts, *_in_phase(starts, u, basis))
        distances = [float(np.linalg.norm(residual(name, np.array(s)))) for s in starts]
        kept: list[Member] = []
        wanted = 2 if name == "sin" else 1  # frequencies are many
        for index in _valleys(starts, distances, 0 if moves[0] else 1)[: _REFINED * wanted**2]:
            if distances[index] >= 1:
                break
            start = np.array(starts[index], dtype=np.float64)
            if any(moves) and distances[index] > 1e-10:
                start = _refined(lambda abp, name=name: residual(name, abp), start, moves, ray)
            a, b, p = start
            distance = float(np.linalg.norm(residual(name, start)))
            price = _PRICE * (LIBRARY[name].complexity + sum(moves))
            cost = math.log(distance + blur) + price
            if math.isfinite(cost):
                kept.append(Member(name, a / half, b - a * middle / half, p, distance, cost, price))
        found += _apart(sorted(kept, key=lambda member: member.cost), x)[:wanted]
    distinct: list[Member] = []
    for member in sorted(found, key=lambda member: member.cost):
        # a far cosh is an exp, a slow sine a line: the shorter name stays in any case
        shorter = [other for other in distinct if LIBRARY[other.name].complexity <= LIBRARY[member.name].complexity]
        if not any(_alike(member, other, x) for other in shorter):
            distinct.append(member)
    return distinct[:most]


def _in_phase(starts: Sequence[tuple[float, float, float]], u: Array, basis: Array) -> list[tuple[float, float, float]]:
    """Sines of the same frequencies in the phase in which they are nearest to the space."""
    found = []
    for a in sorted({start[0] for start in starts}):
        pair = np.column_stack([np.sin(a * u), np.cos(a * u)])
        q, r = np.linalg.qr(pair - pair.mean(axis=0))
        if abs(r[1, 1]) > 1e-3 * abs(r[0, 0]):
            # the direction in the plane of both that is nearest to the space
            inside = np.linalg.svd(basis.T @ q)[2][0]
            sine, cosine = np.linalg.solve(r, inside)
            found.append((a, math.atan2(cosine, sine), 1.0))
    return found


def _valleys(starts: Sequence[tuple[float, float, float]], distances: Sequence[float], axis: int) -> list[int]:
    """Starts that are nearer than their neighbours along one constant, the nearest first.

    The nearest starts are often all in one valley, and it need not be the deepest.
    """
    best: dict[float, int] = {}
    for index, start in enumerate(starts):
        known = best.get(start[axis])
        if known is None or distances[index] < distances[known]:
            best[start[axis]] = index
    line = [best[place] for place in sorted(best)]
    heights = np.array([math.inf, *(distances[index] for index in line), math.inf])
    low = (heights[1:-1] <= heights[:-2]) & (heights[1:-1] <= heights[2:])
    return sorted((index for index, lowest in zip(line, low, strict=True) if lowest), key=lambda i: distances[i])


def _apart(sorted_members: list[Member], x: Array) -> list[Member]:
    """Members of one primitive that are different curves, the cheapest of each."""
    apart: list[Member] = []
    for member in sorted_members:
        if not any(_alike(member, other, x) for other in apart):
            apart.append(member)
    return apart


def _refined(residual, start: Array, moves: tuple[bool, bool, bool], ray: bool) -> Array:  # type: ignore[no-untyped-def]
    """Least squares over the constants that matter; a distance to the edge of the domain on a logarithmic scale."""
    free = [k for k in range(3) if moves[k]]

    def full(theta: Array) -> Array:
        moved = start.copy()
        moved[free] = theta
        if ray and 1 in free:
            moved[1] = 1 + (start[1] - 1) * math.exp(min(theta[free.index(1)] - start[1], 50.0))
        return moved

    with np.errstate(all="ignore"):
        solution = least_squares(lambda theta: residual(full(theta)), start[free], method="lm", max_nfev=60)
    end = full(solution.x)
    better = float(np.linalg.norm(residual(end))) < float(np.linalg.norm(residual(start)))
    return end if better else start


def _alike(one: Member, other: Member, x: Array) -> bool:
    a, b = one.curve(x), other.curve(x)
    with np.errstate(all="ignore"):  # a curve that is not finite is like no other
        a, b = a - a.mean(), b - b.mean()
        cosine = abs(float(a @ b)) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300)
    return cosine > 1 - _SAME**2


def _curve(name: str, argument: Array, p: float) -> Array:
    u = torch.from_numpy(np.ascontiguousarray(argument))
    return np.asarray(PRIMITIVES[name](u, torch.full_like(u, p)).numpy())
