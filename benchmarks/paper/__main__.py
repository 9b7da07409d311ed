"""Command line: `python -m benchmarks.paper [--quick] [--only PART ...] [--output DIR]`."""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch

from benchmarks.foundation.machine import ROOT, describe

from .options import Options, Part

__all__ = ["PARTS", "main"]

RESULTS = ROOT / "benchmarks" / "results"
PARTS: tuple[str, ...] = (
    *("scaling", "special", "feynman", "poisson", "continual", "knots", "anderson", "interpretability"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, write them with their pictures; 1 where a claim was not reached."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    output = given.output or (None if given.quick else RESULTS)
    if given.draw:
        for name in given.only:
            print(f"drawn: {_draw(name, output or RESULTS)}")
        return 0
    machine = describe()
    print("  ".join(f"{key}: {value}" for key, value in machine.items()) + "\n")
    options = Options(given.quick, 1 if given.quick else given.seeds, given.peer_python)
    missed = 0
    for name in given.only:
        table = _part(name).make(options)
        print("\n" + table.text() + "\n", flush=True)
        missed += sum(not held for held in table.checks.values())
        if output is not None:
            print(f"written: {table.write(output, machine)}, {_draw(name, output)}\n")
    return 1 if missed else 0


def _part(name: str) -> Part:
    return cast("Part", importlib.import_module(f"benchmarks.paper.{name}"))


def _draw(name: str, folder: Path) -> Path:
    with (folder / f"paper_{name}.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    path = folder / f"paper_{name}.png"
    _part(name).draw(records).savefig(path, dpi=130)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, no peers, nothing written: a few minutes")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", help="an interpreter that has pykan; without it pykan's rows are left out")
    parser.add_argument("--draw", action="store_true", help="run nothing, draw the pictures of the CSV files again")
    parser.add_argument("--output", type=Path, help="folder of the CSV files (benchmarks/results; with --quick none)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
