"""What the scripts of pykan share: their options, arrays from a file, and one line of JSON at a time.

It imports nothing of kanlib, and torch and NumPy only when asked: the interpreter is the peer's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["arrays", "options", "parameters", "say"]

_OUT = sys.stdout  # what pykan prints goes to stderr: main() redirects it


def options(steps: int) -> argparse.ArgumentParser:
    """DATA --steps --seed --threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", help="an .npz file")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def arrays(given: argparse.Namespace) -> dict[str, torch.Tensor]:
    """The arrays of the file as tensors, and torch set to float64 and so many threads."""
    import numpy as np
    import torch

    torch.set_num_threads(given.threads)
    torch.set_default_dtype(torch.float64)
    with np.load(given.data, allow_pickle=False) as file:
        return {name: torch.from_numpy(np.asarray(file[name], dtype=np.float64)) for name in file.files}


def parameters(model: torch.nn.Module) -> int:
    """Trainable numbers of the spline edges."""
    return sum(p.numel() for p in model.act_fun.parameters() if p.requires_grad)


def say(line: Mapping[str, object]) -> None:
    """One line of JSON on the real stdout."""
    print(json.dumps(line), file=_OUT, flush=True)
