"""pykan's rows of a table: its own process, its own folder, a limit of time, and never an exception.

The process is benchmarks/paper/peers/pykan_fit.py, which says how pykan is trained.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["PAPER_GRIDS", "GridRow", "peer_lines", "pykan_rows"]

PEERS = Path(__file__).with_name("peers")
PAPER_GRIDS = (3, 5, 10, 20, 50, 100, 200)  # arXiv 2404.19756, section 3.1


@dataclass(frozen=True)
class GridRow:
    """What pykan reached on one grid.

    Attributes
    ----------
    grid : intervals of its grids.
    test_rmse, train_rmse : NaN in a row that only says why there are no more.
    parameters : trainable numbers of its spline edges.
    seconds : since the start of the first grid, imports left out.
    note : empty; or, in the last row, why the grids end here: "not installed", "stopped after ...", "failed: ...".
    """

    grid: int
    test_rmse: float
    train_rmse: float
    parameters: int
    seconds: float
    note: str = ""


def pykan_rows(
    interpreter: str,
    widths: Sequence[int | Sequence[int]],
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    grids: Sequence[int] = PAPER_GRIDS,
    steps: int = 200,
    seed: int = 0,
    seconds: float = 300.0,
    threads: int = 1,
) -> list[GridRow]:
    """Train pykan on ``train`` through ``grids``; one row a grid.

    Parameters
    ----------
    interpreter : an interpreter that has pykan.
    widths : nodes of every layer; one with products is [sums, products of two].
    train, test : X (n, columns) and y (n,) or (n, outputs).
    seconds : the process is ended after this many; the grids done by then are kept, and one row more says so.
    """
    arrays = dict(zip(("train_X", "train_y", "test_X", "test_y"), (*train, *test)))
    options = [
        *("--widths", json.dumps([w if isinstance(w, int) else list(w) for w in widths])),
        *("--grids", *map(str, grids)),
        *("--steps", str(steps), "--seed", str(seed), "--threads", str(threads)),
    ]
    lines, note = peer_lines(interpreter, "pykan_fit.py", arrays, options, seconds)
    rows = [
        GridRow(
            int(line["grid"]),
            float(line["test_rmse"]),
            float(line["train_rmse"]),
            int(line["parameters"]),
            float(line["seconds"]),
        )
        for line in lines
    ]
    if note:
        grid = grids[min(len(rows), len(grids) - 1)]
        rows.append(GridRow(grid, math.nan, math.nan, 0, rows[-1].seconds if rows else math.nan, note))
    return rows


def peer_lines(
    interpreter: str, script: str, arrays: Mapping[str, ArrayLike], options: Sequence[str], seconds: float
) -> tuple[list[dict[str, Any]], str]:
    """Run a script of peers/ on a file of arrays: its lines of JSON, and a note where it did not end well."""
    with tempfile.TemporaryDirectory() as folder:
        data, printed, errors = (Path(folder) / name for name in ("data.npz", "printed", "errors"))
        np.savez(data, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
        work = Path(folder) / "work"  # pykan leaves checkpoints there
        work.mkdir()
        command = [interpreter, str(PEERS / script), str(data), *options]
        # Files, not pipes: what was printed before the process is ended stays.
        with printed.open("w") as out, errors.open("w") as err:
            try:
                code = subprocess.run(
                    command, cwd=work, stdout=out, stderr=err, timeout=seconds, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                note = f"stopped after {seconds:.0f} s"
            except OSError as error:
                note = f"failed: {error.strerror}: {interpreter}"
            else:
                note = "" if code == 0 else _failure(errors.read_text(encoding="utf-8", errors="replace"))
        # A process ended in the middle of a line leaves half of one.
        text = printed.read_text(encoding="utf-8", errors="replace")
        return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")], note


def _failure(errors: str) -> str:
    if "No module named 'kan'" in errors:
        return "not installed"
    return "failed: " + (errors.strip().splitlines() or ["no message"])[-1].strip()
