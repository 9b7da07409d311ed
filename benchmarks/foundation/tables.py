"""A table: printed, and written as CSV with the machine, the date and the commit in every row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BriefTable", "Table"]


@dataclass(frozen=True)
class Table:
    """Rows of text or numbers under named columns; `checks` are claims and whether this run bears them out."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    checks: Mapping[str, bool]

    def text(self) -> str:
        """The table as aligned columns, and its checks below."""
        cells = [list(self.columns)] + [[_shown(value) for value in row] for row in self.rows]
        widths = [max(len(row[k]) for row in cells) for k in range(len(self.columns))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
        lines.insert(1, "  ".join("-" * width for width in widths))
        checks = [f"{'reached    ' if held else 'NOT REACHED'}  {claim}" for claim, held in self.checks.items()]
        return "\n".join([self.title, "", *lines, "", *checks])

    def write(self, folder: Path, machine: Mapping[str, object]) -> Path:
        """Write NAME.csv into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*self.columns, *machine])
            for row in self.rows:
                writer.writerow([*(_shown(value) for value in row), *machine.values()])
        return path


@dataclass(frozen=True)
class BriefTable(Table):
    """A table that is written in full, and printed without its hidden columns and without rows that are not `printed`.

    Pictures are drawn from what is written, such as the points of a curve in a cell.
    """

    hidden: Sequence[str] = ()
    printed: Callable[[Sequence[object]], bool] = lambda row: True

    def text(self) -> str:
        """As for `Table`."""
        kept = [k for k, name in enumerate(self.columns) if name not in self.hidden]
        rows = [[row[k] for k in kept] for row in self.rows if self.printed(row)]
        return Table(self.name, self.title, [self.columns[k] for k in kept], rows, self.checks).text()


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
