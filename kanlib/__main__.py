"""The command line: `kanlib discover DATA.csv --target y`, also as `python -m kanlib`.

This is the roof of the house, the one file of the core that sees kanlib.symbolic and kanlib.plots.
Exit codes: 0 when the search ended, with a formula or with none; 2 for bad input, with one line on stderr.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from .errors import InputError, KanlibError, KanlibWarning, StorageError
from .files import check_writable, write_atomically
from .table import read_table

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from kanlib.symbolic import Discovery


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A column's name may have letters the terminal does not: not a reason to lose the result.
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", KanlibWarning)
            warnings.showwarning = _show_warning
            return int(arguments.run(arguments))
    except (KanlibError, FileNotFoundError) as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        kept = f"{arguments.checkpoint} keeps what was found" if arguments.checkpoint else "nothing was written"
        _say(f"stopped; {kept}.")
        return 130


def discover(arguments: argparse.Namespace) -> int:
    """Search a formula for one column of a CSV file, and write what was asked for."""
    # Whatever can be refused is refused before the imports and the search take their time.
    columns = None
    if arguments.inputs:
        if arguments.target in arguments.inputs:
            raise InputError(f"The target {arguments.target!r} is among --inputs; expected other columns. Remove it.")
        columns = [*arguments.inputs, arguments.target]
    X, y, names = read_table(arguments.data, columns=columns, where=_once(arguments.where, "--where")).split(
        arguments.target
    )
    to_stdout = arguments.json == "-"
    if arguments.json and not to_stdout:
        check_writable(arguments.json)
    if arguments.report:
        _make_folder(Path(arguments.report))
    if arguments.checkpoint:
        check_writable(arguments.checkpoint)

    from kanlib.symbolic import discover as search

    with _workers(arguments.jobs) as executor:
        found = search(
            X,
            y,
            names=names,
            target_name=arguments.target,
            time_limit=arguments.time_limit,
            seed=arguments.seed,
            progress=not arguments.quiet,
            executor=executor,
            checkpoint=arguments.checkpoint,
            **known(arguments),
        )
    if arguments.json:
        text = json.dumps(record(found), indent=2, ensure_ascii=to_stdout, allow_nan=False) + "\n"
        if to_stdout:
            print(text, end="")
        else:
            write_atomically(arguments.json, text)
    lines = [describe(found)]
    if arguments.report:
        from kanlib.plots import write_report

        lines.append(f"report: {write_report(found, Path(arguments.report), X, y)}")
    print("\n\n".join(lines), file=sys.stderr if to_stdout else sys.stdout)
    return 0


def known(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the user knows of the law, as options of the search."""
    units = _once(arguments.unit, "--unit")
    output_unit = units.pop(arguments.target, None)
    return {
        "forbidden": arguments.forbid,
        "required": arguments.require,
        "start": arguments.start,
        "noise": arguments.noise,
        "units": units if arguments.unit else None,
        "output_unit": output_unit,
    }


def record(found: Discovery) -> dict[str, Any]:
    """What --json writes: numbers that are not finite become null, so that it is JSON everywhere."""
    formula = found.formula if found.status == "found" else None
    return {
        "status": found.status,
        "formula": None if formula is None else str(formula),
        "latex": None if formula is None else formula.latex(),
        "symbols": {} if formula is None else dict(formula.symbols_map),
        "r2": _finite(found.r2),
        "rmse": _finite(found.rmse),
        "seconds": _finite(found.seconds),
        "constants": [
            {"value": _finite(c.value), "standard_error": _finite(c.standard_error), "exact": c.exact}
            for c in (() if formula is None else formula.constants)
        ],
        "front": [
            {
                "complexity": p.complexity,
                "rmse": _finite(p.rmse),
                "formula": str(p.formula),
                "length": _finite(p.length),
                "accepted": p.accepted,
            }
            for p in found.front
        ],
    }


def describe(found: Discovery, most: int = 8) -> str:
    """The discovery as text: the formula and its constants, how good it is, the front, and what was done."""
    if found.status != "found" or found.formula is None:
        parts = ["\n".join([f"none: {found.message}", *(f"- {reason}" for reason in found.reasons)])]
    else:
        parts = [f"found in {found.seconds:.1f} s\n{found.formula.summary()}"]
    named = {"R^2": _finite(found.r2), "RMSE": _finite(found.rmse)}
    scores = [f"{name} {value:.6g}" for name, value in named.items() if value is not None]
    if scores:
        whose = "formula" if found.status == "found" else "network"
        parts.append(f"the {whose} on held-out rows: {', '.join(scores)}")
    if found.front:
        rows = [f"{p.complexity:>10}  {p.rmse:<10.4g}  {p.formula.text()}" for p in found.front[:most]]
        parts.append("\n".join(["complexity  RMSE        formula", *rows]))
    if found.notes:
        parts.append("\n".join(["what was done", *(f"- {note}" for note in found.notes)]))
    return "\n\n".join(parts)


def _once(pairs: Sequence[tuple[str, str]], option: str) -> dict[str, str]:
    """The pairs of an option that may be repeated, each column once."""
    found: dict[str, str] = {}
    for column, text in pairs:
        if column in found:
            raise InputError(
                f"{option} has the column {column!r} twice, with {found[column]!r} and {text!r}; expected each once. "
                "Remove one."
            )
        found[column] = text
    return found


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _workers(n: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Processes that share the search; none for one job. Spawned: a fork would copy the threads of torch."""
    if n == 1:
        return nullcontext()
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("spawn"))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"--report {path} is no folder ({reason}); expected one. Choose another path.") from error
    check_writable(path / "report.html")


def _say(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    print("kanlib: " + " ".join(text.split()), file=sys.stderr)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    _say(f"note: {message}" if issubclass(category, KanlibWarning) else f"{category.__name__}: {message}")


# ---------------------------------------------------------------------- arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the usage and a line."""
        _say(f"error: {message}; see {self.prog} --help")
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kanlib", description="Kolmogorov-Arnold networks that end in a formula.")
    parser.add_argument("--version", action="version", version=f"kanlib {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
