"""Fewer coordinates, one at a time: a change is kept where unseen rows are described as well as before.

With one coordinate less the stand-in affords a higher degree, so a change that holds lowers its error (often by
decades), one that does not hold raises it. The errors are those of rows left out of the fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Float, Symbol

from ..description import NODE_COST
from ..printing import count_nodes
from .coordinates import Change, Coordinates, start
from .polynomials import least_squares, stand_in_rows, trimmed_error
from .surrogate import STYLES, Style, Surrogate, fit_surrogate
from .symmetry import proposals

__all__ = ["Step", "reduce_coordinates"]

Array = NDArray[np.float64]

_MANY = 5  # coordinates beyond which the irrelevant are looked for first
_CURVE_DEGREE = 8
_ADDITIVE = 1.02  # times the stand-in's error: a sum of curves describes the law as well
_TESTS = 6  # proposals that are tested before the best is taken
_MOST_TESTS, _MOST_ROUGH_TESTS = 24, 60  # tests in vain before a point counts as the end
_BIG_DEFECT = 0.6
_ROUNDING = 1e-9  # relative error at which nothing is left to be gained
_CLEAR = 0.3  # the error falls at least to this share: no need to look further
_ROUGH = 0.2  # relative error of a stand-in that says little: its style need not be the style of fewer coordinates
_GOOD = 3e-6  # relative error at which a stand-in has met the law as well as it can
_WORSE = 2.0  # standard errors by which the errors may grow
_SMOOTH, _HIGHEST = 1e-3, 99
_PLAIN = ((False, False), (False, True))
_FITTED_COST = 8.0  # nats for a fitted number in a coordinate
_DROP_COST = 10.0  # nats: a coordinate is better merged than lost
_MOST_LOST = 4.5  # nats of unseen rows that a dropped coordinate may be worth, an effect of three standard errors


@dataclass(frozen=True)
class Step:
    """One point of the way down.

    Attributes
    ----------
    coordinates : of the law.
    error : of the stand-in on left-out rows, relative to the spread of y; NaN where the rows cannot bear one.
    kind : the change that led here; "" for the columns themselves.
    surrogate : the stand-in; None without coordinates.
    """

    coordinates: Coordinates
    error: float
    kind: str
    surrogate: Surrogate | None = None


def reduce_coordinates(
    X: Array,
    y: Array,
    symbols: Sequence[Symbol],
    expired: Callable[[], bool] = lambda: False,
    root: Array | None = None,
) -> list[Step]:
    """The columns, then ever fewer coordinates that say the same about y.

    Parameters
    ----------
    X, y : (n, d), (n,). symbols : one a column.
    expired : asked between tests; when true, the way so far is returned.
    root : (n,) square roots of the rows' weights, ones by default.

    Examples
    --------
    >>> import sympy
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 3, (400, 3))
    >>> y = X[:, 0] / (1 + (X[:, 1] - X[:, 2]) ** 2)
    >>> reduce_coordinates(X, y, sympy.symbols("m a b", real=True))[-1].coordinates.text()
    'm * F(a - b)'
    """
    # Powers of a column may be no numbers; coordinates that read them are refused for it.
    with np.errstate(over="ignore", invalid="ignore"):
        return _reduced(start(symbols, X), _Target(y, np.ones(len(y)) if root is None else root), expired)


def _reduced(here: Coordinates, target: _Target, expired: Callable[[], bool]) -> list[Step]:
    current = target.stand_in(here)
    if current is None:
        return [Step(here, math.nan, "")]
    steps = [Step(here, current.error, "", current)]
    if here.k > _MANY:
        fewer, current = _without_irrelevant(here, target, current)
        if fewer is not here:
            here = fewer
            steps.append(Step(here, current.error, "drop", current))
        if here.k > _MANY and _additive(here, target)[0] <= _ADDITIVE * current.error:
            return steps  # a sum of many parts: nothing to be gained by merging them
    while here.k and not expired():
        best = _best_change(here, target, current, expired)
        if best is None:
            break
        change, error = best
        here = change.coordinates
        refined = target.stand_in(here) if here.k else None
        steps.append(Step(here, error if refined is None else refined.error, change.kind, refined))
        if refined is None:
            break
        current = refined
    return steps


@dataclass(frozen=True)
class _Target:
    """y, and the square roots of the rows' weights: with both y and the factor times root, errors are weighted."""

    y: Array
    root: Array

    @cached_property
    def spread(self) -> float:
        """Weighted standard deviation of y, times the root of the mean weight: what weighted errors are relative to."""
        mean = float(np.average(self.y, weights=self.root**2))
        return float(np.sqrt(np.mean(((self.y - mean) * self.root) ** 2))) or 1.0

    def stand_in(
        self, here: Coordinates, styles: Sequence[Style] = STYLES, degrees: Sequence[int] | None = None
    ) -> Surrogate | None:
        y, factor = self.y * self.root, here.factor_values * self.root
        return fit_surrogate(here.values, y, factor, styles, degrees, self.spread)

    def rows(self, here: Coordinates) -> tuple[Array, Array, Array]:
        """Coordinates, weighted factor and weighted y on the rows that a stand-in is fitted to."""
        rows = stand_in_rows(len(self.y))
        root = self.root[rows]
        return here.values[rows], here.factor_values[rows] * root, self.y[rows] * root


def _without_irrelevant(here: Coordinates, target: _Target, current: Surrogate) -> tuple[Coordinates, Surrogate]:
    """As few coordinates as describe y as well, dropped half by half from the weakest.

    The weakest are those that add least to a sum of curves of single coordinates and to a polynomial of all of them.
    """
    additive, parts = _additive(here, target)
    size = here.k // 2
    while size and here.k > 1:
        slopes = current.gradient(target.rows(here)[0])
        effects = np.sqrt(np.nanmean(slopes**2, axis=0)) * here.values.std(axis=0) / target.spread
        weakest = np.argsort(np.maximum(effects, parts))[: min(size, here.k - 1)]
        kept = [i for i in range(here.k) if i not in weakest]
        fewer = Coordinates(
            tuple(here.expressions[i] for i in kept), here.values[:, kept], here.factor, here.factor_values
        )
        trial, (error, curves) = target.stand_in(fewer), _additive(fewer, target)
        if trial is not None and trial.error <= current.error and error <= additive:
            here, current, additive, parts = fewer, trial, error, curves
            size = min(size, here.k // 2)
        else:
            size //= 2
    return here, current


def _additive(here: Coordinates, target: _Target) -> tuple[float, Array]:
    """Error of a sum of curves of single coordinates on left-out rows, and what each curve contributes to y, (k,)."""
    Z, factor, y = target.rows(here)
    degree = max(2, min(_CURVE_DEGREE, len(y) // (4 * here.k)))
    low, high = Z.min(axis=0), Z.max(axis=0)
    unit = (2 * Z - low - high) / np.where(high > low, high - low, 1.0)
    curves = np.polynomial.chebyshev.chebvander(unit, degree)[..., 1:]  # (rows, k, degree)
    fit = least_squares(np.column_stack([np.ones(len(y)), curves.reshape(len(y), -1)]) * factor[:, None], y)
    if fit is None:
        return math.inf, np.zeros(here.k)
    spread = target.spread
    parts = np.einsum("rkd,kd->rk", curves, fit[0][1:].reshape(here.k, degree)) * factor[:, None]
    return trimmed_error((fit[1] / spread) ** 2), parts.std(axis=0) / spread


def _best_change(
    here: Coordinates, target: _Target, current: Surrogate, expired: Callable[[], bool]
) -> tuple[Change, float] | None:
    """The change with the shortest description among the first that hold."""
    best: tuple[float, Change, float] | None = None
    seen: set[tuple[tuple[Expr, ...], Expr]] = set()
    # A column without an effect goes first: merged with another it would hide in it.
    negligible = 3 * current.error + _ROUNDING
    ordered = sorted(
        proposals(here, current),
        key=lambda change: (
            change.kind != "drop" or change.defect > negligible,
            _decade(change.defect),
            _price(change),
        ),
    )
    rough = current.error > _ROUGH
    limit = math.inf if rough else _BIG_DEFECT
    most = _MOST_ROUGH_TESTS if rough else _MOST_TESTS
    for change in ordered:
        key = (change.coordinates.expressions, change.coordinates.factor)
        if key in seen or change.defect > limit:
            continue
        # Where the stand-in says little, a small gain is no sign: a clear one is looked for among all.
        if len(seen) >= (_TESTS if best and not rough else most) or expired():
            break
        seen.add(key)
        dropped = change.kind == "drop"
        error, errors = _test(change.coordinates, target, current, dropped)
        lost = len(errors) * math.log(max(error, _ROUNDING) / max(current.error, _ROUNDING))
        if (dropped and lost > _MOST_LOST) or not _as_good(error, errors, current):
            continue
        length = len(errors) * math.log(max(error, _ROUNDING)) + _price(change)
        if dropped and lost <= 0:
            length -= _DROP_COST  # nothing is lost
            if change.defect <= negligible:
                return change, error
        if best is None or length < best[0]:
            best = (length, change, error)
        if error <= max(_CLEAR * current.error, _ROUNDING) and not dropped:
            break
    return None if best is None else best[1:]


def _decade(defect: float) -> int:
    """Defects of one size: half a decade, and nothing below a thousandth."""
    return round(2 * math.log10(max(defect, 1e-3)))


def _price(change: Change) -> float:
    """Nats to write the coordinates down."""
    expressions = (*change.coordinates.expressions, change.coordinates.factor)
    numbers = sum(len(expr.atoms(Float)) for expr in expressions)
    lost = _DROP_COST if change.kind == "drop" else 0.0
    return NODE_COST * sum(map(count_nodes, expressions)) + _FITTED_COST * numbers + lost


def _test(coordinates: Coordinates, target: _Target, current: Surrogate, dropped: bool) -> tuple[float, Array]:
    """Error of a stand-in with these coordinates (a plain factor where none is left)."""
    if not coordinates.k:
        _, factor, y = target.rows(coordinates)
        scale = float(factor @ y) / float(factor @ factor)
        errors = ((y - scale * factor) / target.spread) ** 2
        return trimmed_error(errors), errors
    log_y, log_z = current.style
    styles = _PLAIN if current.error > _ROUGH else ((log_y, log_z), (log_y, not log_z))
    # Where nothing is lost to noise the highest degree is best, else one about as high as before.
    degrees = [_HIGHEST] if current.error < _SMOOTH else [current.degree, current.degree + 2]
    if dropped:
        degrees.append(current.degree)  # no coordinate became another: what described y well does so still
    trial = target.stand_in(coordinates, styles, degrees)
    return (math.inf, np.full(1, math.inf)) if trial is None else (trial.error, trial.errors)


def _as_good(error: float, errors: Array, current: Surrogate) -> bool:
    if not math.isfinite(error):
        return False
    if error <= max(current.error, _GOOD):
        return True
    if error > 1.1 * current.error or len(errors) != len(current.errors):
        return False
    # the worst rows of both are left aside, as in the error itself
    limit = np.quantile(np.maximum(errors, current.errors), 0.97)
    common = np.maximum(errors, current.errors) <= limit
    difference = (errors - current.errors)[common]
    return float(difference.mean()) <= _WORSE * float(difference.std()) / math.sqrt(len(difference))
