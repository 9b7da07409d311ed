"""pykan on Poisson's equation, as its notebook trains it: L-BFGS on residuals; for an interpreter that has pykan.

    python benchmarks/paper/peers/pykan_poisson.py DATA.npz --grids 5 10 20 --steps 50 --seed 0

reads ``inside``, ``source``, ``edge`` (where u = 0), ``new`` points and the solution ``new_value`` and ``new_slope``
there; prints one line of JSON as each grid ends: grid, square and slope (mean squared errors of u and of its
gradient), parameters, seconds. It imports nothing of kanlib. Run it in an empty folder.

The network is [2, 2, 1] in speed mode (no symbolic edges), the grid follows the points every five of the first twenty
steps, second derivatives are torch's. Source: pykan's example on the accuracy of partial differential equations.
"""

from __future__ import annotations

import contextlib
import sys
import time

from pykan_shared import arrays, options, parameters, say

WEIGHT = 0.01


def main() -> None:
    """Train grid by grid; what pykan prints goes to stderr, stdout has the lines of JSON only."""
    parser = options(steps=50)
    parser.add_argument("--grids", type=int, nargs="+", required=True)
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        import kan
        import torch

        table = arrays(given)

        def slopes(model: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value = model(x)
            return value, torch.autograd.grad(value.sum(), x, create_graph=True)[0]

        def loss(model: torch.nn.Module) -> torch.Tensor:
            x = table["inside"].clone().requires_grad_()
            _, slope = slopes(model, x)
            bends = [torch.autograd.grad(slope[:, k].sum(), x, create_graph=True)[0][:, k] for k in range(2)]
            equation = (bends[0] + bends[1] - table["source"]).square().mean()
            return WEIGHT * equation + model(table["edge"]).square().mean()

        start = time.perf_counter()
        model = kan.KAN(width=[2, 2, 1], grid=given.grids[0], k=3, seed=given.seed)
        for number, grid in enumerate(given.grids):
            if number:
                model.save_act = True
                model.get_act(table["inside"])
                model = model.refine(grid)
            model = model.speed()
            optimizer = kan.LBFGS(
                model.parameters(),
                lr=1,
                history_size=10,
                line_search_fn="strong_wolfe",
                tolerance_grad=1e-32,
                tolerance_change=1e-32,
                tolerance_ys=1e-32,
            )
            for step in range(given.steps):
                if step % 5 == 0 and step < 20:
                    model.update_grid_from_samples(table["inside"])

                def closure(
                    optimizer: torch.optim.Optimizer = optimizer, model: torch.nn.Module = model
                ) -> torch.Tensor:
                    optimizer.zero_grad()
                    now = loss(model)
                    now.backward()
                    return now

                optimizer.step(closure)
            value, slope = slopes(model, table["new"].clone().requires_grad_())
            say(
                {
                    "grid": grid,
                    "square": float((value[:, 0] - table["new_value"]).square().mean()),
                    "slope": float((slope - table["new_slope"]).square().sum(1).mean()),
                    "parameters": parameters(model),
                    "seconds": time.perf_counter() - start,
                }
            )


if __name__ == "__main__":
    main()
