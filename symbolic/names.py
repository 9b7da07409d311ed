"""Column names become SymPy symbols that a printed formula can be parsed back with."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import sympy
from sympy import Symbol

from kanlib.errors import InputError

__all__ = ["is_safe_name", "safe_symbols"]


@lru_cache(maxsize=1)
def _reserved() -> frozenset[str]:
    """Words that SymPy's parser, Python, or the module names in printed code already give a meaning."""
    return frozenset(
        set(sympy.__all__) | set(dir(builtins)) | set(keyword.kwlist) | set(keyword.softkwlist) | {"np", "math"}
    )


def is_safe_name(name: str) -> bool:
    """Whether ``name`` may stand for a column: an ASCII identifier that means nothing else to SymPy.

    Examples
    --------
    >>> [is_safe_name(name) for name in ("mass", "E", "lambda", "2x", "a b")]
    [True, False, False, False, False]
    """
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*|_[A-Za-z0-9][A-Za-z0-9_]*", name)) and name not in _reserved()


def _spell(character: str) -> str:
    """ASCII spelling of one character: greek letters by name, accents dropped, the rest an underscore."""
    if character.isascii():
        return character if character.isalnum() else "_"
    spelled = unicodedata.normalize("NFKD", character)
    if spelled == "μ":
        return "mu"
    described = unicodedata.name(spelled[0], "")
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)(?: WITH .*)?", described)
    if greek:
        size, letter = greek.groups()
        # SymPy and LaTeX write "lambda", Unicode writes "LAMDA".
        letter = letter.replace("LAMDA", "LAMBDA").lower()
        return letter if size == "SMALL" else letter.capitalize()
    return "".join(c for c in spelled if c.isascii() and c.isalnum()) or "_"


def _safe_name(name: str, index: int) -> str:
    if is_safe_name(name):
        return name
    spelled = re.sub(r"_+", "_", "".join(_spell(character) for character in name)).strip("_")
    if not spelled:
        spelled = f"x{index + 1}"
    if spelled[0].isdigit():
        spelled = f"x{spelled}"
    return spelled if is_safe_name(spelled) else f"{spelled}_"


def safe_symbols(names: Iterable[str]) -> tuple[tuple[Symbol, ...], dict[str, str]]:
    """Give every column a real SymPy symbol whose printed name parses back to the same symbol.

    A name that is already an identifier without a meaning of its own in SymPy or Python is kept. Others are
    spelled in ASCII letters, digits and underscores; a word that SymPy knows gets an underscore (``E``
    becomes ``E_``), and a name that is taken gets a number. Columns that can keep their name are served
    first, so that ``'a_b'`` stays ``a_b`` even when ``'a b'`` stands before it.

    Parameters
    ----------
    names : the column names, in order; anything that is not a string is converted with ``str``.

    Returns
    -------
    symbols : one distinct symbol (real=True) per column, in order.
    mapping : ``{symbol name: column name}``, only where they differ.

    Raises
    ------
    InputError
        Two columns have the same name.

    Examples
    --------
    >>> symbols, mapping = safe_symbols(["T", "mass [kg]", "E"])
    >>> symbols
    (T, mass_kg, E_)
    >>> mapping
    {'mass_kg': 'mass [kg]', 'E_': 'E'}
    """
    columns = [str(name) for name in names]
    repeated = sorted(name for name, count in Counter(columns).items() if count > 1)
    if repeated:
        raise InputError(
            f"Column names {repeated} appear more than once; every column needs its own name: rename them."
        )
    taken = {name for name in columns if is_safe_name(name)}
    chosen: list[str] = []
    for index, name in enumerate(columns):
        safe = _safe_name(name, index)
        if safe != name:
            stem, number = safe.rstrip("_"), 1
            while safe in taken or not is_safe_name(safe):
                number += 1
                safe = f"{stem}_{number}"
            taken.add(safe)
        chosen.append(safe)
    mapping = {safe: name for safe, name in zip(chosen, columns, strict=True) if safe != name}
    return tuple(Symbol(safe, real=True) for safe in chosen), mapping
