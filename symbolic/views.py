"""The views a search goes through: the law in its coordinates, fewest first, and the plain columns last."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Symbol

from .deadline import within
from .problem import FEW_ROWS, Problem
from .reduction.coordinates import Coordinates, start
from .reduction.polynomials import trimmed_error
from .reduction.reducing import Step, reduce_coordinates
from .view import View

__all__ = ["Reference", "Ways", "views_of", "ways"]

Array = NDArray[np.float64]

_SAYS_NOTHING = 0.9  # error of a stand-in relative to the spread of y
_VIEWS = 3  # steps of the reduction that are looked at, beside the plain columns


@dataclass(frozen=True)
class Reference:
    """What a formula is compared with: residuals of a network or stand-in on the held-out rows.

    Attributes
    ----------
    name : for messages.
    residuals : (m,).
    error : relative to the spread of y, rows counted by their weights, worst rows left aside.
    """

    name: str
    residuals: Array
    error: float

    @classmethod
    def of(cls, name: str, residuals: Array, problem: Problem, held: NDArray[np.bool_]) -> Reference | None:
        """None where the residuals are not all finite."""
        if not np.all(np.isfinite(residuals)):
            return None
        return cls(name, residuals, trimmed_error((residuals * problem.roots[held] / problem.spread) ** 2))


@dataclass(frozen=True)
class Ways:
    """What the reduction of the columns left: coordinates to look at, fewest first, and the stand-ins' residuals."""

    coordinates: tuple[Coordinates, ...] = ()
    references: tuple[Reference, ...] = ()
    complete: bool = True


def ways(
    problem: Problem,
    held: NDArray[np.bool_] | None,
    symbols: Sequence[Symbol],
    expired: Callable[[], bool] = lambda: False,
    seconds: float = math.inf,
) -> Ways:
    """Reduce the columns on the rows that are not held out; nothing where rows are too few to hold any out.

    Parameters
    ----------
    symbols : one a column of the table; those of the varying columns are used.
    expired : asked between steps; True ends the reduction where it is.
    seconds : after which it is broken off, with nothing to show for it: one step over many columns may be long.
    """
    if held is None or len(problem.y) < FEW_ROWS:
        return Ways()
    used = tuple(symbols[i] for i in problem.varying)
    X = problem.X[:, list(problem.varying)]

    def attempt() -> list[Step] | Exception:
        try:
            return reduce_coordinates(X[~held], problem.y[~held], used, expired, problem.roots[~held])
        except Exception as error:  # `within` would pass over it
            return error

    steps = within(min(seconds, threading.TIMEOUT_MAX), attempt)
    if steps is None:
        return Ways(complete=False)
    if isinstance(steps, Exception):
        raise steps
    # a stand-in that explains nothing shows no symmetry either
    says = min((step.error for step in steps), default=math.nan) < _SAYS_NOTHING
    chosen = tuple(step.coordinates for step in steps[1:][-_VIEWS:][::-1]) if says else ()
    references = [_reference(step, used, X[held], problem, held) for step in steps]
    return Ways(chosen, tuple(each for each in references if each is not None), not expired())


def views_of(
    chosen: Sequence[Coordinates], problem: Problem, held: NDArray[np.bool_] | None, symbols: Sequence[Symbol]
) -> list[View]:
    """The views of these coordinates, and that of the columns themselves; those that are finite on all rows."""
    used = tuple(symbols[i] for i in problem.varying)
    X = problem.X[:, list(problem.varying)]
    found = [View.of(each, used, X, problem.y, held, problem.root) for each in [*chosen, start(used, X)]]
    return [view for view in found if view is not None]


def _reference(
    step: Step, symbols: Sequence[Symbol], X: Array, problem: Problem, held: NDArray[np.bool_]
) -> Reference | None:
    """The residuals of a step's stand-in on rows it was not fitted to."""
    moved = step.coordinates.on(symbols, X) if step.surrogate is not None else None
    if moved is None or step.surrogate is None:
        return None
    residuals = moved.factor_values * step.surrogate.predict(moved.values) - problem.y[held]
    return Reference.of(f"a polynomial in {moved.text()}", residuals, problem, held)
