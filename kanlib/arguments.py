"""The arguments of the command line: what each may be, and one line on stderr where it is something else."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Callable
from typing import NoReturn

from . import __version__

__all__ = ["parser", "say"]


def say(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write("kanlib: " + " ".join(text.split()) + "\n")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the usage and a line."""
        say(f"error: {message}; see {self.prog} --help")
        raise SystemExit(2)


def _seconds(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise ValueError
    return value


_seconds.__name__ = "positive number"  # what argparse calls it in its error


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise ValueError
    return value


_seed.__name__ = "whole number from 0 to 2^63 - 1"


def _jobs(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise ValueError
    return value


_jobs.__name__ = "whole number from 1 to 256"


def _names(text: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]
    if not names:
        raise ValueError
    return names


_names.__name__ = "list A,B,..."


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError
    return name.strip(), value.strip()


_condition.__name__ = "COLUMN=TEXT"


def _unit(text: str) -> tuple[str, str]:
    """At the last =: no unit has one, and the name of a column may."""
    name, equals, unit = text.rpartition("=")
    if not equals or not name.strip():
        raise ValueError
    return name.strip(), unit.strip()


_unit.__name__ = "COLUMN=UNIT"


def parser(discover: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """The parser; ``discover`` is what the command of that name runs."""
    found = _Parser(prog="kanlib", description="Kolmogorov-Arnold networks that end in a formula.")
    found.add_argument("--version", action="version", version=f"kanlib {__version__}")
    commands = found.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "discover",
        help="search the formula behind one column of a CSV file",
        description="Search the formula behind one column of a CSV file. Prints the formula with the "
        "standard errors of its constants, how well it predicts unseen rows, and what was done; or 'none', "
        "with the reasons, when the data support no formula. Exit code 0 for both, 2 for bad input.",
        epilog="example: kanlib discover cells.csv --target rate --where state=treated --report cells",
    )
    command.add_argument(
        "data",
        metavar="DATA.csv",
        help="a header line, then rows of numbers",
    )
    command.add_argument("--target", required=True, metavar="COLUMN", help="the column to explain")
    command.add_argument(
        "--inputs",
        type=_names,
        metavar="A,B,...",
        help="the columns to explain it by (all others by default)",
    )
    command.add_argument(
        "--where",
        type=_condition,
        action="append",
        default=[],
        metavar="COLUMN=TEXT",
        help="use only such rows; may be repeated",
    )
    command.add_argument("--json", metavar="FILE", help="write the result as JSON ('-': to stdout, the text to stderr)")
    command.add_argument(
        "--report", metavar="DIR", help="write a report with pictures, one HTML file, into this folder"
    )
    command.add_argument(
        "--time-limit", type=_seconds, default=60.0, metavar="S", help="seconds the search may take (60)"
    )
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="seed of the random starts (0)")
    command.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N",
        help="processes that share the search (1): the same result, sooner",
    )
    command.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep what is found in this JSON file; the same command takes the search up again",
    )
    law = command.add_argument_group("what is known of the law")
    law.add_argument(
        "--forbid", type=_names, default=[], metavar="F,G,...", help="functions it does not hold, such as sin,log"
    )
    law.add_argument("--require", type=_names, default=[], metavar="F,G,...", help="functions it holds")
    law.add_argument("--start", metavar="FORMULA", help='its form, such as "a*exp(-b*t)"; what is no column is fitted')
    law.add_argument("--noise", type=_seconds, metavar="SD", help="standard deviation of the target's error")
    law.add_argument(
        "--unit",
        type=_unit,
        action="append",
        default=[],
        metavar="COLUMN=UNIT",
        help="the unit of a column or of the target; give all of them",
    )
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=discover)
    return found
