"""Part 3, Feynman: 27 dimensionless laws, each as a small network whose shape is found, beside perceptrons.

The paper (arXiv 2404.19756, table 2) prunes its networks by hand and sweeps their settings. Here `find_shape` gets the
table alone and returns the smallest network that follows it; the claims are about this network. Beside it stand the
formula that `discover` finds, which knows more of laws than any network does, perceptrons (`benchmarks.paper.mlp`), the
published errors where there are any, and pykan on request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.foundation.tables import Table
from benchmarks.parts import Options
from kanlib.jacobian import n_constants
from kanlib.symbolic import discover, find_shape

from .feynman_laws import LAWS, PUBLISHED, Array, Law
from .feynman_picture import draw
from .mlp import best_mlp
from .net_training import METHODS
from .pykan_peer import pykan_rows

__all__ = ["draw", "law_rows", "make", "pykan_row"]

Row = list[Any]
ROWS, NEW = 2000, 5000
NETWORK_TIME, FORMULA_TIME, MLP_TIME, PYKAN_TIME = 20.0, 30.0, 4.0, 60.0  # seconds at the most for each method
QUICK = ("I.6.2", "I.18.4", "I.44.4", "II.11.7")
QUICK_TIME, QUICK_MLP_TIME = 3.0, 2.0
PYKAN_GRIDS = (3, 5, 10, 20)
PYKAN_STEPS = 50  # a grid, in place of the paper's 200
EXACT = 1e-9  # of the spread of y, on new rows
TITLES = ("law", "method", "seed", "RMSE on new rows", "constants", "seconds", "found", "exact")
NETWORK, FORMULA, PYKAN = "network", "formula", "pykan, [n, 5, 1]"
MLP = {"lbfgs": "MLP, L-BFGS", "gauss-newton": "MLP, Gauss-Newton"}
PAPER = {"pruned": "paper, pruned KAN", "unpruned": "paper, KAN", "mlp": "paper, MLP"}
SHARE = 24 / 27  # of the laws, on which the network is to be better than the MLP


def make(options: Options) -> Table:
    """Every law and seed; with --quick four laws, with short limits of time."""
    laws = [law for law in LAWS if not options.quick or law.name in QUICK]
    times = (QUICK_TIME, QUICK_MLP_TIME) if options.quick else (NETWORK_TIME, MLP_TIME)
    rows: list[Row] = []
    for law in laws:
        for seed in range(options.seeds):
            rows += law_rows(law, seed, *times)
            options.say(_line(rows[-2 - len(METHODS) :]))
        if law.name in PUBLISHED:
            if options.peer_python is not None and not options.quick:
                rows.append(pykan_row(law, options.peer_python))
                options.say(f"{law.name}: {rows[-1][6]}, {rows[-1][3]:.1e}")
            rows += [
                [law.name, method, "", getattr(PUBLISHED[law.name], key), "", "", "", ""]
                for key, method in PAPER.items()
            ]
    title = f"3. Feynman, {len(laws)} dimensionless laws: {ROWS} rows each, RMSE on {NEW} new ones"
    return Table("paper_feynman", title, TITLES, rows, checks(rows))


def law_rows(law: Law, seed: int, network_time: float, mlp_time: float) -> list[Row]:
    """The network, the formula and the perceptrons on the same rows of one law."""
    (X, y), (new_X, new_y) = law.sample(ROWS, seed), law.sample(NEW, seed + 1000)
    start = time.perf_counter()
    shape = find_shape(X, y, names=law.columns, seed=seed, time_limit=network_time)
    taken = time.perf_counter() - start
    with torch.no_grad():
        predicted = shape.network(torch.from_numpy(new_X))[:, 0].numpy()
    error = _rmse(predicted, new_y)
    exact = _exact(predicted, new_y)
    rows: list[Row] = [
        [law.name, NETWORK, seed, error, n_constants(shape.network), taken, shape.template.split(",")[0], exact]
    ]
    start = time.perf_counter()
    found = discover(X, y, names=law.columns, seed=seed, time_limit=FORMULA_TIME)
    taken = time.perf_counter() - start
    predicted = np.full(NEW, math.nan) if found.formula is None else found.formula.predict(new_X)
    text = "none" if found.formula is None else str(found.formula)
    rows.append([law.name, FORMULA, seed, _rmse(predicted, new_y), "", taken, text, _exact(predicted, new_y)])
    train, test = ((torch.from_numpy(a), torch.from_numpy(b)) for a, b in ((X, y), (new_X, new_y)))
    for method in METHODS:
        error, run = best_mlp(train, test, method, seed=seed, seconds=mlp_time)
        rows.append([law.name, MLP[method], seed, error, run.parameters, run.seconds, str(list(run.widths)), ""])
    return rows


def pykan_row(law: Law, interpreter: str) -> Row:
    """pykan's best grid *on the new rows*, which favours it; first seed only."""
    grids = pykan_rows(
        interpreter,
        [len(law.columns), 5, 1],
        law.sample(ROWS, 0),
        law.sample(NEW, 1000),
        grids=PYKAN_GRIDS,
        steps=PYKAN_STEPS,
        seconds=PYKAN_TIME,
    )
    done = [row for row in grids if math.isfinite(row.test_rmse)]
    note = grids[-1].note if grids else "failed"
    if not done:
        return [law.name, PYKAN, 0, math.nan, "", "", note, ""]
    best = min(done, key=lambda row: row.test_rmse)
    found = f"grid {best.grid}" + (f"; {note}" if note else "")
    return [law.name, PYKAN, 0, best.test_rmse, best.parameters, grids[-1].seconds, found, ""]


def checks(rows: Sequence[Row]) -> dict[str, bool]:
    """Claims about the median of the seeds; a method that failed has no median below anything."""
    laws = list(dict.fromkeys(row[0] for row in rows))
    ours = {name: _median(rows, name, [NETWORK]) for name in laws}
    claims = {}
    for name in laws:
        if name in PUBLISHED:
            best = PUBLISHED[name].best
            claims[f"{name}: network below the three published errors, the lowest being {best:g}"] = ours[name] < best
    better = [name for name in laws if ours[name] < _median(rows, name, MLP.values())]
    needed = math.ceil(SHARE * len(laws) - 1e-9)
    worse = ", ".join(name for name in laws if name not in better) or "none"
    claims[
        f"network better than our MLP on at least {needed} of {len(laws)} laws: on {len(better)}, not on {worse}"
    ] = len(better) >= needed
    formulas = {name: [row for row in rows if row[:2] == [name, FORMULA]] for name in laws}
    exact = [name for name in laws if formulas[name] and all(row[7] is True for row in formulas[name])]
    claim = f"formula exact with every seed on at least {needed} of {len(laws)} laws: on {len(exact)}"
    claims[claim] = len(exact) >= needed
    return claims


def _median(rows: Sequence[Row], name: str, methods: Iterable[str]) -> float:
    """Over the seeds, of the better method with each; infinite where a seed has no number."""
    best: dict[int, float] = {}
    allowed = set(methods)
    for row in rows:
        if row[0] == name and row[1] in allowed:
            error = row[3] if math.isfinite(row[3]) else math.inf
            best[row[2]] = min(error, best.get(row[2], math.inf))
    return float(np.median(list(best.values()))) if best else math.inf


def _rmse(predicted: Array, y: Array) -> float:
    return float(np.sqrt(np.mean((predicted - y) ** 2)))


def _exact(predicted: Array, y: Array) -> bool:
    return bool(np.max(np.abs(predicted - y)) < EXACT * np.std(y))


def _line(rows: Sequence[Row]) -> str:
    each = "; ".join(f"{row[1]} {row[3]:.1e} in {row[5]:.1f} s ({row[6]})" for row in rows)
    return f"{rows[0][0]}, seed {rows[0][2]}: {each}"
