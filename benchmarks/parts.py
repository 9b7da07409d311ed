"""A benchmark made of parts: each is a table with claims and a picture, and one command runs them all."""

from __future__ import annotations

import argparse
import csv
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import torch
from matplotlib.figure import Figure

from benchmarks.foundation.machine import ROOT, describe
from benchmarks.foundation.tables import Table

__all__ = ["Options", "Part", "Record", "run"]

RESULTS = ROOT / "benchmarks" / "results"
Record = Mapping[str, str]  # one row of a part's CSV


@dataclass(frozen=True)
class Options:
    """How much to run.

    Attributes
    ----------
    quick : the claims that must not regress only: about half a minute a part, one seed, no peers in other processes.
    seeds : how many; seed s draws data and first weights.
    peer_python : an interpreter that has the peers; None for none, then their rows are left out.
    log : whether to print a line as each run ends.
    """

    quick: bool = False
    seeds: int = 3
    peer_python: str | None = None
    log: bool = True

    def say(self, text: str) -> None:
        """Print a line of progress, where wanted."""
        if self.log:
            print(f"  {text}", flush=True)


class Part(Protocol):
    """One table: a module with these two functions.

    ``make`` returns a `Table` whose ``checks`` are claims, each true or false in this run; ``draw`` makes its picture
    of the rows of the CSV, so that a picture can be drawn again without running anything.
    """

    def make(self, options: Options) -> Table:
        """Run the part."""

    def draw(self, records: Sequence[Record]) -> Figure:
        """The picture of its rows."""


def run(
    family: str, parts: Sequence[str], arguments: Sequence[str] | None, *, description: str | None, seeds: int = 3
) -> int:
    """Print the tables of ``benchmarks.FAMILY``, write them with their pictures; 1 where a claim was not reached.

    Parameters
    ----------
    family : str
        The package of the parts; files are called FAMILY_PART.csv and .png, and so are the tables.
    parts : sequence of str
        Its modules, in the order of the tables.
    arguments : sequence of str, optional
        The command line; that of the process by default.
    seeds : int
        How many by default.
    """
    given = _parser(family, parts, description, seeds).parse_args(arguments)
    torch.set_num_threads(given.threads)
    output = given.output or (None if given.quick else RESULTS)
    if given.draw:
        for name in given.only:
            print(f"drawn: {_draw(family, name, output or RESULTS)}")
        return 0
    machine = describe()
    print("  ".join(f"{key}: {value}" for key, value in machine.items()) + "\n")
    options = Options(given.quick, 1 if given.quick else given.seeds, given.peer_python)
    missed = 0
    for name in given.only:
        table = _part(family, name).make(options)
        print("\n" + table.text() + "\n", flush=True)
        missed += sum(not held for held in table.checks.values())
        if output is not None:
            print(f"written: {table.write(output, machine)}, {_draw(family, name, output)}\n")
    return 1 if missed else 0


def _part(family: str, name: str) -> Part:
    return cast("Part", importlib.import_module(f"benchmarks.{family}.{name}"))


def _draw(family: str, name: str, folder: Path) -> Path:
    with (folder / f"{family}_{name}.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    path = folder / f"{family}_{name}.png"
    _part(family, name).draw(records).savefig(path, dpi=130)
    return path


def _parser(family: str, parts: Sequence[str], description: str | None, seeds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{family}", description=description)
    parser.add_argument("--quick", action="store_true", help="one seed, no peers, nothing written: a few minutes")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", help="an interpreter that has the peers; without it their rows are left out")
    parser.add_argument("--draw", action="store_true", help="run nothing, draw the pictures of the CSV files again")
    parser.add_argument("--output", type=Path, help="folder of the CSV files (benchmarks/results; with --quick none)")
    return parser
