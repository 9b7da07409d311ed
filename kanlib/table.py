"""Reading a table of numbers from a CSV file, with errors that name the line and the column.

Only what is surely a number is taken for one: every other cell is an error that says where it stands.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .plain import short

MIN_ROWS = 5
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "--", "?", ".", "#n/a"}
_INFINITE = {"inf", "infinity"}
_FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file; export the sheet as CSV",
    b"\x1f\x8b": "a gzip file; unpack it",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}


@dataclass(frozen=True)
class Table:
    """Named columns of finite numbers: `values` is float64, (rows, columns)."""

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]

    def split(self, target: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[str, ...]]:
        """Inputs (rows, columns - 1), target (rows,) and the names of the inputs.

        Raises
        ------
        InputError
            If there is no column `target`, or no other one, or the target is constant.

        Examples
        --------
        >>> table = Table(("a", "b"), np.array([[1.0, 10.0], [2.0, 20.0]]))
        >>> X, y, names = table.split("b")
        >>> X.shape, y.tolist(), names
        ((2, 1), [10.0, 20.0], ('a',))
        """
        j = _position(target, self.names)
        inputs = [i for i in range(len(self.names)) if i != j]
        if not inputs:
            raise InputError(
                f"The target {target!r} is the only column; expected at least one input column beside it. "
                "Add a column to the file, or ask for more of them (`columns`, on the command line --inputs)."
            )
        y = self.values[:, j]
        if np.ptp(y) == 0:
            raise InputError(
                f"The target {target!r} is {y[0]:g} in all {len(y)} rows; expected one that varies. "
                "Choose another target, or more rows."
            )
        return self.values[:, inputs], y, tuple(self.names[i] for i in inputs)


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
) -> Table:
    """Read a CSV file with a header line.

    The delimiter is a comma, a semicolon or a tab, as the header line shows. Cells may be quoted. A byte
    order mark and empty lines are ignored, as are lines that start with `#` (a file may name its source so).

    Parameters
    ----------
    path : path-like
        A UTF-8 text file.
    columns : sequence of str, optional
        The columns to read, in this order; all by default. The others may hold anything, text for instance.
    where : mapping of str to str, optional
        Keep only the rows whose cell in that column is exactly this text, e.g. ``{"state": "treated"}``.
        A column named here is not read as numbers unless `columns` asks for it.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If the file is not text, has no header, empty or repeated column names, ragged rows, a cell that is
        not a finite number, or fewer than 5 rows. The message names the line and the column.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "fall.csv")
    ...     _ = file.write_text("# a stone\\nt,s\\n0,0\\n1,4.9\\n2,19.6\\n3,44.1\\n4,78.4\\n")
    ...     table = read_table(file)
    >>> table.names, table.values.shape
    (('t', 's'), (5, 2))
    """
    rows = _rows(_read_text(Path(path)))
    line = 0
    try:
        line, header = next(rows, (line, []))
        names = _check_names(line, header)
        chosen = _choose(names, columns, where)
        filters = {_position(name, names): text for name, text in (where or {}).items()}
        values = []
        for line, cells in rows:
            if len(cells) != len(names):
                raise InputError(
                    f"Line {line} has {len(cells)} cells; expected {len(names)}, as many as the header has. "
                    "Complete the line, or quote cells that contain the delimiter."
                )
            if all(cells[j].strip() == text for j, text in filters.items()):
                values.append([_number(cells[j], line, names[j]) for j in chosen])
    except csv.Error as error:
        raise InputError(
            f"{path} is not valid CSV after line {line} ({error}); expected quotes in pairs. Check them."
        ) from None
    if len(values) < MIN_ROWS:
        kept = f" where {', '.join(f'{k}={v}' for k, v in where.items())}" if where else ""
        raise InputError(f"{path} has {len(values)} rows of data{kept}; expected at least {MIN_ROWS}. Add more rows.")
    return Table(tuple(names[j] for j in chosen), np.array(values, dtype=np.float64).reshape(len(values), len(chosen)))


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a CSV file. Name a file in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}; expected a CSV file. Check the path.") from None
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} cannot be read ({reason}); expected a CSV file. Check it.") from None
    for start, what in _FOREIGN.items():
        if data.startswith(start):
            raise InputError(f"{path} is not CSV text but {what}.")
    if b"\0" in data:
        raise InputError(f"{path} is a binary file; expected CSV text with a header line. Export the table as CSV.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} is not UTF-8 text (line {line}); save it with the encoding UTF-8.") from None


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, each with the number of the line it ends on."""
    line = 0

    def data_lines() -> Iterator[str]:
        nonlocal line
        for content in io.StringIO(text, newline=""):
            line += 1
            if content.strip() and not content.startswith("#"):
                yield content

    lines = data_lines()
    first = next(lines, "")
    data = itertools.chain([first], lines)
    for cells in csv.reader(data, delimiter=_delimiter(first), strict=True, skipinitialspace=True):
        if cells:
            yield line, cells


def _delimiter(header: str) -> str:
    """The delimiter that makes the most columns of the header line; quoted cells do not count."""
    return max(
        DELIMITERS,
        key=lambda mark: len(next(csv.reader([header], delimiter=mark, skipinitialspace=True), [])),
    )


def _check_names(line: int, header: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not names:
        raise InputError("The file is empty; expected a header line with column names, then rows of numbers.")
    if all(_is_number(name) for name in names):
        raise InputError(
            f"Line {line} holds only numbers ({_list(names)}); expected a header line with column names. "
            "Add one (without a leading #)."
        )
    for j, name in enumerate(names):
        if not name:
            raise InputError(
                f"Line {line}: column {j + 1} of {len(names)} has no name; expected a name for each. "
                "Name it, or remove the column (pandas leaves out its index with to_csv(index=False))."
            )
        if name in names[:j]:
            raise InputError(f"Line {line}: two columns are named {name!r}; expected different names. Rename one.")
    if len(names) == 1:
        raise InputError(
            f"Line {line} names one column ({names[0]!r}); expected at least one input and a target, "
            f"separated by {', '.join(DELIMITERS.values())}. Check the delimiter."
        )
    return names


def _choose(names: Sequence[str], columns: Sequence[str] | None, where: Mapping[str, str] | None) -> list[int]:
    if columns is None:
        return [j for j, name in enumerate(names) if name not in (where or {})]
    for j, name in enumerate(columns):
        if name in columns[:j]:
            raise InputError(f"The column {name!r} is asked for twice; expected each once. Remove one.")
    return [_position(name, names) for name in columns]


def _position(name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    lowered = {other.lower(): other for other in reversed(names)}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
    raise InputError(f"There is no column {name!r}; the columns are {_list(names)}.{hint or ' Choose one.'}")


def _list(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _number(cell: str, line: int, name: str) -> float:
    cell = cell.strip()
    if _is_number(cell):
        value = float(cell)
        if np.isfinite(value):
            return value
    _reject(cell, line, name)


def _reject(cell: str, line: int, name: str) -> NoReturn:
    where = f"Line {line}, column {name!r}"
    bare = cell.lower().lstrip("+-")
    if cell.lower() in _MISSING or bare == "nan":
        arrived = f"is missing ({cell!r})" if cell else "is missing (empty cell)"
        raise InputError(f"{where} {arrived}; expected a number. Remove the row, or fill the cell.")
    if bare in _INFINITE or _is_number(cell):
        raise InputError(f"{where} is infinite ({cell!r}); expected a finite number. Remove the row.")
    if re.fullmatch(r"[+-]?[\d.]*,\d+([eE][+-]?\d+)?", cell, re.ASCII):
        raise InputError(f"{where} is {cell!r}; expected a number like 1234.5. Write it with a decimal point.")
    raise InputError(
        f"{where} is {short(cell, 40)!r}; expected a number. Correct the cell, or leave the column out "
        "(`columns`, on the command line --inputs, names those to read)."
    )
