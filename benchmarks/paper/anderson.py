"""Mobility edges learned from labelled eigenstates (section 4.4 of the KAN paper): part "anderson".

Rows are eigenstates (E, lam, alpha or p) of chains with random parameters and phases, labelled extended where their
fractal dimension is above 1/2 (see `chains`). Every method learns from eigenstates of the same training chains and is
scored on all eigenstates of other chains. A KAN is trained as a classifier on some of the rows; the formula is found
among those of all rows that it is unsure of (`boundaries`), and is told nothing of the chains but which rows come from
the same one. pykan and the perceptrons learn from the KAN's rows, scikit-learn's methods from all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sympy import Expr

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options
from kanlib import KANClassifier
from kanlib.symbolic.tape import evaluate

from .anderson_picture import PYKAN, draw
from .boundaries import find_boundary
from .chains import SYSTEMS, Chains, System, sample
from .equivalence import compare
from .mlp_classes import MLP_METHODS, Perceptron
from .pykan_classes import pykan_classes

__all__ = ["draw", "make"]

Array = NDArray[np.float64]

SIZE, TRAINING_CHAINS, TEST_CHAINS = 610, 400, 200
QUICK_SIZE, QUICK_TRAINING_CHAINS, QUICK_TEST_CHAINS = 400, 250, 50
KAN_ROWS = 20_000  # up to so many a KANClassifier works in double precision
UNSURE, MOST_UNSURE = 4.0, 15_000  # logits of the KAN, and how many such rows the formula is sought in
POINTS_OF_THEORY = 0.5
HIDDEN = ((2, 2),)  # sums and products
GRID = 5
MLP_SECONDS = 20.0
PYKAN_SECONDS = 120.0
COLUMNS = (
    *("system", "method", "seed", "accuracy %", "parameters", "seconds"),
    *("formula", "equivalent", "differs %", "note"),
)


def make(options: Options) -> Table:
    """Learn both edges."""
    rows: list[list[object]] = []
    for system in SYSTEMS.values():
        for method, accuracy in system.published.items():
            rows.append([system.name, f"paper: {method}", "-", f"{100 * accuracy:.1f}", *[""] * 6])
        for seed in range(options.seeds):
            rows += _run(system, seed, options)
    checks = {}
    for system in SYSTEMS.values():
        own = [row for row in rows if row[0] == system.name]
        theory = {row[2]: float(str(row[3])) for row in own if row[1] == "theory"}
        found = [row for row in own if row[1] == "formula"]
        seeds = f"in {len(found)} of {len(found)} seeds"
        near = all(float(str(row[3])) >= theory[row[2]] - POINTS_OF_THEORY for row in found)
        checks[f"{system.name}: the formula within {POINTS_OF_THEORY} points of theory {seeds}"] = near
        # Chains of 400 sites do not always tell exp(-2 p) from 1/(1 + 4 p^2): quick runs claim less.
        enough: tuple[str, ...] = ("exact", "near")
        claim = "differs from the exact edge on less than 1 % of the box"
        if not options.quick:
            enough, claim = ("exact",), "is equivalent to the exact edge"
        checks[f"{system.name}: it {claim} {seeds}"] = all(row[7] in enough for row in found)
    return Table("paper_anderson", "7. Anderson localization: the mobility edge as a formula", COLUMNS, rows, checks)


def _run(system: System, seed: int, options: Options) -> list[list[object]]:
    size, n_training, n_test = (
        (QUICK_SIZE, QUICK_TRAINING_CHAINS, QUICK_TEST_CHAINS)
        if options.quick
        else (SIZE, TRAINING_CHAINS, TEST_CHAINS)
    )
    training = sample(system, n_training, size, 2 * seed)
    test = sample(system, n_test, size, 2 * seed + 1)
    training = training.rows(np.random.default_rng(seed).permutation(len(training.X)))
    part = training.rows(np.arange(KAN_ROWS))
    rows: list[list[object]] = []

    def add(
        method: str,
        predict: Callable[[Array], NDArray[np.bool_]],
        parameters: object,
        seconds: object,
        formula: Expr | None = None,
        note: str = "",
    ) -> None:
        accuracy = 100 * float(np.mean(predict(test.X) == test.extended))
        text, verdict, differs = "", "", ""
        if formula is not None:
            outcome = compare(formula, system.edge, system.symbols, _box(system, training.X))
            text, verdict, differs = str(formula), outcome.verdict, f"{100 * outcome.share:.2g}"
        rows.append([system.name, method, seed, f"{accuracy:.2f}", parameters, seconds, text, verdict, differs, note])
        options.say(f"{system.name} seed {seed} {method}: {accuracy:.2f} % {text}")

    add("theory", lambda X: evaluate(system.edge, system.symbols, X) > 0, 0, "", system.edge)
    begin = time.perf_counter()
    model = KANClassifier(HIDDEN, grid_size=GRID, max_steps=200, random_state=seed).fit(part.X, part.extended)
    taken = time.perf_counter() - begin
    count = sum(int(layer.mask.sum()) * layer.weights().shape[-1] for layer in model.network_.layers)
    begin = time.perf_counter()
    unsure = training.rows(_unsure(model, training))
    boundary = find_boundary(unsure.X, unsure.extended, unsure.chain, system.symbols)
    found = time.perf_counter() - begin
    add("formula", boundary.predict, boundary.n_terms - 1, taken + found, boundary.expr)
    add(
        "formula, not rounded",
        lambda X: evaluate(boundary.fitted, system.symbols, X) > 0,
        boundary.n_terms - 1,
        "",
        boundary.fitted,
    )
    add("KAN", model.predict, count, taken)
    for name, other in (
        ("gradient boosting", HistGradientBoostingClassifier(random_state=seed)),
        ("logistic regression", make_pipeline(StandardScaler(), LogisticRegression())),
    ):
        begin = time.perf_counter()
        other.fit(training.X, training.extended)
        add(name, other.predict, len(system.symbols) + 1 if "logistic" in name else "", time.perf_counter() - begin)
    if options.quick:
        return rows
    for name, method in MLP_METHODS.items():
        begin = time.perf_counter()
        net = Perceptron(method, seed=seed, seconds=MLP_SECONDS).fit(part.X, part.extended)
        taken, note = time.perf_counter() - begin, f"{MLP_SECONDS:g} s at the most, {KAN_ROWS} rows"
        add(name, net.predict, net.parameters, taken, note=note)
    if options.peer_python is not None:
        rows.append(_pykan(options.peer_python, system, part, test, seed))
        options.say(f"{system.name} seed {seed} {PYKAN}: {rows[-1][3]} % ({rows[-1][-1]})")
    return rows


def _pykan(interpreter: str, system: System, part: Chains, test: Chains, seed: int) -> list[object]:
    """The KAN's shape and grid, on its rows."""
    train = (part.X, part.extended)
    found = pykan_classes(
        interpreter, HIDDEN, train, (test.X, test.extended), grid=GRID, seed=seed, seconds=PYKAN_SECONDS
    )
    accuracy = f"{100 * found.accuracy:.2f}"
    size = "" if found.parameters is None else found.parameters
    return [system.name, PYKAN, seed, accuracy, size, found.seconds, "", "", "", f"{found.note}, {KAN_ROWS} rows"]


def _unsure(model: KANClassifier, training: Chains) -> NDArray[np.int64]:
    """The rows near the learned boundary: only they can tell one formula from another."""
    return np.flatnonzero(np.abs(model.decision_function(training.X)) < UNSURE)[:MOST_UNSURE]


def _box(system: System, X: Array) -> tuple[tuple[float, float], ...]:
    """Where formulas are compared: energies that occur, and the ranges of the parameters."""
    return ((float(X[:, 0].min()), float(X[:, 0].max())), *system.ranges)
