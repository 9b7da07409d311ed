"""gplearn: classic genetic programming, with the functions it protects and exp; generation by generation, until time.

Settings of its documentation where it names any: population 1,000, tournament 20, parsimony 0.001. Its division,
root and logarithm are protected; the formula is printed as what they are away from the protected points.
"""

from __future__ import annotations

import importlib.metadata
import time
from typing import Any

import numpy as np
from protocol import Array, serve

INFIX = {"add": "({} + {})", "sub": "({} - {})", "mul": "({}*{})", "div": "({}/{})", "neg": "(-{})"}
CALLS = {"sqrt": "sqrt(Abs({}))", "log": "log(Abs({}))", "sin": "sin({})", "cos": "cos({})", "exp": "exp({})"}


def infix(program: list[Any]) -> str:
    """gplearn's prefix list (functions, column numbers, floats) as a formula in x1, x2, ..."""
    parts: list[str] = []
    for node in reversed(program):
        if isinstance(node, (int, np.integer)):
            parts.append(f"x{node + 1}")
        elif isinstance(node, (float, np.floating)):
            parts.append(f"({float(node)!r})")
        else:
            pattern = {**INFIX, **CALLS}[node.name]
            parts.append(pattern.format(*(parts.pop() for _ in range(node.arity))))
    return parts.pop()


def _exp(x: Array) -> Array:
    return np.exp(np.clip(x, -100.0, 100.0))


def solve(X: Array, y: Array, seconds: float, seed: int) -> dict[str, object]:
    """The fittest program of the last generation that began in time."""
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicRegressor

    start = time.perf_counter()
    exp = make_function(function=_exp, name="exp", arity=1)
    model = SymbolicRegressor(
        population_size=1000,
        generations=1,
        tournament_size=20,
        parsimony_coefficient=0.001,
        const_range=(-5.0, 5.0),
        function_set=("add", "sub", "mul", "div", "neg", "sqrt", "log", "sin", "cos", exp),
        metric="mse",
        warm_start=True,
        low_memory=True,
        random_state=seed,
    )
    generations, longest = 0, 0.0
    while time.perf_counter() - start + longest < seconds:
        before = time.perf_counter()
        generations += 1
        model.set_params(generations=generations)
        with np.errstate(all="ignore"):
            model.fit(X, y)
        longest = max(longest, time.perf_counter() - before)
    return {
        "formula": infix(model._program.program),
        "seconds": time.perf_counter() - start,
        "message": f"gplearn {importlib.metadata.version('gplearn')}; {generations} generations",
    }


if __name__ == "__main__":
    serve(solve)
