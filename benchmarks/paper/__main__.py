"""Command line: `python -m benchmarks.paper [--quick] [--only PART ...] [--output DIR]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.parts import run

__all__ = ["PARTS", "main"]

PARTS: tuple[str, ...] = (
    *("scaling", "special", "feynman", "poisson", "continual", "knots", "anderson", "interpretability"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 1 where a claim was not reached."""
    return run("paper", PARTS, arguments, description=__doc__)


if __name__ == "__main__":
    sys.exit(main())
