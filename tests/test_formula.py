"""A formula prints, predicts, and travels without losing a digit."""

from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy.parsing.sympy_parser import parse_expr

from kanlib.errors import FormulaError, InputError, InputTypeError
from kanlib.symbolic.formula import Constant, Formula
from kanlib.symbolic.library import LIBRARY
from kanlib.symbolic.names import safe_symbols
from kanlib.symbolic.printing import count_nodes, format_value, print_text, round_to_error

V, K, x, z = sympy.symbols("V K x z", real=True)


@pytest.fixture
def kinetics() -> Formula:
    symbols, _ = safe_symbols(["conc [ppm]", "E"])
    s, e = symbols
    return Formula(
        V * s / (K + s) + sympy.Symbol("c3", real=True) * e,
        {V: 212.6837, K: 0.0641213, sympy.Symbol("c3", real=True): sympy.pi / 2},
        symbols,
        ("conc [ppm]", "E"),
        covariance=np.diag([6.947**2, 0.008281**2]),
        dof=10,
        residual_std=10.9337,
        target="rate",
    )


def test_summary_golden_text(kinetics: Formula) -> None:
    expected = """\
rate = pi*E_/2 + 212.7*conc_ppm/(conc_ppm + 0.0641)
     = pi*E_/2 + V*conc_ppm/(K + conc_ppm)
  V = 212.7 ± 6.9
  K = 0.0641 ± 0.0083
residual standard error 10.93 on 10 degrees of freedom
conc_ppm is column 'conc [ppm]'
E_ is column 'E'"""
    assert kinetics.summary() == expected
    assert repr(kinetics) == "Formula(rate = pi*E_/2 + 212.7*conc_ppm/(conc_ppm + 0.0641))"


def test_text_keeps_every_digit(kinetics: Formula) -> None:
    plain = {symbol: sympy.Symbol(symbol.name) for symbol in kinetics.symbols}
    assert str(kinetics) == "pi*E_/2 + 212.6837*conc_ppm/(conc_ppm + 0.0641213)"
    assert parse_expr(str(kinetics)) == kinetics.expr.xreplace(plain)
    assert kinetics.symbols_map == {"conc_ppm": "conc [ppm]", "E_": "E"}


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(1e-300, 1e300))
def test_floats_round_trip_through_text(one: float, two: float) -> None:
    expr = Formula(V * x + K, {V: one, K: two}, (x,)).expr
    parsed = parse_expr(print_text(expr)).subs({sympy.Symbol("x"): 0})
    # SymPy's own reading of a decimal may be off by one unit in the last place
    assert float(parsed) == pytest.approx(two, rel=4e-16)


def test_latex(kinetics: Formula) -> None:
    assert kinetics.latex() == (r"\frac{\pi E}{2} + \frac{212.7 \mathrm{conc\ [ppm]}}{\mathrm{conc\ [ppm]} + 0.06412}")
    assert kinetics._repr_latex_() == rf"$\displaystyle rate = {kinetics.latex()}$"
    assert "212.68" in kinetics.latex(digits=5)
    tiny = Formula(V * x, {V: 1.5e-9}, (x,))
    assert tiny.latex() == r"1.5 \cdot 10^{-9} x"


@pytest.mark.parametrize("expr", [sympy.Float(1.5e-9) * x**2, sympy.exp(-x) * 1e12, x ** sympy.Float(1e-7)])
def test_latex_has_no_bare_exponents(expr: sympy.Expr) -> None:
    assert "e" not in Formula(expr, {}, (x,)).latex().replace(r"e^{- x}", "")


def test_constants(kinetics: Formula) -> None:
    first, second, third = kinetics.constants
    assert first == Constant("V", 212.6837, pytest.approx(6.947), None)
    assert second.standard_error == pytest.approx(0.008281)
    assert third == Constant("c3", np.pi / 2, None, "pi/2")
    assert str(first) == "V = 212.7 ± 6.9" and str(third) == "c3 = pi/2"
    assert np.isnan(Formula(V * x, {V: 2.0}, (x,)).constants[0].standard_error)


def test_predict_arrays_and_frames(kinetics: Formula) -> None:
    X = np.array([[0.1, 2.0], [1.0, -1.0]])
    expected = 212.6837 * X[:, 0] / (0.0641213 + X[:, 0]) + np.pi / 2 * X[:, 1]
    np.testing.assert_allclose(kinetics.predict(X), expected, rtol=1e-15)
    frame = pd.DataFrame({"other": [9.0, 9.0], "E": X[:, 1], "conc [ppm]": X[:, 0]})
    np.testing.assert_allclose(kinetics.predict(frame), expected, rtol=1e-15)
    np.testing.assert_allclose(kinetics.predict(X.tolist()), expected, rtol=1e-15)


def test_frames_with_numbers_as_column_names() -> None:
    symbols, _ = safe_symbols([0, 1])  # type: ignore[list-item]
    formula = Formula(symbols[0] - symbols[1], {}, symbols, ("0", "1"))
    np.testing.assert_array_equal(formula.predict(pd.DataFrame([[5.0, 2.0]])), [3.0])


def test_copies_travel(kinetics: Formula) -> None:
    assert copy.deepcopy(kinetics) == kinetics


def test_columns_that_are_not_read() -> None:
    formula = Formula(x**2, {}, (z, x), ("z", "x"))
    assert formula.used == (1,)
    np.testing.assert_array_equal(formula.predict([[np.nan, 2.0]]), [4.0])
    np.testing.assert_array_equal(formula.predict(pd.DataFrame({"x": [3]})), [9.0])


def test_outside_the_domain_is_nan_without_warning() -> None:
    formula = Formula(sympy.log(x) + sympy.sqrt(z), {}, (x, z))
    values = formula.predict([[1.0, 4.0], [-1.0, 4.0], [1.0, -4.0], [np.nan, 4.0], [0.0, 4.0]])
    np.testing.assert_array_equal(values, [2.0, np.nan, np.nan, np.nan, -np.inf])


def test_a_constant_formula() -> None:
    formula = Formula(V, {V: 2.5}, (x,))
    np.testing.assert_array_equal(formula.predict(np.zeros((3, 1))), [2.5] * 3)
    assert formula.predict(np.zeros((0, 1))).shape == (0,)
    assert formula.complexity == 1 and formula.used == ()


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((3, 3)), np.zeros((2, 2, 2)), 1.0])
def test_wrong_shapes(kinetics: Formula, X: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected \(n, 2\), one column for each of conc \[ppm\], E"):
        kinetics.predict(X)


def test_wrong_content(kinetics: Formula) -> None:
    with pytest.raises(InputTypeError, match="not real numbers"):
        kinetics.predict([["a", "b"]])
    with pytest.raises(InputTypeError, match="not real numbers"):
        kinetics.predict(np.zeros((2, 2), dtype=complex))
    with pytest.raises(InputError, match=r"formula reads \['conc \[ppm\]'\] too"):
        kinetics.predict(pd.DataFrame({"E": [1.0]}))


@pytest.mark.parametrize("name", LIBRARY)
def test_python_source_runs_and_agrees(name: str) -> None:
    structure = V * LIBRARY[name](K * x + sympy.Rational(1, 3), sympy.Float(1.7)) + z / 7 - sympy.pi
    symbols, _ = safe_symbols(["x", "log"])
    formula = Formula(structure.xreplace({z: symbols[1]}), {V: 1.5, K: 0.31}, symbols, ("x", "log"))
    source = formula.to_python("law")
    space: dict[str, object] = {}
    exec(source, space)  # noqa: S102 - our own text, and the point of the test
    X = np.random.default_rng(0).uniform(0.1, 1.5, (20, 2))
    np.testing.assert_allclose(space["law"](X[:, 0], X[:, 1]), formula.predict(X), rtol=1e-12)  # type: ignore[operator]
    assert "numpy as np" in source and "scipy" not in source


def test_python_source_golden(kinetics: Formula) -> None:
    expected = '''\
import numpy as np


def formula(conc_ppm, E_):
    """rate = pi*E_/2 + 212.7*conc_ppm/(conc_ppm + 0.0641); conc_ppm is 'conc [ppm]'; E_ is 'E' (found by kanlib)."""
    conc_ppm = np.asarray(conc_ppm, dtype=float)
    E_ = np.asarray(E_, dtype=float)
    return (1/2)*np.pi*E_ + 212.6837*conc_ppm/(conc_ppm + 0.0641213)
'''
    assert kinetics.to_python() == expected


def test_a_hostile_column_name_stays_text() -> None:
    names = ['"""\nraise SystemExit\n"""', "\\"]
    symbols, _ = safe_symbols(names)
    source = Formula(symbols[0] + symbols[1], {}, symbols, names).to_python()
    space: dict[str, object] = {}
    exec(source, space)  # noqa: S102
    assert space["formula"](1.0, 2.0) == 3.0  # type: ignore[operator]
    with pytest.raises(InputError, match="function_name"):
        Formula(x, {}, (x,)).to_python("a b")


def test_dict_is_json(kinetics: Formula) -> None:
    loaded = json.loads(json.dumps(kinetics.to_dict(), allow_nan=False))
    assert loaded["formula"] == str(kinetics) and loaded["symbols"] == kinetics.symbols_map
    assert loaded["constants"][2] == {"symbol": "c3", "value": np.pi / 2, "standard_error": None, "exact": "pi/2"}
    undetermined = Formula(V * x, {V: 2.0}, (x,), covariance=np.array([[np.inf]]))
    assert json.dumps(undetermined.to_dict(), allow_nan=False)


def test_equality_and_immutability(kinetics: Formula) -> None:
    same = dataclasses.replace(kinetics, covariance=None)
    assert same == kinetics and hash(same) == hash(kinetics)
    assert kinetics != dataclasses.replace(kinetics, target="y") and kinetics != 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        kinetics.target = "y"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        kinetics.covariance[0, 0] = 1.0  # type: ignore[index]


def test_bad_formulas() -> None:
    with pytest.raises(FormulaError, match=r"\['z'\] that are neither"):
        Formula(x + z, {}, (x,))
    with pytest.raises(FormulaError, match="not all finite"):
        Formula(V * x, {V: np.nan}, (x,))
    with pytest.raises(InputError, match="one row per fitted"):
        Formula(V * x, {V: 1.0}, (x,), covariance=np.eye(2))
    with pytest.raises(InputError, match="2 names"):
        Formula(x, {}, (x,), ("a", "b"))
    with pytest.raises(sympy.SympifyError):
        Formula("__import__('os')", {}, (x,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (212.6837, 6.947, "212.7 ± 6.9"),
        (0.0641213, 0.008281, "0.0641 ± 0.0083"),
        (1.499826, 9.4e-6, "1.4998260 ± 0.0000094"),
        (-3.0, 0.0999, "-3.00 ± 0.10"),
        (5.5015643e-6, 7.27e-8, "(5.502 ± 0.073)e-06"),
        (1234567.0, 1234.0, "(1.2346 ± 0.0012)e+06"),
        (0.0, 0.01, "0.000 ± 0.010"),
        (1000.0, 300.0, "(1.00 ± 0.30)e+03"),
        (2.5, 0.0, "2.5 ± 0"),
        (2.5, np.inf, "2.5 (not determined)"),
        (2.5, np.nan, "2.5"),
        (0.0, 0.0, "0 ± 0"),
    ],
)
def test_values_with_errors(value: float, error: float, expected: str) -> None:
    assert format_value(value, error) == expected


@given(st.floats(-1e10, 1e10), st.floats(1e-12, 1e10))
def test_rounding_moves_less_than_the_error(value: float, error: float) -> None:
    assert abs(round_to_error(value, error) - value) <= 0.51 * error + 1e-11 * abs(value)
    assert "±" in format_value(value, error)


@pytest.mark.parametrize(
    ("expr", "nodes"),
    [
        (x, 1),
        (x / z, 3),
        (1 / x, 3),
        (1 / (x * z), 5),
        (x - z, 3),
        (-x, 2),
        (-x - z, 4),
        (x / 2, 3),
        (sympy.Rational(3, 2) * x, 5),
        (x**2, 3),
        (1 / x**2, 5),
        (sympy.sqrt(x), 2),
        (1 / sympy.sqrt(x), 4),
        (2 * sympy.sin(x + 1) / z, 8),
    ],
)
def test_complexity_counts_what_people_see(expr: sympy.Expr, nodes: int) -> None:
    assert count_nodes(expr) == nodes
