"""Is a formula supported by the data? Three tests, each of which a wrong formula must fail.

1. It says something: on rows it was not fitted to it beats the mean by more than chance.
2. It says all that can be said: no network does significantly better on the same rows.
3. Nothing is left over: residuals of neighbouring rows are not alike.

The third needs no other model. Residuals of a true law are noise, which does not know its neighbours; what a wrong
law leaves over is a function of the inputs, which takes almost the same value at neighbouring points (the idea of
the lack-of-fit test with near replicates, Christensen, Annals of Statistics 17 (1989) 673; of Moran's I in space).
Where rows lie too far apart for that, `kanlib.symbolic.constancy` asks whether the constants hold everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import rankdata
from sympy import Abs, Add, Expr, Function, Mul, Pow, preorder_traversal

from .formula import Formula
from .snapping import fitted
from .tape import evaluate

__all__ = ["EXACT", "Judgement", "cancellation", "held_out_residuals", "imitation", "judge", "neighbour_score"]

Array = NDArray[np.float64]

EXACT = 1e-9
"""Relative error below which a formula counts as exact: no noise is left to be judged."""

# Constants of a formula that noise does not make suspect; a function, a choice among dozens, counts as two.
_FREEDOM, _FREEDOM_PER_INPUT, _FUNCTION = 7, 2, 2
_GAIN = 6.0  # nats by which a formula must beat the mean on held-out rows
_GAIN_FEW = 10.0  # the same where rows are left out one by one: the structure has seen them all
_WORSE = 3.0  # standard errors by which a network must beat a formula to refute it
_CANCELS = 1e5  # times a sum, from which its terms only serve to cancel each other
_MOST_COMPARED = 10_000  # rows whose neighbours are looked at
_ALIKE = 4.0  # standard errors by which neighbouring residuals must agree


@dataclass(frozen=True)
class Judgement:
    """Whether a formula is supported, with a reason per test (what failed, or what passed)."""

    accepted: bool
    reasons: tuple[str, ...]


def held_out_residuals(
    formula: Formula, X: Array, y: Array, held: NDArray[np.bool_] | None, weight: Array | None = None
) -> Array:
    """Residuals on rows the constants were not fitted to.

    With ``held`` the rows it marks are predicted by ``formula`` as it is (fitted to the others); without, every row is
    left out once and predicted by the formula refitted to the rest (with row weights, if given).
    """
    if held is not None:
        return np.asarray(y[held] - formula.predict(X[held]), dtype=np.float64)
    residuals = np.empty(len(y))
    for row in range(len(y)):
        others = np.ones(len(y)) if weight is None else weight.copy()
        others[row] = 0.0
        residuals[row] = (y - fitted(formula, X, y, others).predict(X))[row]
    return residuals


def judge(
    residuals: Array,
    reference: Array,
    network: Array | None,
    *,
    all_residuals: Array,
    X: Array,
    spread: float,
    rng: np.random.Generator,
    one_by_one: bool,
    tried: int = 1,
    own: Array | None = None,
    alike: bool = False,
) -> Judgement:
    """Apply the three tests.

    Parameters
    ----------
    residuals : (m,) of the formula on held-out rows.
    reference : (m,) of the mean of y, that of the rows fitted to, on the same rows.
    network : (m,) of the best network on the same rows; None where there are too few rows to hold out.
    all_residuals, X : (n,), (n, d) of the formula on all rows, for the comparison of neighbours.
    spread : standard deviation of y.
    one_by_one : whether rows were left out one by one.
    tried : how many formulas these rows have judged, this one included. One of many beats the mean by chance more
        easily than one alone: a gain of g nats comes by chance about once in exp(g) formulas, so that log(tried) nats
        more are needed (Bonferroni's correction, in nats).
    own : (n, columns of the formula), neighbours in which are looked at too: among irrelevant columns all rows are far
        from each other.
    alike : whether the held-out rows all have the same y.
    """
    if not np.all(np.isfinite(residuals)) or not np.all(np.isfinite(all_residuals)):
        return Judgement(False, ("it is not finite on all rows",))
    error = math.sqrt(float(np.mean(residuals**2)))
    # Held-out rows may be all alike where the others are not (a spike): these must be met too, and a formula that does
    # has only met what it was fitted to, perhaps with a pole next to each of a few rows.
    if alike:
        return Judgement(False, ("the held-out rows all have the same y: they cannot tell a law from its mean",))
    if max(error, math.sqrt(float(np.mean(all_residuals**2)))) <= EXACT * spread:
        return Judgement(True, (f"it meets every held-out row to {error / spread:.1e} of the spread of y",))
    passed: list[str] = []
    needed = (_GAIN_FEW if one_by_one else _GAIN) + math.log(max(tried, 1))
    gain = _gain(residuals, reference, spread)
    if gain >= needed:
        # One row may decide where y has a heavy tail: the others, about their own mean, must speak for it too.
        others = np.arange(len(reference)) != np.argmax(reference**2)
        rest = _gain(residuals[others], reference[others] - reference[others].mean(), spread)
        if rest < 0.5 * needed:
            return Judgement(False, (f"one held-out row decides: without it the gain is {rest:.1f} nats",))
    else:
        wanted = f"{gain:.1f} nats; one of {tried} needs {needed:.1f}"
        how = f"hardly better than their mean ({wanted})" if gain > 0 else "no better than their mean"
        return Judgement(False, (f"it predicts held-out rows {how}",))
    passed.append(f"it beats the mean of y by {gain:.0f} nats on held-out rows")
    if network is not None:
        difference = (residuals / spread) ** 2 - (network / spread) ** 2  # y may be so large that y**4 overflows
        score = float(difference.mean() / (difference.std(ddof=1) / math.sqrt(len(difference)) + 1e-300))
        if score > _WORSE:
            floor = math.sqrt(float(np.mean(network**2)))
            return Judgement(
                False, (f"a network predicts held-out rows better ({floor:.3g} against {error:.3g}, z = {score:.1f})",)
            )
        passed.append("no network predicts held-out rows better")
    if len(all_residuals) >= 20:
        tables = (X,) if own is None or own.shape[1] in (0, X.shape[1]) else (X, own)
        agreement = max(neighbour_score(table, all_residuals, rng) for table in tables)
        if agreement > _ALIKE:
            return Judgement(False, (f"its residuals are not noise: neighbouring rows agree (z = {agreement:.1f})",))
        passed.append(f"its residuals look like noise (neighbours agree at z = {agreement:.1f})")
    return Judgement(True, tuple(passed))


def imitation(formula: Formula) -> str | None:
    """Why a formula that fits to the noise may imitate any other curve; None where it is short enough.

    Two or three waves with free amplitudes and phases follow nearly every smooth curve to within a noise that hides the
    difference, and are shorter than a polynomial doing so. Allowed are 7 constants and 2 more for every input, a
    function counting as two: no law of the published problem sets that was found with noise has more.

    Examples
    --------
    >>> import sympy
    >>> a, b, c, x = sympy.symbols("a b c x", real=True)
    >>> values = {a: 1.5, b: 0.7, c: 2.0}
    >>> imitation(Formula(a * sympy.exp(-b * x) + c, values, (x,))) is None
    True
    >>> waves = a * sympy.sin(x) + b * sympy.cos(x) * sympy.exp(-sympy.sqrt(x)) + sympy.sin(c * x) / sympy.sqrt(x)
    >>> imitation(Formula(waves, values, (x,)))
    'with 3 fitted constants and 6 functions it could imitate another law within this noise'
    """
    constants, functions = len(formula.fitted), _functions(formula.form)
    if constants + _FUNCTION * functions <= _FREEDOM + _FREEDOM_PER_INPUT * len(formula.used):
        return None
    freedom = f"{constants} fitted constants and {functions} functions"
    return f"with {freedom} it could imitate another law within this noise"


def _functions(expr: Expr) -> int:
    """Functions and broken powers; those of one exponent in a product are one: sqrt(|x|)/sqrt(|y|) is that of |x/y|."""
    count = 0
    for node in preorder_traversal(expr):
        if isinstance(node, Mul):
            powers = [part.exp for part in node.args if isinstance(part, Pow) and not part.exp.is_Integer]
            count -= len(powers) - len({-p if p.could_extract_minus_sign() else p for p in powers})
        if isinstance(node, Pow) and not node.exp.is_Integer:
            count += 1 - isinstance(node.base, Abs)  # there for the power's sake
        count += isinstance(node, Function)
    return count


def cancellation(formula: Formula, X: Array) -> str | None:
    """Why the constants of a formula are absurd: terms a hundred thousand times their sum; None where they are not.

    A function far from where it bends is another one in disguise: A - A*tanh(u) with an A of 1e8 is exp(-2*u), and
    says nothing of tanh. Such a limit needs terms that cancel. Polynomial terms may: a column far from zero (a year, a
    wavelength) makes them large, and nothing is in disguise; together they count as one term.

    Parameters
    ----------
    formula : of the columns of X.
    X : (n, d).

    Examples
    --------
    >>> import sympy
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> cancellation(Formula(a - b * sympy.tanh(x + 9), {a: 2e8, b: 2e8}, (x,)), X)
    'its constants cancel: a term of 2e+08 stands in a sum of 3.1'
    >>> cancellation(Formula(a - b * sympy.tanh(x), {a: 2e8, b: 2e8}, (x,)), X) is None
    True
    """
    numbers = {symbol: formula.values[symbol] for symbol in formula.fitted}
    rows = X if len(X) <= _MOST_COMPARED else X[:: -(-len(X) // _MOST_COMPARED)]
    for total in sorted(formula.form.atoms(Add), key=lambda each: -len(each.args)):
        bent = [term for term in total.args if not term.is_polynomial(*formula.symbols)]
        if not any(term.free_symbols & numbers.keys() for term in bent):
            continue
        straight = Add(*[term for term in total.args if term not in bent])
        terms = [evaluate(term.xreplace(numbers), formula.symbols, rows) for term in (*bent, straight)]
        seen = np.all(np.isfinite(terms), axis=0)
        if not seen.any():
            continue
        parts = np.array([term[seen] for term in terms])
        scale = max(map(_rms, parts))
        for shift in (0.0, 1.0):  # the terms themselves, and what varies in them
            centred = parts - shift * parts.mean(axis=1, keepdims=True)
            largest, left = max(map(_rms, centred)), _rms(centred.sum(axis=0))
            if largest > _CANCELS * left and largest > 1e-9 * scale:  # variation by rounding is none
                return f"its constants cancel: a term of {largest:.3g} stands in a sum of {left:.3g}"
    return None


def _rms(values: Array) -> float:
    size = float(np.abs(values).max())
    return size * math.sqrt(float(np.mean((values / size) ** 2))) if size > 0 else 0.0


def _gain(residuals: Array, reference: Array, spread: float) -> float:
    """Nats by which residuals are shorter to write than those of the mean."""
    smallest = EXACT * EXACT * spread  # the mean, or the formula, may meet these rows exactly
    sizes = (max(math.sqrt(float(np.mean(r**2))), smallest) for r in (reference, residuals))
    of_mean, of_formula = sizes
    return len(residuals) * math.log(of_mean / of_formula)


def neighbour_score(X: Array, residuals: Array, rng: np.random.Generator, permutations: int = 200) -> float:
    """How alike the residuals of nearest neighbours are, in standard deviations of what shuffling gives.

    Every row has two neighbours: the nearest by distance, and the nearest by the ranks of its values, without which
    most rows of a column that spans decades would lie in one point. Of more than 10,000 rows so many are drawn.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (300, 1))
    >>> neighbour_score(x, np.sin(9 * x[:, 0]), rng) > 10, neighbour_score(x, rng.normal(size=300), rng) < 4
    (True, True)
    """
    if len(residuals) > _MOST_COMPARED:
        rows = rng.choice(len(residuals), _MOST_COMPARED, replace=False)
        X, residuals = X[rows], residuals[rows]
    spread = X.std(axis=0)
    varying = X[:, spread > 0]
    if not varying.shape[1]:
        return 0.0
    nearest = np.stack([_nearest(varying / spread[spread > 0]), _nearest(rankdata(varying, axis=0))])
    centred = residuals - residuals.mean()
    # Ranks keep a few large residuals from deciding.
    ranks = rankdata(centred) - (len(centred) + 1) / 2
    observed = float((ranks[nearest] @ ranks).sum())
    shuffled = np.empty(permutations)
    for k in range(permutations):
        mixed = rng.permutation(ranks)
        shuffled[k] = (mixed[nearest] @ mixed).sum()
    return float((observed - shuffled.mean()) / (shuffled.std() + 1e-300))


def _nearest(points: Array) -> NDArray[np.int64]:
    """The nearest other point of each; among equal ones (replicates) the tree picks any, perhaps the point itself."""
    neighbours = cKDTree(points).query(points, k=2)[1]
    return np.where(neighbours[:, 0] == np.arange(len(points)), neighbours[:, 1], neighbours[:, 0])
