"""What `make demo` runs: three laws in real measurements, each with a picture of its network and a report.

    python tutorials/demo.py [FOLDER]     results go to ./demo by default

Exits with 1 when no formula is found somewhere, so that a script can tell.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # pictures go to files, no screen is needed

from kanlib.__main__ import describe
from kanlib.plots import plot_network, write_report
from kanlib.symbolic import discover
from kanlib.table import read_table

DATA = Path(__file__).resolve().parent / "data"


def search(folder: Path, name: str, title: str, file: str, target: str, where: Mapping[str, str] | None = None) -> bool:
    """Search one law, print it, write its picture and its report; whether a formula was found."""
    table = read_table(DATA / file, where=where)
    X, y, names = table.split(target)
    print(f"\n{'=' * 100}\n{title}\n{len(y)} rows; {target} of {', '.join(names)}\n")
    found = discover(X, y, names=names, target_name=target)
    print(f"{describe(found)}\n")
    if found.network is not None:
        axes = plot_network(found.network, X, input_names=names, output_names=(target,))
        axes.figure.savefig(folder / f"{name}.png", dpi=150, bbox_inches="tight")
        print(f"network: {folder / name}.png")
    print(f"report:  {write_report(found, folder / f'{name}.html', X, y)}")
    return found.status == "found"


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0] if arguments else "demo")
    folder.mkdir(parents=True, exist_ok=True)
    cells = "Reaction rate against substrate concentration, cells"
    found = [
        search(folder, "planets", "The eight planets: period against distance", "planets.csv", "T_years"),
        *(
            search(folder, state, f"{cells} {state} with Puromycin", "puromycin.csv", "rate", {"state": state})
            for state in ("treated", "untreated")
        ),
    ]
    print(f"\n{sum(found)} of {len(found)} laws found. Open the reports in {folder.resolve()} with a browser.")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
