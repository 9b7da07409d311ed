"""Levenberg-Marquardt for a ratio of two sums under a link, and which of its terms the data ask for.

Terms go in the order of their t-values as long as the description gets shorter (backward elimination), and come back
where the residual asks for them (the score test), since one that went early may have taken the place of the right one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..description import NODE_COST, constants_cost
from .terms import Exponents, Link, Ratio, products

__all__ = ["Fit", "State", "Table", "eliminate", "exchange", "predicted"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_BATCH_ABOVE = 12  # terms beyond which several are dropped at once
_HOPELESS = 40.0  # nats above the best at which elimination ends
_START_STEPS, _DROP_STEPS = 10, 4
_RETURNING = 3  # terms that are offered again at a time


@dataclass(frozen=True)
class Table:
    """Scaled columns (n, k), target (n,) and the square roots of the weights."""

    Z: Array
    y: Array
    root: Array


@dataclass(frozen=True, eq=False)
class State:
    """A ratio of two linear combinations of columns, with what it leaves of y."""

    p: Array
    q: Array
    rss: float


def predicted(ratio: Ratio, Z: Array) -> Array:
    """Values (n,) of a ratio on scaled columns, with its link."""
    with np.errstate(all="ignore"):
        u = (products(Z, ratio.numerator) @ ratio.p) / (products(Z, ratio.denominator) @ ratio.q)
        return np.asarray(ratio.sign * ratio.link.inverse(u))


class Fit:
    """Levenberg-Marquardt for g(P/Q) with one coefficient of Q held."""

    def __init__(self, table: Table, link: Link, sign: float, top: Array, bottom: Array) -> None:
        self.y, self.root, self.link, self.sign, self.top, self.bottom = (
            table.y, table.root, link, sign, top, bottom,
        )  # fmt: skip

    def residual(self, p: Array, q: Array) -> tuple[Array, Array, Array]:
        with np.errstate(all="ignore"):
            below = self.bottom @ q
            u = (self.top @ p) / below
            residual = (self.y - self.sign * self.link.inverse(u)) * self.root
        return u, below, residual

    def jacobian(self, u: Array, below: Array, held: int) -> Array:
        with np.errstate(all="ignore"):
            front = self.sign * self.link.slope(u) / below * self.root
            rest = np.delete(self.bottom, held, axis=1)
            return np.hstack([front[:, None] * self.top, (-front * u)[:, None] * rest])

    def descend(self, p: Array, q: Array, steps: int) -> tuple[State, Array, int]:
        """(state, covariance of the constants for unit noise, which coefficient of Q is held)."""
        held = int(np.argmax(np.abs(q) * np.linalg.norm(self.bottom, axis=0)))
        p, q = p / q[held], q / q[held]
        u, below, residual = self.residual(p, q)
        rss, damping = float(residual @ residual), 1e-7
        covariance = np.full((len(p) + len(q) - 1,) * 2, np.nan)
        for step in range(steps + 1):
            if not math.isfinite(rss):
                break
            jacobian = self.jacobian(u, below, held)
            norms = np.linalg.norm(jacobian, axis=0)
            if not np.isfinite(norms).all():
                break
            norms = np.where(norms > 0, norms, 1.0)
            jacobian = jacobian / norms
            values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
            values = np.maximum(values, 1e-13 * values[-1])
            covariance = (vectors / values) @ vectors.T / np.outer(norms, norms)
            if step == steps:
                break
            improved, gradient = False, vectors.T @ (jacobian.T @ residual)
            for _ in range(5):
                change = vectors @ (gradient / (values + damping)) / norms
                p_new = p + change[: len(p)]
                q_new = q + np.insert(change[len(p) :], held, 0.0)
                trial = self.residual(p_new, q_new)
                new = float(trial[2] @ trial[2])
                if new < rss:
                    improved = True
                    break
                damping = 30.0 * damping
            if not improved:
                break
            done = new > (1.0 - 1e-6) * rss
            p, q, (u, below, residual), rss = p_new, q_new, trial, new
            damping *= 0.1
            if done:
                break
        return State(p, q, rss), covariance, held


def eliminate(table: Table, ratio: Ratio, floor: float) -> list[tuple[float, Ratio]]:
    """Drop the terms of a ratio one by one: (description length in nats, ratio) from the longest to the shortest.

    Parameters
    ----------
    table : rows that decide. ratio : any terms, coefficients as a start. floor : rss that counts as zero.
    """
    top, bottom = products(table.Z, ratio.numerator), products(table.Z, ratio.denominator)
    kept_p, kept_q = np.arange(len(ratio.p)), np.arange(len(ratio.q))
    p, q = ratio.p, ratio.q
    n, best, found = len(table.y), np.inf, []
    steps = _START_STEPS
    while True:
        fit = Fit(table, ratio.link, ratio.sign, top[:, kept_p], bottom[:, kept_q])
        state, covariance, held = fit.descend(p, q, steps)
        steps = _DROP_STEPS
        if not math.isfinite(state.rss):
            break
        count = len(kept_p) + len(kept_q) - 1
        terms = np.vstack([ratio.numerator[kept_p], ratio.denominator[kept_q]])
        length = 0.5 * n * math.log(max(state.rss, floor) / n) + constants_cost(count, n) + _form_cost(terms)
        reduced = replace(
            ratio, numerator=ratio.numerator[kept_p], denominator=ratio.denominator[kept_q], p=state.p, q=state.q
        )
        found.append((length, reduced))
        best = min(best, length)
        if count <= 1 or length > best + _HOPELESS or not np.isfinite(covariance).all():
            break
        theta = np.concatenate([state.p, np.delete(state.q, held)])
        variance = max(state.rss, floor) / max(n - count, 1)
        squared = theta**2 / np.maximum(np.diag(covariance) * variance, 1e-300)
        if len(kept_p) == 1:
            squared[0] = np.inf  # something has to stay above
        drop = _to_drop(squared, len(kept_p), count)
        stays = np.setdiff1d(np.arange(count), drop)
        # Where the others go when these become zero, to first order.
        inner = covariance[np.ix_(drop, drop)]
        theta = theta - covariance[:, drop] @ np.linalg.lstsq(inner, theta[drop], rcond=None)[0]
        free_q = np.delete(kept_q, held)
        in_p, in_q = stays[stays < len(kept_p)], stays[stays >= len(kept_p)] - len(kept_p)
        p, q = theta[in_p], np.append(theta[len(kept_p) + in_q], 1.0)
        held_term = kept_q[held]
        kept_p, kept_q = kept_p[in_p], np.append(free_q[in_q], held_term)
        order = np.argsort(kept_q)
        kept_q, q = kept_q[order], q[order]
    return found


def _to_drop(squared: Array, n_top: int, count: int) -> Indices:
    """The least significant constants: one, or up to a quarter of many, all far from significance."""
    order = np.argsort(squared)
    most = 1 if count <= _BATCH_ABOVE else max(1, count // 4)
    drop = [int(i) for i in order[:most] if squared[i] < 1.5] or [int(order[0])]
    if sum(i < n_top for i in drop) == n_top:
        drop = drop[:1]
    return np.array(drop, dtype=np.int64)


def _form_cost(terms: Exponents) -> float:
    """Nats for the form, about as `structure_cost` counts the nodes of the sums."""
    nodes = len(terms) + np.where(terms > 1, 3, terms).sum() + (terms > 0).sum()
    return NODE_COST * float(nodes)


def exchange(table: Table, ratio: Ratio, family: Ratio, floor: float) -> list[tuple[float, Ratio]]:
    """Offer terms of a family again to a sparse ratio, and eliminate anew, while the description gets shorter.

    Parameters
    ----------
    table : rows that decide. ratio : the sparse ratio. family : the same with all terms (coefficients are not used).
    floor : rss that counts as zero.

    Returns
    -------
    (description length, ratio) of all that was passed on the way.
    """
    all_top, all_bottom = products(table.Z, family.numerator), products(table.Z, family.denominator)
    found = eliminate(table, ratio, floor)
    for _ in range(3):
        if not found:
            break
        best, current = min(found, key=lambda pair: pair[0])
        fit = Fit(
            table,
            ratio.link,
            ratio.sign,
            products(table.Z, current.numerator),
            products(table.Z, current.denominator),
        )
        u, below, residual = fit.residual(current.p, current.q)
        with np.errstate(all="ignore"):
            front = fit.sign * fit.link.slope(u) / below * fit.root
        own = np.hstack([front[:, None] * fit.top, (front * u)[:, None] * fit.bottom])
        others = np.hstack([front[:, None] * all_top, (front * u)[:, None] * all_bottom])
        if not (np.isfinite(own).all() and np.isfinite(others).all()):
            break
        others = others / np.maximum(np.linalg.norm(others, axis=0), 1e-300)
        basis = np.linalg.qr(own / np.maximum(np.linalg.norm(own, axis=0), 1e-300))[0]
        rest = others - basis @ (basis.T @ others)
        sizes = np.sum(rest**2, axis=0)
        score = np.where(sizes > 1e-9, (rest.T @ residual) ** 2 / np.maximum(sizes, 1e-9), 0.0)
        back = [int(i) for i in np.argsort(-score)[:_RETURNING] if score[i] > 0]
        m = len(family.numerator)
        top = [family.numerator[i] for i in back if i < m]
        bottom = [family.denominator[i - m] for i in back if i >= m]
        larger = replace(
            current,
            numerator=np.vstack([current.numerator, *top]),
            denominator=np.vstack([current.denominator, *bottom]),
            p=np.append(current.p, np.zeros(len(top))),
            q=np.append(current.q, np.zeros(len(bottom))),
        )
        path = eliminate(table, larger, floor)
        found += path
        if not path or min(path, key=lambda pair: pair[0])[0] > best - 1e-3:
            break
    return found
