"""Operon: genetic programming with least squares for the constants of every formula, on one thread.

Two objectives, error and length, as its authors use it where the formula matters (Burlacu, Kronberger, Kommenda 2020,
GECCO; arXiv 2107.05930), ten Levenberg-Marquardt steps a formula, its own selection by the Bayesian information
criterion (its description length wants the noise, which nobody knows here). It stops by its own clock.
"""

from __future__ import annotations

import importlib.metadata
import time

from protocol import Array, serve

SYMBOLS = "add,sub,mul,div,square,sqrt,exp,log,sin,cos,tanh,constant,variable"
DIGITS = 12


def solve(X: Array, y: Array, seconds: float, seed: int) -> dict[str, object]:
    """The formula Operon selects from its front."""
    from pyoperon.sklearn import SymbolicRegressor

    start = time.perf_counter()
    model = SymbolicRegressor(
        allowed_symbols=SYMBOLS,
        objectives=["mse", "length"],
        optimizer_iterations=10,
        population_size=1000,
        max_length=50,
        generations=1_000_000,
        max_evaluations=1_000_000_000,
        max_time=max(1, round(seconds)),
        model_selection_criterion="bayesian_information_criterion",
        n_threads=1,
        random_state=seed,
    )
    model.fit(X, y)
    names = [f"x{k}" for k in range(1, X.shape[1] + 1)]
    text = model.get_model_string(model.model_, DIGITS, names)
    return {
        "formula": text.replace("^", "**"),
        "seconds": time.perf_counter() - start,
        "message": f"pyoperon {importlib.metadata.version('pyoperon')}; {len(model.pareto_front_)} on the front",
    }


if __name__ == "__main__":
    serve(solve)
