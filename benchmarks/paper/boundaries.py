"""Formulas that separate two classes: logistic regression over products of primitives, the shortest that is as good.

A decision function is a network with one layer of products, whose edges are fixed to kanlib's primitives,

    s(x) = b + sum_k w_k f_k(x_i) g_k(x_j),

where f_k or g_k may be 1. Only its zero set decides: s is known up to a positive factor, and so are b and w.

1. Every column gets every primitive that is finite on the data, at a few scales; terms are these and their products.
2. A beam search adds the terms that promise the most by the score statistic, which asks all terms at once, and
   exchanges terms (`logistic` has the likelihood).
3. Sums are refitted to all rows. Of as many terms the one with the shortest description is kept: minus the log
   likelihood (over its inflation by dependent rows) and kanlib's cost of writing the form (Rissanen 1978, *Automatica*
   14, 465). Of these the one with the fewest terms is taken that labels as many rows right as any of them, up to two
   standard errors or 1 % of the rows, whichever is more (after Breiman et al. 1984, *Classification and Regression
   Trees*, section 3.4.3): a term that moves hardly a label is none of the boundary, however much it says of the
   sharpness, or of labels that are not quite those of the limit. Rows of one group are not independent, so the errors
   are those of sums over groups.
4. Coefficients are divided by one of them and rounded to fractions within 5 %, where this keeps as many labels right
   by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.errors import FormulaError
from kanlib.primitives import PRIMITIVES
from kanlib.symbolic.description import structure_cost
from kanlib.symbolic.library import LIBRARY
from kanlib.symbolic.tape import evaluate

from .logistic import Fit, Logistic, Terms, fitted, inflation

__all__ = ["Boundary", "find_boundary", "library"]

Array = NDArray[np.float64]

# A scale of the input of a power is a factor of the term, which has one already; of an even or odd function its sign.
POWERS = ("identity", "square", "cube", "sqrt", "reciprocal", "reciprocal_square", "log", "abs")
EVEN_OR_ODD = ("sin", "cos", "tanh", "arctan", "sinh", "cosh", "gaussian", "lorentzian")
SCALES = {
    **dict.fromkeys(POWERS, (1,)),
    **dict.fromkeys(EVEN_OR_ODD, (1, 2)),
    "exp": (1, -1, 2, -2),
}
SEARCHED = 2_500  # rows of the beam search; the sums found are refitted to all
BEAM, BRANCH, EXCHANGED, KEPT, MOST_TERMS = 12, 10, 4, 6, 5
LARGEST_SHARE = 0.05  # of a term's variance that one row may hold: it would decide alone
SURE, NEGLIGIBLE = 2.0, 0.01  # standard errors; share of the rows, whose labels need not be finer than that
ROUNDS = 2  # the sharpness of the best sum of one round is that of the next
LARGEST_NUMERATOR, LARGEST_DENOMINATOR, NEAR = 12, 4, 0.05


@dataclass(frozen=True)
class Boundary:
    """A decision function, positive for class 1.

    Attributes
    ----------
    expr, symbols : the formula, its coefficients rounded to fractions where the data allow it.
    fitted : the same with the coefficients as fitted, over one of them.
    exact : whether they could be rounded.
    n_terms : terms, the constant among them.
    """

    expr: Expr
    symbols: tuple[Symbol, ...]
    fitted: Expr
    exact: bool
    n_terms: int

    def predict(self, X: Array) -> NDArray[np.bool_]:
        return evaluate(self.expr, self.symbols, X) > 0


def library(X: Array, symbols: Sequence[Symbol]) -> tuple[list[Expr], Array]:
    """All terms, and their values (n, terms).

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> terms, values = library(np.array([[-1.0, 1.0], [0.5, 2.0]]), (x, y))
    >>> [term in terms for term in (x, sympy.log(y), x * sympy.exp(-2 * y), sympy.log(x))], values.shape[0]
    ([True, True, True, False], 2)
    """
    single: list[list[tuple[Expr, Array]]] = []
    for column, symbol in enumerate(symbols):
        low, high = float(X[:, column].min()), float(X[:, column].max())
        entries = []
        for name, scales in SCALES.items():
            if name == "abs" and (low >= 0 or high <= 0):  # the identity again
                continue
            for scale in scales:
                if PRIMITIVES[name].domain.contains(*sorted((scale * low, scale * high))):
                    term = LIBRARY[name](scale * symbol)
                    entries.append((term, evaluate(term, (symbol,), X[:, [column]])))
        single.append(entries)
    terms = [entry for entries in single for entry in entries]
    for first, second in combinations(single, 2):
        terms += [(f * g, u * v) for f, u in first for g, v in second]
    return [term for term, _ in terms], np.column_stack([value for _, value in terms])


def find_boundary(
    X: Array, positive: NDArray[np.bool_], groups: NDArray[np.int64], symbols: Sequence[Symbol]
) -> Boundary:
    """The shortest formula that separates the classes as well as any of its kind.

    Parameters
    ----------
    X : (n, d), in random order. positive : (n,) the class. symbols : one a column.
    groups : (n,) numbers; rows of one group depend on each other.

    Raises
    ------
    FormulaError
        One class only.
    """
    if positive.all() or not positive.any():
        raise FormulaError(
            f"{int(positive.sum())} of {len(positive)} rows are of class 1; a boundary needs rows on both sides of it: "
            "give more rows."
        )
    part = X[:SEARCHED]
    terms, values = library(part, symbols)
    spread = values.std(axis=0)
    fair = np.square(values - values.mean(axis=0)).max(axis=0) < LARGEST_SHARE * len(part) * spread**2
    terms = [sympy.S.One, *(term for term, good in zip(terms, fair) if good)]
    values = np.column_stack([np.ones(len(part)), values[:, fair] / spread[fair]])  # coefficients of comparable size
    rows = _Rows(X, (X - X.mean(axis=0)) / X.std(axis=0), positive.astype(np.float64), groups, tuple(symbols))
    sharpness, candidates = np.zeros(X.shape[1]), dict[Terms, _Candidate]()
    for _ in range(ROUNDS):
        model = Logistic(values, rows.y[:SEARCHED], rows.scaled[:SEARCHED], sharpness)
        for beam in search(model, terms):
            for found in beam[:KEPT]:
                candidates[found] = _refitted([terms[k] for k in found], rows, sharpness)
        sharpness = min(candidates.values(), key=lambda one: one.fit.loss).fit.sharpness
    # What was found with a term too many, or with a constant that is none, is also tried without.
    for found in sorted(candidates, key=lambda one: candidates[one].fit.loss)[:EXCHANGED]:
        for k in range(len(found)):
            less = found[:k] + found[k + 1 :]
            candidates[less] = _refitted([terms[place] for place in less], rows, candidates[found].fit.sharpness)
    chosen = _shortest(list(candidates.values()), rows)
    for k in range(len(chosen.parts) if len(chosen.parts) > 1 else 0):
        shorter = _refitted(chosen.parts[:k] + chosen.parts[k + 1 :], rows, chosen.fit.sharpness)
        if not _worse(rows.wrong(shorter.expr), rows.wrong(chosen.expr), len(X)):
            chosen = shorter
            break
    free = _sum(chosen.weights / np.abs(chosen.weights).max(), chosen.parts)
    for expr in _rounded(chosen.weights, chosen.parts):
        if not _worse(rows.wrong(expr), rows.wrong(free), len(X)):
            return Boundary(expr, rows.symbols, free, True, len(chosen.parts))
    return Boundary(free, rows.symbols, free, False, len(chosen.parts))


@dataclass(frozen=True)
class _Rows:
    """The rows: columns, standardised columns, classes 0 and 1, groups."""

    X: Array
    scaled: Array
    y: Array
    groups: NDArray[np.int64]
    symbols: tuple[Symbol, ...]

    def wrong(self, expr: Expr) -> Array:
        """How many rows of every group have the other label."""
        _, place = np.unique(self.groups, return_inverse=True)
        return np.bincount(place, (evaluate(expr, self.symbols, self.X) > 0) != (self.y > 0.5))


@dataclass(frozen=True)
class _Candidate:
    """A sum refitted to all rows, with the sharpness free, and its terms' values over their spread."""

    parts: list[Expr]
    weights: Array
    fit: Fit
    design: Array

    @property
    def expr(self) -> Expr:
        return _sum(self.weights, self.parts)


def _refitted(parts: list[Expr], rows: _Rows, sharpness: Array) -> _Candidate:
    design = np.column_stack([np.broadcast_to(evaluate(part, rows.symbols, rows.X), len(rows.X)) for part in parts])
    units = np.sqrt(np.square(design).mean(axis=0))
    fit = fitted(design / units, rows.scaled, rows.y, sharpness)
    return _Candidate(parts, fit.weights / units, fit, design / units)


def _shortest(candidates: Sequence[_Candidate], rows: _Rows) -> _Candidate:
    """The fewest terms that label as many rows right as any; of as many terms the shortest description."""
    best = min(candidates, key=lambda one: one.fit.loss)
    excess = inflation(best.fit, best.design, rows.scaled, rows.y, rows.groups)

    def description(one: _Candidate) -> float:
        return one.fit.loss / excess + structure_cost(sympy.Add(*one.parts))

    lengths = sorted({len(one.parts) for one in candidates})
    leaders = [min((one for one in candidates if len(one.parts) == n), key=description) for n in lengths]
    wrong = [rows.wrong(one.expr) for one in leaders]
    least = min(wrong, key=np.sum)
    return next(one for one, errors in zip(leaders, wrong) if not _worse(errors, least, len(rows.X)))


def _worse(wrong: Array, least: Array, n_rows: int) -> bool:
    """Whether the sum over groups is larger by more than two standard errors of the difference, and not hardly."""
    difference = wrong - least
    chance = SURE * difference.std() * np.sqrt(len(difference))
    return bool(difference.sum() > max(chance, NEGLIGIBLE * n_rows))


def search(model: Logistic, terms: Sequence[Expr]) -> list[list[Terms]]:
    """The best sums of two, three, ... terms, the constant among them, best first; they grow from every column's."""
    costs = np.array([structure_cost(term) for term in terms])

    def description(sum_: Terms) -> float:
        return model.loss(sum_) + float(costs[list(sum_)].sum())

    beam: list[Terms] = [(0, k) for k, term in enumerate(terms) if len(term.free_symbols) == 1]
    lengths = [sorted(beam, key=description)[:BEAM]]
    for _ in range(2, MOST_TERMS):
        beam = sorted({grown for sum_ in beam for grown in _grown(model, sum_)}, key=description)[:BEAM]
        for _ in range(3):
            shorter = {sum_[:k] + sum_[k + 1 :] for sum_ in beam[:EXCHANGED] for k in range(1, len(sum_))}
            wider = set(beam).union(*(_grown(model, sum_) for sum_ in shorter))
            best = sorted(wider, key=description)[:BEAM]
            if best == beam:
                break
            beam = best
        lengths.append(beam)
    return lengths


def _grown(model: Logistic, terms: Terms) -> list[Terms]:
    order = np.argsort(-model.scores(terms))[: BRANCH + len(terms)]
    return [tuple(sorted((*terms, int(k)))) for k in order if int(k) not in terms][:BRANCH]


def _rounded(weights: Array, parts: Sequence[Expr]) -> list[Expr]:
    """Sums with fractions near the coefficients over one of them, the smallest fractions first."""
    options = []
    for unit in weights:
        fractions = [_fraction(float(weight / abs(unit))) for weight in weights]
        known = [fraction for fraction in fractions if fraction is not None]
        if len(known) == len(weights):
            size = sum(abs(fraction.numerator) + fraction.denominator for fraction in known)
            numbers = [sympy.Rational(fraction.numerator, fraction.denominator) for fraction in known]
            options.append((size, sympy.Add(*(number * part for number, part in zip(numbers, parts)))))
    return [expr for _, expr in sorted(options, key=lambda option: option[0])]


def _sum(weights: Array, terms: Sequence[Expr]) -> Expr:
    return sympy.Add(*(sympy.Float(float(weight), 6) * term for weight, term in zip(weights, terms)))


def _fraction(value: float) -> Fraction | None:
    """The fraction with the smallest denominator that is near; none for what is nearly nothing."""
    for denominator in range(1, LARGEST_DENOMINATOR + 1):
        fraction = Fraction(round(value * denominator), denominator)
        if 0 < abs(fraction.numerator) <= LARGEST_NUMERATOR and abs(value / float(fraction) - 1) <= NEAR:
            return fraction
    return None
