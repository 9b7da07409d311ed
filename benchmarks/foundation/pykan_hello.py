"""pykan's own hello example, as its documentation gives it; a script of its own, for an interpreter that has pykan.

    python benchmarks/foundation/pykan_hello.py --seed 0 --threads 2

prints one line of JSON: the seconds, the formula, and its error on fresh points. It imports nothing of kanlib. pykan
writes checkpoints where it runs: run it in an empty folder.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import sys
import time

LIBRARY = ["x", "x^2", "x^3", "x^4", "exp", "log", "sqrt", "tanh", "sin", "abs"]


def hello(seed: int) -> dict[str, object]:
    """Train, prune, refine and read off the formula of y = exp(sin(pi*a) + b^2), 1,000 samples in [-1, 1]^2."""
    import kan
    import numpy as np
    import sympy
    import torch

    def law(x: torch.Tensor) -> torch.Tensor:
        return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)

    torch.set_default_dtype(torch.float64)
    start = time.perf_counter()
    model = kan.KAN(width=[2, 5, 1], grid=3, k=3, seed=seed)
    data = kan.create_dataset(law, n_var=2, seed=seed)
    model(data["train_input"])
    model.fit(data, opt="LBFGS", steps=50, lamb=0.001)
    model = model.prune()
    model.fit(data, opt="LBFGS", steps=50)
    model = model.refine(10)
    model.fit(data, opt="LBFGS", steps=50)
    model.auto_symbolic(lib=LIBRARY)
    model.fit(data, opt="LBFGS", steps=50)
    formula = model.symbolic_formula(var=["a", "b"])[0][0]
    seconds = time.perf_counter() - start
    points = np.random.default_rng(seed + 1000).uniform(-1, 1, (10_000, 2))
    truth = np.exp(np.sin(np.pi * points[:, 0]) + points[:, 1] ** 2)
    function = sympy.lambdify(sympy.symbols("a b"), formula, "numpy")
    with np.errstate(all="ignore"):
        error = np.abs(function(*points.T) + 0 * truth - truth)
    # Multiplied out first: rounding the factors of 0.0037*(16.43*b + 1e-12)**2 would distort it.
    formula = sympy.expand(formula, power_exp=False)
    rounded = formula.xreplace({number: round(number, 4) for number in formula.atoms(sympy.Float)})
    return {
        "seconds": seconds,
        "formula": str(rounded),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "version": importlib.metadata.version("pykan"),
    }


def main() -> None:
    """Everything pykan prints goes to stderr; stdout has the one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    with contextlib.redirect_stdout(sys.stderr):
        found = hello(given.seed)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
