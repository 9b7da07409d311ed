"""pykan as a classifier, by cross-entropy through its own fit; for an interpreter that has pykan.

    python benchmarks/paper/peers/pykan_classify.py DATA.npz --widths '[15, 1, 8]' --grid 3 --steps 40 --seed 0

reads ``train_X``, ``train_y`` (classes 0, 1, ...), ``test_X``, ``test_y`` from the file and prints one line of JSON
every five steps: step, accuracy (share of the test rows whose largest output is their class), train_loss, parameters,
seconds since the start. It imports nothing of kanlib. pykan writes checkpoints where it runs: run it in an empty
folder. Imports are not timed.

A step is one of pykan's own: up to 20 iterations of L-BFGS. Its default of updating the grid in the first 50 steps
stays on. Source: arXiv 2404.19756, sections 4.3 and 4.4.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time

from pykan_shared import arrays, options, parameters, say

EVERY = 5


def main() -> None:
    """Train in one go; what pykan prints goes to stderr, stdout has the lines of JSON only."""
    parser = options(steps=40)
    parser.add_argument("--widths", required=True, help="JSON; a layer with products is [sums, products]")
    parser.add_argument("--grid", type=int, default=3)
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        import kan
        import torch

        table = arrays(given)
        data = {
            "train_input": table["train_X"],
            "train_label": table["train_y"].long(),
            "test_input": table["test_X"],
            "test_label": table["test_y"].long(),
        }
        start = time.perf_counter()
        model = kan.KAN(width=json.loads(given.widths), grid=given.grid, k=3, seed=given.seed, auto_save=False)
        loss = torch.nn.CrossEntropyLoss()
        step = 0

        # pykan calls its metrics after every step: the way to be heard before fit is over, should it be ended early.
        @torch.no_grad()
        def accuracy() -> torch.Tensor:
            nonlocal step
            step += 1
            if step % EVERY and step < given.steps:
                return torch.tensor(0.0)
            right = (model(data["test_input"]).argmax(dim=1) == data["test_label"]).double().mean()
            line = {
                "step": step,
                "accuracy": float(right),
                "train_loss": float(loss(model(data["train_input"]), data["train_label"])),
                "parameters": parameters(model),
                "seconds": time.perf_counter() - start,
            }
            say(line)
            return right

        model.fit(data, opt="LBFGS", steps=given.steps, loss_fn=loss, metrics=(accuracy,))


if __name__ == "__main__":
    main()
