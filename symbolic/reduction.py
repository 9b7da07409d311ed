"""Fewer coordinates, one at a time: a change is kept where unseen rows are described as well as before.

With one coordinate less the stand-in affords a higher degree, so a change that holds lowers its error (often by
decades), one that does not hold raises it. Only rows that were not fitted decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Float, Symbol

from .coordinates import Change, Coordinates, start
from .description import NODE_COST
from .printing import count_nodes
from .surrogate import Surrogate, fit_surrogate, spread_rows, trimmed_error
from .symmetry import proposals

__all__ = ["Step", "reduce_coordinates"]

Array = NDArray[np.float64]

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
) -> list[Step]:
    """The columns, then ever fewer coordinates that say the same about y.

    Parameters
    ----------
    X, y : (n, d), (n,). symbols : one a column.

    Examples
    --------
    >>> import sympy
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 3, (400, 3))
    >>> y = X[:, 0] / (1 + (X[:, 1] - X[:, 2]) ** 2)
    >>> reduce_coordinates(X, y, sympy.symbols("m a b", real=True))[-1].coordinates.text()
    'm * F(a - b)'
    """
    here = start(symbols, X)
    current = fit_surrogate(here.values, y, here.factor_values)
    if current is None:
        return [Step(here, math.nan, "")]
    steps = [Step(here, current.error, "", current)]
    while here.k and not expired():
        best = _best_change(here, y, current, expired)
        if best is None:
            break
        change, error = best
        here = change.coordinates
        refined = fit_surrogate(here.values, y, here.factor_values) if here.k else None
        steps.append(Step(here, error if refined is None else refined.error, change.kind, refined))
        if refined is None:
            break
        current = refined
    return steps


def _best_change(
    here: Coordinates, y: Array, current: Surrogate, expired: Callable[[], bool]
) -> tuple[Change, float] | None:
    """The change with the shortest description among the first that hold."""
    best: tuple[float, Change, float] | None = None
    seen: set[tuple[tuple[Expr, ...], Expr]] = set()
    ordered = sorted(proposals(here, current), key=lambda change: (_decade(change.defect), _price(change)))
    rough = current.error > _ROUGH
    limit = math.inf if rough else _BIG_DEFECT
    most = _MOST_ROUGH_TESTS if rough else _MOST_TESTS
    for change in ordered:
        key = (change.coordinates.expressions, change.coordinates.factor)
        if key in seen or change.defect > limit:
            continue
        if len(seen) >= (_TESTS if best else most) or expired():
            break
        seen.add(key)
        error, errors = _test(change.coordinates, y, current)
        lossy = change.kind == "drop" and error > max(current.error, _ROUNDING)
        if lossy or not _as_good(error, errors, current):
            continue
        length = len(errors) * math.log(max(error, _ROUNDING)) + _price(change)
        if best is None or length < best[0]:
            best = (length, change, error)
        if error <= max(_CLEAR * current.error, _ROUNDING) and change.kind != "drop":
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


def _test(coordinates: Coordinates, y: Array, current: Surrogate) -> tuple[float, Array]:
    """Error of a stand-in with these coordinates (a plain factor where none is left)."""
    if not coordinates.k:
        rows = spread_rows(len(y))
        factor, target = coordinates.factor_values[rows], y[rows]
        scale = float(factor @ target) / float(factor @ factor)
        errors = ((target - scale * factor) / (float(target.std()) or 1.0)) ** 2
        return trimmed_error(errors), errors
    log_y, log_z = current.style
    styles = _PLAIN if current.error > _ROUGH else ((log_y, log_z), (log_y, not log_z))
    # Where nothing is lost to noise the highest degree is best, else one about as high as before.
    degrees = [_HIGHEST] if current.error < _SMOOTH else [current.degree, current.degree + 2]
    trial = fit_surrogate(coordinates.values, y, coordinates.factor_values, styles, degrees)
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
