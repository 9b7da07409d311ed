"""Part 8, interpretability: the KAN paper's examples, found as formulas without hints, and as curves where none exist.

The paper (arXiv 2404.19756, section 4.1) reads its networks by eye, after pruning and snapping by hand. Here `discover`
gets the table only. Beside it three networks are read edge by edge: the sum of velocities on [2, 1, 1] as
tanh(atanh u + atanh v), a Bessel function kanlib has no name for, and the first digit of a number; and six columns
without a target, each of which is asked for as a function of the others. pykan and perceptrons get the rows of the laws
too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
import torch
from sympy import Expr

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options
from kanlib.compact import show_widths
from kanlib.symbolic import Discovery, Formula, discover, symbolify

from .interpretability_laws import BESSEL, COLUMNS, EXAMPLES, ROWS, Array, is_exact, new_error, relations
from .interpretability_networks import (
    bessel_miss,
    bessel_network,
    digit_accuracy,
    digit_network,
    rapidity_network,
    velocities,
)
from .interpretability_picture import draw
from .interpretability_rivals import PYKAN, mlp_rows, pykan_row
from .mlp_classes import MLP_METHODS

__all__ = ["column_rows", "draw", "law_row", "make"]

Row = list[Any]
NEW = 10_000
TITLES = (
    *("example", "asked of", "seed", "status", "formula", "exact", "network", "shape"),
    *("error on new points / spread", "seconds", "measure", "of what"),
)
RAPIDITY, CURVE, DIGIT = "velocities, [2, 1, 1]", "special function, [2, 1, 1]", "first digit, [1, 10]"
DISCOVER = "discover"
R2, MISS, SHARE = "R2, held out", "edge of x1 less c J0(20 x1) + d, of its spread", "share of new numbers right"
PRINTED = 70
COLUMN_TIME = 15.0  # seconds for each column of the table without a target
FAINT_MISS, GOOD_SHARE, NO_RELATION = 1e-3, 0.98, 0.99


class ShortTable(Table):
    """A table whose formulas are written in full and printed to so many characters: pykan's fill a page."""

    def text(self) -> str:
        """As for `Table`."""
        k = TITLES.index("formula")
        rows = [[*row[:k], _cut(str(row[k])), *row[k + 1 :]] for row in self.rows]
        return Table(self.name, self.title, self.columns, rows, self.checks).text()


def make(options: Options) -> Table:
    """Every example and seed; with --quick one seed, without the searches that end in nothing."""
    rows: list[Row] = []
    for example in EXAMPLES if options.quick else (*EXAMPLES, BESSEL):
        for seed in range(options.seeds):
            X, y = example.sample(ROWS, seed)
            names = [symbol.name for symbol in example.symbols]
            new = example.sample(NEW, seed + 1000)
            rows.append(law_row(example.name, X, y, names, example.truth, new, seed, 60.0))
            if not options.quick:
                rows += mlp_rows(example, (X, y), new, seed)
        options.say(_line(rows[-1 if options.quick else -3]))
        if options.peer_python is not None and not options.quick:
            data, new = example.sample(ROWS, 0), example.sample(NEW, 1000)
            rows.append(pykan_row(example, data, new, 0, options.peer_python))
            options.say(f"{PYKAN}, {_line(rows[-1])}, error {rows[-1][8]:.1e}")
    for seed in range(options.seeds):
        rows += _network_rows(seed)
    for seed in range(options.seeds):
        rows += column_rows(seed, [2, 4] if options.quick else range(6))
    for row in rows[-2 if options.quick else -6 :]:
        options.say(_line(row))
    return ShortTable(
        "paper_interpretability",
        f"8. Interpretability: the paper's examples, {ROWS} rows each, no hints; error on {NEW} new points",
        TITLES,
        rows,
        _checks(rows),
    )


def law_row(
    name: str,
    X: Array,
    y: Array,
    names: Sequence[str],
    truth: Expr | None,
    new: tuple[Array, Array],
    seed: int,
    seconds: float,
) -> Row:
    """Ask `discover` for y as a function of X, and compare with the truth, where there is one."""
    start = time.perf_counter()
    found = discover(X, y, names=list(names), seed=seed, time_limit=seconds)
    taken = time.perf_counter() - start
    symbols = sympy.symbols(list(names), real=True)
    exact = truth is not None and is_exact(found.formula, truth, symbols, *new)
    network = "" if found.network is None else show_widths(found.network.widths)
    error = new_error(found.formula, *new)
    return [
        name,
        DISCOVER,
        seed,
        found.status,
        _text(found.formula),
        exact,
        network,
        _shape(found),
        error,
        taken,
        found.r2,
        R2,
    ]


def column_rows(seed: int, columns: Sequence[int]) -> list[Row]:
    """Each column of the table without a target as a function of the five others."""
    X, new = relations(seed), relations(seed + 1000, NEW)
    x = COLUMNS
    # x5 = x4^3 has an inverse; x1 and x2 are no functions of the rest, each value of x3 has several of them.
    truths: dict[int, Expr] = {
        2: sympy.exp(sympy.sin(sympy.pi * x[0]) + x[1] ** 2),
        3: sympy.sign(x[4]) * sympy.Abs(x[4]) ** sympy.Rational(1, 3),
        4: x[3] ** 3,
    }
    rows = []
    for k in columns:
        others = [i for i in range(6) if i != k]
        names = [x[i].name for i in others]
        pair = (new[:, others], new[:, k])
        name = f"six columns: {x[k].name}"
        rows.append(law_row(name, X[:, others], X[:, k], names, truths.get(k), pair, seed, COLUMN_TIME))
    return rows


def _network_rows(seed: int) -> list[Row]:
    start = time.perf_counter()
    model = rapidity_network(seed)
    X, y = velocities(seed)
    formula = symbolify(model, X, y)
    taken = time.perf_counter() - start
    velocity = next(example for example in EXAMPLES if example.name == "velocities")
    new = velocity.sample(NEW, seed + 1000)
    assert velocity.truth is not None
    exact = is_exact(formula, velocity.truth, velocity.symbols, *new)
    error = new_error(formula, *new)
    rows: list[Row] = [
        [RAPIDITY, "fit, symbolify", seed, "read", _text(formula), exact, "[2, 1, 1]", "", error, taken, "", ""]
    ]
    start = time.perf_counter()
    model = bessel_network(seed)
    taken = time.perf_counter() - start
    miss = bessel_miss(model)
    X, y = BESSEL.sample(NEW, seed + 1000)
    predicted = model(torch.from_numpy(X)).detach().numpy()[:, 0]
    error = float(np.sqrt(np.mean((predicted - y) ** 2)) / np.std(y))
    rows.append([CURVE, "fit", seed, "read", "", "", "[2, 1, 1]", "", error, taken, miss, MISS])
    start = time.perf_counter()
    digits = digit_network(seed)
    taken = time.perf_counter() - start
    share = digit_accuracy(digits, seed)
    rows.append([DIGIT, "fit", seed, "read", "", "", "[1, 10]", "", math.nan, taken, share, SHARE])
    return rows


def _text(formula: Formula | None) -> str:
    return "" if formula is None else str(formula)


def _shape(found: Discovery) -> str:
    return next((point.template for point in found.front if point.formula == found.formula), "")


def _cut(text: str) -> str:
    return text if len(text) <= PRINTED else text[: PRINTED - 4] + " ..."


def _line(row: Row) -> str:
    return f"{row[0]}: {row[3]}, {_cut(row[4]) or 'no formula'}, {row[9]:.1f} s"


def _checks(rows: Sequence[Row]) -> dict[str, bool]:
    def of(name: str) -> list[Row]:
        return [row for row in rows if row[0] == name and row[1] not in (PYKAN, *MLP_METHODS)]

    checks = {f"{example.name}: exact with every seed": all(row[5] for row in of(example.name)) for example in EXAMPLES}
    reads = "tanh(atanh(u) + atanh(v))"
    checks[f"{RAPIDITY} reads as {reads}"] = all(row[4] == reads and row[5] for row in of(RAPIDITY))
    checks[f"{CURVE}: the edge is J0 to {FAINT_MISS:g}"] = all(row[-2] < FAINT_MISS for row in of(CURVE))
    checks[f"{DIGIT}: {100 * GOOD_SHARE:g} % of new numbers"] = all(row[-2] > GOOD_SHARE for row in of(DIGIT))
    for name in ("x3", "x5"):
        checks[f"six columns: {name} is found, exact"] = all(row[5] for row in of(f"six columns: {name}"))
    if of(BESSEL.name):
        checks["special function: no formula is made up"] = all(row[3] == "none" for row in of(BESSEL.name))
    others = [row for name in ("x1", "x2", "x6") for row in of(f"six columns: {name}")]
    if others:
        weak = all(row[3] == "none" or row[-2] < NO_RELATION for row in others)
        checks[f"six columns: no relation with R2 above {NO_RELATION} where there is none"] = weak
        checks["six columns: x6 is left alone"] = all(row[3] == "none" for row in of("six columns: x6"))
    return checks
