"""Logistic regression on subsets of many terms, whose sharpness may vary with the columns.

    P(class 1) = q + (1 - 2 q)/(1 + exp(-s)),     s = exp(a . z) (sum_k w_k t_k(x))

z are the standardised columns. The zero set of the sum is the boundary; exp(a . z) is how sharp the change of class
is, which has nothing to do with where it is, and is let free so that it does not bend the boundary. The lapse rate
q = 0.01 (Wichmann and Hill 2001, *Perception & Psychophysics* 63, 1293) is for rows whose label has another reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["Fit", "Logistic", "Terms", "fitted", "inflation"]

Array = NDArray[np.float64]
Terms = tuple[int, ...]

LAPSE = 0.01
RIDGE = 1e-4  # separable classes would send the coefficients to infinity
SHARPEST = 3.0  # |a . z| at the most


@dataclass(frozen=True)
class Fit:
    """Minus the log likelihood, the coefficients w of the terms, and a."""

    loss: float
    weights: Array
    sharpness: Array


class Logistic:
    """Fits of a table of terms (n, terms) to classes y (n,) of 0 and 1, at standardised columns z (n, d).

    The sharpness is the same for all of them: so each fit is convex but for the lapses, and no wrong sum can hide
    behind a strange sharpness.
    """

    def __init__(self, values: Array, y: Array, columns: Array, sharpness: Array) -> None:
        self.values, self.y, self.columns, self.sharpness = values, y, columns, sharpness
        self._scale = _scale(columns, sharpness)
        self._squares = np.square(values)
        self._known: dict[Terms, Fit] = {}

    def fit(self, terms: Terms) -> Fit:
        """The fit of these terms; remembered."""
        if terms not in self._known:
            self._known[terms] = fitted(self.values[:, list(terms)], self.columns, self.y, self.sharpness, held=True)
        return self._known[terms]

    def loss(self, terms: Terms) -> float:
        return self.fit(terms).loss

    def scores(self, terms: Terms) -> Array:
        """Of every term not yet in, about twice what it would gain (Rao 1948, *Proc. Camb. Phil. Soc.* 44, 50)."""
        scale = self._scale
        known = self.values[:, list(terms)] * scale[:, None]
        pull, information = _slopes(known @ self.fit(terms).weights, self.y)
        slope = self.values.T @ (scale * pull)
        shared = (known * (scale * information)[:, None]).T @ self.values
        own = (scale**2 * information) @ self._squares
        inner = (known * information[:, None]).T @ known + 1e-6 * np.eye(known.shape[1])
        rest = own - np.einsum("ij,ij->j", shared, np.linalg.solve(inner, shared))
        # A term that the others give already has nothing of its own.
        return np.where(rest > 1e-6 * own, slope**2 / np.maximum(rest, 1e-300), 0.0)


def inflation(fit: Fit, design: Array, columns: Array, y: Array, groups: NDArray[np.int64]) -> float:
    """How many times as much the rows of one group agree as independent ones would; at least 1.

    The mean of the variances of the coefficients with clusters (Liang and Zeger 1986, *Biometrika* 73, 13) over those
    without. A log likelihood of dependent rows is divided by it (Burnham and Anderson 2002, *Model Selection and
    Multimodel Inference*, section 2.5).
    """
    scaled = design * _scale(columns, fit.sharpness)[:, None]
    pull, information = _slopes(scaled @ fit.weights, y)
    _, place = np.unique(groups, return_inverse=True)
    pulls = np.zeros((place.max() + 1, design.shape[1]))
    np.add.at(pulls, place, scaled * pull[:, None])
    curvature = (scaled * information[:, None]).T @ scaled + RIDGE * np.eye(design.shape[1])
    return max(1.0, float(np.trace(np.linalg.solve(curvature, pulls.T @ pulls))) / design.shape[1])


def fitted(design: Array, columns: Array, y: Array, sharpness: Array, *, held: bool = False) -> Fit:
    """Damped steps of Fisher's scoring on minus the log likelihood, with a faint ridge.

    ``sharpness`` is where a starts, or what it is where ``held``.
    """
    n_terms = design.shape[1]
    theta = np.concatenate([np.zeros(n_terms), sharpness])
    moving = slice(n_terms) if held else slice(None)

    def logits(theta: Array) -> tuple[Array, Array]:
        scale = _scale(columns, theta[n_terms:])
        return scale, scale * (design @ theta[:n_terms])

    def loss(theta: Array) -> float:
        return float(_losses(logits(theta)[1], y).sum() + 0.5 * RIDGE * theta @ theta)

    now = loss(theta)
    for _ in range(60):
        scale, logit = logits(theta)
        pull, information = _slopes(logit, y)
        jacobian = np.column_stack([design * scale[:, None], columns * logit[:, None]])[:, moving]
        curvature = (jacobian * information[:, None]).T @ jacobian
        # At the start the sharpness changes nothing, and its rows are empty.
        curvature += np.diag(RIDGE + 1e-6 * np.diag(curvature)) + 1e-9 * np.eye(len(curvature))
        step, length = np.zeros(len(theta)), 1.0
        step[moving] = np.linalg.solve(curvature, jacobian.T @ pull - RIDGE * theta[moving])
        while (new := loss(theta + length * step)) > now and length > 1e-3:
            length /= 2
        if new > now:
            break
        gain, theta, now = now - new, theta + length * step, new
        if gain < 1e-3:
            break
    return Fit(now, theta[:n_terms], theta[n_terms:])


def _scale(columns: Array, sharpness: Array) -> Array:
    return np.exp(np.clip(columns @ sharpness, -SHARPEST, SHARPEST))


def _losses(logit: Array, y: Array) -> Array:
    """Minus the log likelihood of every row."""
    return -np.log(LAPSE + (1 - 2 * LAPSE) * expit(np.where(y > 0.5, logit, -logit)))


def _slopes(logit: Array, y: Array) -> tuple[Array, Array]:
    """How the log likelihood of every row grows with its logit, and Fisher's information of the logit."""
    chance = expit(logit)
    steep = (1 - 2 * LAPSE) * chance * (1 - chance)
    chance = LAPSE + (1 - 2 * LAPSE) * chance
    spread = chance * (1 - chance)
    return (y - chance) * steep / spread, steep**2 / spread
