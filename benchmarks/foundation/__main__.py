"""Command line: `python -m benchmarks.foundation [--quick] [--only TABLE] [--output DIR]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from .discovery import discovery_table
from .fitting import fitting_table
from .layers import layer_table
from .machine import ROOT, describe
from .peer import pykan_table
from .tables import Table

__all__ = ["main"]

RESULTS = ROOT / "benchmarks" / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and write them; 1 where a claim was not reached."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    machine = describe()
    print("  ".join(f"{key}: {value}" for key, value in machine.items()) + "\n")
    quick = given.quick
    output = given.output or (None if quick else RESULTS)
    makers: dict[str, Callable[[], Table]] = {
        "discovery": lambda: discovery_table(given.seeds or (2 if quick else 20)),
        "pykan": lambda: pykan_table(given.pykan_python, threads=given.threads, time_limit=given.pykan_limit, seed=0),
        "fitting": lambda: fitting_table(given.seeds or (1 if quick else 5)),
        "layers": lambda: layer_table(3 if quick else 31),
    }
    chosen = [given.only] if given.only else [name for name in makers if not (quick and name == "pykan")]
    tables = []
    for name in chosen:
        table = makers[name]()
        tables.append(table)
        print("\n" + table.text() + "\n", flush=True)
        if output is not None:
            table.write(output, machine)
    if output is not None:
        print(f"written to {output}")
    return 0 if all(held for table in tables for held in table.checks.values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foundation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few seeds and rounds, no pykan: about 20 s")
    parser.add_argument("--only", choices=["discovery", "pykan", "fitting", "layers"])
    parser.add_argument("--seeds", type=int, help="seeds of discovery and fitting (20 and 5)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="folder of the CSV files (benchmarks/results; with --quick none)")
    parser.add_argument("--pykan-python", help="an interpreter that has pykan (default this one)")
    parser.add_argument("--pykan-limit", type=float, default=600.0, help="seconds after which pykan is stopped")
    return parser


if __name__ == "__main__":
    sys.exit(main())
