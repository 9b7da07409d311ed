"""Command line: `python -m benchmarks.family [--quick] [--only PART ...] [--seeds N] [--output DIR]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.parts import run

__all__ = ["PARTS", "main"]

PARTS: tuple[str, ...] = (
    *("bases", "convolution", "skan", "karat", "tkan", "autoencoder", "kamoe", "har", "ode", "deep"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 1 where a claim was not reached."""
    return run("family", PARTS, arguments, description=__doc__, seeds=5)


if __name__ == "__main__":
    sys.exit(main())
