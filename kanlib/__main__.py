"""The command line: `kanlib discover DATA.csv --target y`, also as `python -m kanlib`.

This is the roof of the house, the one file of the core that sees kanlib.symbolic and kanlib.plots.
Exit codes: 0 when the search ended, with a formula or with none; 2 for bad input and 130 after Ctrl-C, with one line on
stderr.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import parser, say
from .errors import InputError, KanlibError, KanlibWarning, StorageError
from .files import check_writable, write_atomically
from .plain import json_number
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
    arguments = parser(discover).parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", KanlibWarning)
            warnings.showwarning = _show_warning
            return int(arguments.run(arguments))
    except (KanlibError, FileNotFoundError) as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        kept = f"{arguments.checkpoint} keeps what was found" if arguments.checkpoint else "nothing was written"
        say(f"stopped; {kept}.")
        return 130
    except BrokenPipeError:  # who read the output has seen enough, as `| head` has: no fault of the search
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 141


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
            print(text, end="", flush=True)
        else:
            write_atomically(arguments.json, text)
    lines = [describe(found)]
    if arguments.report:
        from kanlib.plots import write_report

        lines.append(f"report: {write_report(found, Path(arguments.report), X, y)}")
    print("\n\n".join(lines), file=sys.stderr if to_stdout else sys.stdout, flush=True)
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
        "r2": json_number(found.r2),
        "rmse": json_number(found.rmse),
        "seconds": json_number(found.seconds),
        "constants": [
            {"value": json_number(c.value), "standard_error": json_number(c.standard_error), "exact": c.exact}
            for c in (() if formula is None else formula.constants)
        ],
        "front": [
            {
                "complexity": p.complexity,
                "rmse": json_number(p.rmse),
                "formula": str(p.formula),
                "length": json_number(p.length),
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
    named = {"R^2": json_number(found.r2), "RMSE": json_number(found.rmse)}
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


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    say(f"note: {message}" if issubclass(category, KanlibWarning) else f"{category.__name__}: {message}")


if __name__ == "__main__":
    sys.exit(main())
