"""Table 2: pykan on the same law, by the protocol of its hello example, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .law import TEXT
from .tables import Table

__all__ = ["pykan_table"]

SCRIPT = Path(__file__).with_name("pykan_hello.py")


def pykan_table(interpreter: str | None, *, threads: int, time_limit: float, seed: int = 0) -> Table:
    """One run. Where pykan is missing, too slow or breaks, the row says so."""
    command = [interpreter or sys.executable, str(SCRIPT), "--seed", str(seed), "--threads", str(threads)]
    row: list[object]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=time_limit, check=False)
        except subprocess.TimeoutExpired:
            row = ["", seed, f"stopped after {time_limit:.0f} s", "", ""]
        else:
            row = _row(done, seed)
    return Table(
        "pykan",
        f"2. The peer: pykan's hello example on {TEXT}, 1,000 samples",
        ["pykan", "seed", "seconds", "rmse on 10,000 new points", "formula, numbers rounded"],
        [row],
        {},
    )


def _row(done: subprocess.CompletedProcess[str], seed: int) -> list[object]:
    if "No module named 'kan'" in done.stderr:
        return ["not installed", seed, "", "", 'pip install -e ".[benchmarks]"']
    if done.returncode != 0:
        return ["", seed, "failed", "", (done.stderr.strip().splitlines() or ["no message"])[-1]]
    found = json.loads(done.stdout)
    return [found["version"], seed, found["seconds"], found["rmse"], found["formula"]]
