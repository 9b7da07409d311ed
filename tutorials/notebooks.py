"""Write the notebooks of this folder from their paired sources, and run them.

A source is NN_name.py in jupytext's percent format: people write and review that. Its notebook NN_name.ipynb
is made from it, without outputs and the same to the byte each time, so that tests can compare.

    python tutorials/notebooks.py             write the notebook of each source
    python tutorials/notebooks.py --execute   and run it
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """The tutorials, in the order of their numbers."""
    return sorted(HERE.glob("[0-9][0-9]_*.py"))


def notebook(source: Path) -> Any:
    """The notebook of a source: its cells, no outputs, the metadata a viewer needs and nothing else."""
    book = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    book.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    book.nbformat, book.nbformat_minor = 4, 5
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
    return book


def text(source: Path) -> str:
    """The notebook of a source, as it stands in its file."""
    return nbformat.writes(notebook(source)) + "\n"


def execute(source: Path, time_limit: float = 300.0) -> Any:
    """The notebook of a source with its outputs.

    Raises nbclient's CellExecutionError at the first cell that fails, CellTimeoutError when one takes longer
    than `time_limit` seconds.
    """
    book = notebook(source)
    folder = {"metadata": {"path": str(HERE)}}
    NotebookClient(book, timeout=time_limit, kernel_name="python3", resources=folder).execute()
    return book


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the notebooks from their paired sources.")
    parser.add_argument("--execute", action="store_true", help="run them too")
    arguments = parser.parse_args(argv)
    for source in sources():
        source.with_suffix(".ipynb").write_text(text(source), encoding="utf-8")
        print(f"{source.stem}: written", end="", flush=True)
        if arguments.execute:
            execute(source)
            print(", runs", end="")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
