"""The rivals of part 8 on the rows that `discover` gets: pykan's formula by its own protocol, and perceptrons.

What pykan prints is text of another program: it is read by kanlib's restricted parser, and judged as kanlib's own
formulas are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy
import torch

from kanlib.errors import KanlibError
from kanlib.symbolic import Formula, parse_formula

from .interpretability_laws import Array, Example, is_exact, new_error
from .mlp import best_mlp
from .mlp_classes import MLP_METHODS
from .pykan_peer import peer_lines

__all__ = ["MLP_SECONDS", "PYKAN", "mlp_rows", "pykan_row"]

Row = list[Any]

PYKAN = "pykan"
PYKAN_ROWS, PYKAN_SECONDS = 1000, 180.0
MLP_SECONDS = 4.0  # for both shapes of a method
NETWORK_ERROR = "error of its network / spread"
DIGITS = 4


def mlp_rows(example: Example, data: tuple[Array, Array], new: tuple[Array, Array], seed: int) -> list[Row]:
    """A row a method: the better shape *on the new points*, which favours it."""
    train, test = ((torch.from_numpy(X), torch.from_numpy(y)) for X, y in (data, new))
    rows = []
    for name, method in MLP_METHODS.items():
        error, run = best_mlp(train, test, method, seed=seed, seconds=MLP_SECONDS)
        shape, spread = str(list(run.widths)), float(np.std(new[1]))
        rows.append([example.name, name, seed, "no formula", "", "", shape, "", error / spread, run.seconds, "", ""])
    return rows


def pykan_row(
    example: Example, data: tuple[Array, Array], new: tuple[Array, Array], seed: int, interpreter: str
) -> Row:
    """pykan's hello protocol: the formula that is nearer the training rows, of those before and after its last steps.

    The measure is the error of its network before `auto_symbolic` put functions in place of the curves.
    """
    X, y = (array[:PYKAN_ROWS] for array in data)
    arrays = {"train_X": X, "train_y": y, "test_X": new[0], "test_y": new[1]}
    names = [symbol.name for symbol in example.symbols]
    options = ["--names", *names, "--seed", str(seed)]
    lines, note = peer_lines(interpreter, "pykan_formula.py", arrays, options, PYKAN_SECONDS)
    network: dict[str, Any] = next((line for line in lines if "widths" in line), {})
    formula, trouble = _best([line["formula"] for line in lines if "formula" in line], example, (X, y))
    status = "read" if formula is not None else trouble or "no formula"
    spread = float(np.std(new[1]))
    return [
        example.name,
        PYKAN,
        seed,
        f"{status}; {note}" if note else status,
        "" if formula is None else _rounded(formula),
        example.truth is not None and is_exact(formula, example.truth, example.symbols, *new),
        str(network.get("widths", "")),
        "",
        new_error(formula, *new),
        lines[-1]["seconds"] if lines else math.nan,
        network["test_rmse"] / spread if network else "",
        NETWORK_ERROR if network else "",
    ]


def _best(texts: list[str], example: Example, data: tuple[Array, Array]) -> tuple[Formula | None, str]:
    """The formula with the smallest error on the rows; without any, why the last is none."""
    found, lowest, trouble = None, math.inf, ""
    for text in texts:
        try:
            formula = Formula(parse_formula(text, example.symbols), {}, example.symbols, target="y")
            error = new_error(formula, *data)
        except KanlibError as reason:
            trouble = f"no formula: {str(reason).splitlines()[0]}"
            continue
        if math.isfinite(error) and error < lowest:
            found, lowest = formula, error
        elif found is None:
            trouble = "no formula: it has no value on some rows"
    return found, trouble


def _rounded(formula: Formula) -> str:
    numbers = formula.expr.atoms(sympy.Float)
    return str(formula.expr.xreplace({number: sympy.Float(number, DIGITS) for number in numbers}))
