"""Would another sample of the same kind have given the same law? The rivals of a search, compared again on resamples.

A search chooses one form among several by their description lengths on one table. Rows drawn with replacement make
tables that the same world might have given (the pairs bootstrap, Efron & Tibshirani, *An Introduction to the
Bootstrap*, 1993, ch. 9); on each the constants of all rivals are refitted, and the shortest wins. How often the chosen
form wins tells how much the choice owes to chance (Sauerbrei & Schumacher, Statistics in Medicine 11 (1992) 2093). No
new form is looked for, so the share is an upper bound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from kanlib.errors import FormulaError, InputError

from .constants import refit
from .description import description_length, structure_cost
from .discovery import Discovery
from .formula import Formula
from .parameters import parametrize
from .printing import print_text

__all__ = ["Stability", "compare", "kind", "stability"]

Array = NDArray[np.float64]

_MOST_ROWS = 2000  # drawn for one resample
_MOST_RIVALS = 6
_EVALUATIONS = 60  # of a refit that starts at the fit to all rows


@dataclass(frozen=True)
class Stability:
    """How a choice among forms holds on resampled rows.

    Attributes
    ----------
    forms : the forms that won, as text with their fitted constants named, and the share of resamples each won in;
        the most frequent first.
    share : of the resamples that the chosen form won.
    constants : name of each fitted constant of the chosen form -> standard deviation over the resamples.
    n : number of resamples; fewer than asked for where time was up.
    """

    forms: Mapping[str, float]
    share: float
    constants: Mapping[str, float]
    n: int

    def __str__(self) -> str:
        return f"the form is chosen in {round(self.share * self.n)} of {self.n} resamples of the rows"


def stability(
    found: Discovery, X: ArrayLike, y: ArrayLike, *, n: int = 10, seed: int = 0, time_limit: float = 5.0
) -> Stability:
    """How often the law that was found beats the other forms of its search on rows drawn with replacement.

    Parameters
    ----------
    found : a discovery with a formula; its rivals are those of ``found.rivals`` and ``found.front``.
    X : (n, d), y : (n,) the table it was found on. Of more than 2,000 rows so many are drawn each time.
    n : number of resamples.
    seed : of the draws.
    time_limit : seconds after which no further resample is drawn.

    Raises
    ------
    InputError
        There is no formula, or the table has another shape.

    Examples
    --------
    >>> from kanlib.symbolic import discover
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 3, (200, 1))
    >>> y = 2.5 * X[:, 0] + 0.1 * rng.normal(size=200)
    >>> held = stability(discover(X, y, time_limit=10), X, y)
    >>> held.share > 0.5, held.n
    (True, 10)
    """
    if found.formula is None:
        raise InputError("stability got a discovery without a formula; expected one with status 'found'.")
    table, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    d = len(found.formula.symbols)
    if table.ndim != 2 or table.shape[1] != d or target.shape != (len(table),) or not len(target):
        raise InputError(
            f"stability got X {table.shape} and y {target.shape}; expected (rows, {d}) and (rows,), the table the law "
            "was found on."
        )
    if n < 1:
        raise InputError(f"n is {n}; expected at least one resample.")
    others = [point.formula for point in (*found.rivals, *found.front)]
    return compare(found.formula, others, table, target, n=n, seed=seed, time_limit=time_limit)


def kind(formula: Formula) -> Expr:
    """The form whatever its numbers: a**(3/2) and a**1.4998 are of one kind, about whose number the fit says enough.

    Examples
    --------
    >>> import sympy
    >>> a, c = sympy.symbols("a c", real=True)
    >>> kind(Formula(2 * sympy.exp(c * a), {c: 0.7}, (a,))) == kind(Formula(c * sympy.exp(-a / 3), {c: 1.9}, (a,)))
    True
    """
    return parametrize(formula.expr, formula.symbols, exact=True)[0]


def compare(
    chosen: Formula,
    others: Sequence[Formula],
    X: Array,
    y: Array,
    *,
    n: int = 10,
    seed: int = 0,
    time_limit: float = math.inf,
) -> Stability:
    """How often ``chosen`` is the shortest description of resampled rows, the first few different ``others`` beside it.

    Formulas that differ in their numbers only are one form. The errors of a row are taken as the chosen
    formula takes them: of equal size, or proportional to y.
    """
    end = time.monotonic() + time_limit
    kinds: dict[Expr, Formula] = {}
    for formula in (chosen, *others):
        kinds.setdefault(kind(formula), formula)
    rivals = list(kinds.values())[:_MOST_RIVALS]
    names = [print_text(rival.form) for rival in rivals]
    size = np.abs(y) if chosen.relative_errors and np.all(y != 0) else np.ones(len(y))
    rng = np.random.default_rng(seed)
    wins = np.zeros(len(rivals))
    values: list[Array] = []
    while wins.sum() < n and (time.monotonic() < end or not wins.any()):
        rows = rng.integers(len(y), size=min(len(y), _MOST_ROWS))
        results = [_refitted(rival, X[rows], y[rows], size[rows]) for rival in rivals]
        lengths = [length for length, _ in results]
        wins[int(np.argmin(lengths))] += 1
        values.append(results[0][1])
    drawn = int(wins.sum())
    order = sorted(range(len(rivals)), key=lambda k: -wins[k])
    fitted = [symbol.name for symbol in chosen.fitted]
    spread = np.std(values, axis=0, ddof=1) if drawn > 1 else np.full(len(fitted), np.nan)
    return Stability(
        forms={names[k]: float(wins[k]) / drawn for k in order if wins[k]},
        share=float(wins[0]) / drawn,
        constants=dict(zip(fitted, map(float, spread), strict=True)),
        n=drawn,
    )


def _refitted(formula: Formula, X: Array, y: Array, size: Array) -> tuple[float, Array]:
    """Description length of these rows by the formula with its constants refitted, and the constants."""
    values = np.array([formula.values[symbol] for symbol in formula.fitted], dtype=np.float64)
    form = formula.form
    try:
        fit = refit(form, formula.fitted, formula.symbols, X, y, values, size**-2.0, max_evaluations=_EVALUATIONS)
    except FormulaError:
        return math.inf, values
    if not math.isfinite(fit.rss):
        return math.inf, values
    return description_length(fit.rss, len(y), fit.rank, y / size, structure_cost(form)), fit.values
