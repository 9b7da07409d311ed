"""pykan, by the protocol of its hello example (see benchmarks/foundation/pykan_hello.py): width [d, 5, 1], grid 3.

L-BFGS, prune, L-BFGS, refine, L-BFGS, `auto_symbolic`, L-BFGS, each training of 50 steps, or of as many as its share of
the time allows: pykan has no clock, so it is trained in pieces of five steps. Inputs are scaled to [-1, 1], where its
grid lies, and the scaling is put back into the formula.
"""

from __future__ import annotations

import importlib.metadata
import time

import numpy as np
from protocol import Array, serve

LIBRARY = ["x", "x^2", "x^3", "x^4", "1/x", "exp", "log", "sqrt", "tanh", "sin", "abs"]
STEPS, PIECE = 50, 5


def solve(X: Array, y: Array, seconds: float, seed: int) -> dict[str, object]:
    """Train, prune, refine, and read off the formula."""
    import kan
    import sympy
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    start = time.perf_counter()
    low, high = X.min(axis=0), X.max(axis=0)
    center, half = (low + high) / 2, np.where(high > low, (high - low) / 2, 1.0)
    table, target = torch.tensor((X - center) / half), torch.tensor(y[:, None])
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    held, kept = order[: len(y) // 5], order[len(y) // 5 :]
    data = {
        "train_input": table[kept],
        "train_label": target[kept],
        "test_input": table[held],
        "test_label": target[held],
    }
    model = kan.KAN(width=[X.shape[1], 5, 1], grid=3, k=3, seed=seed)
    model(data["train_input"])
    taken = 0

    def train(share: float, **options: float) -> None:
        nonlocal taken
        for _ in range(STEPS // PIECE):
            model.fit(data, opt="LBFGS", steps=PIECE, **options)
            taken += PIECE
            if time.perf_counter() - start > share * seconds:
                return

    train(0.3, lamb=0.001)
    model = model.prune()
    train(0.45)
    model = model.refine(10)
    train(0.6)
    model.auto_symbolic(lib=LIBRARY)
    train(1.0)
    scaled = sympy.symbols(f"z1:{X.shape[1] + 1}")
    formula = model.symbolic_formula(var=list(scaled))[0][0]
    columns = sympy.symbols(f"x1:{X.shape[1] + 1}")
    back = {z: (x - float(c)) / float(h) for z, x, c, h in zip(scaled, columns, center, half)}
    return {
        "formula": str(sympy.sympify(formula).xreplace(back)),
        "seconds": time.perf_counter() - start,
        "message": f"pykan {importlib.metadata.version('pykan')}; {taken} steps of {4 * STEPS}",
    }


if __name__ == "__main__":
    serve(solve)
