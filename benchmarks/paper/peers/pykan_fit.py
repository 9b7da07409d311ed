"""pykan by the KAN paper's protocol: fit with L-BFGS, refine the grid, fit again; for an interpreter that has pykan.

    python benchmarks/paper/peers/pykan_fit.py DATA.npz --widths '[2, 1, 1]' --grids 3 5 10 --steps 200 --seed 0

reads ``train_X``, ``train_y``, ``test_X``, ``test_y`` from the file and prints one line of JSON as each grid ends:
grid, test_rmse, train_rmse, parameters, seconds since the start. It imports nothing of kanlib. pykan writes checkpoints
where it runs: run it in an empty folder. Imports are not timed.

A step is one of pykan's own: up to 20 iterations of L-BFGS. Its default of updating the grid in the first 50 steps
stays on. Source: arXiv 2404.19756, sections 2.4 and 3.1.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time

from pykan_shared import arrays, options, parameters, say


def main() -> None:
    """Train grid by grid; what pykan prints goes to stderr, stdout has the lines of JSON only."""
    parser = options(steps=200)
    parser.add_argument("--widths", required=True, help="JSON; a layer with products is [sums, products]")
    parser.add_argument("--grids", type=int, nargs="+", required=True)
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        import kan
        import torch

        table = arrays(given)
        data = {
            "train_input": table["train_X"],
            "train_label": table["train_y"].reshape(len(table["train_X"]), -1),
            "test_input": table["test_X"],
            "test_label": table["test_y"].reshape(len(table["test_X"]), -1),
        }

        def rmse(model: kan.KAN, part: str) -> float:
            with torch.no_grad():
                return float((model(data[f"{part}_input"]) - data[f"{part}_label"]).square().mean().sqrt())

        start = time.perf_counter()
        # Its checkpoints stay on: without them refine fails on the history it did not write.
        model = kan.KAN(width=json.loads(given.widths), grid=given.grids[0], k=3, seed=given.seed)
        for number, grid in enumerate(given.grids):
            if number:
                # refine reads the activations of the last data that passed: those must be the training rows.
                model(data["train_input"])
                model = model.refine(grid)
            model.fit(data, opt="LBFGS", steps=given.steps)
            seconds = time.perf_counter() - start
            say(
                {
                    "grid": grid,
                    "test_rmse": rmse(model, "test"),
                    "train_rmse": rmse(model, "train"),
                    "parameters": parameters(model),
                    "seconds": seconds,
                }
            )


if __name__ == "__main__":
    main()
