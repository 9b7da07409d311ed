"""Formulas of the signature, and relations between all columns, by `discover`.

A signature is an even number, so what a formula says is rounded to the nearest one. No smooth formula leaves noise
behind then (what is left is a staircase), and the verdict is "none" with good reason; the formulas looked at are those
of the front, that is: no shorter one does better on rows that `discover` held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kanlib import KANRegressor
from kanlib.symbolic import Discovery, Formula, discover

from .knot_classifiers import Fitted, shares
from .knot_data import TRANSLATIONS, Knots, slope

__all__ = ["Relation", "accuracy", "exact_relations", "is_in_the_slope", "noisy_relation", "signature_formulas"]

Array = NDArray[np.float64]
EXACT = 1e-6  # of the target's spread: the table has ten digits
MOST_INPUTS = 3  # of a relation that is not exact


@dataclass(frozen=True)
class Relation:
    """What gives a column: `r2` is on rows that took no part; `formula` None where there is none."""

    target: str
    inputs: tuple[str, ...]
    status: str
    formula: Formula | None
    r2: float
    exact: bool
    seconds: float


def accuracy(formula: Formula, X: Array, signature: NDArray[np.int64]) -> float:
    """Share of the knots whose signature is the even number nearest to the formula."""
    with np.errstate(all="ignore"):
        return float(np.mean(2 * np.round(formula.predict(X) / 2) == signature))


def is_in_the_slope(formula: Formula, names: Sequence[str]) -> bool:
    """Whether a formula reads the columns by way of Re(longitude / meridian) alone.

    Two cusps of the same slope and different translations must have the same value.
    """
    if [names[index] for index in formula.used] == ["slope"]:
        return True
    if not formula.used or not {names[index] for index in formula.used} <= set(TRANSLATIONS):
        return False
    rng = np.random.default_rng(0)
    real, imag = rng.uniform(0.1, 1.0, (2, 2, 50))
    real = real * rng.choice([-1.0, 1.0], 50)
    first = rng.uniform(4.0, 20.0, 50)
    longitude = np.stack([first, slope(real[0], imag[0], first) * (real[1] ** 2 + imag[1] ** 2) / real[1]])
    values = []
    for k in range(2):
        given = dict(zip(TRANSLATIONS, (real[k], imag[k], longitude[k])))
        with np.errstate(all="ignore"):
            values.append(formula.predict(np.stack([given.get(name, np.ones(50)) for name in names], axis=1)))
    return bool(np.allclose(values[0], values[1], rtol=1e-6) and np.ptp(values[0]) > 0)


def signature_formulas(
    knots: Knots, names: Sequence[str], rows: NDArray[np.int64], limit: float, seed: int
) -> Discovery:
    """The search for the signature, as a number, from some columns."""
    return discover(
        knots.columns(names)[rows],
        knots.column("signature")[rows],
        names=list(names),
        target_name="signature",
        time_limit=limit,
        seed=seed,
    )


def exact_relations(
    knots: Knots, columns: Sequence[str], targets: Sequence[str], train: Array, test: Array, limit: float
) -> list[Relation]:
    """Every target from all other columns. What others give exactly is not offered to those after it."""
    pool = list(columns)
    relations = []
    for target in targets:
        inputs = [name for name in pool if name != target]
        relation = _relation(knots, target, inputs, train, test, limit)
        relations.append(relation)
        if relation.exact:
            pool = inputs
    return relations


def noisy_relation(
    knots: Knots, columns: Sequence[str], target: str, train: Array, test: Array, limit: float
) -> Relation:
    """A target from the three other columns that count most in a KAN of all of them."""
    inputs = [name for name in columns if name != target]
    X, y = knots.columns(inputs)[train], knots.column(target)[train]
    kan = KANRegressor(1, grid_size=3, random_state=0).fit(X, y)
    order = np.argsort(-shares(Fitted(kan, None, 0.0), X))[:MOST_INPUTS]
    return _relation(knots, target, [inputs[index] for index in sorted(order)], train, test, limit)


def _relation(knots: Knots, target: str, inputs: Sequence[str], train: Array, test: Array, limit: float) -> Relation:
    X, y = knots.columns(inputs), knots.column(target)
    found = discover(X[train], y[train], names=list(inputs), target_name=target, time_limit=limit)
    formula = found.formula or (found.front[-1].formula if found.front else None)
    error = np.inf
    if formula is not None:
        with np.errstate(all="ignore"):
            error = float(np.sqrt(np.mean((formula.predict(X[test]) - y[test]) ** 2)) / y[test].std())
    used = tuple(inputs) if formula is None else tuple(inputs[index] for index in formula.used)
    exact = found.status == "found" and error < EXACT
    return Relation(target, used, found.status, formula, 1.0 - error**2, exact, found.seconds)
