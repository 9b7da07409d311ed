"""The rows of a run as a table: what share of every suite is solved at every noise level, how fast, and what is not."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.foundation.tables import Table

from .engines import ENGINES
from .rows import Row
from .rules import wilson
from .suites import SUITES

__all__ = ["Report", "Share", "groups", "summarize"]

_COLUMNS = (
    "suite",
    "noise",
    "engine",
    "runs",
    "numeric",
    "numeric 95 %",
    "strict",
    "strict 95 %",
    "R2 > 0.999",
    "R2 95 %",
    "on the front",
    "median s",
    "90th percentile s",
    "not solved",
)


@dataclass(frozen=True)
class Share:
    """A count of runs and its 95 % interval."""

    count: int
    total: int

    @property
    def value(self) -> float:
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.count, self.total)

    def __str__(self) -> str:
        return f"{self.count}/{self.total}"

    def limits(self) -> str:
        return "-".join(f"{100 * limit:.0f}" for limit in self.interval) + " %"


Group = tuple[str, float, str]


def groups(rows: Sequence[Row]) -> dict[Group, list[Row]]:
    """Rows by suite, noise and engine, in the order of the suites and engines."""
    found: dict[Group, list[Row]] = {}
    suites = list(SUITES)
    for row in sorted(rows, key=lambda row: (suites.index(row.suite), row.noise, ENGINES.index(row.engine))):
        found.setdefault((row.suite, row.noise, row.engine), []).append(row)
    return found


@dataclass(frozen=True)
class Report:
    """The table of the laws and the table of the controls; the last column of both lists problems."""

    laws: Table
    controls: Table

    def text(self) -> str:
        """The tables, and below them the problems of each row, which are too many for a column."""
        parts = []
        for table, keys in ((self.laws, 3), (self.controls, 1)):
            if table.rows:
                short = replace(table, columns=table.columns[:-1], rows=[row[:-1] for row in table.rows])
                parts.append(short.text().strip())
                lines = [" ".join(map(str, (*row[:keys], f"{table.columns[-1]}:", row[-1]))) for row in table.rows]
                parts += [textwrap.fill(line, 118, break_on_hyphens=False) for line in lines if not line.endswith(" ")]
        return "\n\n".join(parts)

    def write(self, folder: Path) -> None:
        """Write discovery_summary.csv and discovery_controls.csv; their rows name no machine, the runs' do."""
        for table in (self.laws, self.controls):
            if table.rows:
                table.write(folder, {})


def summarize(rows: Sequence[Row]) -> Report:
    """The summary of all rows."""
    found = groups(rows)
    laws = [_law_row(key, members) for key, members in found.items() if key[0] != "controls"]
    controls = [_control_row(key[2], members) for key, members in found.items() if key[0] == "controls"]
    return Report(
        Table("discovery_summary", "Laws: solved by each rule, with 95 % Wilson intervals", _COLUMNS, laws, {}),
        Table(
            "discovery_controls",
            "Negative controls: every formula called found is false",
            ("engine", "runs", "false formulas", "95 %", "median s", "which"),
            controls,
            {},
        ),
    )


def _law_row(key: Group, members: list[Row]) -> list[object]:
    suite, noise, engine = key
    if all(row.status == "missing" for row in members):
        return [suite, f"{noise:g}", engine, 0, *[""] * 9, members[0].message]
    shares = [
        Share(sum(values), len(members)) for values in zip(*((r.numeric, r.strict, r.r2_solved) for r in members))
    ]
    counted = [cell for share in shares for cell in (str(share), share.limits())]
    seconds = [row.seconds for row in members]
    return [
        suite,
        f"{noise:g}",
        engine,
        len(members),
        *counted,
        str(Share(sum(row.on_front for row in members), len(members))),
        float(np.median(seconds)),
        float(np.quantile(seconds, 0.9)),
        _listed([row for row in members if not row.numeric]),
    ]


def _control_row(engine: str, members: list[Row]) -> list[object]:
    if all(row.status == "missing" for row in members):
        return [engine, 0, "", "", "", members[0].message]
    false = [row for row in members if row.status == "found"]
    share = Share(len(false), len(members))
    return [
        engine,
        len(members),
        str(share),
        share.limits(),
        float(np.median([r.seconds for r in members])),
        _listed(false),
    ]


def _listed(rows: Sequence[Row]) -> str:
    """Problems, with how many of their runs where there are several."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.problem] = counts.get(row.problem, 0) + 1
    return " ".join(name if count == 1 else f"{name}(x{count})" for name, count in counts.items())
