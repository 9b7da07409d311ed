"""A search that can be cut and taken up again: what its tasks found, as one JSON file.

The file holds text and numbers only (formulas as text that `parse_formula` reads, weights as base64), so that reading
one runs none of it. It is written anew after each stage, atomically: an interrupt leaves the last stage or the one
before. A fingerprint of the data and the settings ties it to its search, a checksum tells damage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib import __version__
from kanlib.errors import FormulaError, InputError
from kanlib.files import check_writable, write_atomically
from kanlib.network import KAN
from kanlib.plain import json_number

from .formula import Formula
from .joint import Candidate
from .parsing import parse_formula, parse_structure
from .printing import print_text
from .problem import Problem
from .reduction.coordinates import Coordinates
from .tasks import Part
from .views import Reference, Ways

__all__ = ["Checkpoint", "fingerprint"]

_FORMAT = "kanlib search 1"
# What senseless content runs into.
_SENSELESS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)


def fingerprint(problem: Problem, seed: int, settings: Sequence[str]) -> str:
    """A digest of the data and of all settings that change what a search finds; the time limit is none of them.

    ``settings`` are the primitives and the digest of what is known of the law, its row weights among that.
    """
    digest = hashlib.sha256()
    named = [_FORMAT, __version__, seed, list(settings), list(problem.names), problem.target_name]
    digest.update(json.dumps([*named, problem.X.shape]).encode())
    for array in (problem.X, problem.y):
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


class Checkpoint:
    """What is known of a search already, and where it is kept; without a path it is kept nowhere.

    Parameters
    ----------
    path : of the file; read if it exists. None for no file.
    key : the `fingerprint` of the search.
    symbols : one a column of the table.

    Raises
    ------
    InputError
        The file is damaged, or belongs to another search.
    StorageError
        A file cannot be written there.
    """

    def __init__(self, path: str | os.PathLike[str] | None, key: str, symbols: Sequence[Symbol]) -> None:
        self.path = None if path is None else Path(path)
        self.symbols, self.key = tuple(symbols), key
        self.ways: Ways | None = None
        self.parts: dict[str, tuple[tuple[Part, ...], bool]] = {}
        self.finished: dict[str, Formula | None] = {}
        self._content: dict[str, Any] = {"fingerprint": key, "ways": None, "tasks": {}, "finished": {}}
        if self.path is None:
            return
        check_writable(self.path)
        if self.path.exists():
            self._read(self.path)

    def __bool__(self) -> bool:
        """Whether there is a file."""
        return self.path is not None

    def keep_ways(self, found: Ways) -> None:
        self.ways = found
        if self.path is not None:
            self._content["ways"] = {
                "coordinates": [
                    [[print_text(e) for e in c.expressions], print_text(c.factor)] for c in found.coordinates
                ],
                "references": [[r.name, r.residuals.tolist(), r.error] for r in found.references],
            }
            self._write()

    def keep_parts(self, key: str, parts: Sequence[Part], whole: bool) -> None:
        """What a task has found so far; ``whole`` when there is no more to come."""
        self.parts[key] = (tuple(parts), whole)
        if self.path is not None:
            self._content["tasks"][key] = {"whole": whole, "parts": [_part_record(part) for part in parts]}
            self._write()

    def keep_finished(self, key: str, formula: Formula | None) -> None:
        """A candidate in its shortest form; None where it left the real numbers on the way."""
        self.finished[key] = formula
        if self.path is not None:
            self._content["finished"][key] = None if formula is None else _formula_record(formula)
            self._write()

    def _write(self) -> None:
        assert self.path is not None
        text = json.dumps(self._content, allow_nan=False, sort_keys=True)
        record = f'{{"format": "{_FORMAT}", "checksum": "{_checksum(text)}", "content": {text}}}\n'
        write_atomically(self.path, record)

    def _read(self, path: Path) -> None:
        advice = "Remove the file to start anew, or give another path."
        try:
            record = json.loads(path.read_bytes())
            if record["format"] != _FORMAT:
                raise InputError(
                    f"checkpoint {path} has the format {record['format']!r}; expected {_FORMAT!r}. {advice}"
                )
            content = record["content"]
            if record["checksum"] != _checksum(json.dumps(content, allow_nan=False, sort_keys=True)):
                raise InputError(f"checkpoint {path} was altered or damaged (its checksum differs). {advice}")
            if content["fingerprint"] != self.key:
                raise InputError(
                    f"checkpoint {path} belongs to another search: expected the same table, names, seed, primitives "
                    f"and version of kanlib as it was written with. {advice}"
                )
            self._restore(content)
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"checkpoint {path} cannot be read ({error.strerror or error}). {advice}") from error
        except (*_SENSELESS, FormulaError) as error:
            raise InputError(f"checkpoint {path} holds no search ({error}); it was cut or altered. {advice}") from error
        self._content = content

    def _restore(self, content: Mapping[str, Any]) -> None:
        if content["ways"] is not None:
            chosen = tuple(
                Coordinates(
                    tuple(self._expr(e) for e in inside), np.empty((0, len(inside))), self._expr(front), np.ones(0)
                )
                for inside, front in content["ways"]["coordinates"]
            )
            references = tuple(
                Reference(str(name), np.array(residuals, dtype=np.float64), float(error))
                for name, residuals, error in content["ways"]["references"]
            )
            self.ways = Ways(chosen, references)
        for key, task in content["tasks"].items():
            self.parts[key] = (tuple(self._part(part) for part in task["parts"]), bool(task["whole"]))
        for key, formula in content["finished"].items():
            self.finished[key] = None if formula is None else self._formula(formula)

    def _expr(self, text: str, constants: Sequence[Symbol] = ()) -> Expr:
        return parse_formula(text, {symbol.name: symbol for symbol in (*self.symbols, *constants)})

    def _part(self, record: Mapping[str, Any]) -> Part:
        candidates = []
        for structure, values, rmse, length in record["candidates"]:
            constants = {Symbol(name, real=True): float(value) for name, value in values}
            expr = self._expr(structure, tuple(constants))
            candidates.append(Candidate(expr, constants, float(rmse), float(length)))
        network = None if record["network"] is None else _network(record["network"])
        error = math.inf if record["error"] is None else float(record["error"])
        return Part(tuple(candidates), network, int(record["grid_size"]), error)

    def _formula(self, record: Mapping[str, Any]) -> Formula:
        values = {
            Symbol(name, real=True): parse_formula(value, ()) if isinstance(value, str) else float(value)
            for name, value in record["values"]
        }
        structure = parse_structure(record["structure"], self.symbols, values)
        return Formula(structure, values, self.symbols, relative_errors=record["relative_errors"])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _part_record(part: Part) -> dict[str, Any]:
    return {
        "candidates": [
            [print_text(c.structure), [[s.name, v] for s, v in c.values.items()], c.rmse, c.length]
            for c in part.candidates
        ],
        "network": None if part.network is None else _network_record(part.network),
        "grid_size": part.grid_size,
        "error": json_number(part.error),
    }


def _formula_record(formula: Formula) -> dict[str, Any]:
    """Errors are not kept: they belong to the whole table, and are worked out at the end of every search."""
    return {
        "structure": print_text(formula.structure),
        "values": [[s.name, v if isinstance(v, float) else print_text(v)] for s, v in formula.values.items()],
        "relative_errors": formula.relative_errors,
    }


def _array_record(array: NDArray[Any]) -> list[Any]:
    """Bit for bit, values that are not finite too, which JSON has no words for."""
    return [str(array.dtype), list(array.shape), base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()]


def _array(record: Sequence[Any]) -> NDArray[Any]:
    dtype, shape, numbers = record
    return np.frombuffer(base64.b64decode(numbers), dtype=np.dtype(dtype)).reshape(shape).copy()


def _network_record(network: KAN) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, value in network.state_dict().items():
        if isinstance(value, torch.Tensor):
            state[name] = _array_record(value.detach().cpu().numpy())
        else:
            state[name] = {"extra": value}
    return {"config": network.config(), "state": state}


def _network(record: Mapping[str, Any]) -> KAN:
    network = KAN.from_config(record["config"])
    expected = network.state_dict()
    state: dict[str, Any] = {}
    for name, value in record["state"].items():
        if isinstance(value, dict):
            state[name] = value["extra"]
            continue
        state[name] = torch.tensor(_array(value), dtype=expected[name].dtype)
    network.load_state_dict(state)
    return network
