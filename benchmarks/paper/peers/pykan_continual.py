"""pykan on the five peaks, phase after phase, by the settings of its own notebook; for an interpreter that has pykan.

    python benchmarks/paper/peers/pykan_continual.py DATA.npz --seed 0

reads ``x``, ``y`` (phases, rows) and ``test`` (points,) from the file and prints one line of JSON as each phase ends:
values (the prediction at every test point) and seconds since the start. It imports nothing of kanlib. pykan writes
checkpoints where it runs: run it in an empty folder. Imports are not timed.

[1, 1] with 200 cubic cells; scales and the random base function stay as they start, so that only local splines learn;
100 steps of L-BFGS a phase, without grid updates. Source: pykan's example on continual learning, facts only.
"""

from __future__ import annotations

import contextlib
import sys
import time

from pykan_shared import arrays, options, say


def main() -> None:
    """Train phase by phase; what pykan prints goes to stderr, stdout has the lines of JSON only."""
    given = options(steps=100).parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        import kan
        import torch

        table = arrays(given)
        x, y, test = (table[name] for name in ("x", "y", "test"))
        start = time.perf_counter()
        model = kan.KAN(
            width=[1, 1], grid=200, k=3, noise_scale=0.1, sp_trainable=False, sb_trainable=False, seed=given.seed
        )
        for rows, values in zip(x[..., None], y[..., None]):
            data = {"train_input": rows, "train_label": values, "test_input": rows, "test_label": values}
            model.fit(data, opt="LBFGS", steps=given.steps, update_grid=False)
            with torch.no_grad():
                predicted = model(test[:, None])[:, 0]
            say({"values": predicted.tolist(), "seconds": time.perf_counter() - start})


if __name__ == "__main__":
    main()
