"""What the peer scripts share: a table in, one line of JSON out. It needs NumPy only, and nothing of kanlib.

python benchmarks/discovery/peers/NAME_peer.py TABLE.npz SECONDS SEED
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Solver", "serve"]

Array = NDArray[np.float64]
# (X, y, seconds, seed) -> {"formula": in x1, x2, ... and Python's operators, "seconds": ..., "message": ...}
Solver = Callable[[Array, Array, float, int], dict[str, object]]


def serve(solve: Solver) -> None:
    """Read the table the command line names, and print what ``solve`` returns; what a peer prints goes to stderr."""
    path, seconds, seed = sys.argv[1:4]
    with np.load(path) as table:
        X, y = table["X"], table["y"]
    with contextlib.redirect_stdout(sys.stderr):
        reply = solve(X, y, float(seconds), int(seed))
    print(json.dumps(reply))
