"""One run as a row of a CSV that grows while the benchmark runs, so that a stopped run is not lost."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

__all__ = ["Key", "Row", "append", "read_rows"]

Key = tuple[str, str, float, int, str]


@dataclass(frozen=True)
class Row:
    """What one engine made of one table.

    ``status`` is "found" or "none" where the engine ended; "failed", "stopped" (over its time), "crashed" or
    "missing" (not installed) otherwise, with the reason in ``message``. With "none", ``formula`` is the closest one the
    engine looked at, and no rule counts it. ``on_front`` says whether any formula of kanlib's front passes the numeric
    rule: where that one is not returned, the verdict or the choice is at fault, not the search. ``r2`` is NaN without
    a formula or a law.
    """

    suite: str
    problem: str
    noise: float
    seed: int
    engine: str
    status: str
    formula: str
    truth: str
    strict: bool
    numeric: bool
    r2_solved: bool
    on_front: bool
    r2: float
    size: int
    true_size: int
    seconds: float
    message: str

    @property
    def key(self) -> Key:
        return self.suite, self.problem, self.noise, self.seed, self.engine


_COLUMNS = tuple(field.name for field in fields(Row))


def append(path: Path, row: Row, machine: Mapping[str, object]) -> None:
    """Add a row, with the machine's columns behind its own; the first call writes the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow([*_COLUMNS, *machine])
        writer.writerow([*(_shown(getattr(row, name)) for name in _COLUMNS), *machine.values()])


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """The rows of one or more files, without the machine's columns."""
    found = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            found += [_row(record) for record in csv.DictReader(file)]
    return found


def _row(record: Mapping[str, str]) -> Row:
    readers: dict[str, Callable[[str], object]] = {"float": float, "int": int, "str": str, "bool": "True".__eq__}
    values: dict[str, Any] = {field.name: readers[str(field.type)](record[field.name]) for field in fields(Row)}
    return Row(**values)


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
