"""One function inside many changes of variables: T(y) = c*f(a*h(x) + b) + d, all T, h and f at once.

All starts (h, f, a, b) are columns of one dictionary, and a few matrix products give the error of every column for
every target T: the factor c and what may be added are linear (variable projection, Golub & Pereyra 1973). The best
are refined together by damped Gauss-Newton steps on (a, b).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Integer, Symbol

from .batch import Batch, Pick, Points
from .curve import CONSTANTS, Curve, Form
from .families import Coordinate, Family
from .families import families as all_families
from .targets import Target

__all__ = ["WarpFit", "fit_warps"]

Array = NDArray[np.float64]

_FIRST, _SECOND = 1800, 140
_FEW_POINTS = 80


@dataclass(frozen=True)
class WarpFit:
    """A refined form of y with its squared error relative to the spread of y, and a price in nats for its length."""

    nmse: float
    price: float
    build: Callable[[], Form | None]


def fit_warps(
    curve: Curve,
    targets: list[Target],
    inputs: list[Coordinate],
    symbol: Symbol,
    functions: frozenset[str],
    *,
    most: int,
) -> list[WarpFit]:
    """The best forms T(y) = c*f(a*h(x) + b) + d over all targets, coordinates and families, refined.

    Returns
    -------
    list of WarpFit
        At most ``most``, cheapest first by n/2 log(nmse) + price on the curve's points.
    """
    families = [family for family in all_families() if not family.needs or family.needs in functions]
    middle = [(c.values.max() + c.values.min()) / 2 for c in inputs]
    half = [np.ptp(c.values) / 2 for c in inputs]
    u = np.stack([(c.values - m) / h for c, m, h in zip(inputs, middle, half, strict=True)])
    spread = curve.spread
    # the first rounds on a few points, where many starts cost little
    few = np.unique(np.linspace(0, len(curve.x) - 1, _FEW_POINTS).round().astype(np.int64))
    thin = Points(u[:, few], *_projections(targets, few), spread * len(few) / len(curve.x))
    picks = _screen(thin, families, inputs, targets)
    batch = Batch(picks[:_FIRST], thin, families)
    batch.refine(5)
    batch = Batch(batch.best(_SECOND), Points(u, *_projections(targets, np.arange(len(curve.x))), spread), families)
    batch.refine(30)
    prices = np.array([_price(pick, families, inputs, targets) for pick in batch.picks])
    score = curve.cost(batch.nmse) + prices
    fits = []
    for k in np.argsort(score, kind="stable")[:most]:
        if not np.isfinite(batch.nmse[k]):
            continue
        t, h, f = batch.picks[k][:3]
        a, b = map(float, batch.ab[k])
        fits.append(
            WarpFit(
                float(batch.nmse[k]),
                float(prices[k]),
                _builder(targets[t], inputs[h], families[f], a / half[h], b - a * middle[h] / half[h], symbol),
            )
        )
    return fits


def _price(pick: Pick, families: list[Family], inputs: list[Coordinate], targets: list[Target]) -> float:
    return targets[pick[0]].price + inputs[pick[1]].price + families[pick[2]].price


def _projections(targets: list[Target], rows: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    basis, projected = np.zeros((len(targets), 3, len(rows))), np.zeros((len(targets), len(rows)))
    for k, target in enumerate(targets):
        root = target.root_weight[rows]
        q = np.linalg.qr(target.nuisance[rows] * root[:, None])[0]
        basis[k, : q.shape[1]] = q.T
        z = target.values[rows] * root
        projected[k] = z - q @ (q.T @ z)
    return basis, projected, np.stack([target.root_weight[rows] for target in targets])


def _screen(points: Points, families: list[Family], inputs: list[Coordinate], targets: list[Target]) -> list[Pick]:
    """The best starts of every family on every coordinate for every target, best first."""
    u, basis, projected, root, spread = points.u, points.basis, points.projected, points.root, points.spread
    t, _, n = basis.shape
    squares, cross, along = root**2, projected * root, (basis * root[:, None, :]).reshape(3 * t, n)
    size_of_target = np.sum(projected**2, axis=1)[:, None]
    scored: list[tuple[float, Pick]] = []
    for h, f in itertools.product(range(len(u)), range(len(families))):
        family = families[f]
        with np.errstate(all="ignore"):
            columns = family.function(family.starts[:, 0, None] * u[h] + family.starts[:, 1, None])
        fine = np.all(np.isfinite(columns), axis=1)
        starts, columns = family.starts[fine], columns[fine]
        columns = columns - columns.mean(axis=1, keepdims=True)
        scale = np.sqrt(np.mean(columns**2, axis=1))
        fine = (scale > 1e-12) | (family.name == "sin")  # sines and cosines stay in pairs
        starts, columns = starts[fine], (columns[fine] / np.maximum(scale[fine, None], 1e-12)).T
        if not len(starts):
            continue
        size = squares @ columns**2 - np.sum((along @ columns).reshape(t, 3, -1) ** 2, axis=1)
        match = cross @ columns
        fine = size > 1e-10 * (squares @ columns**2)
        gain = np.where(fine, match**2 / np.where(fine, size, 1.0), 0.0)
        if family.name == "sin":
            # sine and cosine of one frequency work together
            gain, phase = _pairs(columns, match, size, along, squares, t)
            starts = np.stack([starts[::2, 0], np.zeros(len(starts) // 2)], axis=1)
        error = (size_of_target - gain) / spread
        best = np.argsort(error, axis=1)[:, :2]
        for k in range(t):
            for s in best[k]:
                value = float(error[k, s])
                a, b = starts[s]
                if family.name == "sin":
                    b = phase[k, s]
                pick = (k, h, f, float(a), float(b))
                scored.append((np.log(max(value, 1e-9)) + 0.3 * _price(pick, families, inputs, targets), pick))
    scored.sort(key=lambda item: item[0])
    # the best of every target and family in front: on a grid of starts the right one may be behind many smooth curves
    first: dict[tuple[int, int], Pick] = {}
    for _, pick in scored:
        first.setdefault((pick[0], pick[2]), pick)
    return list(dict.fromkeys([*first.values(), *(pick for _, pick in scored)]))


def _pairs(columns: Array, match: Array, size: Array, along: Array, squares: Array, t: int) -> tuple[Array, Array]:
    """What sine and cosine of one frequency explain together, (t, s/2), and the phase."""
    sine, cosine = columns[:, ::2], columns[:, 1::2]
    along_sine, along_cosine = (along @ sine).reshape(t, 3, -1), (along @ cosine).reshape(t, 3, -1)
    mixed = squares @ (sine * cosine) - np.sum(along_sine * along_cosine, axis=1)
    ss, cc, st, ct = size[:, ::2], size[:, 1::2], match[:, ::2], match[:, 1::2]
    determinant = ss * cc - mixed**2
    fine = determinant > 1e-8 * np.abs(ss * cc)
    determinant = np.where(fine, determinant, 1.0)
    first, second = (cc * st - mixed * ct) / determinant, (ss * ct - mixed * st) / determinant
    gain = np.where(fine, first * st + second * ct, 0.0)
    # columns were scaled to equal size, which leaves the phase right enough for a start
    return gain, np.arctan2(second, first)


def _builder(
    target: Target, coordinate: Coordinate, family: Family, a: float, b: float, symbol: Symbol
) -> Callable[[], Form | None]:
    """The form of y, with its linear constants solved for on the curve's points.

    Constants that would be redundant are left out: a power or a logarithm needs no scale, an exponential no shift.
    """
    moves_a, moves_b = family.moves
    scale = a if moves_a else math.copysign(1.0, a)
    shift = (b if moves_a else b / abs(a)) if moves_b else 0.0
    if family.name == "sin":
        shift = math.remainder(shift, 2 * math.pi)
    inner = [value for value, moves in ((scale, moves_a), (shift, moves_b)) if moves]

    def build() -> Form | None:
        with np.errstate(all="ignore"):
            column = family.function(scale * coordinate.values + shift)
        design = np.column_stack([column, target.nuisance]) * target.root_weight[:, None]
        size = np.linalg.norm(design, axis=0)
        if not np.all(np.isfinite(size)) or not np.all(size > 0):
            return None
        linear = np.linalg.lstsq(design / size, target.values * target.root_weight, rcond=None)[0] / size
        names = iter(CONSTANTS)
        argument = (next(names) if moves_a else Integer(int(scale))) * coordinate.expr
        argument = argument + next(names) if moves_b else argument
        terms = [next(names) * e for e in (family.build(argument), *target.nuisance_exprs)]
        values = [*inner, *linear.tolist()]
        return target.form(Add(*terms), dict(zip(CONSTANTS, values, strict=False)), symbol)

    return build
