"""The engines: kanlib in this process, each peer as a script in an interpreter of its own, stopped when over time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.errors import FormulaError
from kanlib.symbolic.parsing import parse_formula
from kanlib.symbolic.printing import print_text

__all__ = ["ENGINES", "PEERS", "Answer", "Limits", "run"]

Array = NDArray[np.float64]

PEERS = ("pykan", "pyoperon", "gplearn")
ENGINES = ("kanlib", *PEERS)
_SCRIPTS = Path(__file__).with_name("peers")
TARGET = "output"  # no column has this name
_MODULES = {"pykan": "kan", "pyoperon": "pyoperon", "gplearn": "gplearn"}


@dataclass(frozen=True)
class Limits:
    """Seconds kanlib and every peer get, and the interpreter that has the peers.

    Engines look at their own clock only now and then, and an interpreter needs seconds to import torch: a peer is
    stopped from outside after half as long again and ``grace`` seconds more, a worker some time later.
    """

    seconds: float = 60.0
    peer_seconds: float = 60.0
    peer_python: str = sys.executable
    grace: float = 45.0

    @property
    def peer_patience(self) -> float:
        return 1.5 * self.peer_seconds + self.grace

    @property
    def patience(self) -> float:
        return 2.0 * max(self.seconds, self.peer_seconds) + 2.0 * self.grace


@dataclass(frozen=True)
class Answer:
    """What an engine returned; see `rows.Row` for the words of ``status``. Its text is in the columns' names."""

    status: str
    formula: Expr | None
    text: str
    seconds: float
    message: str
    front: tuple[Expr, ...] = ()


def run(engine: str, X: Array, y: Array, symbols: tuple[Symbol, ...], seed: int, limits: Limits) -> Answer:
    """Give one engine one table."""
    return _kanlib(X, y, symbols, seed, limits) if engine == "kanlib" else _peer(engine, X, y, symbols, seed, limits)


def _kanlib(X: Array, y: Array, symbols: tuple[Symbol, ...], seed: int, limits: Limits) -> Answer:
    from kanlib.symbolic import discover

    start = time.perf_counter()
    try:
        names = [symbol.name for symbol in symbols]
        found = discover(X, y, names=names, target_name=TARGET, time_limit=limits.seconds, seed=seed)
    except Exception as error:  # whatever it is, it is the result of this row, not the end of the run
        return Answer("failed", None, "", time.perf_counter() - start, f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    front = tuple(point.formula.expr for point in found.front)
    if found.formula is None:
        best = min(found.front, key=lambda point: point.rmse, default=None)
        text = "" if best is None else str(best.formula)
        return Answer("none", None, text, seconds, found.message, front)
    return Answer("found", found.formula.expr, str(found.formula), seconds, found.message, front)


def _peer(engine: str, X: Array, y: Array, symbols: tuple[Symbol, ...], seed: int, limits: Limits) -> Answer:
    with tempfile.TemporaryDirectory() as folder:  # pykan writes checkpoints where it runs
        table = Path(folder) / "table.npz"
        np.savez(table, X=X, y=y)
        script = _SCRIPTS / f"{engine}_peer.py"
        command = [limits.peer_python, str(script), str(table), str(limits.peer_seconds), str(seed)]
        start = time.perf_counter()
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=limits.peer_patience, check=False
            )
        except subprocess.TimeoutExpired:
            seconds = time.perf_counter() - start
            return Answer("stopped", None, "", seconds, f"stopped after {limits.peer_patience:.0f} s")
    seconds = time.perf_counter() - start
    if f"No module named '{_MODULES[engine]}" in done.stderr:
        return Answer("missing", None, "", 0.0, f"{engine} is not installed: pip install -e '.[benchmarks]'")
    if done.returncode != 0 or not done.stdout.strip():
        return Answer("failed", None, "", seconds, (done.stderr.strip().splitlines() or ["no message"])[-1])
    return _answer(json.loads(done.stdout.strip().splitlines()[-1]), symbols)


def _answer(reply: dict[str, object], symbols: tuple[Symbol, ...]) -> Answer:
    """Read a peer's formula, in which the columns are x1, x2, ..."""
    text, seconds, note = str(reply["formula"]), float(str(reply["seconds"])), str(reply.get("message", ""))
    columns = [Symbol(f"x{k}", real=True) for k in range(1, len(symbols) + 1)]
    try:
        formula = parse_formula(text, columns).xreplace(dict(zip(columns, symbols)))
    except FormulaError as error:
        return Answer("failed", None, text, seconds, str(error))
    # A constant says that nothing was found.
    return Answer("found" if formula.free_symbols else "none", formula, print_text(formula), seconds, note)
