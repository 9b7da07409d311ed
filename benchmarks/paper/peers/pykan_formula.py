"""pykan reads a formula off, by the protocol of its hello example; for an interpreter that has pykan.

    python benchmarks/paper/peers/pykan_formula.py DATA.npz --names x1 x2 --seed 0

reads ``train_X``, ``train_y``, ``test_X``, ``test_y`` from the file and prints lines of JSON: of the network as its
training ends (widths after pruning, parameters, test_rmse, seconds since the start), and of the formula (formula as
text with all digits, seconds) before and after the last training, which fails at times. It imports nothing of kanlib.
pykan writes checkpoints where it runs: run it in an empty folder. Imports are not timed.

[n, 5, 1], grid 3: L-BFGS 50 steps with lamb 0.001, prune, 50 steps, refine to 10, 50 steps, `auto_symbolic` with the
functions of the hello example and 1/x, 50 steps; as benchmarks/foundation/pykan_hello.py does it for one law. Edges
are matched with functions on 200 rows, since a match takes 20 s an edge on a thousand.
"""

from __future__ import annotations

import contextlib
import sys
import time

from pykan_shared import arrays, options, parameters, say

LIBRARY = ["x", "x^2", "x^3", "x^4", "1/x", "exp", "log", "sqrt", "tanh", "sin", "abs"]
CURVE_ROWS = 200


def main() -> None:
    """What pykan prints goes to stderr, stdout has the lines of JSON only."""
    parser = options(steps=50)
    parser.add_argument("--names", nargs="+", required=True, help="of the columns")
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        import kan
        import torch

        table = arrays(given)
        data = {
            "train_input": table["train_X"],
            "train_label": table["train_y"][:, None],
        }
        # What fit evaluates after each step, and nobody reads: the test rows come once, at the end.
        data |= {"test_input": data["train_input"][:CURVE_ROWS], "test_label": data["train_label"][:CURVE_ROWS]}
        start = time.perf_counter()

        def tell(model: kan.KAN) -> None:
            formula = model.symbolic_formula(var=given.names)[0][0]
            say({"formula": str(formula), "seconds": time.perf_counter() - start})

        model = kan.KAN(width=[len(given.names), 5, 1], grid=3, k=3, seed=given.seed)
        model(data["train_input"])
        model.fit(data, opt="LBFGS", steps=given.steps, lamb=0.001)
        # pykan looks at the rows that passed last, and fit ends with those of the test.
        model(data["train_input"])
        model = model.prune()
        model.fit(data, opt="LBFGS", steps=given.steps)
        model(data["train_input"])
        model = model.refine(10)
        model.fit(data, opt="LBFGS", steps=given.steps)
        seconds = time.perf_counter() - start
        with torch.no_grad():
            error = float((model(table["test_X"])[:, 0] - table["test_y"]).square().mean().sqrt())
        widths = [sums for sums, _ in model.width]
        say({"widths": widths, "parameters": parameters(model), "test_rmse": error, "seconds": seconds})
        model(data["test_input"])
        model.auto_symbolic(lib=LIBRARY)
        tell(model)
        model.fit(data, opt="LBFGS", steps=given.steps)
        tell(model)


if __name__ == "__main__":
    main()
