"""Command line: `python -m benchmarks.discovery [--suite S ...] [--noise L ...] [--engine E ...] [--output DIR]`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.foundation.machine import ROOT, describe

from .engines import ENGINES, Limits
from .jobs import Job, all_jobs, perform_all
from .pictures import save_picture
from .rows import Row, append, read_rows
from .suites import SUITES
from .summary import summarize

__all__ = ["main"]

RESULTS = ROOT / "benchmarks" / "results"
NAME = "discovery_suites"
QUICK = ("Nguyen-1", "Nguyen-8", "Jin-5", "I.12.1", "noise-normal-2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write a row after each problem, and print the summary; 2 where old rows would be mixed with new ones."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.peer_python and shutil.which(given.peer_python) is None:
        parser.error(f"--peer-python is {given.peer_python}; expected an interpreter that exists.")
    if given.quick:
        suites, noises, seeds, only = ["nguyen", "jin", "feynman", "controls"], [0.0], 1, QUICK
    else:
        suites, noises, seeds, only = given.suite, given.noise, given.seeds, given.problem
    output: Path | None = given.output or (None if given.quick else RESULTS)
    path = None if output is None else output / f"{NAME}.csv"
    limits = Limits(given.time_limit, given.peer_seconds or given.time_limit, given.peer_python or sys.executable)
    jobs = all_jobs(suites, noises, seeds, given.engine, limits, only)
    rows: list[Row] = []
    if path is not None and path.exists():
        if not given.resume:
            print(f"{path} holds rows of an earlier run: add --resume to go on with it, or name another --output.")
            return 2
        rows = read_rows([path])
        present = {row.key for row in rows}
        jobs = [job for job in jobs if job.key not in present]
    _run(jobs, min(given.jobs, 2), rows, path)
    report = summarize(rows)
    print("\n" + report.text())
    if output is not None:
        report.write(output)
        if rows:
            save_picture(rows, output / f"{NAME}.png")
        print(f"written to {output}")
    return 0


def _run(jobs: list[Job], lanes: int, rows: list[Row], path: Path | None) -> None:
    machine = describe()
    machine["threads"] = 1  # of a worker
    print("  ".join(f"{key}: {value}" for key, value in machine.items()) + f"\n{len(jobs)} runs", flush=True)
    start = time.perf_counter()

    def done(row: Row) -> None:
        rows.append(row)
        if path is not None:
            append(path, row, machine)
        marks = "".join(
            letter if held else "-" for letter, held in zip("SNR", (row.strict, row.numeric, row.r2_solved))
        )
        print(
            f"{time.perf_counter() - start:7.0f} s  {marks}  {row.seconds:6.1f} s  {row.engine}  {row.problem}  "
            f"noise {row.noise:g}  seed {row.seed}  {row.status}  {row.formula[:100] or row.message[:100]}",
            flush=True,
        )

    perform_all(jobs, lanes, done)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.discovery", description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=list(SUITES), default=list(SUITES), metavar="SUITE")
    parser.add_argument("--problem", nargs="+", default=(), help="only these, by name")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 0.001, 0.01, 0.1], help="shares of y's spread")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=["kanlib"])
    parser.add_argument("--jobs", type=int, default=2, help="processes, at most 2")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds for kanlib, a problem")
    parser.add_argument("--peer-seconds", type=float, help="seconds for a peer, a problem (the same)")
    parser.add_argument("--peer-python", help="an interpreter that has the peers (default this one)")
    parser.add_argument("--output", type=Path, help="folder of the files (benchmarks/results; with --quick none)")
    parser.add_argument("--resume", action="store_true", help="go on with the rows in the output folder")
    parser.add_argument("--quick", action="store_true", help="a handful of problems, nothing written: about 30 s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
