"""Many fits c*f(a*u + b) + d of curves, moved together by damped Gauss-Newton steps on (a, b).

Whatever is linear (c, d and the functions that may stand beside) is eliminated at every step (Golub & Pereyra 1973,
with Kaufman's Jacobian), and all problems are rows of one array: a step costs little more than evaluating f.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .families import Family

__all__ = ["Batch", "Pick", "Points"]

Array = NDArray[np.float64]

_EXACT = 1e-27  # squared relative error that is rounding

Pick = tuple[int, int, int, float, float]  # target, coordinate, family, a, b


@dataclass(frozen=True)
class Points:
    """What all problems share: coordinates on [-1, 1] (h, n), and for every target (t) its orthonormal nuisance
    functions (t, 3, n), its values without them (t, n) and root weights (t, n)."""

    u: Array
    basis: Array
    projected: Array
    root: Array
    spread: float


class Batch:
    """Many (target, coordinate, family, a, b) problems, moved together."""

    def __init__(self, picks: list[Pick], points: Points, families: list[Family]) -> None:
        self.picks = sorted(picks, key=lambda pick: pick[2])
        index = np.array([pick[:3] for pick in self.picks], dtype=np.int64).reshape(-1, 3)
        self.ab = np.array([pick[3:] for pick in self.picks]).reshape(-1, 2)
        self.u, self.root = points.u[index[:, 1]], points.root[index[:, 0]]
        self.basis, self.target, self.spread = points.basis[index[:, 0]], points.projected[index[:, 0]], points.spread
        self.runs = []
        for f, members in itertools.groupby(range(len(self.picks)), key=lambda k: self.picks[k][2]):
            rows = list(members)
            self.runs.append((families[f], slice(rows[0], rows[-1] + 1)))
        self.moves = np.array([families[pick[2]].moves for pick in self.picks], dtype=bool).reshape(-1, 2)
        self.ray = np.array([families[pick[2]].ray for pick in self.picks], dtype=bool)
        self.nmse = np.full(len(self.picks), np.inf)

    def best(self, most: int) -> list[Pick]:
        """The best few problems at their present places, one for each target, coordinate and family that met."""
        found: list[Pick] = []
        seen: set[tuple[int, int, int, float]] = set()
        for k in np.argsort(self.nmse, kind="stable").tolist():
            place = (*self.picks[k][:3], float(f"{self.nmse[k]:.1e}"))
            if place not in seen and math.isfinite(self.nmse[k]):
                seen.add(place)
                found.append((*self.picks[k][:3], float(self.ab[k, 0]), float(self.ab[k, 1])))
        return found[:most]

    def refine(self, steps: int) -> None:
        """Damped Gauss-Newton on (a, b) of all problems, everything linear eliminated."""
        if not self.picks:
            return
        damping = np.full(len(self.picks), 1e-2)
        self.nmse, normal, gradient = self._linearised(self.ab)
        idle = 0
        for _ in range(steps):
            n00 = normal[:, 0] * (1 + damping) + 1e-30 + ~self.moves[:, 0]
            n11 = normal[:, 2] * (1 + damping) + 1e-30 + ~self.moves[:, 1]
            n01 = normal[:, 1]
            determinant = n00 * n11 - n01**2
            with np.errstate(all="ignore"):
                step = np.stack(
                    [n11 * gradient[:, 0] - n01 * gradient[:, 1], n00 * gradient[:, 1] - n01 * gradient[:, 0]], axis=1
                )
                step = step / determinant[:, None]
            step = np.where(np.isfinite(step), step, 0.0)
            trial = self.ab + step
            ray = 1 + (self.ab[:, 1] - 1) * np.exp(np.clip(step[:, 1], -2, 2))
            trial[:, 1] = np.where(self.ray, ray, trial[:, 1])
            nmse, new_normal, new_gradient = self._linearised(trial)
            better = nmse < self.nmse
            moving = better & (nmse < 0.999 * self.nmse) & (self.nmse > _EXACT)
            idle = 0 if moving.any() else idle + 1
            self.ab = np.where(better[:, None], trial, self.ab)
            self.nmse = np.where(better, nmse, self.nmse)
            normal = np.where(better[:, None], new_normal, normal)
            gradient = np.where(better[:, None], new_gradient, gradient)
            damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-12, 1e12)
            if idle >= 4:
                break

    def _linearised(self, ab: Array) -> tuple[Array, Array, Array]:
        """Error (p,), normal matrix (p, 3) as (aa, ab, bb), gradient (p, 2)."""
        z = ab[:, 0, None] * self.u + ab[:, 1, None]
        value, slope = np.empty_like(z), np.empty_like(z)
        with np.errstate(all="ignore"):
            for family, run in self.runs:
                value[run], slope[run] = family.function(z[run]), family.derivative(z[run])
            value *= self.root
            slope *= self.root
            raw = np.sum(value**2, axis=1)
            value = self._free(value)
            size = np.sum(value**2, axis=1)
            # A function that hardly varies on the range fits anything only by rounding errors.
            good = (size > 1e-16 * raw) & np.isfinite(size)
            size = np.where(good, size, 1.0)
            c = np.sum(value * self.target, axis=1) / size
            residual = self.target - c[:, None] * value
            nmse = np.where(good, np.sum(residual**2, axis=1) / self.spread, np.inf)
            nmse = np.where(np.isfinite(nmse), nmse, np.inf)
            shift = np.where(self.ray, ab[:, 1] - 1, 1.0)
            columns = []
            for factor, moves in ((self.u, self.moves[:, 0]), (shift[:, None], self.moves[:, 1])):
                column = self._free(slope * factor * (c * moves)[:, None])
                column = column - (np.sum(column * value, axis=1) / size)[:, None] * value
                columns.append(np.where(np.isfinite(column), column, 0.0))
            residual = np.where(np.isfinite(residual), residual, 0.0)
            one, two = columns
            normal = np.stack([np.sum(one**2, 1), np.sum(one * two, 1), np.sum(two**2, 1)], axis=1)
            gradient = np.stack([np.sum(one * residual, 1), np.sum(two * residual, 1)], axis=1)
        return nmse, normal, gradient

    def _free(self, rows: Array) -> Array:
        """Rows (p, n) without their parts along the nuisance functions."""
        along = np.matmul(self.basis, rows[:, :, None])[:, :, 0]
        return rows - np.matmul(along[:, None, :], self.basis)[:, 0]
