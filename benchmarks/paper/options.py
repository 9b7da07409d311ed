"""What a run of the benchmark was asked for, and what a part of it must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib.figure import Figure

from benchmarks.foundation.tables import Table

__all__ = ["Options", "Part", "Record"]

Record = Mapping[str, str]  # one row of a part's CSV


@dataclass(frozen=True)
class Options:
    """How much to run.

    Attributes
    ----------
    quick : the claims that must not regress only: about half a minute a part, one seed, no peers in other processes.
    seeds : how many; seed s draws data and first weights.
    peer_python : an interpreter that has pykan; None for none, then its rows are left out.
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
    """One table of the paper: a module with these two functions.

    ``make`` returns a `Table` whose ``checks`` are claims, each true or false in this run; ``draw`` makes its picture
    of the rows of the CSV, so that a picture can be drawn again without running anything.
    """

    def make(self, options: Options) -> Table:
        """Run the part."""

    def draw(self, records: Sequence[Record]) -> Figure:
        """The picture of its rows."""
