"""Any column name gets a symbol that a printed formula parses back with."""

from __future__ import annotations

import keyword

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy.parsing.sympy_parser import parse_expr

from kanlib.errors import InputError
from kanlib.symbolic.names import is_safe_name, safe_symbols

NASTY = ["E", "I", "S", "N", "O", "Q", "beta", "gamma", "zeta", "lambda", "pi", "Symbol", "test", "sum", "oo", "nan"]
NASTY += [
    "mass [kg]",
    "a b",
    "a_b",
    "2x",
    "",
    " ",
    "°",
    "β",
    "λ",
    "Δt",
    "µ",
    "élan",
    "x;import os",
    "__class__",
    "x",
    "x1",
]
NASTY += ["x'", '"', "\n", "np", "math", "__import__", "True", "print", "1e5", "x.y", "数", "_", "Function", "C", "x2"]


def assert_parses_back(symbols: tuple[sympy.Symbol, ...]) -> None:
    """str of an expression in the symbols, parsed without any help, is the same expression."""
    plain = {symbol: sympy.Symbol(symbol.name) for symbol in symbols}
    expr = sympy.Add(*[(k + 2) * sympy.sin(s) ** 2 / (s + k) for k, s in enumerate(symbols, 1)])
    assert parse_expr(str(expr)) == expr.xreplace(plain)


def test_nasty_names_together() -> None:
    symbols, mapping = safe_symbols(NASTY)
    assert len(set(symbols)) == len(NASTY) == len({symbol.name for symbol in symbols})
    assert all(symbol.is_real and symbol.name.isidentifier() and is_safe_name(symbol.name) for symbol in symbols)
    assert mapping == {s.name: name for s, name in zip(symbols, NASTY) if s.name != name}
    assert_parses_back(symbols)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6, unique=True))
def test_any_text(names: list[str]) -> None:
    symbols, mapping = safe_symbols(names)
    assert len({symbol.name for symbol in symbols}) == len(names)
    assert [mapping.get(symbol.name, symbol.name) for symbol in symbols] == names
    assert_parses_back(symbols)


def test_every_word_sympy_knows_is_avoided() -> None:
    words = [*sympy.__all__, *keyword.kwlist]
    symbols, mapping = safe_symbols(words)
    assert not set(words) & {symbol.name for symbol in symbols}
    assert len(mapping) == len(words)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mass [kg]", "mass_kg"),
        ("E", "E_"),
        ("β", "beta_"),
        ("λ", "lambda_"),
        ("µ", "mu"),
        ("Δt", "Deltat"),
        ("2x", "x2x"),
    ],
)
def test_readable_spelling(name: str, expected: str) -> None:
    symbols, mapping = safe_symbols([name])
    assert symbols[0].name == expected
    assert mapping == {expected: name}


def test_good_names_stay_and_win() -> None:
    symbols, mapping = safe_symbols(["a b", "a_b", "T"])
    assert [symbol.name for symbol in symbols] == ["a_b_2", "a_b", "T"]
    assert mapping == {"a_b_2": "a b"}
    assert safe_symbols([]) == ((), {})


def test_repeated_names_are_an_error() -> None:
    with pytest.raises(InputError, match=r"'T'.*more than once"):
        safe_symbols(["T", "x", "T"])


def test_numbers_as_names() -> None:
    assert safe_symbols([0, 1])[1] == {"x0": "0", "x1": "1"}  # type: ignore[list-item]
