"""Formulas of the signature, and relations between all columns, by `discover`.

A signature is an even number, so what a formula says is rounded to the nearest one. No smooth formula leaves noise
behind then (what is left is a staircase), and the verdict is "none" with good reason; the formulas looked at are those
of the front, that is: no shorter one does better on rows that `discover` held out. Searches for what is not exact see
every knot with its mirror image, of which a table of knots holds one or the other by convention. A knot and its image
may part at the rows that `discover` holds out, and have the same residual, so that the verdict says little there; all
figures reported here are of knots that no search has seen in either form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanlib import KANRegressor
from kanlib.symbolic import Formula, discover

from .knot_classifiers import Fitted, shares
from .knot_data import TRANSLATIONS, Knots, slope

__all__ = ["Relation", "accuracy", "exact_relations", "is_in_the_slope", "noisy_relation", "relation"]

EXACT = 1e-6  # of the target's spread: the table has ten digits
MOST_INPUTS = 3  # of a relation that is not exact


@dataclass(frozen=True)
class Relation:
    """What gives a column.

    ``offered`` are the columns searched in, ``inputs`` those that the formula reads; ``r2`` is on knots not searched
    on; ``front`` are all formulas that no shorter one beats, and ``formula`` the one found, or the last of them.
    """

    target: str
    offered: tuple[str, ...]
    inputs: tuple[str, ...]
    status: str
    formula: Formula | None
    front: tuple[Formula, ...]
    r2: float
    exact: bool
    seconds: float


def accuracy(formula: Formula, knots: Knots, names: Sequence[str]) -> float:
    """Share of the knots whose signature is the even number nearest to the formula."""
    with np.errstate(all="ignore"):
        return float(np.mean(2 * np.round(formula.predict(knots.columns(names)) / 2) == knots.signature))


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


def relation(knots: Knots, test: Knots, target: str, inputs: Sequence[str], limit: float, seed: int = 0) -> Relation:
    """Search for a column from others."""
    X, y = knots.columns(inputs), knots.column(target)
    found = discover(X, y, names=list(inputs), target_name=target, time_limit=limit, seed=seed)
    front = tuple(point.formula for point in found.front)
    formula = found.formula or (front[-1] if front else None)
    error = np.inf
    if formula is not None:
        y = test.column(target)
        with np.errstate(all="ignore"):
            error = float(np.sqrt(np.mean((formula.predict(test.columns(inputs)) - y) ** 2)) / y.std())
    used = () if formula is None else tuple(inputs[index] for index in formula.used)
    exact = found.status == "found" and error < EXACT
    return Relation(target, tuple(inputs), used, found.status, formula, front, 1.0 - error**2, exact, found.seconds)


def exact_relations(
    knots: Knots, test: Knots, columns: Sequence[str], targets: Sequence[str], limit: float
) -> list[Relation]:
    """Every target from all other columns. What others give exactly is not offered to those after it."""
    pool = list(columns)
    relations = []
    for target in targets:
        inputs = [name for name in pool if name != target]
        relations.append(relation(knots, test, target, inputs, limit))
        if relations[-1].exact:
            pool = inputs
    return relations


def noisy_relation(knots: Knots, test: Knots, columns: Sequence[str], target: str, limit: float) -> Relation:
    """A target from the three other columns that count most in a KAN of all of them."""
    inputs = [name for name in columns if name != target]
    X = knots.columns(inputs)
    kan = KANRegressor(1, grid_size=3, random_state=0).fit(X, knots.column(target))
    score = shares(Fitted(kan, None, 0.0), X)
    if not score.any():
        return Relation(target, (), (), "none", None, (), -np.inf, False, 0.0)
    order = np.argsort(-score)[:MOST_INPUTS]
    return relation(knots, test, target, [inputs[index] for index in sorted(order)], limit)
